"""Keys: who gets in, how much they may use, and that it is counted to the token."""

import concurrent.futures
import json
import signal
import time

import anthropic
import openai
import pytest
from server import Keys, open_stream, rest_of, start_server, stop_server

CHAT = "/v1/chat/completions"
ASK = {"messages": [{"role": "user", "content": "Say hello."}], "max_tokens": 4, "temperature": 0}


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    return Keys(tmp_path_factory.mktemp("keys") / "home")


@pytest.fixture(scope="module")
def key(keys):
    return keys.create("--name", "tests")


@pytest.fixture(scope="module")
def admin(keys):
    return keys.create("--scope", "admin")


@pytest.fixture(scope="module")
def locked(keys, key):
    """A server that needs keys."""
    assert key
    running = start_server("--ctx", "1024", home=keys.home)
    yield running
    stop_server(running)


def rest_of_answer(connection):
    """As far as the last, empty chunk; the connection stays open."""
    answer = b""
    while not answer.endswith(b"\r\n0\r\n\r\n"):
        piece = connection.recv(65536)
        assert piece, answer
        answer += piece
    return answer


def bearer(key):
    return {"Authorization": f"Bearer {key}"}


def test_a_key_is_shown_once_and_its_file_is_the_owners(keys):
    done = keys.run("create", "--name", "x", "--scope", "inference", "--scope", "admin")
    text = done.stdout.strip()
    assert done.stdout == text + "\n" and len(text) == 79
    assert text not in done.stderr
    assert text not in keys.run("list").stdout + keys.run("list", "--json").stdout
    stored = keys.home / "keys.db"
    assert stored.stat().st_mode & 0o777 == 0o600
    for file in keys.home.iterdir():
        assert text.split("_")[2].encode() not in file.read_bytes()
        assert file.stat().st_mode & 0o077 == 0
    assert keys.of(text)["scopes"] == ["inference", "admin"]
    keys.revoke(text)
    assert keys.of(text)["state"] == "revoked"


@pytest.mark.parametrize(("arguments", "message"), [
    (["create", "--scope", "root"], '--scope is "root", but must be inference or admin'),
    (["create", "--expires-in", "soon"], '--expires-in is "soon", but must be like 30d'),
    (["create", "--token-limit", "0"], '--token-limit is "0", but must be a whole number from 1'),
    (["create", "--name", "a\nb"], "--name must be at most 64 bytes on one line"),
    (["revoke"], "KEY is missing"),
    (["revoke", "nobody"], "there is no such key; `jarip keys list` shows"),
    (["rotate"], 'there is no command "keys rotate"; see jarip --help'),
    (["creat"], 'there is no command "keys creat"; did you mean keys create?'),
])
def test_wrong_commands_are_refused(keys, arguments, message):
    done = keys.run(*arguments)
    assert done.returncode in (2, 3) and done.stdout == ""
    assert message in done.stderr


@pytest.mark.parametrize("headers", [
    {}, {"Authorization": "Bearer"}, {"Authorization": "Bearer sk-unused"},
    {"Authorization": "Basic dXNlcjpwYXNz"}, {"x-api-key": "jarip_00000000_" + "0" * 64},
    {"Authorization": "Bearer jarip_00000000"},
])
def test_without_a_good_key_nothing_is_answered(locked, headers):
    for reply in (locked.post(CHAT, ASK, headers), locked.get("/v1/models", headers),
                  locked.get("/metrics", headers)):
        assert reply.status == 401
        assert reply.headers["www-authenticate"] == "Bearer"
        assert reply.error["code"] == "invalid_api_key"
        assert reply.headers["x-request-id"]


def test_health_the_page_and_preflight_need_no_key(locked):
    assert locked.get("/health").status == 200
    assert locked.get("/").status == 200
    assert locked.request("OPTIONS", CHAT).status == 204
    assert locked.get("/nothing").status == 404
    assert locked.get(CHAT).status == 405


def test_a_key_is_good_in_either_header(locked, key):
    assert locked.post(CHAT, ASK, bearer(key)).status == 200
    assert locked.post(CHAT, ASK, {"x-api-key": key}).status == 200
    assert locked.post(CHAT, ASK, {**bearer(key), "x-api-key": key}).status == 200
    assert locked.get("/v1/models", bearer(key)).status == 200


