import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "wire"), str(ROOT / "tools")]

import minilm  # noqa: E402
from server import BINARY, start_server, stop_server  # noqa: E402


@pytest.fixture(scope="session")
def original_folder():
    return minilm.fetch()


@pytest.fixture(scope="session")
def server(original_folder, tmp_path_factory):
    """One that runs the real MiniLM."""
    model = minilm.convert(original_folder, tmp_path_factory.mktemp("model") / "minilm.gguf")
    running = start_server(model=model)
    yield running
    stop_server(running)


@pytest.fixture(scope="session", params=["bert-rerank", "qwen3-rerank"])
def ranker(request, tmp_path_factory):
    """One that runs a made-up model that ranks."""
    model = tmp_path_factory.mktemp("model") / f"{request.param}.gguf"
    subprocess.run([BINARY, "synth", "--family", request.param, "--tiny", "-o", model], check=True,
                   capture_output=True)
    running = start_server(model=model)
    yield running
    stop_server(running)
