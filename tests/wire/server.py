"""A real `jarip serve` as a process, and plain HTTP to talk to it."""

import contextlib
import http.client
import json
import os
import pathlib
import queue
import re
import resource
import signal
import socket
import subprocess
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = pathlib.Path(os.environ.get("JARIP_BIN", ROOT / "build" / "release" / "bin" / "jarip"))
READY = re.compile(r"jarip listens on (https?)://(\S+):(\d+)")
START_SECONDS = 120
STOP_SECONDS = 30
READ_SECONDS = 120


def model_path():
    path = os.environ.get("JARIP_TEST_MODEL")
    assert path, "JARIP_TEST_MODEL must name a GGUF file; `make test` sets it"
    return path


def environment(home):
    return {**os.environ, "JARIP_HOME": str(home)} if home else None


class Keys:
    """`jarip keys` over a home of its own."""

    def __init__(self, home):
        self.home = home

    def run(self, *arguments):
        return subprocess.run([BINARY, "keys", *arguments], capture_output=True, text=True,
                              timeout=READ_SECONDS, env=environment(self.home), check=False)

    def create(self, *arguments):
        done = self.run("create", *arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def revoke(self, key):
        done = self.run("revoke", key)
        assert done.returncode == 0, done.stderr

    def of(self, key):
        """What the list says of a key."""
        [found] = [one for one in json.loads(self.run("list", "--json").stdout)
                   if key.startswith(one["key"] + "_")]
        return found


class Process:
    """The process and the lines of its standard error."""

    def __init__(self, *arguments, home=None, model=None):
        """home: another than the tests' own, which has no keys. model: another than the tests', or
        False for all of the home's."""
        models = [] if model is False else [model or model_path()]
        self.process = subprocess.Popen(
            [BINARY, "serve", *models, *arguments], env=environment(home),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.lines = []
        self._incoming = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self.process.stderr:
            self._incoming.put(line.rstrip("\n"))
        self._incoming.put(None)

    def wait_for_line(self, pattern, seconds=START_SECONDS):
        """The match of the first line that has the pattern."""
        deadline = time.monotonic() + seconds
        while True:
            line = self._incoming.get(timeout=max(deadline - time.monotonic(), 0.01))
            assert line is not None, f"the server ended: {self.lines}"
            self.lines.append(line)
            if match := re.search(pattern, line):
                return match

    def last_lines(self):
        """What it wrote at last; for when it has ended."""
        self._reader.join(timeout=STOP_SECONDS)
        lines = list(iter(self._incoming.get_nowait, None))
        self._incoming.put(None)
        return lines

    def send_signal(self, number):
        self.process.send_signal(number)

    def wait(self, seconds=STOP_SECONDS):
        """The exit status."""
        return self.process.wait(timeout=seconds)

    def end(self):
        """Whatever it was doing."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(timeout=STOP_SECONDS)
        self._reader.join(timeout=STOP_SECONDS)
        self.process.stdout.close()
        self.process.stderr.close()


class Reply:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def error(self):
        return self.json["error"]


class Server:
    """A server that answers; start_server() makes one."""

    def __init__(self, process, scheme, host, port):
        self.process = process
        self.host = host
        self.port = port
        self.address = f"{scheme}://{host}:{port}"

    def request(self, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection(self.host, self.port, timeout=READ_SECONDS)
        with contextlib.closing(connection):
            if isinstance(body, dict):
                body = json.dumps(body).encode()
                headers = {"Content-Type": "application/json", **(headers or {})}
            connection.request(method, path, body=body, headers=headers or {})
            response = connection.getresponse()
            return Reply(response.status, response.headers, response.read())

    def get(self, path, headers=None):
        return self.request("GET", path, headers=headers)

    def post(self, path, body, headers=None):
        return self.request("POST", path, body, headers)

    def chat(self, content, **fields):
        fields = {"max_tokens": 16, "temperature": 0, **fields}
        messages = [{"role": "user", "content": content}]
        return self.post("/v1/chat/completions", {"messages": messages, **fields})

    def events(self, path, body, headers=None):
        """The data of every event of a stream, as text; comments are left out."""
        reply = self.post(path, {**body, "stream": True}, headers)
        assert reply.status == 200, reply.body
        assert reply.headers["content-type"].startswith("text/event-stream")
        events = reply.body.decode().split("\n\n")
        assert events[-1] == "", "the stream ends in the middle of an event"
        data = []
        for event in events[:-1]:
            if not event.startswith(":"):
                assert event.startswith("data: ") and "\n" not in event, event
                data.append(event.removeprefix("data: "))
        return data

    def metric(self, name, headers=None):
        text = self.get("/metrics", headers).body.decode()
        match = re.search(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE)
        assert match, f"no {name} in {text}"
        return float(match[1])

    def eventually(self, name, value, seconds=10):
        """Whether a metric comes to have a value."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.metric(name) == value:
                return True
            time.sleep(0.01)
        return False

    def resident_bytes(self):
        status = pathlib.Path(f"/proc/{self.process.process.pid}/status").read_text("utf-8")
        return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) * 1024

    def connect(self):
        return socket.create_connection((self.host, self.port), timeout=READ_SECONDS)

    def exchange(self, request):
        """Bytes in; everything until the server closes, out."""
        with self.connect() as connection:
            connection.sendall(request)
            answer = b""
            while piece := connection.recv(65536):
                answer += piece
            return answer


def start_server(*arguments, home=None, model=None):
    process = Process("--port", "0", *arguments, home=home, model=model)
    try:
        match = process.wait_for_line(READY)
    except BaseException:
        process.end()
        raise
    return Server(process, match[1], match[2], int(match[3]))


def allow_open_files(count):
    """To this process, if it may not open as many already."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(count, hard), hard))


def open_stream(server, key=None, max_tokens=900):
    """A connection on which a long answer has begun."""
    body = json.dumps({"messages": [{"role": "user", "content": "Tell a story."}], "stream": True,
                       "ignore_eos": True, "max_tokens": max_tokens}).encode()
    head = ["POST /v1/chat/completions HTTP/1.1", "Host: localhost",
            "Content-Type: application/json", f"Content-Length: {len(body)}"]
    if key:
        head.append(f"Authorization: Bearer {key}")
    connection = server.connect()
    connection.sendall("\r\n".join(head).encode() + b"\r\n\r\n" + body)
    begun = connection.recv(65536)
    assert begun.startswith(b"HTTP/1.1 200 "), begun
    return connection


def rest_of(connection):
    answer = b""
    while piece := connection.recv(65536):
        answer += piece
    return answer


def stop_server(server):
    """Stops as a person does; anything but a clean end is an error."""
    server.process.send_signal(signal.SIGTERM)
    try:
        assert server.process.wait() == 0
    finally:
        server.process.end()