def test_two_different_keys_are_refused_though_both_are_good(locked, key, keys):
    other = keys.create()
    for first, second in ((key, other), (key, "x"), ("x", key)):
        reply = locked.post(CHAT, ASK, {**bearer(first), "x-api-key": second})
        assert reply.status == 401
        assert "different keys" in reply.error["message"]
    twice = (f"GET /v1/models HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
             f"Authorization: Bearer {key}\r\nAuthorization: Bearer {key}\r\n\r\n").encode()
    assert locked.exchange(twice).startswith(b"HTTP/1.1 401 ")


def test_scopes_are_kept_apart(locked, key, admin):
    assert locked.get("/metrics", bearer(admin)).status == 200
    for reply in (locked.get("/metrics", bearer(key)), locked.post(CHAT, ASK, bearer(admin))):
        assert reply.status == 403
        assert reply.error["code"] == "insufficient_permissions"


def test_the_sdk_raises_its_own_errors(locked, key, keys):
    def client(key):
        return openai.OpenAI(base_url=locked.address + "/v1", api_key=key, max_retries=0)
    with client(key) as good:
        model = good.models.list().data[0].id
        good.chat.completions.create(model=model, **ASK)
    with client("wrong") as bad, pytest.raises(openai.AuthenticationError):
        bad.models.list()
    limited = keys.create("--requests-per-minute", "1")
    with client(limited) as one:
        reply = one.chat.completions.with_raw_response.create(model=model, **ASK)
        assert reply.headers["x-ratelimit-limit-requests"] == "1"
        assert reply.headers["x-ratelimit-remaining-requests"] == "0"
        with pytest.raises(openai.RateLimitError) as refused:
            one.chat.completions.create(model=model, **ASK)
    assert refused.value.code == "rate_limit_exceeded"
    assert 50 <= int(refused.value.response.headers["retry-after"]) <= 60
    assert refused.value.response.headers["x-ratelimit-reset-requests"]


def test_anthropics_sdk_gets_in_by_either_header_and_is_refused_in_its_own_form(locked, key, keys):
    ask = {"model": locked.get("/v1/models", bearer(key)).json["data"][0]["id"],
           "max_tokens": 4, "messages": ASK["messages"]}

    def client(**how):
        return anthropic.Anthropic(base_url=locked.address, max_retries=0, **how)
    with client(api_key=key) as by_key, client(auth_token=key) as by_token:
        for one in (by_key, by_token):
            assert one.messages.create(**ask).usage.output_tokens
            assert one.messages.count_tokens(model=ask["model"], messages=ask["messages"])
    with client(api_key="wrong") as bad, pytest.raises(anthropic.AuthenticationError) as refused:
        bad.messages.create(**ask)
    assert refused.value.body["error"]["type"] == "authentication_error"
    assert refused.value.body["request_id"] == refused.value.response.headers["request-id"]
    limited = keys.create("--requests-per-minute", "1")
    with client(api_key=limited) as one:
        one.messages.create(**ask)
        with pytest.raises(anthropic.RateLimitError) as refused:
            one.messages.create(**ask)
    assert refused.value.body["error"]["type"] == "rate_limit_error"
    assert int(refused.value.response.headers["retry-after"]) > 1


def test_every_route_that_computes_needs_a_key(locked, key):
    operations = locked.get("/openapi.json").json["paths"]
    posts = [path for path, methods in operations.items() if "post" in methods]
    assert len(posts) > 8
    for path in posts:
        assert locked.post(path, {}).status == 401, path
        status = locked.post(path, {}, bearer(key)).status
        assert status == 403 if path.startswith("/models/") else status not in (401, 403), path


def test_the_sdk_waits_as_it_is_told_and_then_succeeds(locked, keys):
    limited = keys.create("--requests-per-minute", "60")
    headers = bearer(limited)
    n_answered = 0
    # One comes back each second while the others run.
    while locked.post(CHAT, {**ASK, "max_tokens": 1}, headers).status == 200:
        n_answered += 1
        assert n_answered < 200
    assert n_answered >= 60
    with openai.OpenAI(base_url=locked.address + "/v1", api_key=limited, max_retries=3) as client:
        model = client.models.list().data[0].id
        assert client.chat.completions.create(model=model, **ASK).choices


