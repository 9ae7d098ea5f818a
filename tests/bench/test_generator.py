"""What bench/servers asks of aiperf and believes of its answer. In aiperf's place stands a program
that writes what a test wants; check_generator.py holds the real one."""

import contextlib
import json
import os
import stat
import subprocess
import sys

import compare_servers
import generator
import pytest
from generator import EXPORT, Outcome, Refusal
from workloads import BY_NAME, WORKLOADS, Workload

SMALL = Workload("small", "prompts of 5 tokens, 7 new", 2, 6, 2, 3, n_new=7)


def export(**changes):
    """As aiperf 0.13 writes it for SMALL, without what isn't read."""
    return {"error_summary": [], "is_complete": True,
            "request_count": {"unit": "requests", "avg": 6.0},
            "usage_completion_tokens": {"unit": "tokens", "avg": 7.0, "min": 7.0, "max": 7.0},
            "output_token_throughput": {"unit": "tokens/sec", "avg": 91.5},
            "time_to_first_token": {"unit": "ms", "avg": 40.0, "p50": 42.0, "p95": 60.0,
                                    "max": 80.0, "count": 6}, **changes}


@pytest.fixture
def aiperf(tmp_path, monkeypatch):
    """Runs the lines of a test in the place of aiperf, in the folder of its results."""
    program = tmp_path / "aiperf"
    monkeypatch.setattr(generator, "AIPERF", program)

    def behave(lines):
        program.write_text(
            f"#!{sys.executable}\nimport json, os, sys, time\n"
            "given = dict(zip(sys.argv[2:], sys.argv[3:]))\n"
            f"os.chdir(given['--output-artifact-dir'])\n{lines}\n", encoding="utf-8")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        return lambda: generator.send(SMALL, "http://127.0.0.1:9", 3, tmp_path / "results")

    return behave


def writing(content):
    return f"open({EXPORT!r}, 'w').write({json.dumps(content)!r})"


def test_aiperf_gets_the_whole_workload_and_its_figures_come_back(aiperf, tmp_path):
    send = aiperf("json.dump(given, open('given.json', 'w'))\n" + writing(export()))
    assert send() == Outcome(91.5, 0.042, 0.060, 0.080)
    given = json.loads((tmp_path / "results" / "given.json").read_text(encoding="utf-8"))
    assert given["--url"] == "http://127.0.0.1:9"
    assert (given["--concurrency"], given["--conversation-num"]) == ("2", "6")
    sent = json.loads((tmp_path / "results" / "inputs.json").read_text(encoding="utf-8"))["data"]
    assert [one["payloads"] for one in sent] == [[body] for body in SMALL.requests(3)]
    assert len({one["session_id"] for one in sent}) == 6


def test_figures_of_an_earlier_run_are_not_taken(aiperf):
    aiperf(writing(export()))()
    with pytest.raises(Refusal, match="status 3: no server"):
        aiperf("print('no server', end='')\nsys.exit(3)")()


def test_aiperf_ends_when_patience_does(aiperf, monkeypatch, tmp_path):
    monkeypatch.setattr(generator, "PATIENCE_S", 3)
    with pytest.raises(Refusal, match="weren't done after 3 s"):
        aiperf("child = os.fork()\nif child: open('pid', 'w').write(str(child))\ntime.sleep(60)")()
    pid = int((tmp_path / "results" / "pid").read_text(encoding="utf-8"))
    status = subprocess.run(["ps", "-o", "stat=", str(pid)], capture_output=True, text=True,
                            check=False).stdout.strip()
    assert status == "" or status.startswith("Z")


def test_offline_settings_do_not_hide_the_tokenizer(aiperf, monkeypatch, tmp_path):
    for name in generator.OFFLINE:
        monkeypatch.setenv(name, "1")
    aiperf("json.dump(dict(os.environ), open('env.json', 'w'))\n" + writing(export()))()
    environment = json.loads((tmp_path / "results" / "env.json").read_text(encoding="utf-8"))
    assert not set(generator.OFFLINE) & set(environment)
    assert environment["PATH"] == os.environ["PATH"]


def test_the_reason_is_the_servers_own(aiperf):
    line = json.dumps({"metrics": {}, "error": {"code": 429, "message": "queue full"}})
    with pytest.raises(Refusal, match="429 queue full"):
        aiperf(f"open('profile_export.jsonl', 'w').write({line!r})\nsys.exit(1)")()


