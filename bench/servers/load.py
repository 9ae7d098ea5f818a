"""Clients of a server, all in one thread: each sends its requests one after another, streamed, and
notes when the first token came. One socket a request, so that both servers pay the same."""

import json
import selectors
import socket
import statistics
import time
from dataclasses import dataclass, field

PATIENCE_S = 300
READ_BYTES = 65536
FIRST_TOKEN = b'"choices":[{'  # in the first event that holds a piece of the answer


class Refusal(Exception):
    """A server answered something else than was asked for."""


@dataclass
class Outcome:
    """What a workload did on one server."""

    seconds: float = 0.0
    n_tokens: int = 0
    first_token_s: list = field(default_factory=list)

    @property
    def tokens_per_second(self):
        return self.n_tokens / self.seconds

    def first_token_percentile(self, percent):
        return statistics.quantiles(self.first_token_s, n=100, method="inclusive")[percent - 1]


class Exchange:
    """One request and the answer as far as it has come."""

    def __init__(self, port, body):
        text = json.dumps(body, separators=(",", ":")).encode()
        head = ("POST /v1/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
                f"Content-Type: application/json\r\nContent-Length: {len(text)}\r\n\r\n")
        self.begin = time.monotonic()
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S)
        self.socket.sendall(head.encode() + text)
        self.received = bytearray()
        self.first_token_s = None

    def read(self):
        """True once the answer has ended."""
        piece = self.socket.recv(READ_BYTES)
        self.received += piece
        if self.first_token_s is None and self._has_token():
            self.first_token_s = time.monotonic() - self.begin
        return not piece

    def _has_token(self):
        return FIRST_TOKEN in self.received.replace(b'": ', b'":').replace(b": [", b":[")

    def n_tokens(self):
        """Of the answer, as the server counts them; raises Refusal where it isn't whole."""
        text = self.received.decode(errors="replace")
        if not text.startswith("HTTP/1.1 200") or "[DONE]" not in text:
            raise Refusal(text[:500])
        usage = [json.loads(line[6:]) for line in text.splitlines()
                 if line.startswith("data: {") and '"usage":{' in line.replace(" ", "")]
        if not usage:
            raise Refusal("no usage in the stream")
        return usage[-1]["usage"]["completion_tokens"]


def request_of(prompt, n_tokens):
    """Greedy and of a set length, so that everybody computes as much."""
    return {"prompt": prompt, "max_tokens": n_tokens, "temperature": 0, "ignore_eos": True,
            "stream": True, "stream_options": {"include_usage": True}}


def run_clients(port, prompts_of_clients, n_tokens):
    """The Outcome of clients that each send their list of prompts (token ids), in turn."""
    waiting = [[request_of(prompt, n_tokens) for prompt in reversed(prompts)]
               for prompts in prompts_of_clients]
    outcome = Outcome()
    deadline = time.monotonic() + PATIENCE_S
    begin = time.monotonic()
    with selectors.DefaultSelector() as selector:
        for requests in waiting:
            start_next(selector, port, requests)
        while selector.get_map():
            if time.monotonic() > deadline:
                raise Refusal(f"the clients weren't done after {PATIENCE_S} s")
            for key, _ in selector.select(timeout=1):
                exchange, requests = key.data
                if exchange.read():
                    selector.unregister(exchange.socket)
                    exchange.socket.close()
                    note(exchange, n_tokens, outcome)
                    start_next(selector, port, requests)
    outcome.seconds = time.monotonic() - begin
    return outcome


def start_next(selector, port, requests):
    if requests:
        exchange = Exchange(port, requests.pop())
        selector.register(exchange.socket, selectors.EVENT_READ, (exchange, requests))


def note(exchange, n_wanted, outcome):
    n_tokens = exchange.n_tokens()
    if n_tokens != n_wanted:
        raise Refusal(f"{n_tokens} tokens came where {n_wanted} were asked for")
    outcome.n_tokens += n_tokens
    outcome.first_token_s.append(exchange.first_token_s)
