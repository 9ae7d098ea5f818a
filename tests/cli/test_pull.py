"""`jarip pull` against a server that cuts, corrupts, redirects and throttles."""

import hashlib
import http.server
import json
import os
import pathlib
import signal
import ssl
import subprocess
import threading
import time

import pytest
import trustme
from hub import Hub

REPOSITORY = "owner/tiny-GGUF"
FILE = f"{REPOSITORY}/tiny-Q8_0.gguf"
PATIENCE_S = 30


@pytest.fixture
def hub(tiny):
    server = Hub()
    server.files[FILE] = tiny.read_bytes()
    yield server
    server.close()


@pytest.fixture
def pull(jarip, hub):
    def call(*arguments, **variables):
        return jarip("pull", *arguments, **{"HF_ENDPOINT": hub.url, **variables})

    return call


def model_path(jarip, name="tiny-Q8_0"):
    return pathlib.Path(jarip.home) / "models" / f"{name}.gguf"


def left_over(jarip):
    """What lies in the models folder beside models."""
    folder = pathlib.Path(jarip.home) / "models"
    return sorted(path.name for path in folder.iterdir() if path.name.startswith("."))


def listed(jarip):
    return [model["name"] for model in json.loads(jarip("models", "--json").stdout)]


def assert_fetched(jarip, hub, done, name="tiny-Q8_0"):
    assert done.returncode == 0, done.stderr
    assert model_path(jarip, name).read_bytes() == hub.files[FILE]
    assert left_over(jarip) == []
    assert listed(jarip) == [name]


def test_a_file_of_the_hub(jarip, hub, pull):
    done = pull(f"hf:{FILE}")
    assert_fetched(jarip, hub, done)
    assert b"SHA-256 checked" in done.stdout
    assert jarip("run", "tiny-Q8_0", "Hi", "-n", "3", "--greedy").returncode == 0
    again = pull(f"hf:{FILE}")
    assert again.returncode == 0
    assert b"is there already" in again.stdout
    assert hub.ranges() == [None, "bytes=0-0"]


def test_a_repository_gives_the_format_that_is_asked_for(jarip, hub, pull):
    hub.files[f"{REPOSITORY}/tiny-Q4_0.gguf"] = b"no"
    assert_fetched(jarip, hub, pull(f"hf:{REPOSITORY}:q8_0"))
    refused = pull(f"hf:{REPOSITORY}:Q2_K")
    assert refused.returncode != 0
    assert b"tiny-Q4_0.gguf, tiny-Q8_0.gguf" in refused.stderr


def test_an_address_as_the_browser_shows_it(jarip, hub, pull):
    address = f"{hub.url}/{REPOSITORY}/blob/main/tiny-Q8_0.gguf?download=true"
    assert_fetched(jarip, hub, pull(address, "--name", "mine"), "mine")


def test_any_other_address(jarip, hub, pull):
    done = pull(hub.file_url(FILE))
    assert_fetched(jarip, hub, done)
    digest = hashlib.sha256(hub.files[FILE]).hexdigest()
    assert digest.encode() in done.stdout  # nobody told it before: here it is


@pytest.mark.parametrize("by_hub", [True, False])
def test_a_cut_connection_is_gone_on_with(jarip, hub, pull, by_hub):
    hub.cuts = [1000, 2000, 0, 500]
    assert_fetched(jarip, hub, pull(f"hf:{FILE}" if by_hub else hub.file_url(FILE)))
    assert hub.ranges() == [None, "bytes=1000-", "bytes=3000-", "bytes=3000-", "bytes=3500-"]


def test_a_server_without_ranges_sends_it_whole_again(jarip, hub, pull):
    hub.cuts = [1000]
    hub.ignores_ranges = True
    assert_fetched(jarip, hub, pull(f"hf:{FILE}"))


def test_a_busy_server_is_asked_again(jarip, hub, pull):
    hub.statuses = [503, 429]
    assert_fetched(jarip, hub, pull(f"hf:{FILE}"))


