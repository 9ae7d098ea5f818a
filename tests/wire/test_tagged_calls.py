"""Calls whose arguments the model's template shows one by one, through the official SDKs: the real
model with such templates."""

import json
import pathlib
import subprocess
import sys

import anthropic
import openai
import pytest
from server import model_path, start_server, stop_server
from test_tools import (
    QUESTION,
    SCHEMAS,
    anthropic_tools,
    ask,
    chat_tools,
    check,
    response_tools,
)

TURNS = (
    "{% for tool in tools or [] %}{{ '<tool>' + (tool | tojson) + '</tool>\\n' }}{% endfor %}"
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\\n' + (m.content or '') }}"
    "CALLS{{ '<|im_end|>\\n' }}{% endfor %}{{ '<|im_start|>assistant\\n' }}")
VALUE = "{{ v if v is string else v | tojson }}"
TEMPLATES = {
    "lines": TURNS.replace("CALLS", (
        "{% for c in m.tool_calls or [] %}"
        "{{ '\\n<tool_call>\\n<function=' + c.function.name + '>\\n' }}"
        "{% for k, v in c.function.arguments | items %}{{ '<parameter=' + k + '>\\n' }}" + VALUE +
        "{{ '\\n</parameter>\\n' }}{% endfor %}{{ '</function>\\n</tool_call>' }}{% endfor %}")),
    "pairs": TURNS.replace("CALLS", (
        "{% for c in m.tool_calls or [] %}{{ '<tool_call>' + c.function.name + '\\n' }}"
        "{% for k, v in c.function.arguments | items %}"
        "{{ '<arg_key>' + k + '</arg_key>\\n<arg_value>' }}" + VALUE +
        "{{ '</arg_value>\\n' }}{% endfor %}{{ '</tool_call>' }}{% endfor %}")),
    "typed": TURNS.replace("CALLS", (
        "{% if m.tool_calls %}{{ '<calls>\\n' }}{% for c in m.tool_calls %}"
        "{{ '<invoke name=\"' + c.function.name + '\">\\n' }}"
        "{% for k, v in c.function.arguments | items %}"
        "{{ '<arg name=\"' + k + '\" string=\"' + ('true' if v is string else 'false') + '\">' }}"
        + VALUE + "{{ '</arg>\\n' }}{% endfor %}{{ '</invoke>\\n' }}{% endfor %}"
        "{{ '</calls><|endoftext|>' }}{% endif %}")),
}
# A call of get_weather as each template shows it, and what isn't one.
CALL = {
    "lines": "<tool_call>\n<function=get_weather>\n<parameter=city>\nParis\n</parameter>\n"
             "<parameter=unit>\ncelsius\n</parameter>\n<parameter=days>\n3\n</parameter>\n"
             "</function>\n</tool_call>",
    "pairs": "<tool_call>get_weather\n<arg_key>city</arg_key>\n<arg_value>Paris</arg_value>\n"
             "<arg_key>unit</arg_key>\n<arg_value>celsius</arg_value>\n"
             "<arg_key>days</arg_key>\n<arg_value>3</arg_value>\n</tool_call>",
    "typed": '<calls>\n<invoke name="get_weather">\n<arg name="city" string="true">Paris</arg>\n'
             '<arg name="unit" string="true">celsius</arg>\n'
             '<arg name="days" string="false">3</arg>\n</invoke>\n</calls>',
}
ARGUMENTS = {"city": "Paris", "unit": "celsius", "days": 3}


@pytest.fixture(scope="module", params=TEMPLATES)
def form(request):
    return request.param


