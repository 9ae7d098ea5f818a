"""Whatever can't be honoured exactly is a clear error that names the field (law L3)."""

import json

import pytest

CHAT = "/v1/chat/completions"
TEXT = "/v1/completions"
USER = {"role": "user", "content": "hi"}


def refused(server, path, body, param):
    reply = server.post(path, body)
    assert reply.status == 400, reply.body
    assert set(reply.json) == {"error"}
    assert set(reply.error) == {"message", "type", "param", "code"}
    assert reply.error["type"] == "invalid_request_error"
    assert reply.error["param"] == param
    assert param.split("[")[0].split(".")[0] in reply.error["message"]


OUT_OF_RANGE = [
    ("temperature", -0.01), ("temperature", 2.01), ("temperature", 1e300), ("top_p", -0.1),
    ("top_p", 1.1), ("top_k", -2), ("top_k", 2**31), ("min_p", -1), ("min_p", 1.5),
    ("repetition_penalty", 0), ("repeat_penalty", -1), ("presence_penalty", 2.1),
    ("frequency_penalty", -2.1), ("max_tokens", 0), ("max_tokens", -1), ("max_tokens", 2**31),
    ("max_tokens", 2**63), ("max_completion_tokens", 0), ("seed", 2**63), ("seed", 0.5),
    ("top_logprobs", 21), ("top_logprobs", -1), ("n", 0), ("n", 129), ("n", -1),
]


@pytest.mark.parametrize(("name", "value"), OUT_OF_RANGE)
def test_numbers_out_of_range(server, name, value):
    refused(server, CHAT, {"messages": [USER], name: value}, name)


WRONG_TYPES = [
    ("temperature", "1"), ("temperature", []), ("max_tokens", "5"), ("max_tokens", True),
    ("stream", "yes"), ("stream", 1), ("model", 5), ("stop", 5), ("stop", {}), ("seed", "x"),
    ("logit_bias", [1]), ("logprobs", 1), ("messages", "hi"), ("messages", {}), ("user", 1),
]


@pytest.mark.parametrize(("name", "value"), WRONG_TYPES)
def test_wrong_types(server, name, value):
    refused(server, CHAT, {"messages": [USER], name: value}, name)


NOT_HONOURED = [
    ("tool_choice", "required"),
    ("modalities", ["audio"]), ("audio", {"voice": "x"}), ("prediction", {"type": "content"}),
    ("functions", [{"name": "f"}]), ("store", True), ("reasoning_effort", "high"),
    ("min_tokens", 3), ("best_of", 2),
]


@pytest.mark.parametrize(("name", "value"), NOT_HONOURED)
def test_known_parameters_that_cannot_be_honoured(server, name, value):
    refused(server, CHAT, {"messages": [USER], name: value}, name)


@pytest.mark.parametrize("name", ["temprature", "Temperature", "prompt", "x" * 50, "한국어", ""])
def test_unknown_parameters(server, name):
    reply = server.post(CHAT, {"messages": [USER], name: 1})
    assert reply.status == 400
    assert reply.error["param"] == (name or None)


@pytest.mark.parametrize(("messages", "param"), [
    ([], "messages"),
    ([1], "messages[0]"),
    ([{"content": "x"}], "messages[0].role"),
    ([{"role": "tool", "content": "x"}], "messages[0].tool_call_id"),
    ([{"role": "user"}], "messages[0].content"),
    ([USER, {"role": "user", "content": 5}], "messages[1].content"),
    ([{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}],
     "messages[0].content[0].type"),
    ([{"role": "user", "content": "x", "name": "n"}], "messages[0].name"),
    ([{"role": "assistant", "tool_calls": [{"id": "x"}]}], "messages[0].tool_calls[0].function"),
])
def test_messages_that_cannot_be_honoured(server, messages, param):
    refused(server, CHAT, {"messages": messages}, param)


@pytest.mark.parametrize(("fields", "param"), [
    ({"prompt": []}, "prompt"),
    ({"prompt": ["a", 1]}, "prompt[1]"),
    ({"prompt": ["a"] * 129}, "prompt"),
    ({"prompt": ["a"] * 43, "n": 3}, "n"),
    ({"prompt": [10**9]}, "prompt[0]"),
    ({"prompt": [-1]}, "prompt[0]"),
    ({"prompt": "x", "suffix": "y"}, "suffix"),
    ({"prompt": "x", "echo": True, "logprobs": 1}, "echo"),
    ({"prompt": "x", "messages": []}, "messages"),
    ({}, "prompt"),
])
def test_texts_that_cannot_be_honoured(server, fields, param):
    refused(server, TEXT, fields, param)


def test_what_changes_nothing_is_accepted(server):
    reply = server.chat("hi", max_tokens=1, n=1, tools=None, response_format={"type": "text"},
                        store=False, parallel_tool_calls=True, user="u", metadata={"a": "b"},
                        service_tier="auto", safety_identifier="s", logprobs=False, stop=None)
    assert reply.status == 200, reply.body


@pytest.mark.parametrize("body", [
    b"", b"{", b"[]", b"null", b'"x"', b"{'messages': []}", b'{"messages": [}', b"{} {}",
    b'{"messages": [{"role": "user", "content": "\xff"}]}',
    b'{"messages": [{"role": "user", "content": "\\ud800"}]}',
    b'{"temperature": NaN}', b'{"a": 1,}', b"\xef\xbb\xbf{}",
    b'{"messages": ' + b"[" * 3000 + b"]" * 3000 + b"}",
    b'{"a":' * 60000 + b"1" + b"}" * 60000,
])
def test_malformed_json(server, body):
    reply = server.request("POST", CHAT, body, {"Content-Type": "application/json"})
    assert reply.status == 400
    assert reply.error["message"]


def test_an_unknown_model_is_not_found(server):
    reply = server.post(CHAT, {"model": "gpt-99", "messages": [USER]})
    assert reply.status == 404
    assert reply.error["code"] == "model_not_found"
    assert reply.error["param"] == "model"


@pytest.mark.parametrize("stream", [False, True])
def test_context_overflow_is_an_error_with_both_numbers(server, stream):
    reply = server.chat("word " * 5000, stream=stream)
    assert reply.status == 400
    assert reply.error["code"] == "context_length_exceeded"
    assert "1024" in reply.error["message"]
    assert any(int(word) > 5000 for word in reply.error["message"].split() if word.isdigit())


def test_a_body_over_the_limit(server):
    body = json.dumps({"messages": [{"role": "user", "content": "x" * (5 << 20)}]}).encode()
    head = (f"POST {CHAT} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n").encode()
    answer = server.exchange(head)
    assert answer.startswith(b"HTTP/1.1 413 ")
