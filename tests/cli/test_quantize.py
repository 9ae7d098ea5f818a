"""`jarip quantize`: the file that it writes is the same model in another format."""

import json
import os
import signal
import struct
import subprocess
import time

import gguf
import numpy
import pytest

SHAPE = ("--shape", "llama-tiny")


@pytest.fixture(scope="session")
def source(binary, tmp_path_factory):
    path = tmp_path_factory.mktemp("source") / "made-f32.gguf"
    subprocess.run([binary, "synth", *SHAPE, "--format", "f32", "-o", path], check=True,
                   capture_output=True)
    return path


def inspect(jarip, path):
    return json.loads(jarip("inspect", path, "--json").stdout)


def weights(path):
    return {tensor.name: gguf.quants.dequantize(tensor.data, tensor.tensor_type)
            for tensor in gguf.GGUFReader(path).tensors}


def test_the_file_is_the_same_model_and_answers(jarip, source, tmp_path):
    path = tmp_path / "small.gguf"
    done = jarip("quantize", source, path, "--format", "q4_k_m")
    assert done.returncode == 0, done.stderr
    assert str(path) in done.stdout.decode() and "bits a weight" in done.stdout.decode()
    before, after = inspect(jarip, source), inspect(jarip, path)
    assert {row["format"] for row in after["formats"]} == {"Q4_K", "Q6_K", "F32"}
    for held in (before, after):
        del held["metadata"]["general.file_type"]
    assert before["metadata"] == after["metadata"]
    was, now = weights(source), weights(path)
    assert list(was) == list(now)
    for name, values in was.items():
        if values.ndim == 1:
            assert (values == now[name]).all(), name
        else:
            assert numpy.corrcoef(values.ravel(), now[name].ravel())[0, 1] > 0.99, name
    answer = jarip("run", path, "--raw", "--greedy", "-n", "8", "The rain")
    assert answer.returncode == 0 and answer.stdout
    assert list(tmp_path.glob(".*")) == []


def test_without_a_name_the_file_lies_here_named_after_source_and_format(jarip, source, tmp_path):
    done = jarip("quantize", source, "--format", "q8_0", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "made-f32-q8_0.gguf").is_file()


@pytest.mark.parametrize("file_type", ["q4_0", "q3_k_m", "iq4_xs", "mxfp4"])
def test_threads_and_instruction_sets_write_the_same_bytes(jarip, source, tmp_path, file_type):
    files = []
    for name, settings, environment in (
            ("one", ("--threads", "1"), {}), ("three", ("--threads", "3"), {}),
            ("plain", (), {"JARIP_CPU": "scalar"})):
        path = tmp_path / name
        assert jarip("quantize", source, path, "--format", file_type, *settings,
                     **environment).returncode == 0
        files.append(path.read_bytes())
    assert files[0] == files[1] == files[2]


def test_a_file_that_is_there_stays_unless_forced(jarip, source, tmp_path):
    path = tmp_path / "mine.gguf"
    path.write_text("mine")
    assert "--force replaces it" in jarip.refused(2, "quantize", source, path)
    assert path.read_text() == "mine"
    assert jarip("quantize", source, path, "--force").returncode == 0
    assert jarip("inspect", path).returncode == 0


def test_a_source_that_was_quantized_is_taken_with_a_word_about_it(jarip, source, tmp_path):
    first = tmp_path / "first.gguf"
    assert jarip("quantize", source, first, "--format", "q8_0").returncode == 0
    done = jarip("quantize", first, tmp_path / "second.gguf", "--format", "q4_0")
    assert done.returncode == 0
    assert "quantized already" in done.stderr.decode()
    korean = jarip("quantize", first, tmp_path / "third.gguf", "--format", "q4_0", JARIP_LANG="ko")
    assert "양자화" in korean.stderr.decode()


def test_a_weight_that_is_no_number_is_refused_with_its_tensor(jarip, source, tmp_path):
    (tensor,) = [one for one in gguf.GGUFReader(source).tensors
                 if one.name == "blk.1.ffn_up.weight"]
    broken = bytearray(source.read_bytes())
    struct.pack_into("<f", broken, int(tensor.data_offset) + 400, float("nan"))
    path = tmp_path / "broken.gguf"
    path.write_bytes(broken)
    assert "blk.1.ffn_up.weight" in jarip.refused(4, "quantize", path, tmp_path / "out.gguf")
    assert not (tmp_path / "out.gguf").exists()
    assert list(tmp_path.glob(".*")) == []


def test_what_is_no_importance_matrix_is_refused(jarip, source, tmp_path):
    assert "jarip imatrix" in jarip.refused(2, "quantize", source, tmp_path / "out.gguf",
                                            "--imatrix", source)
    assert jarip.refused(3, "quantize", source, tmp_path / "out.gguf", "--imatrix", "nowhere")


def test_a_missing_source_is_named(jarip, tmp_path):
    assert "nowhere.gguf" in jarip.refused(3, "quantize", tmp_path / "nowhere.gguf")


def test_ctrl_c_stops_and_leaves_nothing(binary, tmp_path):
    source = tmp_path / "source.gguf"
    subprocess.run([binary, "synth", "--shape", "llama-135m", "--format", "bf16", "-o", source],
                   check=True, capture_output=True)
    out = tmp_path / "out.gguf"
    process = subprocess.Popen([binary, "quantize", source, out, "--format", "iq4_xs",
                                "--threads", "1"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 30
    while not list(tmp_path.glob(".out.gguf.*")) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert list(tmp_path.glob(".out.gguf.*"))
    os.kill(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert b"stopped" in said
    assert not out.exists() and list(tmp_path.glob(".*")) == []
