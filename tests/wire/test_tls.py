"""HTTPS with a certificate of a self-made authority, against Python's ssl and the official SDK."""

import contextlib
import http.client
import json
import signal
import socket
import ssl
import subprocess

import openai
import pytest
import trustme
from server import BINARY, allow_open_files, model_path, start_server, stop_server

SECONDS = 60
N_IDLE = 1000


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture(scope="module")
def files(authority, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    write_identity(authority, folder)
    return folder


def write_identity(authority, folder, name="localhost"):
    identity = authority.issue_cert(name, "127.0.0.1")
    identity.private_key_pem.write_to_path(folder / "key.pem")
    chain = folder / "cert.pem"
    chain.unlink(missing_ok=True)
    for part in identity.cert_chain_pems:
        part.write_to_path(chain, append=True)


def arguments(folder):
    return ["--tls-cert", folder / "cert.pem", "--tls-key", folder / "key.pem"]


@pytest.fixture(scope="module")
def secure(files):
    running = start_server("--ctx", "1024", *arguments(files))
    assert running.address.startswith("https://")
    yield running
    stop_server(running)


@pytest.fixture(scope="module")
def context(authority):
    made = ssl.create_default_context()
    authority.configure_trust(made)
    return made


def connect(server, context):
    return context.wrap_socket(server.connect(), server_hostname="localhost")


def get(server, context, path, headers=None):
    connection = http.client.HTTPSConnection("localhost", server.port, context=context,
                                             timeout=SECONDS)
    connection.request("GET", path, headers=headers or {})
    response = connection.getresponse()
    return response, response.read()


def test_the_sdk_talks_and_streams(secure, context):
    with openai.DefaultHttpxClient(verify=context) as transport, openai.OpenAI(
            base_url=f"https://localhost:{secure.port}/v1", api_key="unused", max_retries=0,
            http_client=transport) as client:
        model = client.models.list().data[0].id
        options = {"model": model, "temperature": 0, "max_tokens": 24,
                   "messages": [{"role": "user", "content": "What is the capital of France?"}]}
        whole = client.chat.completions.create(**options).choices[0].message.content
        chunks = client.chat.completions.create(**options, stream=True)
        assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == whole


def test_many_requests_on_one_connection(secure, context):
    connection = http.client.HTTPSConnection("localhost", secure.port, context=context,
                                             timeout=SECONDS)
    for _ in range(20):
        connection.request("GET", "/v1/models")
        assert connection.getresponse().read().startswith(b'{"object":"list"')
    page = get(secure, context, "/")[1]
    assert b"<html" in page


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_both_versions_and_nothing_weak(secure, authority, version):
    context = ssl.create_default_context()
    authority.configure_trust(context)
    context.minimum_version = context.maximum_version = version
    with connect(secure, context) as one:
        assert one.version() == version.name.replace("_", ".")
        name, _, bits = one.cipher()
        assert bits >= 128 and ("GCM" in name or "CHACHA20" in name)
        assert "ECDHE" in name or version == ssl.TLSVersion.TLSv1_3


@pytest.mark.parametrize("weak", ["AES128-SHA", "ECDHE-RSA-AES128-SHA", "AES128-GCM-SHA256"])
def test_weak_ciphers_and_old_versions_are_refused(secure, weak):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(f"{weak}:@SECLEVEL=0")
    with pytest.raises(ssl.SSLError):
        connect(secure, context)


def test_a_client_that_does_not_know_the_authority_refuses(secure):
    with pytest.raises(ssl.SSLCertVerificationError):
        connect(secure, ssl.create_default_context())
    assert secure.process.process.poll() is None


def test_plain_http_is_told_what_is_spoken_here(secure):
    for request in (b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
                    b"POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 70000\r\n\r\n" +
                    b"x" * 70000):
        answer = secure.exchange(request)
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert b"https://" in answer


@pytest.mark.parametrize("noise", [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 600,
                                   b"\x80\x2e\x01\x00\x02", b"\x00" * 1000, b"\xff" * 20000])
def test_noise_ends_one_connection_only(secure, context, noise):
    # Where the server closes before it has read all, the connection is reset.
    with secure.connect() as one:
        one.sendall(noise)
        with contextlib.suppress(OSError):
            one.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionResetError):
            while one.recv(65536):
                pass
    assert get(secure, context, "/health")[0].status == 200


