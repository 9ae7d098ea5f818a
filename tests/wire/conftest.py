import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from server import start_server, stop_server  # noqa: E402

N_CTX = 1024


@pytest.fixture(scope="session")
def server():
    running = start_server("--ctx", str(N_CTX))
    yield running
    stop_server(running)


@pytest.fixture
def idle(server):
    """Nothing of an earlier test is still being computed, and nothing of this one is left."""
    assert server.eventually("jarip_num_requests_running", 0)
    yield
    assert server.eventually("jarip_num_requests_running", 0)
    assert server.eventually("jarip_num_requests_waiting", 0)
    assert server.eventually("jarip_kv_cache_usage_perc", 0)
