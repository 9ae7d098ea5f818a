"""A server with more to do than it can at once: cached prefixes, users, waiting and giving up."""

import concurrent.futures
import statistics
import time

import openai
import pytest
from server import start_server, stop_server

PAGE_TOKENS = 32
RUNNING = "jarip_num_requests_running"
WAITING = "jarip_num_requests_waiting"
HITS = "jarip_prefix_cache_hits_total"
QUERIES = "jarip_prefix_cache_queries_total"


@pytest.fixture(scope="module")
def small():
    """One answer at a time, and room for one more."""
    running = start_server("--ctx", "2048", "--max-running", "1", "--max-waiting", "1")
    yield running
    stop_server(running)


def complete(server, prompt, **fields):
    """Of token ids, so that it is known which pages are the same."""
    return server.post("/v1/completions", {"prompt": prompt, "max_tokens": 4, "temperature": 0,
                                           "seed": 1, "ignore_eos": True, **fields})


def text_of(number, n_tokens):
    return [1000 + (number * 7919 + i * (number + 13)) % 40000 for i in range(n_tokens)]


def cached_tokens(reply):
    assert reply.status == 200, reply.body
    return reply.json["usage"]["prompt_tokens_details"]["cached_tokens"]


def test_cached_tokens_are_exact_and_the_answer_is_the_same(server):
    prompt = text_of(1, 10 * PAGE_TOKENS + 5)
    hits, queries = server.metric(HITS), server.metric(QUERIES)
    first = complete(server, prompt)
    again = complete(server, prompt)
    longer = complete(server, prompt[:7 * PAGE_TOKENS + 9] + text_of(2, 40))
    assert [cached_tokens(reply) for reply in (first, again, longer)] == [
        0, 10 * PAGE_TOKENS, 7 * PAGE_TOKENS]
    assert first.json["choices"] == again.json["choices"]
    assert server.metric(HITS) - hits == 17 * PAGE_TOKENS
    assert server.metric(QUERIES) - queries == 2 * len(prompt) + 7 * PAGE_TOKENS + 9 + 40
    assert server.eventually("jarip_kv_cache_usage_perc", 0)
    assert server.metric("jarip_kv_cache_cached_pages") >= 10


def test_a_prefix_of_a_crowd_is_computed_once(server):
    prefix = text_of(3, 8 * PAGE_TOKENS)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(lambda i: complete(server, prefix + text_of(10 + i, 9)), range(8)))
    assert sorted(map(cached_tokens, replies)) == [0] + 7 * [8 * PAGE_TOKENS]
    alone = [complete(server, prefix + text_of(10 + i, 9)) for i in range(8)]
    assert [r.json["choices"] for r in replies] == [r.json["choices"] for r in alone]


def test_without_the_cache_answers_are_the_same(server):
    prompt = text_of(4, 6 * PAGE_TOKENS)
    cached = [complete(server, prompt) for _ in range(2)][1]
    without = start_server("--ctx", "1024", "--prefix-cache", "off")
    try:
        replies = [complete(without, prompt) for _ in range(2)]
        assert [cached_tokens(reply) for reply in replies] == [0, 0]
        assert all(r.json["choices"] == cached.json["choices"] for r in replies)
        assert without.metric(QUERIES) == 0
    finally:
        stop_server(without)


def test_who_waits_longer_than_wanted_is_told_so(small):
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        running = pool.submit(complete, small, text_of(5, 20), max_tokens=400)
        assert small.eventually(RUNNING, 1)
        reply = complete(small, text_of(6, 20), max_queue_ms=50)
        assert reply.status == 503
        assert reply.error["param"] == "max_queue_ms"
        assert int(reply.headers["retry-after"]) >= 1
        assert running.result().status == 200


def test_what_takes_longer_than_wanted_ends(small):
    reply = complete(small, text_of(7, 20), max_tokens=2000, timeout=0.2)
    assert reply.status == 504
    assert reply.error["param"] == "timeout"
    assert small.eventually(RUNNING, 0)
    assert small.eventually("jarip_kv_cache_usage_perc", 0)


def test_a_full_queue_says_when_to_come_back(small):
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        busy = [pool.submit(complete, small, text_of(8, 20), max_tokens=400) for _ in range(2)]
        assert small.eventually(WAITING, 1)
        reply = complete(small, text_of(9, 20))
        assert reply.status == 429
        assert int(reply.headers["retry-after"]) >= 1
        assert reply.error["code"] == "queue_full"
        assert all(request.result().status == 200 for request in busy)


def test_the_sdk_comes_back_when_it_is_told_to(small):
    # Made and warm before the queue is full: that takes as long as an answer or two.
    with openai.OpenAI(base_url=small.address + "/v1", api_key="unused", max_retries=5) as client, \
            concurrent.futures.ThreadPoolExecutor(2) as pool:
        model = client.models.list().data[0].id
        busy = [pool.submit(complete, small, text_of(8, 20), max_tokens=400) for _ in range(2)]
        assert small.eventually(WAITING, 1)
        raw = client.completions.with_raw_response.create(model=model, prompt="Hi", max_tokens=2)
        assert raw.retries_taken >= 1
        assert raw.parse().usage.completion_tokens == 2
        assert all(request.result().status == 200 for request in busy)


def seconds_to_answer(server, number, user):
    begin = time.monotonic()
    assert complete(server, text_of(number, 50), max_tokens=1, user=user).status == 200
    return time.monotonic() - begin


def test_another_users_short_question_is_not_held_up_by_long_prompts(server):
    for number in range(20, 25):
        seconds_to_answer(server, number, "modest")
    alone = statistics.median(seconds_to_answer(server, 30 + i, "modest") for i in range(9))
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        # Four at a time, twelve in all, and pages for less than two.
        busy = [pool.submit(complete, server, text_of(50 + i, 1000), max_tokens=20, user="greedy")
                for i in range(12)]
        assert server.eventually(RUNNING, 1)
        beside = [seconds_to_answer(server, 70 + i, "modest") for i in range(9)]
        assert not all(request.done() for request in busy), "they were too short"
        assert all(request.result().status == 200 for request in busy)
    # Five times is far from what waiting for a prompt of 1,000 tokens takes, and far from noise.
    assert statistics.median(beside) < 5 * alone
