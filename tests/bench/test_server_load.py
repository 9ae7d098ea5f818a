"""The clients of bench/servers, against a server that answers what a test wants."""

import json
import socketserver
import threading
import time

import pytest
from load import Outcome, Refusal, run_clients
from workloads import WORKLOADS

FIRST_TOKEN_AFTER_S = 0.05


class Answering(socketserver.StreamRequestHandler):
    """Streams as many tokens as the request asks for, less those that the server keeps back."""

    def handle(self):
        length = 0
        while (line := self.rfile.readline()) != b"\r\n":
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        body = json.loads(self.rfile.read(length))
        self.server.prompts.append(body["prompt"])
        if self.server.status != 200:
            self.wfile.write(b"HTTP/1.1 %d No\r\n\r\n{}" % self.server.status)
            return
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
        time.sleep(FIRST_TOKEN_AFTER_S)
        count = body["max_tokens"] - self.server.missing
        for _ in range(count):
            self._event({"choices": [{"index": 0, "text": "a"}]})
        self._event({"choices": [], "usage": {"completion_tokens": count}})
        self.wfile.write(b"data: [DONE]\n\n")

    def _event(self, event):
        self.wfile.write(f"data: {json.dumps(event)}\n\n".encode())


@pytest.fixture
def server():
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Answering) as made:
        made.daemon_threads = True
        made.prompts, made.status, made.missing = [], 200, 0
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield made
        made.shutdown()
        thread.join(timeout=10)


def test_all_prompts_are_sent_and_all_tokens_counted(server):
    prompts = [[[1, 2], [3]], [[4], [5], [6]]]
    outcome = run_clients(server.server_address[1], prompts, 7)
    assert sorted(server.prompts) == [[1, 2], [3], [4], [5], [6]]
    assert outcome.n_tokens == 5 * 7
    assert outcome.tokens_per_second == outcome.n_tokens / outcome.seconds


def test_the_first_token_is_timed_and_not_the_headers(server):
    outcome = run_clients(server.server_address[1], [[[1]]] * 3, 2)
    assert len(outcome.first_token_s) == 3
    assert min(outcome.first_token_s) >= FIRST_TOKEN_AFTER_S
    assert max(outcome.first_token_s) <= outcome.seconds


def test_an_error_is_no_result(server):
    server.status = 429
    with pytest.raises(Refusal, match="429"):
        run_clients(server.server_address[1], [[[1]]], 2)


def test_an_answer_that_is_too_short_is_no_result(server):
    server.missing = 1
    with pytest.raises(Refusal, match="1 tokens came where 2"):
        run_clients(server.server_address[1], [[[1]]], 2)


def test_percentiles():
    outcome = Outcome(first_token_s=[float(i) for i in range(101)])
    assert outcome.first_token_percentile(50) == pytest.approx(50)
    assert outcome.first_token_percentile(95) == pytest.approx(95)


@pytest.mark.parametrize("workload", WORKLOADS, ids=lambda workload: workload.name)
def test_prompts_share_what_they_should_and_nothing_else(workload):
    prompts = [tuple(one) for client in workload.prompts(49152, 1) for one in client]
    assert len(prompts) == workload.n_clients * workload.n_requests
    assert {len(one) for one in prompts} == {workload.shared_tokens + workload.own_tokens}
    shared = workload.shared_tokens
    assert len({one[:shared] for one in prompts}) == 1
    assert len({one[:shared + 4] for one in prompts}) == len(prompts)


def test_a_round_has_other_prompts_than_the_last():
    (workload, *_) = WORKLOADS
    assert workload.prompts(49152, 1) == workload.prompts(49152, 1)
    assert workload.prompts(49152, 1)[0][0] != workload.prompts(49152, 2)[0][0]
