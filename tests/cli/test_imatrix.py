"""`jarip imatrix`: what it measures is what the matrices read, and `jarip quantize` takes it."""

import subprocess

import gguf
import numpy
import pytest

TEXT = "The rain in Spain stays mainly in the plain, 그리고 비는 오지 않는다. " * 60


@pytest.fixture(scope="session")
def model(binary, tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "made.gguf"
    subprocess.run([binary, "synth", "--shape", "llama-tiny", "--format", "f16", "-o", path],
                   check=True, capture_output=True)
    return path


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text(TEXT, encoding="utf-8")
    return path


def read(path):
    return {tensor.name: numpy.array(tensor.data) for tensor in gguf.GGUFReader(path).tensors}


def test_every_matrix_gets_the_mean_squares_of_what_it_reads(jarip, model, text, tmp_path):
    path = tmp_path / "made.imatrix"
    done = jarip("imatrix", model, text, "-o", path, "--chunk", "64")
    assert done.returncode == 0, done.stderr
    assert "chunks of 64 tokens, perplexity" in done.stdout.decode()
    held = read(path)
    matrices = {tensor.name for tensor in gguf.GGUFReader(model).tensors
                if len(tensor.shape) == 2 and tensor.name != "token_embd.weight"}
    assert {name.removesuffix(".in_sum2") for name in held if name.endswith(".in_sum2")} == \
           matrices | {"token_embd.weight"}  # which is the output too
    counts = {float(held[name].ravel()[0]) for name in held if name.endswith(".counts")}
    assert len(counts) == 1 and counts.pop() % 64 == 0
    for layer in (0, 1):
        same = [held[f"blk.{layer}.attn_{part}.weight.in_sum2"] for part in "qkv"]
        assert (same[0] == same[1]).all() and (same[0] == same[2]).all()
        # A normalized row has a mean square of 1, times the norm's weights.
        mean = same[0].mean() / held[f"blk.{layer}.attn_q.weight.counts"].ravel()[0]
        norm = read(model)[f"blk.{layer}.attn_norm.weight"]
        assert mean == pytest.approx(float((norm ** 2).mean()), rel=0.2)


def test_threads_give_the_same_bytes_and_the_quantizer_takes_them(jarip, model, text, tmp_path):
    files = [tmp_path / "one", tmp_path / "three"]
    for path, threads in zip(files, "13", strict=True):
        assert jarip("imatrix", model, text, "-o", path, "--chunk", "64", "--threads",
                     threads).returncode == 0
    assert files[0].read_bytes() == files[1].read_bytes()
    plain, led = tmp_path / "plain.gguf", tmp_path / "led.gguf"
    assert jarip("quantize", model, plain, "--format", "q4_k_m").returncode == 0
    done = jarip("quantize", model, led, "--format", "q4_k_m", "--imatrix", files[0])
    assert done.returncode == 0 and done.stderr == b""
    assert plain.read_bytes() != led.read_bytes()
    assert plain.stat().st_size < led.stat().st_size  # it says where it comes from
    reader = gguf.GGUFReader(led)
    assert reader.get_field("quantize.imatrix.entries_count").contents() > 10
    assert reader.get_field("quantize.imatrix.dataset").contents() == "text.txt"


def test_a_text_that_is_too_short_is_refused(jarip, model, tmp_path):
    assert "smaller --chunk" in jarip.refused(2, "imatrix", model, "-", "-o", tmp_path / "x",
                                              stdin="short")
    assert "nowhere.txt" in jarip.refused(3, "imatrix", model, tmp_path / "nowhere.txt")


def test_a_file_that_is_there_stays_unless_forced(jarip, model, text, tmp_path):
    path = tmp_path / "mine"
    path.write_text("mine")
    assert "--force replaces it" in jarip.refused(2, "imatrix", model, text, "-o", path)
    assert path.read_text() == "mine"
    assert jarip("imatrix", model, text, "-o", path, "--chunk", "64", "--force").returncode == 0
