"""`jarip eval`: what it prints, and what it refuses. Its numbers are held in tests/fidelity."""

import json
import subprocess

import pytest

TEXT = "The rain in Spain stays mainly in the plain, 그리고 비는 오지 않는다. " * 60


@pytest.fixture(scope="session")
def models(binary, tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    for name in ("f32", "q8_0"):
        subprocess.run([binary, "synth", "--shape", "llama-tiny", "--format", name, "-o",
                        folder / f"{name}.gguf"], check=True, capture_output=True)
    return folder


def evaluated(jarip, *arguments, **more):
    done = jarip("eval", *arguments, "--json", **more)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_perplexity_of_a_text(jarip, models, tmp_path):
    text = tmp_path / "text.txt"
    text.write_text(TEXT, encoding="utf-8")
    done = jarip("eval", "perplexity", models / "f32.gguf", text, "--chunk", "64")
    assert done.returncode == 0, done.stderr
    assert done.stdout.decode().startswith("perplexity ")
    of_file = evaluated(jarip, "perplexity", models / "f32.gguf", text, "--chunk", "64")
    assert of_file["skip"] == 32 and of_file["n_tokens"] == of_file["n_chunks"] * 31
    assert of_file["perplexity"]["value"] > 1 and of_file["perplexity"]["standard_error"] > 0
    of_input = evaluated(jarip, "perplexity", models / "f32.gguf", "-", "--chunk", "64",
                         "--threads", "3", stdin=TEXT)
    assert of_input["perplexity"] == of_file["perplexity"]


def test_a_model_is_as_far_from_itself_as_its_arithmetic(jarip, models):
    same = evaluated(jarip, "kl", models / "f32.gguf", models / "f32.gguf", "-", "--chunk", "64",
                     stdin=TEXT)
    assert same["kl"]["max"] == 0 and same["same_likeliest_token"] == 1
    assert same["perplexity"] == same["base_perplexity"]
    other = evaluated(jarip, "kl", models / "q8_0.gguf", models / "f32.gguf", "-", "--chunk", "64",
                      stdin=TEXT)
    assert 0 < other["kl"]["median"] <= other["kl"]["p99"] <= other["kl"]["max"]
    table = jarip("eval", "kl", models / "q8_0.gguf", models / "f32.gguf", "-", "--chunk", "64",
                  stdin=TEXT).stdout.decode()
    assert "mean KL" in table and "perplexity of the base" in table


def test_speed_is_bench_by_another_name(jarip, models):
    rows = json.loads(jarip("eval", "speed", models / "f32.gguf", "-p", "16", "-n", "4", "--reps",
                            "1", "--json").stdout)
    assert [row["test"] for row in rows] == ["prefill", "decode"]


@pytest.mark.parametrize(("arguments", "words"), [
    (("--chunk", "16384"), "--chunk 16384 is more than the"),
    (("--chunk", "64", "--skip", "63"), "--skip 63 leaves nothing to count"),
    ((), "smaller --chunk"),
])
def test_what_cannot_be_measured_is_refused(jarip, models, arguments, words):
    assert words in jarip.refused(2, "eval", "perplexity", models / "f32.gguf", "-", *arguments,
                                  stdin="short")


def test_models_with_different_vocabularies_are_refused(jarip, models, tiny):
    line = jarip.refused(2, "eval", "kl", models / "f32.gguf", tiny, "-", "--chunk", "64",
                         stdin=TEXT)
    assert "vocabulary" in line