def test_tokens_a_minute_are_owed_before_more_are_given(locked, keys):
    limited = keys.create("--tokens-per-minute", "20")
    first = locked.post(CHAT, {**ASK, "max_tokens": 16, "ignore_eos": True}, bearer(limited))
    assert first.status == 200
    second = locked.post(CHAT, ASK, bearer(limited))
    assert second.status == 429
    assert second.error["type"] == "tokens"
    assert second.headers["x-ratelimit-limit-tokens"] == "20"
    assert second.headers["x-ratelimit-remaining-tokens"] == "0"
    owed = first.json["usage"]["total_tokens"] - 20
    assert 1 <= int(second.headers["retry-after"]) <= (owed + 1) * 3 + 1


def test_use_is_counted_to_the_token(locked, keys):
    counted = keys.create()
    prompt = output = 0
    for fields in ({}, {"max_tokens": 9, "ignore_eos": True}, {"stop": ["e"]},
                   {"n": 3, "temperature": 1}):
        usage = locked.post(CHAT, {**ASK, **fields}, bearer(counted)).json["usage"]
        prompt += usage["prompt_tokens"]
        output += usage["completion_tokens"]
        seen = keys.of(counted)  # as soon as the answer is there
        assert (seen["prompt_tokens"], seen["output_tokens"]) == (prompt, output)
    events = locked.events(CHAT, {**ASK, "stream_options": {"include_usage": True}},
                           bearer(counted))
    usage = json.loads(events[-2])["usage"]
    seen = keys.of(counted)
    assert seen["prompt_tokens"] == prompt + usage["prompt_tokens"]
    assert seen["output_tokens"] == output + usage["completion_tokens"]
    assert seen["answers"] == 7
    locked.post(CHAT, {**ASK, "temperature": 9}, bearer(counted))
    assert keys.of(counted) == seen


def test_a_stream_that_is_given_up_is_counted_to_the_token(locked, keys, admin):
    counted = keys.create()

    def generated():
        return locked.metric("jarip_generation_tokens_total", bearer(admin))

    before = generated()
    with open_stream(locked, counted):
        time.sleep(0.3)
    deadline = time.monotonic() + 10
    while (seen := keys.of(counted))["answers"] == 0:
        assert time.monotonic() < deadline
    assert locked.metric("jarip_num_requests_running", bearer(admin)) == 0
    assert seen["answers"] == 1 and seen["prompt_tokens"] > 0
    assert seen["output_tokens"] == generated() - before > 0


def test_the_token_limit_ends_a_key_and_survives_kill_9(keys):
    server = start_server("--ctx", "1024", home=keys.home)
    try:
        limited = keys.create("--token-limit", "60")
        used = 0
        for _ in range(60):
            reply = server.post(CHAT, ASK, bearer(limited))
            if reply.status != 200:
                break
            used += reply.json["usage"]["total_tokens"]
        server.process.send_signal(signal.SIGKILL)
        server.process.wait()
    finally:
        server.process.end()
    assert used >= 60
    assert reply.status == 429
    assert reply.error["code"] == "insufficient_quota"
    assert "retry-after" not in reply.headers
    seen = keys.of(limited)
    assert seen["prompt_tokens"] + seen["output_tokens"] == used


def test_a_revoked_key_ends_at_once_with_all_that_runs_for_it(locked, keys, key):
    doomed = keys.create("--name", "doomed")
    assert locked.get("/v1/models", bearer(doomed)).status == 200
    with open_stream(locked, doomed) as stream, open_stream(locked, key) as other:
        keys.revoke("doomed")
        assert locked.get("/v1/models", bearer(doomed)).status == 401
        begun = time.monotonic()
        rest = rest_of_answer(stream)
        assert time.monotonic() - begun < 2
        assert b"this key was revoked" in rest and b"[DONE]" not in rest
        assert other.recv(65536)
    reply = locked.post(CHAT, ASK, bearer(doomed))
    assert reply.status == 401 and "revoked" in reply.error["message"]


def test_a_stream_of_messages_ends_in_its_own_form(locked, keys):
    doomed = keys.create()
    model = locked.get("/v1/models", bearer(doomed)).json["data"][0]["id"]
    with anthropic.Anthropic(base_url=locked.address, api_key=doomed, max_retries=0) as client, \
            pytest.raises(anthropic.APIStatusError) as refused:
        events = client.messages.create(model=model, max_tokens=900, stream=True,
                                        messages=ASK["messages"],
                                        extra_body={"ignore_eos": True})
        next(iter(events))
        keys.revoke(doomed)
        for _ in events:
            pass
    assert refused.value.body["error"] == {"type": "authentication_error",
                                           "message": "this key was revoked"}


