"""What an operator sees: the access log, and metrics read by Prometheus's own parser."""

import json
import re
import time

import pytest
from prometheus_client.parser import text_string_to_metric_families
from server import Keys, open_stream, start_server, stop_server

CHAT = "/v1/chat/completions"
SECRET = "xylophone-quicksand"
ASK = {"messages": [{"role": "user", "content": f"Say {SECRET}."}], "max_tokens": 5,
       "temperature": 0, "ignore_eos": True}

HISTOGRAMS = ("time_to_first_token_seconds", "inter_token_latency_seconds",
              "e2e_request_latency_seconds", "request_queue_time_seconds")


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    return Keys(tmp_path_factory.mktemp("observed") / "home")


@pytest.fixture(scope="module")
def key(keys):
    return keys.create("--scope", "inference", "--scope", "admin")


@pytest.fixture(scope="module")
def observed(keys, key):
    assert key
    running = start_server("--ctx", "1024", "--access-log", "json", "--vllm-metrics",
                           home=keys.home)
    yield running
    stop_server(running)


def bearer(key):
    return {"Authorization": f"Bearer {key}"}


def entry_of(server, request_id):
    server.process.wait_for_line(f'"id":"{request_id}"')
    return json.loads(server.process.lines[-1])


def families(server, key):
    text = server.get("/metrics", bearer(key)).body.decode()
    return {family.name: family for family in text_string_to_metric_families(text)}


def samples(server, key):
    """Name and labels to value."""
    return {(sample.name, *sorted(sample.labels.items())): sample.value
            for family in families(server, key).values() for sample in family.samples}


