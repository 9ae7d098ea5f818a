"""`jarip serve` as a process: how it starts, refuses and stops."""

import json
import re
import signal
import socket
import subprocess
import time

import pytest
from server import (
    BINARY,
    Keys,
    Process,
    environment,
    model_path,
    open_stream,
    rest_of,
    start_server,
    stop_server,
)

SECONDS = 60


def run_serve(*arguments, home=None):
    return subprocess.run([BINARY, "serve", *arguments], capture_output=True, text=True,
                          timeout=SECONDS, stdin=subprocess.DEVNULL, env=environment(home),
                          check=False)


def refused(result):
    """Its one line."""
    assert result.returncode != 0
    assert result.stdout == ""
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("jarip: ")
    return lines[0]


@pytest.fixture
def own_server():
    server = start_server("--ctx", "512", "--drain", "20")
    yield server
    server.process.end()


def test_a_port_in_use_is_named_with_the_option():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        line = refused(run_serve(model_path(), "--port", str(port)))
    assert str(port) in line and "--port" in line


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1"])
def test_an_address_that_others_reach_is_refused_with_what_to_do(host):
    line = refused(run_serve(model_path(), "--port", "0", "--host", host))
    assert host in line and "`jarip keys create --name NAME`" in line


def test_an_address_that_others_reach_needs_a_key_that_is_good(tmp_path):
    # One that isn't this machine's: nothing is ever listened on.
    keys = Keys(tmp_path / "home")
    arguments = [model_path(), "--port", "0", "--host", "192.0.2.1"]
    key = keys.create()
    warning, line = run_serve(*arguments, home=keys.home).stderr.splitlines()
    assert "can be read on their way to 192.0.2.1: use --tls-cert" in warning
    assert "can't listen on 192.0.2.1" in line
    assert "--no-keys" in refused(run_serve(*arguments, "--no-keys", home=keys.home))
    keys.revoke(key[:14])
    assert "without keys" in refused(run_serve(*arguments, home=keys.home))


def test_a_host_that_is_no_address_is_refused():
    assert "example.org" in refused(run_serve(model_path(), "--port", "0", "--host", "example.org"))


def test_a_missing_model_is_named(tmp_path):
    assert "nothing.gguf" in refused(run_serve(str(tmp_path / "nothing.gguf"), "--port", "0"))


def test_a_file_that_is_no_model_ends_the_server_with_the_reason(tmp_path):
    path = tmp_path / "bad.gguf"
    path.write_bytes(b"this is not a model")
    result = run_serve(str(path), "--port", "0")
    assert result.returncode != 0
    assert result.stderr.strip().splitlines()[-1].startswith("jarip: ")


def test_ipv6_loopback_works():
    server = start_server("--host", "::1", "--ctx", "512")
    assert server.host == "[::1]"
    server.host = "::1"
    assert server.get("/health").status == 200
    stop_server(server)


def test_what_changes_answers_changes_the_fingerprint():
    def fingerprint_with(*arguments):
        server = start_server("--ctx", "512", *arguments)
        try:
            return server.chat("Hi", max_tokens=1).json["system_fingerprint"]
        finally:
            stop_server(server)

    plain = fingerprint_with()
    assert fingerprint_with("--kv-format", "f16") == plain
    assert fingerprint_with("--kv-format", "q8_0") != plain


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_idle_server_stops_at_once(own_server, number):
    with own_server.connect():  # an idle connection holds nothing up
        own_server.process.send_signal(number)
        assert own_server.process.wait(10) == 0


def eventually_refuses(server, seconds=5):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            server.connect().close()
        except ConnectionResetError:  # it came while the door was being shut
            continue
        except ConnectionRefusedError:
            return True
    return False


def test_an_answer_that_runs_is_finished_before_the_server_stops(own_server):
    with open_stream(own_server, max_tokens=200) as connection:
        own_server.process.send_signal(signal.SIGTERM)
        own_server.process.wait_for_line("jarip stops")
        assert eventually_refuses(own_server)
        assert b"data: [DONE]\n\n" in rest_of(connection)
    assert own_server.process.wait() == 0


def test_a_second_signal_cuts_answers_off(own_server):
    with open_stream(own_server, max_tokens=450) as connection:
        own_server.process.send_signal(signal.SIGINT)
        own_server.process.wait_for_line("jarip stops")
        own_server.process.send_signal(signal.SIGINT)
        assert own_server.process.wait(5) == 0
        assert b"[DONE]" not in rest_of(connection)


def test_health_answers_while_the_model_loads():
    process = Process("--port", "0")
    try:
        match = process.wait_for_line(r"jarip loads \S+; http://127\.0\.0\.1:(\d+)/health")
        with socket.create_connection(("127.0.0.1", int(match[1])), timeout=SECONDS) as connection:
            connection.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n"
                               b"Connection: close\r\n\r\n")
            answer = rest_of(connection).decode()
        assert re.match(r"HTTP/1\.1 (503|200) ", answer), answer
        assert '"status":"loading"' in answer or '"status":"ok"' in answer
        process.wait_for_line("jarip listens on")
    finally:
        process.end()


def test_a_full_queue_is_answered_429():
    server = start_server("--ctx", "512", "--max-running", "1", "--max-waiting", "1")
    streams = [open_stream(server, 450)]
    body = json.dumps({"prompt": "x", "max_tokens": 400, "ignore_eos": True}).encode()
    request = (b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json"
               b"\r\nContent-Length: " + str(len(body)).encode() + b"\r\n\r\n" + body)
    waiting = server.connect()
    waiting.sendall(request)
    assert server.eventually("jarip_num_requests_waiting", 1)
    reply = server.post("/v1/completions", {"prompt": "x"})
    assert reply.status == 429
    assert reply.headers["retry-after"] == "1"
    assert reply.error["code"] == "queue_full"
    for connection in [*streams, waiting]:
        connection.close()
    stop_server(server)
