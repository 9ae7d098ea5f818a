"""The Responses API through the official SDK, and its events as they are on the wire."""

import json

import openai
import pydantic
import pytest

PATH = "/v1/responses"


class City(pydantic.BaseModel):
    name: str = pydantic.Field(max_length=20)
    inhabitants: int


@pytest.fixture(scope="module")
def client(server):
    with openai.OpenAI(base_url=server.address + "/v1", api_key="unused", max_retries=0) as one:
        yield one


@pytest.fixture(scope="module")
def model(client):
    return client.models.list().data[0].id


def options(model, **more):
    return {"model": model, "input": "Say only: hello.", "temperature": 0,
            "max_output_tokens": 200, **more}


def test_a_plain_call_is_answered_and_nothing_is_kept(client, model):
    response = client.responses.create(model=model, input="Say hello.", max_output_tokens=16)
    assert response.output_text
    assert response.store is False
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(response.id)


def test_it_says_what_a_chat_says(client, model):
    response = client.responses.create(**options(model, instructions="You are brief."))
    chat = client.chat.completions.create(
        model=model, temperature=0, max_tokens=200,
        messages=[{"role": "system", "content": "You are brief."},
                  {"role": "user", "content": "Say only: hello."}])
    assert response.output_text == chat.choices[0].message.content
    assert response.usage.input_tokens == chat.usage.prompt_tokens
    assert response.usage.output_tokens == chat.usage.completion_tokens
    assert response.instructions == "You are brief."


def test_an_answer_goes_back_as_it_came(client, model):
    first = client.responses.create(**options(model))
    second = client.responses.create(**options(
        model, input=[{"role": "user", "content": "Say only: hello."},
                      *first.output, {"role": "user", "content": "Again."}]))
    assert second.usage.input_tokens > first.usage.input_tokens


def test_the_streaming_helper(client, model):
    whole = client.responses.create(**options(model))
    with client.responses.stream(**options(model)) as stream:
        text = "".join(event.delta for event in stream
                       if event.type == "response.output_text.delta")
        final = stream.get_final_response()
    assert text == whole.output_text == final.output_text
    assert final.usage.output_tokens == whole.usage.output_tokens


def test_events_are_numbered_and_name_one_response(server, model):
    reply = server.post(PATH, options(model, stream=True))
    assert "[DONE]" not in reply.body.decode()
    events = []
    for block in reply.body.decode().removesuffix("\n\n").split("\n\n"):
        name, data = block.split("\n")
        events.append(json.loads(data.removeprefix("data: ")))
        assert name == f"event: {events[-1]['type']}"
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    types = [event["type"] for event in events]
    deltas = types.count("response.output_text.delta")
    assert deltas > 1
    assert types == [
        "response.created", "response.in_progress", "response.output_item.added",
        "response.content_part.added", *["response.output_text.delta"] * deltas,
        "response.output_text.done", "response.content_part.done", "response.output_item.done",
        "response.completed"]
    ids = {event["response"]["id"] for event in events if "response" in event}
    assert len(ids) == 1 and ids.pop().startswith("resp_")
    items = {event.get("item_id") or event["item"]["id"] for event in events[2:-1]}
    assert len(items) == 1 and items.pop().startswith("msg_")


def test_the_parse_helper_gets_what_its_schema_says(client, model):
    response = client.responses.parse(**options(model, input="Paris?", text_format=City))
    assert isinstance(response.output_parsed, City)
    assert response.text.format.name == "City"
    with client.responses.stream(**options(model, input="Paris?", text_format=City)) as stream:
        assert stream.until_done().get_final_response().output_parsed == response.output_parsed


def test_a_cut_answer_is_incomplete(client, model):
    response = client.responses.create(**options(model, max_output_tokens=2))
    assert response.status == "incomplete"
    assert response.incomplete_details.reason == "max_output_tokens"
    stream = client.responses.create(**options(model, max_output_tokens=2), stream=True)
    assert list(stream)[-1].type == "response.incomplete"


def test_logprobs_have_the_bytes_of_the_text(client, model):
    response = client.responses.create(**options(
        model, include=["message.output_text.logprobs"], top_logprobs=2))
    part = response.output[0].content[0]
    assert b"".join(bytes(token.bytes) for token in part.logprobs).decode() == part.text
    assert all(len(token.top_logprobs) == 2 for token in part.logprobs)


@pytest.mark.parametrize(("field", "value"), [
    ("store", True), ("background", True), ("previous_response_id", "resp_1"),
    ("conversation", "conv_1"), ("truncation", "auto"),
])
def test_what_needs_more_than_an_answer_is_refused_by_name(client, model, field, value):
    with pytest.raises(openai.BadRequestError) as refused:
        client.responses.create(**options(model, **{field: value}))
    assert refused.value.param == field
    assert refused.value.code == "unsupported_value"
