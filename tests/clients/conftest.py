import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "wire"))

from server import start_server, stop_server  # noqa: E402


@pytest.fixture(scope="session")
def server():
    running = start_server("--ctx", "2048")
    yield running
    stop_server(running)


@pytest.fixture(scope="session")
def model(server):
    return server.get("/v1/models").json["data"][0]["id"]


@pytest.fixture(scope="session")
def greedy(server):
    """What the model says to a question, as the server itself tells it."""
    def ask(question):
        return server.chat(question, max_tokens=12).json["choices"][0]["message"]["content"]
    return ask
