#!/usr/bin/env python3
"""What the server costs over the engine alone: the same answers, streamed to clients over HTTP and
counted inside the process, in turns. The client reads rarely, so that it is the server's part that
is measured and not its own.

    make overhead                     16 streams on 2 threads
    make overhead ARGS="--tls --keys" over HTTPS, with a key"""

import argparse
import contextlib
import json
import os
import pathlib
import re
import select
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import time

import trustme
from machine import Disturbance
from programs import Program

ROOT = pathlib.Path(__file__).resolve().parents[2]
JARIP = ROOT / "build" / "release" / "bin" / "jarip"
ENGINE = ROOT / "build" / "release" / "bench" / "engine_bench"
PROMPT_TOKENS, FIRST_TOKEN = 8, 1000   # as in engine_bench.cpp
READ_EVERY_S = 0.02
NEARLY_ALL = 0.97                      # from here on, bytes are read as they come
PATIENCE_S = 300


class Server:
    """A server of the same model, asked as a Program is."""

    def __init__(self, model, threads, with_tls, with_keys, folder):
        environment = {**os.environ, "JARIP_HOME": str(folder)}
        options, self.context, self.key = [], None, None
        if with_keys:
            self.key = subprocess.run([JARIP, "keys", "create"], env=environment, check=True,
                                      capture_output=True, text=True).stdout.strip()
        if with_tls:
            authority = trustme.CA()
            identity = authority.issue_cert("localhost").private_key_and_cert_chain_pem
            identity.write_to_path(folder / "server.pem")
            self.context = ssl.create_default_context()
            authority.configure_trust(self.context)
            options += ["--tls-cert", folder / "server.pem", "--tls-key", folder / "server.pem"]
        with open(folder / "log", "w", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                [JARIP, "serve", model, "--port", "0", "--threads", str(threads),
                 "--draft-tokens", "0", *options],
                env=environment, stdin=subprocess.DEVNULL, stderr=log)
        self.port = self._wait_for_port(folder / "log")
        self.bytes_expected = None
        self.threads = threads
        self.shares = []    # of each round: the part of its processor time not spent computing
        self.us_a_token = []  # and that part itself

    def _wait_for_port(self, log):
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline and self.process.poll() is None:
            text = log.read_text(encoding="utf-8")
            if found := re.search(r"jarip listens on \S+:(\d+)$", text, re.MULTILINE):
                return int(found[1])
            time.sleep(0.05)
        raise RuntimeError(f"the server didn't start: {log.read_text(encoding='utf-8')}")

    def connect(self):
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE_S)
        if self.context is None:
            return connection
        return self.context.wrap_socket(connection, server_hostname="localhost")

    def request(self, stream, tokens):
        prompt = [FIRST_TOKEN + stream * PROMPT_TOKENS + i for i in range(PROMPT_TOKENS)]
        body = json.dumps({"prompt": prompt, "max_tokens": tokens, "temperature": 0,
                           "ignore_eos": True, "stream": True}).encode()
        key = f"Authorization: Bearer {self.key}\r\n" if self.key else ""
        return (f"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\n{key}"
                f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
                ).encode() + body

    def seconds(self, streams, tokens):
        """From the first request to the last byte of the last stream."""
        with contextlib.ExitStack() as stack:
            clients = [stack.enter_context(self.connect()) for _ in range(streams)]
            requests = [self.request(stream, tokens) for stream in range(streams)]
            answers = [bytearray() for _ in range(streams)]
            before = self._thread_seconds()
            begin = time.monotonic()
            for client, request in zip(clients, requests, strict=True):
                client.sendall(request)
                client.setblocking(False)
            read_all(clients, answers, self.bytes_expected)
            seconds = time.monotonic() - begin
            self._note_shares(before, streams * tokens)
        self.bytes_expected = sum(map(len, answers))
        for answer in answers:
            self._check(answer, tokens)
        return seconds

    def _thread_seconds(self):
        """{thread: processor time so far}"""
        seconds = {}
        for task in pathlib.Path(f"/proc/{self.process.pid}/task").iterdir():
            with contextlib.suppress(OSError):  # it has ended
                seconds[task.name] = int((task / "schedstat").read_text().split()[0]) / 1e9
        return seconds

    def _note_shares(self, before, n_tokens):
        """The threads that compute are those that took the most."""
        spent = sorted(seconds - before.get(thread, 0)
                       for thread, seconds in self._thread_seconds().items())
        others = sum(spent[:-self.threads])
        self.shares.append(others / sum(spent))
        self.us_a_token.append(1e6 * others / n_tokens)

    @staticmethod
    def _check(answer, tokens):
        """Every token was paid for, and none came in a lump at the end."""
        pieces = answer.count(b'"object":"text_completion"')
        if not answer.startswith(b"HTTP/1.1 200 ") or b"data: [DONE]" not in answer:
            raise RuntimeError(f"not an answer: {bytes(answer[:500])}")
        if pieces < tokens / 2:
            raise RuntimeError(f"{pieces} pieces for {tokens} tokens")

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=60)


