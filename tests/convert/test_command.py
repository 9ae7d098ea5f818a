"""`jarip convert` as people use it: what it writes, where, and what it says."""

import json
import os
import signal
import subprocess
import sys
import time

import folders
import gguf
import numpy as np
import pytest
from conftest import BINARY


@pytest.fixture
def folder(tmp_path):
    return folders.write_folder(tmp_path / "tiny-qwen", "Qwen3")


def tensors_of(path):
    return {tensor.name: tensor for tensor in gguf.GGUFReader(path).tensors}


def test_16_bit_weights_stay_byte_for_byte(convert, tmp_path):
    config = folders.config_of("Qwen3")
    full = folders.tensors_of("Qwen3", config)
    narrow = {name: folders.as_bf16(values) for name, values in full.items()}
    path = convert(folders.write_folder(tmp_path / "narrow", "Qwen3", narrow))
    written = tensors_of(path)
    up = written["blk.1.ffn_up.weight"]
    assert up.tensor_type == gguf.GGMLQuantizationType.BF16
    assert up.data.tobytes() == narrow["model.layers.1.mlp.up_proj.weight"].tobytes()
    norm = written["blk.0.attn_q_norm.weight"]
    assert norm.tensor_type == gguf.GGMLQuantizationType.F32
    widened = narrow["model.layers.0.self_attn.q_norm.weight"].astype(np.uint32) << 16
    assert norm.data.tobytes() == widened.tobytes()
    assert gguf.GGUFReader(path).fields["general.file_type"].contents() == 32


def test_shards_are_one_model(convert, tmp_path):
    whole = convert(folders.write_folder(tmp_path / "one" / "m", "Llama"))
    shards = convert(folders.write_folder(tmp_path / "two" / "m", "Llama", shards=True))
    assert whole.read_bytes() == shards.read_bytes()


def test_a_file_of_weights_beside_its_config_is_taken(jarip, convert, folder, tmp_path):
    whole = convert(folder)
    out = tmp_path / "single.gguf"
    done = jarip("convert", folder / "model.safetensors", out)
    assert done.returncode == 0, done.stderr
    assert out.read_bytes() == whole.read_bytes()


def test_formats_are_those_of_quantize(jarip, convert, folder, tmp_path):
    whole = convert(folder)
    at_once, later = tmp_path / "at-once.gguf", tmp_path / "later.gguf"
    assert jarip("convert", folder, at_once, "--format", "q8_0").returncode == 0
    assert jarip("quantize", whole, later, "--format", "q8_0").returncode == 0
    assert at_once.read_bytes() == later.read_bytes()
    formats = {tensor.tensor_type.name for tensor in gguf.GGUFReader(at_once).tensors}
    assert formats == {"Q8_0", "F32"}


def test_threads_and_instruction_sets_write_the_same_bytes(jarip, tmp_path):
    folder = folders.write_folder(tmp_path / "m", "GptOss")
    files = []
    for name, threads, environment in (("a", "1", {}), ("b", "3", {}),
                                       ("c", "2", {"JARIP_CPU": "scalar"})):
        path = tmp_path / f"{name}.gguf"
        done = jarip("convert", folder, path, "--threads", threads, "--format", "q4_k_m",
                     env={**os.environ, **environment})
        assert done.returncode == 0, done.stderr
        files.append(path.read_bytes())
    assert files[0] == files[1] == files[2]


def test_the_file_is_named_after_its_source(jarip, folder, tmp_path):
    here = tmp_path / "here"
    here.mkdir()
    done = jarip("convert", f"{folder}/", cwd=here)
    assert done.returncode == 0, done.stderr
    assert "tiny-qwen.gguf" in done.stdout and "qwen3" in done.stdout
    assert (here / "tiny-qwen.gguf").is_file()
    assert jarip("convert", folder, "--format", "q4_0", cwd=here).returncode == 0
    assert (here / "tiny-qwen-q4_0.gguf").is_file()


def test_a_file_that_is_there_stays_unless_forced(jarip, folder, tmp_path):
    path = tmp_path / "mine.gguf"
    path.write_text("mine")
    done = jarip("convert", folder, path)
    assert done.returncode == 2 and "--force replaces it" in done.stderr
    assert path.read_text() == "mine"
    assert jarip("convert", folder, path, "--force").returncode == 0


def test_the_model_answers_and_has_its_template(jarip, convert, folder):
    path = convert(folder)
    told = json.loads(jarip("inspect", path, "--json").stdout)
    assert told["metadata"]["general.name"] == "tiny-qwen"
    assert told["metadata"]["tokenizer.chat_template"] == (
        folders.TOKENIZER_CONFIG["chat_template"])
    answer = jarip("run", path, "--raw", "--greedy", "-n", "8", "The rain")
    assert answer.returncode == 0 and answer.stdout


def test_every_token_that_ends_an_answer_is_kept(convert, folder):
    (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": [299, 40, 41]}))
    fields = gguf.GGUFReader(convert(folder)).fields
    ends = {fields[f"tokenizer.ggml.{role}_token_id"].contents() for role in ("eos", "eot", "eom")}
    assert ends == {299, 40, 41}


def test_more_ends_than_a_file_can_name_are_refused(jarip, folder, tmp_path):
    (folder / "generation_config.json").write_text(
        json.dumps({"eos_token_id": [299, 40, 41, 42]}))
    done = jarip("convert", folder, tmp_path / "out.gguf")
    assert done.returncode != 0 and "eos_token_id" in done.stderr


def test_memory_does_not_grow_with_the_model(tmp_path):
    tensors = folders.tensors_of("Qwen3", folders.config_of("Qwen3"))
    tensors["model.layers.0.mlp.up_proj.weight"] = np.zeros((1 << 20, 128), np.float16)
    folder = folders.write_folder(tmp_path / "big", "Qwen3", tensors)
    assert (folder / "model.safetensors").stat().st_size > 256 << 20
    # Asked of a small process: a child's peak begins with what its parent had.
    ask = ("import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True, "
           "capture_output=True); print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)")
    done = subprocess.run([sys.executable, "-c", ask, BINARY, "convert", folder,
                           tmp_path / "out.gguf", "--format", "q8_0"], check=True,
                          capture_output=True, text=True)
    peak_mib = int(done.stdout) >> 10
    print(f"{peak_mib} MiB")
    assert peak_mib < 128


def test_ctrl_c_stops_and_leaves_nothing(tmp_path):
    config = {"hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 4,
              "head_dim": 64, "num_attention_heads": 16}
    full = {**folders.config_of("Qwen3"), **config}
    big = folders.write_folder(tmp_path / "big", "Qwen3", folders.tensors_of("Qwen3", full),
                               **config)
    out = tmp_path / "out.gguf"
    process = subprocess.Popen([BINARY, "convert", big, out, "--format", "iq4_xs", "--threads",
                                "1"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 30
    while not list(tmp_path.glob(".out.gguf.*")) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert list(tmp_path.glob(".out.gguf.*"))
    os.kill(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert b"stopped" in said
    assert not out.exists() and list(tmp_path.glob(".out*")) == []


def test_help_is_in_both_languages(jarip):
    assert "Hugging Face" in jarip("convert", "--help", "--lang", "en").stdout
    assert "허깅페이스" in jarip("convert", "--help", "--lang", "ko").stdout