def test_damage_is_seen_and_fetched_again(jarip, hub, pull):
    hub.damage = 1
    done = pull(f"hf:{FILE}")
    assert_fetched(jarip, hub, done)
    assert hub.ranges() == [None, None]


def test_what_stays_damaged_is_refused_and_dropped(jarip, hub, pull):
    hub.damage = 99
    done = pull(f"hf:{FILE}")
    assert done.returncode != 0
    assert b"SHA-256" in done.stderr
    assert listed(jarip) == []
    assert left_over(jarip) == []


def test_the_hash_of_the_command_line_counts(jarip, hub, pull):
    digest = hashlib.sha256(hub.files[FILE]).hexdigest()
    wrong = pull(hub.file_url(FILE), "--sha256", "0" * 64)
    assert wrong.returncode != 0
    assert listed(jarip) == []
    assert b"64 digits" in pull(hub.file_url(FILE), "--sha256", "abc").stderr
    assert_fetched(jarip, hub, pull(hub.file_url(FILE), "--sha256", digest))


def test_what_is_no_model_is_refused_and_dropped(jarip, hub, pull):
    hub.files[FILE] = b"<html>sign in</html>"
    done = pull(f"hf:{FILE}")
    assert done.returncode != 0
    assert b"GGUF" in done.stderr
    assert listed(jarip) == []
    assert left_over(jarip) == []


def test_what_is_not_there(jarip, hub, pull):
    done = pull("hf:owner/other/x.gguf")
    assert done.returncode != 0
    assert b"there is no " in done.stderr
    assert b"404" in done.stderr
    assert len(hub.log) == 1  # it isn't asked for again
    assert left_over(jarip) == []


def test_the_token_reaches_the_hub_and_nobody_else(jarip, hub, pull, tmp_path):
    hub.token = "hf_secret"
    refused = pull(f"hf:{FILE}")
    assert refused.returncode != 0
    assert b"HF_TOKEN" in refused.stderr
    assert_fetched(jarip, hub, pull(f"hf:{FILE}", HF_TOKEN="hf_secret"))
    told = {port for port, _, _, headers in hub.log if "Authorization" in headers}
    assert told == {hub.port}
    assert b"hf_secret" not in pull(f"hf:{FILE}", HF_TOKEN="hf_secret").stderr
    kept = tmp_path / "token"
    kept.write_text("hf_secret\n")
    assert pull(f"hf:{FILE}", HF_TOKEN_PATH=str(kept)).returncode == 0


def start(jarip, hub, *arguments):
    return subprocess.Popen(jarip.command("pull", *arguments), stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE,
                            env={**jarip.environment, "HF_ENDPOINT": hub.url})


def wait_for_bytes(jarip, n_bytes):
    path = pathlib.Path(jarip.home) / "models" / ".fetch-tiny-Q8_0"
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        if path.exists() and path.stat().st_size >= n_bytes:
            return
        time.sleep(0.01)
    pytest.fail("nothing came")


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_stopped_fetch_goes_on_with_the_same_command(jarip, hub, pull, how):
    hub.bytes_per_second = len(hub.files[FILE]) // 4
    process = start(jarip, hub, f"hf:{FILE}")
    wait_for_bytes(jarip, 2000)
    assert listed(jarip) == []
    process.send_signal(how)
    _, told = process.communicate(timeout=PATIENCE_S)
    assert process.returncode != 0
    if how == signal.SIGINT:
        assert b"goes on from there" in told
    assert listed(jarip) == []
    hub.bytes_per_second = None
    assert_fetched(jarip, hub, pull(f"hf:{FILE}"))
    begin = int(hub.ranges()[-1].removeprefix("bytes=").removesuffix("-"))
    assert begin >= 2000


def test_a_file_that_changed_meanwhile_is_begun_anew(jarip, hub, pull):
    hub.bytes_per_second = len(hub.files[FILE]) // 4
    process = start(jarip, hub, f"hf:{FILE}")
    wait_for_bytes(jarip, 2000)
    process.kill()
    process.communicate(timeout=PATIENCE_S)
    hub.bytes_per_second = None
    # The same length, and still a model.
    body = bytearray(hub.files[FILE])
    body[-1] ^= 1
    hub.files[FILE] = bytes(body)
    assert_fetched(jarip, hub, pull(f"hf:{FILE}"))


