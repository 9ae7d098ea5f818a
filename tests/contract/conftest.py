import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "wire"))

from server import start_server, stop_server  # noqa: E402


@pytest.fixture(scope="session")
def server():
    # A small context: whatever length is asked for, an answer is short.
    running = start_server("--ctx", "96")
    yield running
    stop_server(running)
