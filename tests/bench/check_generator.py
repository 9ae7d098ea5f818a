"""The real aiperf against the real program: that bench/servers gets from them what it takes for
granted. Part of `make soak`, because aiperf brings over a hundred packages."""

import dataclasses
import pathlib
import sys
import threading

import generator
import pytest
from generator import Refusal
from workloads import BY_NAME, Workload

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "wire"))
import server as server_module  # noqa: E402

CONTEXT = 4000
SMALL = Workload("small", "prompts of 30 tokens, 8 new", 3, 12, 20, 10, n_new=8)


@pytest.fixture(scope="module", autouse=True)
def real_aiperf():
    generator.AIPERF = ROOT / "build" / "bench" / "servers-venv" / "bin" / "aiperf"
    assert generator.AIPERF.exists()


@pytest.fixture(scope="module")
def server():
    started = server_module.start_server("--ctx", str(CONTEXT), "--draft-tokens", "0")
    yield started
    server_module.stop_server(started)


def send(server, workload, folder):
    return generator.send(workload, f"http://127.0.0.1:{server.port}", 1, folder)


def test_every_token_is_computed_and_counted(server, tmp_path):
    name = "jarip_generation_tokens_total"
    before = server.metric(name)
    outcome = send(server, SMALL, tmp_path / "results")
    assert server.eventually(name, before + 12 * 8)
    assert outcome.tokens_per_second > 0
    assert 0 < outcome.median_s <= outcome.p95_s <= outcome.worst_s


def test_nobody_there_is_no_result(tmp_path):
    with pytest.raises(Refusal, match="(?i)connect"):
        generator.send(SMALL, "http://127.0.0.1:9", 1, tmp_path / "results")


def test_a_prompt_that_the_server_refuses_is_no_result(server, tmp_path):
    too_long = Workload("too long", "a prompt longer than the context", 1, 1, 0, CONTEXT + 1)
    with pytest.raises(Refusal, match="400"):
        send(server, too_long, tmp_path / "results")


def test_questions_are_answered_while_long_prompts_are_read(server, tmp_path):
    long = dataclasses.replace(BY_NAME["long"], own_tokens=CONTEXT - 1000, n_requests=3)
    questions = dataclasses.replace(BY_NAME["questions"], n_requests=20)
    ended = []

    def read():
        send(server, long, tmp_path / "long")
        ended.append("long")

    thread = threading.Thread(target=read)
    thread.start()
    send(server, questions, tmp_path / "questions")
    ended.append("questions")
    thread.join()
    assert ended == ["questions", "long"]