def test_an_answer_in_one_piece_ends_with_its_key_too(locked, keys):
    doomed = keys.create()
    body = json.dumps({**ASK, "max_tokens": 900, "ignore_eos": True}).encode()
    with locked.connect() as connection:
        connection.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n"
                           b"Content-Type: application/json\r\nConnection: close\r\nX-Api-Key: " +
                           doomed.encode() + b"\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        time.sleep(0.3)
        keys.revoke(doomed)
        answer = rest_of(connection)
    assert answer.startswith(b"HTTP/1.1 401 ") and b"revoked" in answer


def test_the_machine_is_shared_by_weight(tmp_path):
    keys = Keys(tmp_path / "home")
    heavy, light = keys.create("--weight", "3"), keys.create()
    assert (keys.of(heavy)["weight"], keys.of(light)["weight"]) == (3, 1)
    server = start_server("--ctx", "1024", "--max-running", "1", home=keys.home)
    order = []

    def ask(key):
        reply = server.post(CHAT, {**ASK, "max_tokens": 12, "ignore_eos": True}, bearer(key))
        assert reply.status == 200
        order.append(key)
    try:
        with open_stream(server, keys.create(), max_tokens=200), \
                concurrent.futures.ThreadPoolExecutor(24) as pool:
            waiting = [pool.submit(ask, key) for key in 12 * [heavy, light]]
            for one in waiting:
                one.result()
    finally:
        stop_server(server)
    # Of sixteen twelve, by their weights; prompts and what is begun when they come blur it.
    assert 10 <= order[:16].count(heavy) <= 13


def test_a_key_expires(locked, keys):
    brief = keys.create("--expires-in", "1m")
    assert locked.get("/v1/models", bearer(brief)).status == 200
    assert keys.of(brief)["expires"] - keys.of(brief)["created"] == 60


def test_a_strangers_body_is_not_read(locked, key):
    head = (b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n"
            b"Content-Type: application/json\r\nContent-Length: 4000000\r\n")
    answer = locked.exchange(head + b"Expect: 100-continue\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 401 ") and b"connection: close" in answer
    with locked.connect() as connection:
        connection.sendall(head + b"Expect: 100-continue\r\nAuthorization: Bearer " +
                           key.encode() + b"\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 100 ")
    for path in (b"/health", b"/nothing", b"/"):
        answer = locked.exchange(head.replace(CHAT.encode(), path) + b"\r\n")
        assert answer.startswith(b"HTTP/1.1 413 "), answer


def test_keys_count_from_the_moment_that_there_is_one(tmp_path):
    keys = Keys(tmp_path / "home")
    server = start_server("--ctx", "512", home=keys.home)
    try:
        assert server.get("/v1/models").status == 200
        assert server.get("/v1/models", bearer("unused")).status == 200
        first = keys.create()
        assert server.get("/v1/models").status == 401
        assert server.get("/v1/models", bearer(first)).status == 200
        keys.revoke(first)
        assert server.get("/v1/models").status == 401
    finally:
        stop_server(server)
    open_to_all = start_server("--ctx", "512", "--no-keys", home=keys.home)
    try:
        assert open_to_all.get("/v1/models").status == 200
    finally:
        stop_server(open_to_all)


def test_keys_that_cannot_be_read_let_nobody_in(tmp_path):
    keys = Keys(tmp_path / "home")
    key = keys.create()
    for end in ("", "-wal", "-shm"):
        (keys.home / f"keys.db{end}").unlink(missing_ok=True)
    (keys.home / "keys.db").write_bytes(b"not a database" * 500)
    server = start_server("--ctx", "512", home=keys.home)
    try:
        reply = server.get("/v1/models", bearer(key))
        assert reply.status == 503 and "keys can't be checked" in reply.error["message"]
        assert server.get("/v1/models").status == 503
        assert server.get("/health").status == 200
    finally:
        stop_server(server)
    done = keys.run("list")
    assert done.returncode == 4 and "not a database" in done.stderr
