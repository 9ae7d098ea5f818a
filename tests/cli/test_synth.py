"""`jarip synth`: the file that it writes is a model, and no other file is lost for it."""

import json

import pytest


def test_the_file_is_a_model_that_answers(jarip, tmp_path):
    path = tmp_path / "made.gguf"
    done = jarip("synth", "--shape", "llama-tiny", "--format", "q4_k_m", "-o", path)
    assert done.returncode == 0, done.stderr
    assert str(path).encode() in done.stdout
    held = json.loads(jarip("inspect", path, "--json").stdout)
    assert {row["format"] for row in held["formats"]} == {"Q4_K", "Q6_K", "F32"}
    answer = jarip("run", path, "--raw", "--greedy", "-n", "8", "The rain")
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout
    assert list(tmp_path.glob(".*")) == []


def test_the_same_seed_writes_the_same_bytes(jarip, tmp_path):
    files = {}
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        path = tmp_path / name
        assert jarip("synth", "--format", "q8_0", "--seed", seed, "-o", path).returncode == 0
        files[name] = path.read_bytes()
    assert files["a"] == files["b"] != files["c"]


def test_a_file_that_is_there_stays_unless_forced(jarip, tmp_path):
    path = tmp_path / "mine.gguf"
    path.write_text("mine")
    assert "--force replaces it" in jarip.refused(2, "synth", "-o", path)
    assert path.read_text() == "mine"
    assert jarip("synth", "-o", path, "--force").returncode == 0
    assert jarip("inspect", path).returncode == 0


@pytest.mark.parametrize("folder", ["nowhere", "a_file"])
def test_a_folder_that_cant_be_written_is_named(jarip, tmp_path, folder):
    (tmp_path / "a_file").touch()
    message = jarip.refused(6, "synth", "-o", tmp_path / folder / "x.gguf")
    assert f"can't write {tmp_path / folder / 'x.gguf'}" in message