def read_all(clients, answers, bytes_expected):
    """Until every stream has its end. Rarely at first; near the end as bytes come, so that the end
    is seen when it is there."""
    open_streams = dict(zip(clients, answers, strict=True))
    while open_streams:
        n_read = sum(map(len, answers))
        if bytes_expected and n_read > NEARLY_ALL * bytes_expected:
            select.select(list(open_streams), [], [], PATIENCE_S)
        else:
            time.sleep(READ_EVERY_S)
        for client, answer in list(open_streams.items()):
            while True:
                try:
                    piece = client.recv(1 << 20)
                except (BlockingIOError, ssl.SSLWantReadError):
                    break
                if not piece:
                    raise RuntimeError(f"a stream ended early: {bytes(answer[-500:])}")
                answer += piece
            if answer.endswith(b"\r\n0\r\n\r\n"):
                del open_streams[client]


def measure(options, engine, server, model_alone):
    """Three lists of tokens a second: the model's arithmetic, the engine, the server."""
    total = options.streams * options.tokens
    arithmetic = f"decode {options.tokens} batch {options.streams} depth {PROMPT_TOKENS}"
    answers = f"streams {options.streams} tokens {options.tokens}"
    ways = [lambda: model_alone.ask(arithmetic), lambda: engine.ask(answers),
            lambda: server.seconds(options.streams, options.tokens)]
    for way in ways:
        way()  # memory and caches warm; how long the streams are
    speeds = [[], [], []]
    for turn in range(options.rounds):
        # Whatever changes slowly on the machine falls on all alike.
        for i in (0, 1, 2) if turn % 2 == 0 else (2, 1, 0):
            speeds[i].append(total / ways[i]())
        print(f"round {turn + 1}: " + ", ".join(f"{one[-1]:.0f}" for one in speeds),
              file=sys.stderr, flush=True)
    return speeds


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", help="a GGUF file")
    parser.add_argument("--streams", type=int, default=16)
    parser.add_argument("--tokens", type=int, default=256, help="of each answer")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--tls", action="store_true", help="HTTPS")
    parser.add_argument("--keys", action="store_true", help="a key is asked for, and its use kept")
    options = parser.parse_args()
    disturbance = Disturbance()
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        alone = stack.enter_context(Program("model", [
            JARIP, "bench", options.model, "--threads", options.threads, "--from-stdin"]))
        engine = stack.enter_context(Program("engine", [ENGINE, options.model, options.threads]))
        alone.wait_until_ready()
        engine.wait_until_ready()
        server = Server(options.model, options.threads, options.tls, options.keys,
                        pathlib.Path(folder))
        stack.callback(server.stop)
        speeds = measure(options, engine, server, alone)
    others = disturbance.measure()["others"]
    medians = [statistics.median(one) for one in speeds]
    best = [max(one) for one in speeds]
    costs = [1 - s / e for s, e in zip(speeds[2], speeds[1], strict=True)]
    print(f"{options.streams} streams of {options.tokens} tokens, {options.threads} threads, "
          f"{options.rounds} rounds in turns; other processes had {100 * others:.1f} % of the "
          "machine")
    for name, median, most in zip(("model alone", "engine", "server"), medians, best, strict=True):
        print(f"{name:12} {median:8.0f} tok/s, at best {most:.0f}")
    print(f"the server costs {100 * statistics.median(costs):.1f} % "
          f"(rounds from {100 * min(costs):.1f} to {100 * max(costs):.1f} %), "
          f"at best {100 * (1 - best[2] / best[1]):.1f} %")
    print(f"its threads that don't compute take {statistics.median(server.us_a_token):.0f} µs of a "
          f"core for each token, {100 * statistics.median(server.shares):.1f} % of its processor "
          "time")


if __name__ == "__main__":
    main()
