"""Reasoning, through the official SDKs: the real model with a template that opens it."""

import pathlib
import subprocess
import sys

import anthropic
import openai
import pytest
from server import model_path, start_server, stop_server

TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + "
    "message['content'] + '<|im_end|>' + '\\n' }}{% endfor %}{{ '<|im_start|>assistant\\n' }}"
    "{% if enable_thinking is defined and enable_thinking is false %}"
    "{{ '<think>\\n\\n</think>\\n\\n' }}{% else %}{{ '<think>\\n' }}{% endif %}"
    "{% if suffix is defined %}{{ '' + suffix }}{% endif %}")
QUESTION = [{"role": "user", "content": "What is the capital of France?"}]


@pytest.fixture(scope="module")
def thinker(tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "thinker.gguf"
    subprocess.run([pathlib.Path(sys.executable).parent / "gguf-new-metadata", model_path(), path,
                    "--chat-template", TEMPLATE], check=True, capture_output=True)
    running = start_server("--ctx", "1024", model=path)
    yield running
    stop_server(running)
    path.unlink()


@pytest.fixture(scope="module")
def client(thinker):
    with openai.OpenAI(base_url=thinker.address + "/v1", api_key="unused", max_retries=0) as one:
        yield one


@pytest.fixture(scope="module")
def model(client):
    return client.models.list().data[0].id


def n_before_mark(tokens):
    """Tokens with text before the closing mark, counted from their bytes."""
    text = b"".join(tokens)
    end = text.find(b"</think>")
    n = at = 0
    for token in tokens:
        n += end < 0 or at < end
        at += len(token)
    return n


def bytes_of(choice):
    return [bytes(entry.bytes) for entry in choice.logprobs.content]


def test_tokens_of_reasoning_are_counted_whole_and_streamed(client, model):
    options = {"model": model, "messages": QUESTION, "temperature": 0, "max_tokens": 24,
               "logprobs": True}
    whole = client.chat.completions.create(**options)
    counted = whole.usage.completion_tokens_details.reasoning_tokens
    assert counted == n_before_mark(bytes_of(whole.choices[0])) > 0
    assert whole.choices[0].message.reasoning_content
    *_, last = client.chat.completions.create(
        **options, stream=True, stream_options={"include_usage": True})
    assert last.usage.completion_tokens_details.reasoning_tokens == counted


def test_tokens_of_reasoning_are_counted_in_responses(client, model):
    options = {"model": model, "input": "Hello", "temperature": 0, "max_output_tokens": 16,
               "extra_body": {"ignore_eos": True}}
    whole = client.responses.create(**options)
    assert whole.usage.output_tokens_details.reasoning_tokens == 16
    assert whole.output[0].type == "reasoning"
    *_, last = client.responses.create(**options, stream=True)
    assert last.response.usage.output_tokens_details.reasoning_tokens == 16


def test_a_budget_is_held_whole_and_streamed(client, model):
    options = {"model": model, "messages": QUESTION, "temperature": 1, "seed": 3,
               "max_tokens": 40, "logprobs": True,
               "extra_body": {"thinking_token_budget": 7, "ignore_eos": True}}
    whole = client.chat.completions.create(**options)
    tokens = bytes_of(whole.choices[0])
    assert whole.usage.completion_tokens_details.reasoning_tokens == 7 == n_before_mark(tokens)
    assert b"".join(tokens[7:]).startswith(b"</think>")
    assert whole.choices[0].message.content
    free = client.chat.completions.create(**{**options, "extra_body": {"ignore_eos": True}})
    assert bytes_of(free.choices[0])[:7] == tokens[:7]
    thought = text = ""
    for chunk in client.chat.completions.create(**options, stream=True):
        thought += getattr(chunk.choices[0].delta, "reasoning_content", None) or ""
        text += chunk.choices[0].delta.content or ""
    assert thought == whole.choices[0].message.reasoning_content
    assert text == whole.choices[0].message.content


@pytest.mark.parametrize("budget", [1, 2, 5, 11])
@pytest.mark.parametrize("seed", range(4))
def test_no_budget_is_overrun_by_more_than_a_character(client, model, budget, seed):
    answer = client.chat.completions.create(
        model=model, messages=[{"role": "user", "content": "한국어로 인사해 줘. 😀"}], seed=seed,
        temperature=1.3, max_tokens=budget + 20, logprobs=True,
        extra_body={"thinking_token_budget": budget, "ignore_eos": True})
    tokens = bytes_of(answer.choices[0])
    n = answer.usage.completion_tokens_details.reasoning_tokens
    assert n == n_before_mark(tokens) <= budget + 3
    if n > budget:  # in the middle of a character only
        with pytest.raises(UnicodeDecodeError, match="unexpected end of data"):
            b"".join(tokens[:budget]).decode()


def test_a_budget_holds_before_an_answer_that_is_held_to_a_form(client, model):
    answer = client.chat.completions.create(
        model=model, messages=QUESTION, temperature=0, max_tokens=60,
        response_format={"type": "json_schema", "json_schema": {
            "name": "n", "schema": {"enum": ["Paris", "Rome"]}}},
        extra_body={"thinking_token_budget": 5})
    assert answer.usage.completion_tokens_details.reasoning_tokens <= 5
    assert answer.choices[0].message.content in ('"Paris"', '"Rome"')


def test_no_reasoning_where_none_is_wanted(thinker, client, model):
    for fields in [{"reasoning_effort": "none"},
                   {"extra_body": {"chat_template_kwargs": {"enable_thinking": False}}}]:
        answer = client.chat.completions.create(
            model=model, messages=QUESTION, temperature=0, max_tokens=8, **fields)
        assert answer.usage.completion_tokens_details.reasoning_tokens == 0
        assert not getattr(answer.choices[0].message, "reasoning_content", None)
        assert answer.choices[0].message.content
    response = client.responses.create(model=model, input="Hello", reasoning={"effort": "none"},
                                       max_output_tokens=8)
    assert response.reasoning.effort == "none"
    assert response.usage.output_tokens_details.reasoning_tokens == 0
    prompt = thinker.post("/apply-template", {
        "messages": QUESTION, "chat_template_kwargs": {"enable_thinking": False}}).json["prompt"]
    assert prompt.endswith("<think>\n\n</think>\n\n")


def test_thinking_in_messages(thinker, model):
    with anthropic.Anthropic(base_url=thinker.address, api_key="unused", max_retries=0) as claude:
        def ask(**fields):
            return claude.messages.create(model=model, messages=QUESTION, max_tokens=40,
                                          extra_body={"ignore_eos": True, "temperature": 0},
                                          **fields)

        enabled = ask(thinking={"type": "enabled", "budget_tokens": 6})
        assert [block.type for block in enabled.content] == ["thinking", "text"]
        disabled = ask(thinking={"type": "disabled"})
        assert [block.type for block in disabled.content] == ["text"]
        assert ask(thinking={"type": "adaptive"}).content == ask().content
        with pytest.raises(anthropic.BadRequestError, match="less than max_tokens"):
            ask(thinking={"type": "enabled", "budget_tokens": 40})


def refused_field(call):
    with pytest.raises(openai.BadRequestError) as refusal:
        call()
    return refusal.value.param


def test_what_the_template_cannot_be_told_is_refused(client, model, server):
    def ask(to=client, **fields):
        to.chat.completions.create(model=model if to is client else server_model,
                                   messages=QUESTION, max_tokens=1, **fields)

    ask(reasoning_effort="medium")
    assert refused_field(lambda: ask(reasoning_effort="high")) == "reasoning_effort"
    assert refused_field(lambda: ask(extra_body={"chat_template_kwargs": {"unknown": 1}})) == \
        "chat_template_kwargs.unknown"
    assert refused_field(lambda: ask(extra_body={"chat_template_kwargs": {"suffix": 5}})) == \
        "chat_template_kwargs.suffix"
    with openai.OpenAI(base_url=server.address + "/v1", api_key="unused", max_retries=0) as plain:
        server_model = plain.models.list().data[0].id
        ask(plain, reasoning_effort="none")
        ask(plain, extra_body={"chat_template_kwargs": {"enable_thinking": False}})
        for fields, name in [
                ({"reasoning_effort": "medium"}, "reasoning_effort"),
                ({"extra_body": {"thinking_token_budget": 9}}, "thinking_token_budget"),
                ({"reasoning_effort": "none", "extra_body": {"thinking_token_budget": 9,
                  "chat_template_kwargs": {"thinking": True}}}, "chat_template_kwargs.thinking"),
                ({"extra_body": {"chat_template_kwargs": {"enable_thinking": True}}},
                 "chat_template_kwargs.enable_thinking")]:
            assert refused_field(lambda fields=fields: ask(plain, **fields)) == name
        assert refused_field(lambda: plain.responses.create(
            model=server_model, input="x", reasoning={"effort": "low"})) == "reasoning.effort"
    with (anthropic.Anthropic(base_url=server.address, api_key="unused", max_retries=0) as claude,
          pytest.raises(anthropic.BadRequestError, match="thinking")):
        claude.messages.create(model=server_model, messages=QUESTION, max_tokens=2000,
                               thinking={"type": "enabled", "budget_tokens": 1024})
