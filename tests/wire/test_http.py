"""HTTP itself: methods, paths, headers, and requests that must not be understood."""

import re

import pytest


@pytest.mark.parametrize(("method", "path", "allow"), [
    ("GET", "/v1/chat/completions", "POST"),
    ("GET", "/v1/completions", "POST"),
    ("POST", "/v1/models", "GET, HEAD"),
    ("DELETE", "/health", "GET, HEAD"),
    ("PUT", "/metrics", "GET, HEAD"),
    ("BREW", "/", "GET, HEAD"),
])
def test_wrong_methods_say_which_are_right(server, method, path, allow):
    reply = server.request(method, path)
    assert reply.status == 405
    assert reply.headers["allow"] == allow
    assert reply.error["code"] == "method_not_allowed"


@pytest.mark.parametrize("path", ["/v2/models", "/v1", "/v1/chat", "/nothing", "//health",
                                  "/health/", "/..%2f..%2fetc/passwd", "/%2e%2e/etc/passwd"])
def test_unknown_paths_are_not_found(server, path):
    reply = server.get(path)
    assert reply.status == 404
    assert reply.error["code"] == "not_found"


def test_health_and_models(server):
    assert server.get("/health").json == {"status": "ok"}
    models = server.get("/v1/models").json
    assert models["object"] == "list"
    [model] = models["data"]
    assert server.get("/v1/models/" + model["id"]).json == model
    missing = server.get("/v1/models/other")
    assert missing.status == 404
    assert missing.error["code"] == "model_not_found"


def test_metrics_have_the_names_that_dashboards_read(server):
    server.chat("hi", max_tokens=2)
    reply = server.get("/metrics")
    assert reply.headers["content-type"].startswith("text/plain; version=0.0.4")
    text = reply.body.decode()
    for name in ("num_requests_running", "num_requests_waiting", "kv_cache_usage_perc",
                 "prompt_tokens_total", "generation_tokens_total", "request_success_total",
                 "prefix_cache_queries_total", "prefix_cache_hits_total", "num_preemptions_total",
                 "kv_cache_cached_pages", "engine_step_sequences",
                 "spec_decode_num_draft_tokens_total", "spec_decode_num_accepted_tokens_total",
                 "time_to_first_token_seconds", "inter_token_latency_seconds",
                 "e2e_request_latency_seconds", "request_queue_time_seconds"):
        assert f"# TYPE jarip_{name} " in text
    assert server.metric('jarip_request_success_total{finished_reason="length"}') >= 1
    assert server.metric("jarip_time_to_first_token_seconds_count") >= 1


def test_every_answer_has_an_id(server):
    assert server.get("/health", {"X-Request-Id": "mine-1"}).headers["x-request-id"] == "mine-1"
    made = {server.get(path).headers["x-request-id"]
            for path in ("/health", "/", "/no", "/v1/models")}
    assert len(made) == 4
    assert all(one.startswith("req_") for one in made)


def test_only_json_is_taken(server):
    for kind in ("text/plain", "application/x-www-form-urlencoded", ""):
        reply = server.request("POST", "/v1/completions", b'{"prompt":"x"}', {"Content-Type": kind})
        assert reply.status == 415


def test_the_page_is_there_and_strict(server):
    page = server.get("/", {"Accept-Encoding": "gzip"})
    assert page.status == 200
    assert page.headers["content-type"].startswith("text/html")
    assert page.headers["content-encoding"] == "gzip"
    policy = page.headers["content-security-policy"]
    assert "default-src 'self'" in policy and "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert page.headers["x-content-type-options"] == "nosniff"
    assert b"<html" in server.get("/").body
    again = server.get("/", {"If-None-Match": page.headers["etag"]})
    assert (again.status, again.body) == (304, b"")


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "10.0.0.1:8484",
                                  "[::2]"])
def test_foreign_hosts_are_refused(server, host):
    assert server.get("/health", {"Host": host}).status == 403


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:1", "[::1]:8484"])
def test_loopback_hosts_are_answered(server, host):
    assert server.get("/health", {"Host": host}).status == 200


@pytest.mark.parametrize(("origin", "status"), [
    ("http://localhost:8484", 200), ("http://evil.example", 403), ("null", 403),
    ("http://localhost:1", 403),
])
def test_pages_of_elsewhere_are_refused(server, origin, status):
    reply = server.get("/health", {"Host": "localhost:8484", "Origin": origin})
    assert reply.status == status
    assert "access-control-allow-origin" not in reply.headers


GET = b"GET /health HTTP/1.1\r\nHost: localhost\r\n"
POST = b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\n"
MALFORMED = {
    "bare LF": (b"GET /health HTTP/1.1\nHost: localhost\n\n", 400),
    "no host": (b"GET /health HTTP/1.1\r\n\r\n", 400),
    "empty host": (b"GET /health HTTP/1.1\r\nHost: \r\n\r\n", 400),
    "two hosts": (GET + b"Host: localhost\r\n\r\n", 400),
    "folded header": (GET + b"A: b\r\n c\r\n\r\n", 400),
    "space before colon": (GET + b"A : b\r\n\r\n", 400),
    "both lengths": (POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                     400),
    "two lengths": (POST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n", 400),
    "signed length": (POST + b"Content-Length: +5\r\n\r\n", 400),
    "odd coding": (POST + b"Transfer-Encoding: chunked, identity\r\n\r\n", 400),
    "bad chunk": (POST + b"Transfer-Encoding: chunked\r\n\r\nx\r\n", 400),
    "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00", 400),
    "long head": (GET + b"A: " + b"x" * 40000 + b"\r\n\r\n", 431),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_requests_are_answered_once_and_closed(server, name):
    request, status = MALFORMED[name]
    answer = server.exchange(request + GET + b"\r\n")
    assert answer.startswith(f"HTTP/1.1 {status} ".encode()), answer
    assert len(re.findall(rb"HTTP/1\.1 \d{3} ", answer)) == 1
    assert b"connection: close\r\n" in answer


def test_pipelined_requests_are_answered_in_order(server):
    answer = server.exchange(GET + b"\r\n" + b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n" +
                             GET + b"Connection: close\r\n\r\n")
    assert answer.count(b"HTTP/1.1 200 OK") == 3
    assert answer.index(b'"status"') < answer.index(b'"list"') < answer.rindex(b'"status"')