@pytest.mark.parametrize(("changes", "reason"), [
    ({"error_summary": [{"error_details": {"code": 503}, "count": 1}]}, "503"),
    ({"request_count": {"avg": 5.0}}, "5 answers came where 6"),
    ({"is_complete": False}, "6 answers came where 6"),
    ({"usage_completion_tokens": {"min": 6.0, "max": 7.0}}, "6 to 7 tokens came where 7"),
    ({"time_to_first_token": {"p50": 1, "p95": 1, "max": 1, "count": 4}}, "2 answers had no text"),
])
def test_what_is_not_as_asked_for_is_no_result(changes, reason):
    with pytest.raises(Refusal, match=reason):
        generator.outcome(export(**changes), SMALL)


@pytest.mark.parametrize("workload", BY_NAME.values(), ids=lambda workload: workload.name)
def test_prompts_share_what_they_should_and_nothing_else(workload):
    prompts = [tuple(one) for one in workload.prompts(1)]
    assert len(prompts) == workload.n_requests
    assert {len(one) for one in prompts} == {workload.shared_tokens + workload.own_tokens}
    shared = workload.shared_tokens
    assert len({one[:shared] for one in prompts}) == 1
    assert len({one[:shared + 4] for one in prompts}) == len(prompts)


def test_a_round_has_other_prompts_than_the_last():
    (workload, *_) = WORKLOADS
    assert workload.prompts(1) == workload.prompts(1)
    assert workload.prompts(1)[0] != workload.prompts(2)[0]


def test_every_answer_has_a_set_length():
    for body in SMALL.requests(1):
        assert (body["max_tokens"], body["ignore_eos"], body["temperature"]) == (7, True, 0)
        assert "user" not in body
    assert BY_NAME["questions"].requests(1)[0]["user"] != BY_NAME["long"].requests(1)[0]["user"]


SLOW, FAST = "llama-server, one cache", "llama-server, a cache each"


def test_the_table_takes_the_better_peer_in_each_line():
    measured = {WORKLOADS[0]: {
        compare_servers.OURS: [Outcome(800, 0.04, 0.06, 1), Outcome(1000, 0.06, 0.08, 1)],
        FAST: [Outcome(150, 0.20, 0.30, 1), Outcome(250, 0.20, 0.30, 1)],
        SLOW: [Outcome(100, 0.10, 0.50, 1)]}}
    rows = compare_servers.table(measured).splitlines()[2:]
    assert "| 900 tok/s | 200 | 4.50 | ≥ 3.00 | yes |" in rows[0]
    assert "| 0.050 s | 0.100 | 0.50 | – | – |" in rows[1]
    assert "| 0.070 s | 0.300 | 0.23 | ≤ 0.33 | yes |" in rows[2]


def test_only_the_better_peer_stays_for_further_rounds(monkeypatch):
    class Named:
        def __init__(self, name):
            self.name = name

    speeds = {compare_servers.OURS: 50, SLOW: 10, FAST: 20}
    asked = []

    def run(server, workload, seed):
        asked.append((server.name, seed))
        return Outcome(speeds[server.name], 1, 1, 1)

    monkeypatch.setattr(compare_servers, "run", run)
    compare_servers.measure([Named(name) for name in speeds], WORKLOADS[:1], 2)
    assert asked == [(name, 0) for name in speeds] + [(compare_servers.OURS, 1), (FAST, 1)]


@pytest.mark.parametrize(("others", "is_written"), [(0.049, True), (0.051, False)])
def test_a_page_comes_from_a_quiet_machine_only(others, is_written, tmp_path, monkeypatch):
    page = tmp_path / "page.md"
    page.write_text("<!-- servers -->\nold\n<!-- end of servers -->\n", encoding="utf-8")
    drawn = []
    monkeypatch.setattr(compare_servers, "PAGE", page)
    monkeypatch.setattr(compare_servers, "draw_growth", lambda *given: drawn.append(given))
    with contextlib.nullcontext() if is_written else pytest.raises(RuntimeError, match="5.1 %"):
        compare_servers.publish("new", {}, {"others": others})
    assert ("new" in page.read_text(encoding="utf-8")) == bool(drawn) == is_written


def test_the_record_holds_every_outcome():
    outcome = Outcome(800, 0.04, 0.06, 1)
    text = compare_servers.record({WORKLOADS[0]: {"jarip": [outcome, outcome]}},
                                  {"jarip": [(4, outcome)]}, {"threads": 2}, {"others": 0.01})
    held = json.loads(text)
    assert held["workloads"][0]["name"] == "shared"
    assert [one["p95_s"] for one in held["workloads"][0]["outcomes"]["jarip"]] == [0.06, 0.06]
    assert held["growth"]["jarip"][0]["clients"] == 4
    assert held["disturbance"] == {"others": 0.01}
