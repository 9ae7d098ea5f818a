"""How the compared programs are driven, with a stand-in for them."""

import os
import sys
import time

import pytest
from contenders import MODEL, THREADS, Contender
from programs import Program, Refusal, peak_memory, seconds_to_first_token
from rows import Row
from session import Session

STAND_IN = """
import json, os, sys, threading, time
def spin():
    end = time.monotonic() + 0.5
    while time.monotonic() < end:
        pass
name, log = sys.argv[1], sys.argv[2]
print(json.dumps({"ready": True}), flush=True)
for line in sys.stdin:
    with open(log, "a") as file:
        print(name, line.strip(), file=file)
    if line.startswith("fail"):
        print(json.dumps({"error": "no such thing"}), flush=True)
    elif line.startswith("die"):
        os._exit(3)
    elif line.startswith("spin"):
        threading.Thread(target=spin, daemon=True).start()
        print(json.dumps({"seconds": 0.1}), flush=True)
    elif line.startswith("hang"):
        time.sleep(60)
    else:
        seconds = {"jarip": 0.1, "quick": 0.2, "slow": 0.9}[name]
        print(json.dumps({"seconds": seconds}), flush=True)
"""


def stand_in(name, log):
    return Contender(name, name, [sys.executable, "-c", STAND_IN, name, log])


def test_a_contender_puts_model_and_threads_where_they_belong():
    contender = Contender("x", "x", ["program", MODEL, "-t", THREADS])
    assert contender.command("m.gguf", 2) == ["program", "m.gguf", "-t", "2"]


def test_a_program_answers_with_seconds_or_refuses(tmp_path):
    with Program("jarip", stand_in("jarip", tmp_path / "log").command("m", 1)) as program:
        program.wait_until_ready()
        assert program.ask("decode 8") == 0.1
        with pytest.raises(Refusal, match="no such thing"):
            program.ask("fail 1")
        assert program.ask("decode 8") == 0.1
        assert program.peak_bytes() > 2**20
        with pytest.raises(Refusal, match="ended"):
            program.ask("die 1")


def test_no_turn_ends_before_all_threads_sleep(tmp_path):
    with Program("jarip", stand_in("jarip", tmp_path / "log").command("m", 1)) as program:
        program.wait_until_ready()
        begin = time.monotonic()
        program.ask("spin 1")
        assert time.monotonic() - begin > 0.5


def test_a_program_that_takes_too_long_is_ended(tmp_path):
    command = stand_in("jarip", tmp_path / "log").command("m", 1)
    with Program("jarip", command, patience_s=2) as program:
        program.wait_until_ready()
        with pytest.raises(Refusal, match="longer than 2 s"):
            program.ask("hang 1")
    assert program.process.returncode != 0


def test_starting_and_memory_are_those_of_a_fresh_process(tmp_path):
    command = stand_in("jarip", tmp_path / "log").command("m", 1)
    assert 0 < seconds_to_first_token("jarip", command, "prefill 1") < 10
    assert peak_memory("jarip", command, "prefill 1") > 2**20


def row(**more):
    fields = {"work": "w", "shape": "llama-135m", "format": "q4_0", "item": "decode 4",
              "n_tokens": 4, "at_least": 1.0, "rounds": 4, "cost_s": 0.1}
    return Row(**(fields | more))


def session(tmp_path, names, budget_s=100):
    contenders = [stand_in(name, tmp_path / "log") for name in names]
    return Session(contenders, 1, budget_s, tmp_path)


def test_programs_take_turns_and_a_slow_peer_leaves_after_a_round(tmp_path):
    ((_, speeds),) = session(tmp_path, ["jarip", "quick", "slow"]).measure_model([row()], 0)
    assert speeds == {"jarip": [40.0] * 4, "quick": [20.0] * 4, "slow": [4 / 0.9]}
    who = [line.split()[0] for line in (tmp_path / "log").read_text().splitlines()]
    assert who == ["jarip", "quick", "slow"] * 2 + ["jarip", "quick"] * 3  # a warm-up first


def test_each_round_of_a_fresh_row_has_processes_of_its_own(tmp_path):
    here = session(tmp_path, ["jarip", "quick", "slow"])
    ((_, speeds),) = here.measure_model([row(fresh=True, rounds=3)], 0)
    assert speeds == {"jarip": [40.0] * 3, "quick": [20.0] * 3, "slow": [4 / 0.9]}
    who = [line.split()[0] for line in (tmp_path / "log").read_text().splitlines()]
    warmed = ["jarip", "jarip", "quick", "quick"]
    assert who == ["jarip", "quick", "slow"] * 2 + warmed * 2


def test_points_of_curves_take_the_best_peer_alone(tmp_path):
    measured = session(tmp_path, ["jarip", "quick", "slow"]).measure_model(
        [row(), row(item="decode 4 batch 2", one_peer=True, at_least=None)], 0)
    assert set(measured[1][1]) == {"jarip", "quick"}


def test_a_peer_that_refuses_or_dies_is_noted_and_the_rest_goes_on(tmp_path):
    here = session(tmp_path, ["jarip", "quick"])
    here.contenders.append(Contender("broken", "broken", [sys.executable, "-c", "pass"]))
    ((_, speeds),) = here.measure_model([row()], 0)
    assert set(speeds) == {"jarip", "quick"}
    assert any("broken" in note for note in here.notes)
    assert here.measure_model([row(item="fail 1")], 0) == []
    assert any("no such thing" in note for note in here.notes)


def test_no_row_is_begun_without_the_time_for_it(tmp_path):
    here = session(tmp_path, ["jarip", "quick"], budget_s=5)
    assert here.measure_model([row(cost_s=100)], 0) == []
    assert "no time left" in here.notes[0]


def test_no_program_outlives_its_session(tmp_path):
    with Program("jarip", stand_in("jarip", tmp_path / "log").command("m", 1)) as program:
        program.wait_until_ready()
        number = program.process.pid
    assert not os.path.exists(f"/proc/{number}")