def test_one_line_says_who_asked_what_it_took_and_what_it_used(observed, key):
    reply = observed.post(CHAT, ASK, {**bearer(key), "X-Request-Id": "one-1"})
    entry = entry_of(observed, "one-1")
    usage = reply.json["usage"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", entry["time"])
    assert (entry["method"], entry["path"], entry["status"]) == ("POST", CHAT, 200)
    assert entry["key"] == key[:14]
    assert entry["prompt_tokens"] == usage["prompt_tokens"]
    assert entry["output_tokens"] == usage["completion_tokens"] == 5
    assert entry["cached_tokens"] == usage["prompt_tokens_details"]["cached_tokens"]
    assert 0 <= entry["queue_ms"] <= entry["first_token_ms"] <= entry["total_ms"]


def test_refused_and_malformed_requests_have_their_line_too(observed):
    observed.get("/nowhere?secret=1", {"X-Request-Id": "two-1"})
    entry = entry_of(observed, "two-1")
    assert (entry["path"], entry["status"], entry["key"]) == ("/nowhere", 404, None)
    assert "prompt_tokens" not in entry
    observed.post(CHAT, ASK, {"X-Request-Id": "two-2"})
    assert entry_of(observed, "two-2")["status"] == 401
    answer = observed.exchange(b"BROKEN\r\n\r\n").decode()
    made = re.search(r"x-request-id: (\S+)", answer)[1]
    assert entry_of(observed, made)["status"] == 400


def test_an_answer_that_is_given_up_is_logged_with_what_it_used(observed, key):
    with open_stream(observed, key):
        time.sleep(0.2)
    observed.process.wait_for_line('"output_tokens":[1-9]')
    entry = json.loads(observed.process.lines[-1])
    assert entry["prompt_tokens"] > 0 and entry["status"] == 200


def test_neither_keys_nor_texts_are_ever_logged(observed, key):
    observed.post(CHAT, ASK, {**bearer(key), "X-Request-Id": "three-1"})
    observed.post(CHAT, {**ASK, "temperature": SECRET}, {"x-api-key": key})
    observed.post(CHAT, ASK, {"x-api-key": key[:-1] + "!", "X-Request-Id": "three-2"})
    entry_of(observed, "three-2")
    log = "\n".join(observed.process.lines)
    assert key[15:] not in log and SECRET not in log and "secret=1" not in log


def test_a_strange_request_id_is_replaced(observed):
    for given in ("a b", "x" * 129, "<script>", "a\tb", ""):
        made = observed.get("/health", {"X-Request-Id": given}).headers["x-request-id"]
        assert re.fullmatch(r"req_[0-9a-f]{32}", made)


def test_the_text_form_is_one_line_of_names_and_values():
    server = start_server("--ctx", "512", "--access-log", "text")
    try:
        server.request("POST", CHAT, ASK, {"X-Request-Id": "four-1"})
        line = server.process.wait_for_line("id=four-1").string
        assert re.fullmatch(
            r"\S+Z access id=four-1 key=- peer=127\.0\.0\.1:\d+ POST /v1/chat/completions 200 "
            r"prompt=\d+ cached=\d+ output=5 queue_ms=\S+ first_token_ms=\S+ total_ms=\S+", line)
    finally:
        stop_server(server)


def test_no_log_when_none_is_wanted():
    server = start_server("--ctx", "512", "--access-log", "off")
    try:
        assert server.chat("hi", max_tokens=1).status == 200
    finally:
        stop_server(server)
    assert not [line for line in server.process.lines if "access" in line or '"id"' in line]


def test_prometheus_reads_the_metrics_and_every_histogram_adds_up(observed, key):
    observed.post(CHAT, ASK, bearer(key))
    found = families(observed, key)
    for name in HISTOGRAMS:
        family = found[f"jarip_{name}"]
        assert family.type == "histogram" and family.documentation
        buckets = [sample for sample in family.samples if sample.name.endswith("_bucket")]
        counts = [sample.value for sample in buckets]
        assert counts == sorted(counts) and buckets[-1].labels["le"] == "+Inf"
        [count] = [sample.value for sample in family.samples if sample.name.endswith("_count")]
        assert counts[-1] == count > 0
    for family in found.values():
        assert family.documentation, family.name
        assert family.type in ("counter", "gauge", "histogram")
        labels = [(sample.name, *sorted(sample.labels.items())) for sample in family.samples]
        assert len(labels) == len(set(labels)), family.name


def test_an_answer_moves_every_count_by_what_it_was(observed, key):
    before = samples(observed, key)
    observed.post(CHAT, ASK, bearer(key))
    # A request counts once nobody holds its record any more, which may be after its reply.
    requests = ("jarip_http_requests_total", ("method", "POST"), ("route", CHAT), ("status", "200"))
    deadline = time.monotonic() + 10
    after = samples(observed, key)
    while after.get(requests, 0) == before.get(requests, 0) and time.monotonic() < deadline:
        time.sleep(0.02)
        after = samples(observed, key)

    def moved(name, **labels):
        place = (name, *sorted(labels.items()))
        return after[place] - before.get(place, 0)

    assert moved("jarip_generation_tokens_total") == 5
    assert moved("jarip_request_success_total", finished_reason="length") == 1
    assert moved("jarip_http_requests_total", route=CHAT, method="POST", status="200") == 1
    assert moved("jarip_time_to_first_token_seconds_count") == 1
    assert moved("jarip_e2e_request_latency_seconds_count") == 1
    assert moved("jarip_request_queue_time_seconds_count") == 1
    assert moved("jarip_inter_token_latency_seconds_count") == 4
    assert moved("jarip_e2e_request_latency_seconds_sum") > 0


@pytest.mark.parametrize(("headers", "reason"), [
    ({}, "missing"), ({"x-api-key": "no"}, "unknown"), ({"Authorization": "Basic x"}, "malformed"),
])
def test_failures_of_keys_are_counted_by_what_was_wrong(observed, key, headers, reason):
    place = ("jarip_auth_failures_total", ("reason", reason))
    before = samples(observed, key)[place]
    observed.get("/v1/models", headers)
    observed.post(CHAT, ASK, headers)
    assert samples(observed, key)[place] == before + 2


def test_limits_are_counted(observed, key, keys):
    limited = keys.create("--requests-per-minute", "1")
    for _ in range(3):
        observed.post(CHAT, ASK, bearer(limited))
    found = samples(observed, key)
    assert found["jarip_limited_requests_total", ("reason", "requests_per_minute")] == 2
    assert found["jarip_http_requests_total", ("method", "POST"), ("route", CHAT),
                 ("status", "429")] == 2


def test_what_clients_make_up_makes_no_metrics(observed, key):
    n_before = len(samples(observed, key))
    for i in range(30):
        observed.get(f"/made/up/{i}", bearer(key))
        observed.request(f"METHOD{i}", "/v1/models", headers=bearer(key))
    assert len(samples(observed, key)) <= n_before + 3


def test_dashboards_of_vllm_find_its_names(observed, key):
    observed.post(CHAT, ASK, bearer(key))
    found = families(observed, key)
    for name in ("num_requests_running", "num_requests_waiting", "kv_cache_usage_perc",
                 "prompt_tokens", "generation_tokens", "request_success", *HISTOGRAMS):
        ours, theirs = found[f"jarip_{name}"], found[f"vllm:{name}"]
        assert ours.type == theirs.type
        assert [sample.value for sample in ours.samples] == [
            sample.value for sample in theirs.samples]
        assert all(sample.labels["model_name"] for sample in theirs.samples)
    assert "vllm:http_requests" not in found


def test_they_are_not_shown_unasked(server):
    assert b"vllm:" not in server.get("/metrics").body
