"""What other commands say of a model that makes vectors."""

import json
import subprocess

import pytest
from server import BINARY


@pytest.fixture(scope="module", params=["bert", "qwen3-embedding"])
def model(request, tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / f"{request.param}.gguf"
    subprocess.run([BINARY, "synth", "--family", request.param, "--tiny", "-o", path], check=True,
                   capture_output=True)
    return path


def jarip(*arguments):
    return subprocess.run([BINARY, *arguments], capture_output=True, text=True, timeout=60,
                          check=False)


def test_inspect_tells_the_memory_it_takes(model):
    told = json.loads(jarip("inspect", model, "--json").stdout)
    assert told["memory"]["weights"] > 0
    assert told["memory"]["context_length"] == 2048
    assert "can't run" not in jarip("inspect", model).stdout


@pytest.mark.parametrize("arguments", [("run", "{}", "Hello"), ("chat", "{}")])
def test_writing_with_it_is_refused_with_what_it_does(model, arguments):
    done = jarip(*(word.format(model) for word in arguments))
    assert done.returncode != 0
    assert "/v1/embeddings" in done.stderr


def test_a_reference_path_is_refused(model):
    done = jarip("serve", model, "--path", "reference", "--port", "0")
    assert done.returncode != 0
    assert "--path" in done.stderr