def test_our_own_pages_come_over_https_alone(secure, context):
    host = f"localhost:{secure.port}"
    assert get(secure, context, "/health", {"Origin": f"https://{host}"})[0].status == 200
    assert get(secure, context, "/health", {"Origin": f"http://{host}"})[0].status == 403


def test_a_client_that_leaves_in_mid_stream_frees_everything(secure, context):
    body = json.dumps({"prompt": "x", "max_tokens": 900, "ignore_eos": True, "stream": True})
    with connect(secure, context) as one:
        one.sendall(f"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
                    f"application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
        assert one.recv(100).startswith(b"HTTP/1.1 200 ")
    for _ in range(100):
        text = get(secure, context, "/metrics")[1].decode()
        if "jarip_num_requests_running 0\n" in text:
            return
    raise AssertionError(text)


def test_a_renewed_certificate_is_taken_up_without_a_restart(authority, context, tmp_path):
    write_identity(authority, tmp_path)
    server = start_server("--ctx", "512", *arguments(tmp_path))
    try:
        with connect(server, context) as before:
            write_identity(authority, tmp_path)
            server.process.send_signal(signal.SIGHUP)
            server.process.wait_for_line("jarip has read its certificate again")
            with connect(server, context) as after:
                assert after.getpeercert()["serialNumber"] != before.getpeercert()["serialNumber"]
            before.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert before.recv(4096).startswith(b"HTTP/1.1 200 ")
        (tmp_path / "cert.pem").write_text("broken")
        server.process.send_signal(signal.SIGHUP)
        server.process.wait_for_line("jarip keeps the certificate it has: .*cert.pem")
        with connect(server, context):
            pass
    finally:
        stop_server(server)


def test_a_thousand_idle_connections_take_little_memory(files, context):
    allow_open_files(N_IDLE + 200)
    server = start_server("--ctx", "512", *arguments(files))
    connections = []

    def ask(connection):
        connection.sendall(b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert connection.recv(4096).startswith(b"HTTP/1.1 200 ")
    try:
        with connect(server, context) as one:
            ask(one)
        before = server.resident_bytes()
        for _ in range(N_IDLE):
            connections.append(connect(server, context))
            ask(connections[-1])
        grown = server.resident_bytes() - before
        print(f"{N_IDLE} idle HTTPS connections: {grown / 1024:.0f} KiB")
        assert grown < 64 << 20
        ask(connections[0])
    finally:
        for connection in connections:
            connection.close()
        stop_server(server)


@pytest.mark.parametrize(("certificate", "key", "message"), [
    ("cert.pem", None, "--tls-cert and --tls-key go together"),
    (None, "key.pem", "--tls-cert and --tls-key go together"),
    ("missing.pem", "key.pem", "can't read"),
    ("cert.pem", "missing.pem", "can't read"),
    ("key.pem", "key.pem", "isn't a certificate in PEM form"),
    ("cert.pem", "cert.pem", "isn't a key in PEM form"),
    ("cert.pem", "other/key.pem", "isn't the key of the certificate"),
])
def test_files_that_do_not_serve_are_refused_by_name(authority, files, certificate, key, message):
    (files / "other").mkdir(exist_ok=True)
    write_identity(authority, files / "other")
    options = []
    if certificate:
        options += ["--tls-cert", files / certificate]
    if key:
        options += ["--tls-key", files / key]
    done = subprocess.run([BINARY, "serve", model_path(), "--port", "0", *options], text=True,
                          capture_output=True, timeout=SECONDS, check=False)
    assert done.returncode in (2, 6)
    [line] = done.stderr.splitlines()
    assert message in line
    assert "go together" in message or str(files) in line


def test_tls_spoken_to_a_plain_port_fails_at_once(server, context):
    with pytest.raises(ssl.SSLError):
        context.wrap_socket(server.connect(), server_hostname="localhost")
