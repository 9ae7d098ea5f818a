"""A hub of models on loopback, whose files come in every way that a network has."""

import contextlib
import hashlib
import http.server
import json
import re
import threading
import time


class Hub:
    """Serves `files` as the hub does: /OWNER/REPO/resolve/main/FILE redirects to the bytes, at
    another port, with the file's SHA-256 beside. `log` has each request: (port, method, path,
    headers)."""

    def __init__(self):
        self.files = {}
        self.log = []
        self.cuts = []  # how many bytes of the next answers come before the connection breaks
        self.statuses = []  # with which the next answers come instead
        self.damage = 0  # how many of the next answers have a wrong byte
        self.bytes_per_second = None
        self.ignores_ranges = False
        self.tells_hash = True
        self.token = None
        self.bytes_port, self._bytes = self._start(self._send_bytes)
        self.port, self._hub = self._start(self._answer_as_hub)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def file_url(self, name):
        return f"http://127.0.0.1:{self.bytes_port}/{name}"

    def close(self):
        for server in (self._hub, self._bytes):
            server.shutdown()
            server.server_close()

    def ranges(self):
        """What was asked for of the bytes, in order."""
        return [headers.get("Range") for port, _, _, headers in self.log if port == self.bytes_port]

    def _start(self, answer):
        hub = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                hub.log.append((self.server.server_port, self.command, self.path,
                                dict(self.headers)))
                answer(self)

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return server.server_port, server

    def _answer_as_hub(self, request):
        if self.token and request.headers.get("Authorization") != f"Bearer {self.token}":
            return self._refuse(request, 401)
        listing = re.fullmatch(r"/api/models/([^/]+/[^/]+)/revision/main", request.path)
        if listing:
            prefix = listing.group(1) + "/"
            names = [name.removeprefix(prefix) for name in self.files if name.startswith(prefix)]
            body = json.dumps({"siblings": [{"rfilename": name} for name in names]}).encode()
            return self._reply(request, 200, {}, body)
        name = request.path.split("?")[0].lstrip("/").replace("/resolve/main/", "/")
        if name not in self.files:
            return self._refuse(request, 404)
        headers = {"Location": self.file_url(name)}
        if self.tells_hash:
            digest = hashlib.sha256(self.files[name]).hexdigest()
            headers |= {"X-Linked-Etag": f'"{digest}"'}
        return self._reply(request, 302, headers, b"moved")

    def _send_bytes(self, request):
        if self.statuses:
            status = self.statuses.pop(0)
            return self._reply(request, status, {"Retry-After": "1"}, b"not now")
        name = request.path.split("?")[0].lstrip("/")
        if name not in self.files:
            return self._refuse(request, 404)
        body = self.files[name]
        etag = f'"{hashlib.md5(body).hexdigest()}"'
        begin = 0
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("Range", ""))
        is_same = request.headers.get("If-Range") in (None, etag)
        status, headers = 200, {"ETag": etag, "Accept-Ranges": "bytes"}
        if wanted and is_same and not self.ignores_ranges:
            begin = int(wanted.group(1))
            end = int(wanted.group(2) or len(body) - 1)
            if begin >= len(body):
                return self._reply(request, 416, {"Content-Range": f"bytes */{len(body)}"}, b"")
            headers["Content-Range"] = f"bytes {begin}-{end}/{len(body)}"
            body, status = body[begin:end + 1], 206
        if self.damage > 0:
            self.damage -= 1
            body = body[:-1] + bytes([body[-1] ^ 1])
        return self._reply(request, status, headers, body)

    def _refuse(self, request, status):
        self._reply(request, status, {}, b"no")

    def _reply(self, request, status, headers, body):
        cut = None
        if status in (200, 206) and "ETag" in headers and self.cuts:
            cut = self.cuts.pop(0)
        request.send_response(status)
        for name, value in headers.items():
            request.send_header(name, value)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        with contextlib.suppress(OSError):  # the client has gone
            self._write(request, body if cut is None else body[:cut])
        if cut is not None:
            request.close_connection = True

    def _write(self, request, body):
        if self.bytes_per_second is None:
            request.wfile.write(body)
            return
        piece = max(1, self.bytes_per_second // 20)
        for i in range(0, len(body), piece):
            request.wfile.write(body[i:i + piece])
            request.wfile.flush()
            time.sleep(0.05)
