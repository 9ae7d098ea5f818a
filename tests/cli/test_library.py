"""`jarip import`, `models`, `inspect` and `bench`: what is theirs across layers."""

import json

import pexpect
import pytest


def test_an_imported_model_is_found_by_its_name(jarip, tiny):
    done = jarip("import", tiny, "--name", "mine")
    assert done.returncode == 0, done.stderr
    listed = json.loads(jarip("models", "--json").stdout)
    assert [model["name"] for model in listed] == ["mine"]
    assert b"mine" in jarip("models").stdout
    by_name = jarip("run", "mine", "Hello", "-n", "10", "--greedy")
    assert by_name.returncode == 0, by_name.stderr
    assert by_name.stdout == jarip("run", tiny, "Hello", "-n", "10", "--greedy").stdout


def test_a_name_that_could_leave_its_folder_is_refused(jarip, tiny):
    assert "[A-Za-z0-9]" in jarip.refused(2, "import", tiny, "--name", "../mine")
    assert json.loads(jarip("models", "--json").stdout) == []


def test_a_removed_model_is_gone(jarip, tiny):
    assert jarip("import", tiny, "--name", "mine").returncode == 0
    assert "--yes removes it" in jarip.refused(2, "rm", "mine")
    assert "the models are mine" in jarip.refused(3, "rm", "other", "--yes")
    assert jarip("rm", "mine", "--yes").stdout == b"mine removed\n"
    assert json.loads(jarip("models", "--json").stdout) == []
    assert tiny.is_file()
    assert "there is no model" in jarip.refused(3, "rm", str(tiny), "--yes")


@pytest.mark.parametrize(("language", "question", "answer", "stays"), [
    ("en", "remove mine", "", True), ("en", "remove mine", "n", True),
    ("en", "remove mine", "y", False), ("ko", "지울까요", "네", False)])
def test_a_person_is_asked_before_a_model_is_removed(jarip, tiny, language, question, answer,
                                                     stays):
    assert jarip("import", tiny, "--name", "mine").returncode == 0
    child = pexpect.spawn(jarip.binary, ["rm", "mine", "--lang", language], env=jarip.environment,
                          encoding="utf-8", timeout=60)
    child.expect_exact(question)
    child.sendline(answer)
    child.expect(pexpect.EOF)
    child.close()
    assert (child.exitstatus == 0) != stays
    assert bool(json.loads(jarip("models", "--json").stdout)) == stays


def test_inspect_tells_what_a_file_holds(jarip, tiny):
    text = jarip("inspect", tiny)
    assert text.returncode == 0
    assert b"blk.1.ffn_down.weight" in text.stdout
    assert json.loads(jarip("inspect", tiny, "--json").stdout)


def test_tokenize_reads_its_argument_or_standard_input(jarip, tiny):
    given = jarip("tokenize", tiny, "hehe", "--json")
    assert json.loads(given.stdout) == [256, 256]
    assert jarip("tokenize", tiny, "--json", stdin="hehe").stdout == given.stdout
    typed = jarip("tokenize", tiny, "<|im_end|>", "--json")
    assert len(json.loads(typed.stdout)) == 10
    parsed = jarip("tokenize", tiny, "<|im_end|>", "--json", "--special")
    assert json.loads(parsed.stdout) == [258]


def test_bench_prints_a_row_for_each_test(jarip, tiny):
    done = jarip("bench", tiny, "-p", "32", "-n", "8", "--reps", "3", "--batch", "2",
                 "--threads", "1", "--json")
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)
    assert [(row["test"], row["n_tokens"], row["batch"], row["threads"]) for row in rows] == [
        ("prefill", 32, 2, 1), ("decode", 8, 2, 1)]
    for row in rows:
        speed = row["tokens_per_second"]
        assert 0 < speed["min"] <= speed["median"] <= speed["max"]
        assert abs(speed["spread"] - (speed["max"] - speed["min"]) / speed["median"]) < 1e-9


def test_bench_measures_512_and_64_tokens_unless_told(jarip, tiny):
    done = jarip("bench", tiny, "--reps", "1")
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.decode().splitlines()]
    assert lines[0][:4] == ["test", "tokens", "batch", "threads"]
    assert [line[:3] for line in lines[1:]] == [["prefill", "512", "1"], ["decode", "64", "1"]]


def test_bench_answers_lines_of_standard_input(jarip, tiny):
    lines = "prefill 32\ndecode 4 batch 2 depth 8\nno 1\n"
    done = jarip("bench", tiny, "--from-stdin", stdin=lines)
    assert done.returncode == 0, done.stderr
    ready, prefill, decode, refused = map(json.loads, done.stdout.splitlines())
    assert ready == {"ready": True}
    assert prefill["seconds"] > 0
    assert decode["seconds"] > 0
    assert '"no" is none of prefill' in refused["error"]


def test_bench_times_what_follows_a_context(jarip, tiny):
    done = jarip("bench", tiny, "-p", "8", "-n", "4", "--depth", "64", "--reps", "1", "--json")
    assert done.returncode == 0, done.stderr
    assert [row["depth"] for row in json.loads(done.stdout)] == [64, 64]
