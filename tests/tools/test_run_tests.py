"""The runner counts what the suites report, never calls a broken suite good, and keeps order."""

import pathlib
import re
import signal
import subprocess
import sys
import time

import pytest
import run_tests
from test_report import Count, count_text
from test_suites import CONCURRENT_TESTS, ROOT, Suite, all_suites, soak_suites

PYTEST = """<testsuites><testsuite>
<testcase name="a"/><testcase name="b"><failure>no</failure></testcase>
<testcase name="c"><skipped/></testcase><testcase name="d"><error/></testcase>
</testsuite></testsuites>"""

GOOGLE_TEST = """<testsuites><testsuite>
<testcase name="a" status="run" result="completed"/>
<testcase name="b" status="run" result="skipped"/>
<testcase name="c" status="notrun" result="suppressed"/>
<testcase name="d" status="run" result="completed"><failure/></testcase>
</testsuite></testsuites>"""


def wait_until(condition):
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in 20 s"
        time.sleep(0.02)


def is_running(pid):
    try:
        state = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


@pytest.fixture
def logs(tmp_path, monkeypatch):
    monkeypatch.setattr(run_tests, "LOGS", tmp_path / "logs")
    monkeypatch.setattr(run_tests, "SCRATCH", tmp_path / "scratch")
    monkeypatch.setattr(run_tests, "show_tail", lambda suite: None)
    return tmp_path / "logs"


@pytest.mark.parametrize(("report", "count"), [
    (PYTEST, Count(1, 2, 1)),
    (GOOGLE_TEST, Count(1, 1, 2)),
    ("<testsuites>", Count(0, 1, 0)),
    ("", Count(0, 1, 0)),
    ("<testsuites/>", Count(0, 0, 0)),
])
def test_each_dialect_is_counted_and_a_torn_report_is_a_failure(report, count):
    assert count_text(report) == count


@pytest.mark.parametrize(("command", "word", "count"), [
    ("true", "ok", Count(passed=1)),
    ("false", "FAILED", Count(failed=1)),
    ("echo '<t><testcase/><testcase/></t>' > $JARIP_REPORTS/a.xml", "ok", Count(passed=2)),
    # Died after its report was written: one failure more than the report says.
    ("echo '<t><testcase/></t>' > $JARIP_REPORTS/a.xml; false", "FAILED", Count(1, 1, 0)),
    # Says it is fine, but reports a failure.
    ("echo '<t><testcase><failure/></testcase></t>' > $JARIP_REPORTS/a.xml", "FAILED",
     Count(failed=1)),
])
def test_a_suite_is_good_only_if_status_and_report_say_so(logs, command, word, count):
    outcome = run_tests.run_suite(Suite("sample", command))
    assert (outcome.word, outcome.count) == (word, count)


def test_a_suite_that_hangs_is_ended_with_its_children(logs):
    outcome = run_tests.run_suite(Suite("sample", "sleep 60 & sleep 60", timeout_s=1))
    assert outcome.word == "TIMEOUT"
    assert outcome.count == Count(failed=1)
    assert outcome.seconds < 30


def test_stopping_the_runner_ends_its_suites(tmp_path):
    script = f"""
import pathlib, signal, sys, threading
sys.path.insert(0, {str(ROOT / "tools")!r})
import run_tests
from test_suites import Suite
run_tests.LOGS = pathlib.Path({str(tmp_path)!r}) / "logs"
run_tests.SCRATCH = pathlib.Path({str(tmp_path)!r}) / "scratch"
signal.signal(signal.SIGTERM, run_tests.stop)
suite = Suite("sample", "echo $$ > {tmp_path}/pid.new; mv {tmp_path}/pid.new {tmp_path}/pid; "
              "sleep 60")
run_tests.Schedule([suite], 1).run()
"""
    with subprocess.Popen([sys.executable, "-c", script]) as runner:
        wait_until((tmp_path / "pid").exists)
        suite = int((tmp_path / "pid").read_text())
        runner.terminate()
        assert runner.wait(timeout=20) == 128 + signal.SIGTERM
    wait_until(lambda: not is_running(suite))


def test_a_step_counts_only_when_it_fails(logs):
    assert run_tests.run_suite(Suite("sample", "true", step=True)).count == Count()
    assert run_tests.run_suite(Suite("sample", "false", step=True)).count == Count(failed=1)


def test_a_suite_does_not_run_when_what_it_needs_failed(logs, tmp_path):
    witness = tmp_path / "ran"
    suites = [Suite("build", "false", step=True),
              Suite("unit", f"touch {witness}", needs=("build",)),
              Suite("after", f"touch {witness}", needs=("unit",)),
              Suite("other", "true")]
    outcomes = run_tests.Schedule(suites, 2).run()
    assert [outcomes[suite.name].word for suite in suites] == ["FAILED", "not run", "not run", "ok"]
    assert not witness.exists()


def test_a_suite_that_measures_time_runs_alone(logs, tmp_path):
    mark = tmp_path / "busy"
    busy = f"touch {mark}; sleep 0.3; rm {mark}"
    suites = [Suite("a", busy), Suite("quiet", f"test ! -e {mark}", alone=True), Suite("b", "true")]
    outcomes = run_tests.Schedule(suites, 4).run()
    assert all(outcome.passed for outcome in outcomes.values())


def test_a_small_suite_does_not_overtake_a_build_that_waits_for_its_core(logs):
    suites = [Suite("first", "sleep 0.3"), Suite("build", "true", cores=2), Suite("small", "true"),
              Suite("download", "true", cores=0)]
    outcomes = run_tests.Schedule(suites, 2).run()
    assert list(outcomes) == ["download", "first", "build", "small"]


def test_a_suite_sees_no_setting_of_the_person(logs, monkeypatch):
    monkeypatch.setenv("JARIP_PORT", "1")
    outcome = run_tests.run_suite(
        Suite("sample", 'test -z "${JARIP_PORT-}" && test -d "$JARIP_HOME"'))
    assert outcome.passed


def test_choosing_a_suite_brings_what_it_needs_in_order():
    suites = [Suite("a", "true"), Suite("b", "true", needs=("a",)), Suite("c", "true"),
              Suite("d", "true", needs=("b",))]
    assert [suite.name for suite in run_tests.choose(suites, ["d"])] == ["a", "b", "d"]
    with pytest.raises(KeyError):
        run_tests.choose(suites, ["none"])


def test_thread_sanitizer_watches_every_unit_test_that_starts_threads():
    starts_threads = {path.stem for path in (ROOT / "src").rglob("*_test.cpp")
                      if re.search(r"std::j?thread\b|std::async", path.read_text("utf-8"))}
    assert starts_threads <= set(CONCURRENT_TESTS)


def test_the_table_names_every_need_before_its_suite():
    seen = set()
    for suite in all_suites() + soak_suites():
        assert suite.name not in seen
        assert set(suite.needs) <= seen, suite.name
        seen.add(suite.name)