def test_two_at_once_do_not_mix(jarip, hub, pull):
    hub.bytes_per_second = len(hub.files[FILE]) // 3
    first = start(jarip, hub, f"hf:{FILE}")
    wait_for_bytes(jarip, 1000)
    second = pull(f"hf:{FILE}")
    assert second.returncode != 0
    assert b"another process" in second.stderr
    out, told = first.communicate(timeout=PATIENCE_S)
    assert first.returncode == 0, told
    assert b"fetched" in out
    assert model_path(jarip).read_bytes() == hub.files[FILE]


def test_another_model_of_that_name_stays(jarip, hub, pull, tiny):
    assert jarip("import", tiny, "--name", "mine").returncode == 0
    hub.files[FILE] = hub.files[FILE][:-1] + b"x"
    done = pull(f"hf:{FILE}", "--name", "mine")
    assert done.returncode != 0
    assert b"another model" in done.stderr
    assert model_path(jarip, "mine").read_bytes() == tiny.read_bytes()


def test_a_proxy_is_taken_from_the_environment(jarip, hub, pull):
    asked = []

    class Proxy(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(404)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Proxy)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    done = pull(f"hf:{FILE}", HF_ENDPOINT="http://hub.invalid",
                http_proxy=f"http://127.0.0.1:{server.server_port}")
    server.shutdown()
    server.server_close()
    assert done.returncode != 0
    assert asked == [f"http://hub.invalid/{REPOSITORY}/resolve/main/tiny-Q8_0.gguf"]


def test_without_tls_nothing_comes_from_elsewhere(jarip):
    line = jarip.refused(2, "pull", "http://example.com/model.gguf")
    assert "https://" in line
    assert "--sha256" in line
    assert left_over(jarip) == []


def test_tls_is_checked(jarip, tiny, tmp_path):
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    body = tiny.read_bytes()

    class Server(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            if self.path == "/plain":
                self.send_response(302)
                self.send_header("Location", "http://localhost:1/m.gguf")
                self.end_headers()
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    known = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(known))
    url = f"https://localhost:{server.server_port}"
    stranger = jarip("pull", f"{url}/m.gguf")
    assert stranger.returncode != 0
    assert b"certificate" in stranger.stderr
    led_away = jarip("pull", f"{url}/plain", SSL_CERT_FILE=str(known))
    assert led_away.returncode != 0
    assert listed(jarip) == []
    done = jarip("pull", f"{url}/m.gguf", SSL_CERT_FILE=str(known))
    server.shutdown()
    server.server_close()
    assert done.returncode == 0, done.stderr
    assert listed(jarip) == ["m"]


def test_nonsense_is_refused_with_what_to_write(jarip):
    assert "hf:OWNER/REPO" in jarip.refused(2, "pull", "gpt-17")


def test_without_a_name_it_lists_what_to_begin_with(jarip):
    english = jarip("pull").stdout.decode()
    assert "llama-3.2-3b-instruct" in english
    assert "이 기계" in jarip("pull", JARIP_LANG="ko").stdout.decode()
    rows = json.loads(jarip("pull", "--json").stdout)
    assert all(row["bytes"] > 0 and row["memory_bytes"] > row["bytes"] for row in rows)
    assert any(row["korean"] for row in rows)


def test_progress_is_shown_on_a_terminal(jarip, hub):
    hub.bytes_per_second = len(hub.files[FILE]) // 3
    parent, child = os.openpty()
    process = subprocess.Popen(jarip.command("pull", f"hf:{FILE}"), stdout=subprocess.PIPE,
                               stderr=child,
                               env={**jarip.environment, "HF_ENDPOINT": hub.url})
    os.close(child)
    process.wait(timeout=PATIENCE_S)
    shown = os.read(parent, 1 << 16).decode()
    os.close(parent)
    assert "fetching tiny-Q8_0 [" in shown
    assert "/s" in shown
    assert " left" in shown
