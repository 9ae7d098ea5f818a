"""Many clients at once: the same bytes as alone, and nobody's leaving harms another."""

import concurrent.futures
import json
import socket
import struct

import pytest

pytestmark = pytest.mark.usefixtures("idle")

N_AT_ONCE = 32
RUNNING = "jarip_num_requests_running"


def request_of(number):
    """Requests of different lengths, some greedy, some sampled."""
    return {"messages": [{"role": "user", "content": f"Tell me about the number {number}. " +
                          "Be brief. " * (number % 5)}],
            "temperature": 0 if number % 2 else 1.0, "seed": number, "max_tokens": 8 + number % 9}


def answer_of(server, number):
    reply = server.post("/v1/chat/completions", request_of(number))
    assert reply.status == 200, reply.body
    return reply.json["choices"][0]["message"]["content"]


def test_answers_in_a_crowd_are_the_answers_alone(server):
    with concurrent.futures.ThreadPoolExecutor(N_AT_ONCE) as pool:
        crowd = list(pool.map(lambda number: answer_of(server, number), range(N_AT_ONCE)))
    alone = [answer_of(server, number) for number in range(N_AT_ONCE)]
    assert crowd == alone


def open_request(server, body):
    data = json.dumps(body).encode()
    connection = server.connect()
    connection.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n"
                       b"Content-Type: application/json\r\nContent-Length: " +
                       str(len(data)).encode() + b"\r\n\r\n" + data)
    return connection


def long_request(content="Tell a very long story.", **fields):
    return {"messages": [{"role": "user", "content": content}], "ignore_eos": True,
            "max_tokens": 700, **fields}


def reset(connection):
    """Closes as a crashed client does, with a reset."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


@pytest.mark.parametrize("leave", [socket.socket.close, reset], ids=["closed", "reset"])
@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
def test_a_client_that_leaves_cancels_its_answer(server, leave, stream):
    connection = open_request(server, long_request(stream=stream))
    assert server.eventually(RUNNING, 1)
    leave(connection)
    assert server.eventually(RUNNING, 0, seconds=2)


def test_a_client_that_leaves_during_its_prompt_cancels_it(server):
    aborted = 'jarip_request_success_total{finished_reason="abort"}'
    before = server.metric(aborted)
    connection = open_request(server, long_request("word " * 900, stream=True, max_tokens=10))
    assert server.eventually(RUNNING, 1)
    connection.close()
    assert server.eventually(RUNNING, 0, seconds=2)
    assert server.metric(aborted) == before + 1


def test_the_leaving_of_one_does_not_change_the_answer_of_another(server):
    alone = answer_of(server, 3)
    leaving = [open_request(server, long_request(stream=True)) for _ in range(4)]
    assert server.eventually(RUNNING, 4)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        staying = pool.submit(answer_of, server, 3)
        for connection in leaving:
            connection.close()
        assert staying.result() == alone


def test_a_storm_of_clients_that_leave_at_once_leaves_nothing_behind(server):
    for _ in range(50):
        open_request(server, long_request(stream=True)).close()
    assert server.eventually(RUNNING, 0, seconds=30)
    assert answer_of(server, 1)


def test_a_client_that_reads_nothing_holds_up_nobody(server):
    connection = open_request(server, long_request(stream=True))
    assert server.eventually(RUNNING, 1)
    assert answer_of(server, 2)
    connection.close()
