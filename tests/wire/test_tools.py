"""Functions called through the official SDKs: whole and streamed, in every dialect."""

import json

import anthropic
import jsonschema
import openai
import pytest

WEATHER = {"type": "object", "required": ["city", "unit"], "additionalProperties": False,
           "properties": {"city": {"type": "string", "maxLength": 12},
                          "unit": {"enum": ["celsius", "fahrenheit"]},
                          "days": {"type": "integer", "minimum": 1, "maximum": 9}}}
NOW = {"type": "object", "properties": {}}
SCHEMAS = {"get_weather": WEATHER, "now": NOW}
QUESTION = [{"role": "user", "content": "What is the weather in Paris?"}]
SEEDS = range(4)


def chat_tools(**more):
    return [{"type": "function", "function": {"name": name, "description": "Tells it.",
                                              "parameters": schema, **more}}
            for name, schema in SCHEMAS.items()]


def response_tools(**more):
    return [{"type": "function", "name": name, "parameters": schema, **more}
            for name, schema in SCHEMAS.items()]


def anthropic_tools(**more):
    return [{"name": name, "input_schema": schema, **more} for name, schema in SCHEMAS.items()]


def check(name, arguments):
    jsonschema.validate(json.loads(arguments) if isinstance(arguments, str) else arguments,
                        SCHEMAS[name], cls=jsonschema.Draft202012Validator)


@pytest.fixture(scope="module")
def client(server):
    with openai.OpenAI(base_url=server.address + "/v1", api_key="unused", max_retries=0) as one:
        yield one


@pytest.fixture(scope="module")
def claude(server):
    with anthropic.Anthropic(base_url=server.address, api_key="unused", max_retries=0) as one:
        yield one


@pytest.fixture(scope="module")
def model(client):
    return client.models.list().data[0].id


def ask(client, model, **more):
    return client.chat.completions.create(**{
        "model": model, "messages": QUESTION, "tools": chat_tools(), "max_tokens": 400,
        "temperature": 0, **more})


@pytest.mark.parametrize("seed", SEEDS)
def test_required_calls_match_their_schemas(client, model, seed):
    choice = ask(client, model, tool_choice="required", seed=seed, temperature=1.5,
                 max_tokens=900).choices[0]
    assert choice.finish_reason == "tool_calls"
    assert choice.message.content is None
    calls = choice.message.tool_calls
    assert calls
    assert len({call.id for call in calls}) == len(calls)
    for call in calls:
        assert call.type == "function"
        assert call.id.startswith("call_")
        check(call.function.name, call.function.arguments)


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_named_function_is_the_one_that_is_called(client, model, name):
    choice = ask(client, model,
                 tool_choice={"type": "function", "function": {"name": name}}).choices[0]
    assert choice.finish_reason == "tool_calls"
    [call] = choice.message.tool_calls
    assert call.function.name == name
    check(name, call.function.arguments)


def test_one_call_at_most_when_they_may_not_be_parallel(client, model):
    for seed in SEEDS:
        choice = ask(client, model, tool_choice="required", parallel_tool_calls=False, seed=seed,
                     temperature=1.5).choices[0]
        assert len(choice.message.tool_calls) == 1


def test_streamed_calls_are_the_whole_ones_in_pieces(client, model):
    options = {"tool_choice": "required", "seed": 3, "temperature": 1.2, "max_tokens": 900}
    whole = ask(client, model, **options).choices[0].message.tool_calls
    chunks = list(ask(client, model, **options, stream=True))
    calls = {}
    n_pieces = 0
    for chunk in chunks:
        for piece in chunk.choices[0].delta.tool_calls or []:
            n_pieces += 1
            if piece.index not in calls:
                assert piece.id and piece.type == "function" and piece.function.name
                calls[piece.index] = [piece.id, piece.function.name, ""]
            else:
                assert piece.id is None and piece.function.name is None
            calls[piece.index][2] += piece.function.arguments
    assert list(calls) == list(range(len(whole)))
    assert list(calls.values()) == [[call.id, call.function.name, call.function.arguments]
                                    for call in whole]
    assert n_pieces > len(whole)
    assert chunks[-1].choices[0].finish_reason == "tool_calls"
    assert not any(chunk.choices[0].delta.content for chunk in chunks)


def test_the_streaming_helper_puts_calls_together(client, model):
    with client.chat.completions.stream(
            model=model, messages=QUESTION, tools=chat_tools(), temperature=0, max_tokens=400,
            tool_choice="required", parallel_tool_calls=False) as stream:
        done = [event for event in stream if event.type == "tool_calls.function.arguments.done"]
        final = stream.get_final_completion().choices[0].message.tool_calls
    assert [event.arguments for event in done] == [call.function.arguments for call in final]


