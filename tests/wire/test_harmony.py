"""The harmony format, through the official SDKs: the real model with the format's template and the
names of its control tokens. The model doesn't know them; what holds it to them is the grammar."""

import json

import gguf
import openai
import pytest
from gguf.scripts.gguf_new_metadata import MetadataDetails, copy_with_new_metadata
from server import model_path, start_server, stop_server
from test_tools import QUESTION, SCHEMAS, ask, chat_tools, check

NAMES = ["<|start|>", "<|end|>", "<|message|>", "<|channel|>", "<|constrain|>", "<|return|>",
         "<|call|>"]
FIRST_SPARE = 3  # of the model's control tokens that its own template doesn't use
TEMPLATE = (
    "{% for tool in tools or [] %}"
    "{{ '<|start|>developer<|message|>' + (tool | tojson) + '<|end|>' }}{% endfor %}"
    "{% for m in messages %}{% if m.tool_calls %}{% set call = m.tool_calls[0].function %}"
    "{% if m.thinking %}"
    "{{ '<|start|>assistant<|channel|>analysis<|message|>' + m.thinking + '<|end|>' }}{% endif %}"
    "{{ '<|start|>assistant to=functions.' + call.name + '<|channel|>commentary json<|message|>' }}"
    "{{ (call.arguments | tojson) + '<|call|>' }}"
    "{% elif m.role == 'assistant' %}"
    "{{ '<|start|>assistant<|channel|>final<|message|>' + m.content + '<|end|>' }}"
    "{% else %}{{ '<|start|>' + m.role + '<|message|>' + m.content + '<|end|>' }}{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|start|>assistant' }}{% endif %}")


@pytest.fixture(scope="module")
def harmony(tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "harmony.gguf"
    reader = gguf.GGUFReader(model_path())
    tokens = reader.get_field("tokenizer.ggml.tokens").contents()
    tokens[FIRST_SPARE:FIRST_SPARE + len(NAMES)] = NAMES
    writer = gguf.GGUFWriter(path, arch=reader.get_field("general.architecture").contents())
    copy_with_new_metadata(reader, writer, {
        "tokenizer.ggml.tokens": MetadataDetails(gguf.GGUFValueType.ARRAY, tokens,
                                                 sub_type=gguf.GGUFValueType.STRING),
        "tokenizer.chat_template": MetadataDetails(gguf.GGUFValueType.STRING, TEMPLATE)}, [])
    running = start_server("--ctx", "2048", model=path)
    yield running
    stop_server(running)
    path.unlink()


@pytest.fixture(scope="module")
def client(harmony):
    with openai.OpenAI(base_url=harmony.address + "/v1", api_key="unused", max_retries=0) as one:
        yield one


@pytest.fixture(scope="module")
def model(client):
    return client.models.list().data[0].id


@pytest.mark.parametrize("seed", range(3))
def test_a_required_call_is_one_that_matches(client, model, seed):
    choice = ask(client, model, tool_choice="required", seed=seed, temperature=1.5,
                 max_tokens=900, extra_body={"thinking_token_budget": 60}).choices[0]
    assert choice.finish_reason == "tool_calls"
    assert choice.message.content is None
    [call] = choice.message.tool_calls
    check(call.function.name, call.function.arguments)


def test_a_streamed_call_is_the_whole_one_in_pieces(client, model):
    options = {"tool_choice": {"type": "function", "function": {"name": "get_weather"}},
               "seed": 3, "temperature": 1.2, "max_tokens": 900,
               "extra_body": {"thinking_token_budget": 20}}
    [whole] = ask(client, model, **options).choices[0].message.tool_calls
    pieces = [piece for chunk in ask(client, model, **options, stream=True)
              for piece in chunk.choices[0].delta.tool_calls or []]
    assert [piece.function.name for piece in pieces if piece.function.name] == ["get_weather"]
    assert "".join(piece.function.arguments for piece in pieces) == whole.function.arguments
    assert len(pieces) > 2


def test_a_form_is_what_is_said(client, model):
    choice = client.chat.completions.create(
        model=model, messages=QUESTION, temperature=1, seed=1, max_tokens=300,
        response_format={"type": "json_schema", "json_schema": {
            "name": "n", "schema": {"enum": ["Paris", "Rome"]}}},
        extra_body={"thinking_token_budget": 20}).choices[0]
    assert choice.message.content in ('"Paris"', '"Rome"')


def test_no_reasoning_where_none_is_wanted(client, model):
    answer = ask(client, model, tool_choice="required", max_tokens=400, reasoning_effort="none")
    assert answer.usage.completion_tokens_details.reasoning_tokens == 0
    assert answer.choices[0].message.tool_calls


def test_a_call_is_shown_again_with_what_was_thought(harmony):
    call = {"id": "call_1", "type": "function",
            "function": {"name": "get_weather", "arguments": json.dumps({"city": "Paris"})}}
    prompt = harmony.post("/apply-template", {"tools": chat_tools(), "messages": [
        *QUESTION, {"role": "assistant", "content": None, "reasoning_content": "Hm.",
                    "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": "18 degrees"}]}).json["prompt"]
    assert ('<|start|>assistant<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant '
            'to=functions.get_weather<|channel|>commentary json<|message|>{"city": "Paris"}'
            '<|call|>') in prompt
    assert prompt.endswith("<|start|>assistant")
    assert list(SCHEMAS)[1] in prompt


def test_several_calls_are_shown_each_with_its_result(harmony):
    def call(number, city):
        return {"id": f"call_{number}", "type": "function", "function": {
            "name": "get_weather", "arguments": json.dumps({"city": city})}}

    prompt = harmony.post("/apply-template", {"tools": chat_tools(), "messages": [
        *QUESTION, {"role": "assistant", "content": None,
                    "tool_calls": [call(1, "Paris"), call(2, "Rome")]},
        {"role": "tool", "tool_call_id": "call_2", "content": "22 degrees"},
        {"role": "tool", "tool_call_id": "call_1", "content": "18 degrees"}]}).json["prompt"]
    places = [prompt.index(word) for word in ("Paris\"}", "18 degrees", "Rome\"}", "22 degrees")]
    assert places == sorted(places)