@pytest.fixture(scope="module")
def caller(form, tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "caller.gguf"
    subprocess.run([pathlib.Path(sys.executable).parent / "gguf-new-metadata", model_path(), path,
                    "--chat-template", TEMPLATES[form]], check=True, capture_output=True)
    running = start_server("--ctx", "2048", model=path)
    yield running
    stop_server(running)
    path.unlink()


@pytest.fixture(scope="module")
def client(caller):
    with openai.OpenAI(base_url=caller.address + "/v1", api_key="unused", max_retries=0) as one:
        yield one


@pytest.fixture(scope="module")
def model(client):
    return client.models.list().data[0].id


@pytest.mark.parametrize("seed", range(2))
def test_required_calls_match_their_schemas(client, model, seed):
    choice = ask(client, model, tool_choice="required", seed=seed, temperature=1.5,
                 max_tokens=1500).choices[0]
    assert choice.finish_reason == "tool_calls"
    assert choice.message.content is None
    for call in choice.message.tool_calls:
        check(call.function.name, call.function.arguments)


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_named_function_is_the_one_that_is_called(client, model, name):
    choice = ask(client, model,
                 tool_choice={"type": "function", "function": {"name": name}}).choices[0]
    [call] = choice.message.tool_calls
    assert call.function.name == name
    check(name, call.function.arguments)


def test_streamed_calls_are_the_whole_ones_in_pieces(client, model):
    options = {"tool_choice": {"type": "function", "function": {"name": "get_weather"}},
               "seed": 3, "temperature": 1.2, "max_tokens": 900}
    whole = ask(client, model, **options).choices[0].message.tool_calls
    calls = {}
    n_pieces = 0
    for chunk in ask(client, model, **options, stream=True):
        assert not chunk.choices[0].delta.content
        for piece in chunk.choices[0].delta.tool_calls or []:
            n_pieces += 1
            entry = calls.setdefault(piece.index, [piece.id, piece.function.name, ""])
            entry[2] += piece.function.arguments
    assert list(calls.values()) == [[call.id, call.function.name, call.function.arguments]
                                    for call in whole]
    assert n_pieces > len(whole)


def forced(client, model, text, **more):
    """The words are put into the model's mouth."""
    return ask(client, model, tool_choice="auto", max_tokens=500,
               extra_body={"structured_outputs": {"choice": [text]}}, **more)


def begin_of(caller, text):
    """Tokens that would begin a call of the model's own."""
    return {str(caller.post("/tokenize", {"content": mark}).json["tokens"][0]): -100
            for mark in ("<", text.split(">")[0] + ">")}


def test_a_call_that_the_model_writes_by_itself_is_read(caller, client, model, form):
    text = f"Let me look.\n{CALL[form]}\n{CALL[form]}"
    message = forced(client, model, text,
                     logit_bias=begin_of(caller, CALL[form])).choices[0].message
    assert message.content == "Let me look."
    assert len(message.tool_calls) == 2
    for call in message.tool_calls:
        assert call.function.name == "get_weather"
        assert json.loads(call.function.arguments) == ARGUMENTS


def test_what_is_no_call_comes_back_as_text(caller, client, model, form):
    for text in ["So: " + CALL[form].replace("get_weather", "nobody"),
                 "So: " + CALL[form][:-20], "So: " + CALL[form].replace("city", "", 1)]:
        bias = begin_of(caller, CALL[form])
        choice = forced(client, model, text, logit_bias=bias).choices[0]
        assert choice.message.tool_calls is None
        assert choice.message.content == text
        streamed = forced(client, model, text, logit_bias=bias, stream=True)
        assert "".join(chunk.choices[0].delta.content or "" for chunk in streamed) == text


def test_a_call_is_shown_again_as_the_template_writes_it(caller, form):
    call = {"id": "call_1", "type": "function",
            "function": {"name": "get_weather", "arguments": json.dumps(ARGUMENTS)}}
    prompt = caller.post("/apply-template", {"tools": chat_tools(), "messages": [
        *QUESTION, {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": "18 degrees"}]}).json["prompt"]
    assert CALL[form] in prompt
    assert "18 degrees" in prompt


def test_strict_functions_are_held_to_their_schemas_when_the_model_chooses(client, model):
    for seed in range(2):
        choice = ask(client, model, tools=chat_tools(strict=True), seed=seed, temperature=1.5,
                     tool_choice="auto").choices[0]
        for call in choice.message.tool_calls or []:
            if choice.finish_reason == "tool_calls":
                check(call.function.name, call.function.arguments)


def test_other_dialects(caller, client, model):
    response = client.responses.create(model=model, input="What is the weather?", temperature=0,
                                       tools=response_tools(), tool_choice="required",
                                       parallel_tool_calls=False, max_output_tokens=400)
    [call] = response.output
    check(call.name, call.arguments)
    with anthropic.Anthropic(base_url=caller.address, api_key="unused", max_retries=0) as claude:
        answer = claude.messages.create(
            model=model, max_tokens=400, messages=QUESTION, tools=anthropic_tools(),
            tool_choice={"type": "any", "disable_parallel_tool_use": True},
            extra_body={"temperature": 0})
    [block] = answer.content
    check(block.name, block.input)


def test_what_cannot_be_told_apart_is_refused_by_its_field(client, model):
    tools = chat_tools()
    tools[1]["function"]["parameters"] = {"type": "object", "properties": {
        "a": {"type": ["string", "integer"], "minimum": 3}}}
    with pytest.raises(openai.BadRequestError) as refused:
        ask(client, model, tools=tools, tool_choice="required")
    assert refused.value.param == "tools[1].function.parameters"
    assert "#/properties/a" in refused.value.message
