"""Reasoning, through the official SDKs: the real model with a template that opens it."""

import pathlib
import subprocess
import sys

import openai
import pytest
from server import model_path, start_server, stop_server

TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + "
    "message['content'] + '<|im_end|>' + '\\n' }}{% endfor %}{{ '<|im_start|>assistant\\n' }}"
    "{% if enable_thinking is defined and enable_thinking is false %}"
    "{{ '<think>\\n\\n</think>\\n\\n' }}{% else %}{{ '<think>\\n' }}{% endif %}")
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
