"""`jarip serve` as a command: what it refuses to start with, and how it starts and stops."""

import re
import signal
import socket
import subprocess
import urllib.request


def test_a_port_in_use_is_refused_by_number_and_option(jarip, tiny):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        message = jarip.refused(6, "serve", tiny, "--port", port)
    assert str(port) in message
    assert "--port" in message


def test_an_address_that_others_reach_is_refused(jarip, tiny):
    message = jarip.refused(2, "serve", tiny, "--host", "0.0.0.0")
    assert "without keys" in message and "`jarip keys create --name NAME`" in message


def test_a_port_that_is_none_is_refused(jarip, tiny):
    assert jarip.refused(2, "serve", tiny, "--port", "65536") == (
        '--port is "65536", but must be a whole number from 0 to 65535; see jarip serve --help')


def test_a_missing_model_is_refused_before_anything_listens(jarip):
    assert "there is no model" in jarip.refused(3, "serve", "nowhere", "--port", "0")


def test_it_prints_its_address_when_ready_and_ends_at_a_signal(jarip, tiny):
    server = subprocess.Popen(jarip.command("serve", tiny, "--port", "0"), env=jarip.environment,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        lines = []
        while not (ready := re.search(r"listens on (http://127\.0\.0\.1:\d+)", "".join(lines))):
            line = server.stderr.readline()
            assert line, lines
            lines.append(line)
        with urllib.request.urlopen(ready[1] + "/v1/models", timeout=30) as response:
            assert b'"tiny"' in response.read()
        server.send_signal(signal.SIGTERM)
        stdout, _ = server.communicate(timeout=30)
        assert server.returncode == 0
        assert stdout == ""
    finally:
        server.kill()
        server.communicate()
