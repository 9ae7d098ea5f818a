"""Malformed, smuggled, slow and endless requests: each ends its own connection and nothing else."""

import re
import resource
import socket
import time

import pytest
from attacks import GET, POST, REFUSED, UNDERSTOOD
from server import allow_open_files, rest_of, start_server, stop_server

SMUGGLED = b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) ")
N_IDLE = 1000


@pytest.fixture(scope="module")
def impatient():
    running = start_server("--ctx", "512", "--head-timeout", "1", "--body-timeout", "1",
                           "--idle-timeout", "2", "--max-connections", "20")
    yield running
    stop_server(running)


@pytest.mark.parametrize("name", REFUSED)
def test_what_could_be_misread_is_answered_once_and_closed(server, name):
    request, status = REFUSED[name]
    answer = server.exchange(request + SMUGGLED)
    assert STATUS.findall(answer) == [str(status).encode()], answer
    assert b"connection: close\r\n" in answer
    assert b'"error":{"message":' in answer


@pytest.mark.parametrize("name", UNDERSTOOD)
def test_what_has_one_meaning_is_answered_and_so_is_the_next(server, name):
    answer = server.exchange(UNDERSTOOD[name] + SMUGGLED)
    assert len(STATUS.findall(answer)) == 2, answer
    assert answer.count(b'"object":"list"') == 1


@pytest.mark.parametrize("name", REFUSED)
def test_however_it_is_cut(server, name):
    """Byte by byte, up to where it is refused."""
    request, status = REFUSED[name]
    if len(request) > 2000:
        pytest.skip("long ones are cut by the network anyway")
    with server.connect() as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            for i in range(len(request)):
                connection.sendall(request[i:i + 1])
            connection.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # refused before the end
        try:
            answer = rest_of(connection)
        except ConnectionResetError:
            answer = b""
    # A request that isn't whole when its client stops sending has nobody to answer.
    assert STATUS.findall(answer) in ([], [str(status).encode()]), answer


def trickle(connection, data, seconds):
    """A byte now and then, until the server has had enough."""
    connection.settimeout(0.1)
    begun = time.monotonic()
    answer = b""
    while time.monotonic() - begun < seconds:
        connection.sendall(data)
        try:
            while piece := connection.recv(65536):
                answer += piece
            return answer, time.monotonic() - begun
        except TimeoutError:
            pass
    raise AssertionError("the server waited on")


def test_slow_headers_end_at_their_deadline(impatient):
    with impatient.connect() as connection:
        connection.sendall(GET)
        answer, seconds = trickle(connection, b"A: b\r\n", 5)
    assert STATUS.findall(answer) == [b"408"] and seconds < 3


def test_slow_bodies_end_at_their_deadline(impatient):
    for head in (b"Content-Length: 1000\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n"):
        with impatient.connect() as connection:
            connection.sendall(POST + head)
            piece = b"x" if b"Length" in head else b"1\r\nx\r\n"
            answer, seconds = trickle(connection, piece, 5)
        assert STATUS.findall(answer) == [b"408"] and seconds < 3


def test_unused_connections_are_closed_without_a_word(impatient):
    begun = time.monotonic()
    with impatient.connect() as never_used, impatient.connect() as used:
        used.sendall(GET + b"\r\n")
        assert STATUS.findall(used.recv(65536)) == [b"200"]
        assert rest_of(never_used) == rest_of(used) == b""
    assert 1 < time.monotonic() - begun < 5


def test_connections_past_the_limit_are_told_so_and_room_comes_back(impatient):
    held = [impatient.connect() for _ in range(20)]
    for connection in held:
        connection.sendall(b"GET /health HTTP/1.1\r\n")
    deadline = time.monotonic() + 10
    while STATUS.findall(impatient.exchange(GET + b"Connection: close\r\n\r\n")) != [b"503"]:
        assert time.monotonic() < deadline
    for connection in held:
        connection.close()
    while STATUS.findall(impatient.exchange(GET + b"Connection: close\r\n\r\n")) != [b"200"]:
        assert time.monotonic() < deadline


def test_a_thousand_idle_connections_take_little_memory():
    # The server raises its own limit on files if it must.
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 256), hard))
    try:
        server = start_server("--ctx", "512")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    allow_open_files(N_IDLE + 200)
    connections = []
    try:
        server.chat("hi")
        before = server.resident_bytes()
        for _ in range(N_IDLE):
            connection = server.connect()
            connections.append(connection)
            connection.sendall(b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert STATUS.findall(connection.recv(65536)) == [b"200"]
        grown = server.resident_bytes() - before
        print(f"{N_IDLE} idle connections: {grown / 1024:.0f} KiB")
        assert grown < 64 << 20
        assert server.chat("hi").status == 200
        for connection in connections[::100]:
            connection.sendall(GET + b"\r\n")
            assert STATUS.findall(connection.recv(65536)) == [b"200"]
    finally:
        for connection in connections:
            connection.close()
        stop_server(server)