def test_strict_functions_are_held_to_their_schemas_when_the_model_chooses(client, model):
    # Told to, the model writes a call; what it writes then is held to the schema.
    prompt = [{"role": "user", "content": "Weather in Paris?"},
              {"role": "assistant", "content": '<tool_call>\n{"name": "get_weather", "argu'}]
    for seed in SEEDS:
        choice = ask(client, model, tools=chat_tools(strict=True), seed=seed, temperature=1.5,
                     tool_choice="auto").choices[0]
        for call in choice.message.tool_calls or []:
            check(call.function.name, call.function.arguments)
    assert ask(client, model, messages=prompt, max_tokens=20,
               extra_body={"continue_final_message": True}).choices[0].message.content is not None


def test_with_choice_none_nothing_is_called_and_nothing_is_told(client, model):
    plain = client.chat.completions.create(model=model, messages=QUESTION, temperature=0,
                                           max_tokens=40)
    none = ask(client, model, tool_choice="none", max_tokens=40)
    assert none.choices[0].message.tool_calls is None
    assert none.choices[0].message.content == plain.choices[0].message.content
    assert none.usage.prompt_tokens == plain.usage.prompt_tokens


def test_a_whole_round_of_calls_and_results(client, model):
    first = ask(client, model, tool_choice="required", parallel_tool_calls=False).choices[0].message
    [call] = first.tool_calls
    history = [*QUESTION, first, {"role": "tool", "tool_call_id": call.id, "content": "18 degrees"}]
    second = ask(client, model, messages=history, max_tokens=40, tool_choice="none")
    assert second.choices[0].message.content
    prompt = client.post("/../apply-template", cast_to=object, body={
        "messages": [*QUESTION, {"role": "assistant", "content": None, "tool_calls": [
            call.model_dump()]}, history[-1]], "tools": chat_tools()})["prompt"]
    assert call.function.name in prompt
    assert "18 degrees" in prompt
    assert "Tells it." in prompt


def test_the_same_request_gets_the_same_calls_and_ids(client, model):
    options = {"tool_choice": "required", "seed": 11, "temperature": 1}
    first = ask(client, model, **options).choices[0].message.tool_calls
    again = ask(client, model, **options).choices[0].message.tool_calls
    assert first == again
    other = ask(client, model, **{**options, "seed": 12}).choices[0].message.tool_calls
    assert other[0].id != first[0].id


def test_several_answers_have_calls_of_their_own(client, model):
    answer = ask(client, model, tool_choice="required", n=3, seed=5, temperature=1.5)
    for choice in answer.choices:
        for call in choice.message.tool_calls:
            if choice.finish_reason == "tool_calls":
                check(call.function.name, call.function.arguments)
    assert len({choice.message.tool_calls[0].id for choice in answer.choices}) == 3


def test_responses_call_functions(client, model):
    options = {"model": model, "input": "What is the weather in Paris?", "temperature": 0,
               "tools": response_tools(), "tool_choice": "required", "max_output_tokens": 400}
    whole = client.responses.create(**options)
    calls = [item for item in whole.output if item.type == "function_call"]
    assert calls and calls == whole.output
    for call in calls:
        check(call.name, call.arguments)
    events = list(client.responses.create(**options, stream=True))
    final = events[-1].response
    assert [(item.name, item.arguments) for item in final.output] == [
        (item.name, item.arguments) for item in whole.output]
    for index, item in enumerate(final.output):
        deltas = [event.delta for event in events
                  if event.type == "response.function_call_arguments.delta"
                  and event.output_index == index]
        assert "".join(deltas) == item.arguments
        [done] = [event for event in events
                  if event.type == "response.function_call_arguments.done"
                  and event.output_index == index]
        assert (done.arguments, done.item_id) == (item.arguments, item.id)
    again = client.responses.create(model=model, temperature=0, max_output_tokens=24, input=[
        {"role": "user", "content": "What is the weather in Paris?"}, *whole.output,
        *({"type": "function_call_output", "call_id": call.call_id, "output": "18 degrees"}
          for call in calls)])
    assert again.output_text


def test_messages_call_functions(claude, model):
    options = {"model": model, "max_tokens": 400, "messages": QUESTION,
               "tools": anthropic_tools(),
               "tool_choice": {"type": "any", "disable_parallel_tool_use": True},
               "extra_body": {"temperature": 0}}
    whole = claude.messages.create(**options)
    assert whole.stop_reason == "tool_use"
    assert whole.content
    for block in whole.content:
        assert block.type == "tool_use"
        check(block.name, block.input)
    with claude.messages.stream(**options) as stream:
        events = list(stream)
        final = stream.get_final_message()
    assert [(block.name, block.input) for block in final.content] == [
        (block.name, block.input) for block in whole.content]
    assert [event.index for event in events if event.type == "content_block_stop"] == list(
        range(len(final.content)))
    assert final.stop_reason == "tool_use"
    named = claude.messages.create(**{
        **options, "tool_choice": {"type": "tool", "name": "now",
                                   "disable_parallel_tool_use": True}})
    assert [block.name for block in named.content] == ["now"]
    results = [{"type": "tool_result", "tool_use_id": block.id, "content": "18 degrees"}
               for block in whole.content]
    last = claude.messages.create(**{
        **options, "max_tokens": 24, "tool_choice": {"type": "none"}, "messages": [
            *QUESTION, {"role": "assistant", "content": whole.content},
            {"role": "user", "content": results}]})
    assert last.content[0].type == "text"
    counted = claude.messages.count_tokens(model=model, messages=QUESTION,
                                           tools=anthropic_tools())
    usage = whole.usage
    assert counted.input_tokens == usage.input_tokens + usage.cache_read_input_tokens


def test_a_schema_that_cannot_be_held_to_is_refused_by_path(client, model):
    tools = chat_tools()
    tools[1]["function"]["parameters"] = {"type": "object", "properties": {
        "a": {"type": "array", "uniqueItems": True}}}
    with pytest.raises(openai.BadRequestError) as refused:
        ask(client, model, tools=tools, tool_choice="required")
    assert refused.value.param == "tools[1].function.parameters"
    assert "uniqueItems" in refused.value.message
    assert ask(client, model, tools=tools, max_tokens=4).choices  # nothing is held to under auto


def test_a_form_is_for_answers_without_calls(client, model):
    schema = {"type": "object", "properties": {"city": {"enum": ["Paris"]}}, "required": ["city"]}
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    for seed in SEEDS:
        choice = ask(client, model, tools=chat_tools(strict=True), response_format=form, seed=seed,
                     temperature=1, parallel_tool_calls=False).choices[0]
        for call in choice.message.tool_calls or []:
            check(call.function.name, call.function.arguments)
        if not choice.message.tool_calls:
            assert json.loads(choice.message.content) == {"city": "Paris"}


MALFORMED = ['So: <tool_call>{"name": "nobody", "arguments": {}}</tool_call>',
             'So: <tool_call>{"name": "now", "arguments": {"a": 1,}}</tool_call>',
             "So: <tool_call>now()</tool_call>"]


@pytest.mark.parametrize("text", MALFORMED)
def test_what_is_no_call_comes_back_as_text(server, client, model, text):
    # The words are put into the model's mouth: it may write them or a call, and is kept from
    # beginning a call.
    begins = {str(server.post("/tokenize", {"content": mark}).json["tokens"][0]): -100
              for mark in ("<", "<tool_call>")}
    options = {"tools": chat_tools()[1:], "tool_choice": "auto", "max_tokens": 100,
               "logit_bias": begins, "extra_body": {"structured_outputs": {"choice": [text]}}}
    choice = ask(client, model, **options).choices[0]
    chunks = ask(client, model, **options, stream=True)
    streamed = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert choice.finish_reason == "stop"
    assert choice.message.tool_calls is None
    assert choice.message.content == streamed == text


def test_a_cut_call_says_so(client, model):
    choice = ask(client, model, tool_choice="required", max_tokens=3).choices[0]
    assert choice.finish_reason == "length"


@pytest.mark.parametrize("seed", SEEDS)
def test_only_allowed_functions_are_called(client, model, seed):
    allowed = {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [
        {"type": "function", "function": {"name": "now"}}]}}
    calls = ask(client, model, tool_choice=allowed, seed=seed, temperature=1.5,
                max_tokens=900).choices[0].message.tool_calls
    assert calls and {call.function.name for call in calls} == {"now"}


def test_only_allowed_functions_are_called_in_responses(client, model):
    response = client.responses.create(
        model=model, input="What is the weather in Paris?", tools=response_tools(),
        max_output_tokens=400, temperature=0, parallel_tool_calls=False,
        tool_choice={"type": "allowed_tools", "mode": "required",
                     "tools": [{"type": "function", "name": "now"}]})
    assert {item.name for item in response.output} == {"now"}
    assert response.tool_choice.type == "allowed_tools"


def test_allowed_functions_may_be_left_uncalled(client, model):
    choice = ask(client, model, tool_choice={"type": "allowed_tools", "allowed_tools": {
        "mode": "auto", "tools": [{"type": "function", "function": {"name": "now"}}]}},
        messages=[{"role": "user", "content": "Say hello."}]).choices[0]
    assert choice.message.content or choice.message.tool_calls[0].function.name == "now"
