"""Anthropic's official SDK against the real server."""

import anthropic
import pydantic
import pytest


class City(pydantic.BaseModel):
    name: str = pydantic.Field(max_length=20)
    inhabitants: int


@pytest.fixture(scope="module")
def client(server):
    with anthropic.Anthropic(base_url=server.address, api_key="unused", max_retries=0) as one:
        yield one


@pytest.fixture(scope="module")
def model(server):
    return server.get("/v1/models").json["data"][0]["id"]


def options(model, **more):
    # The SDK has no argument for the temperature any more.
    return {"model": model, "max_tokens": 24, "extra_body": {"temperature": 0},
            "messages": [{"role": "user", "content": "What is the capital of France?"}], **more}


def test_a_message_says_what_a_chat_says(server, client, model):
    message = client.messages.create(**options(model, system="You are brief."))
    chat = server.post("/v1/chat/completions", {
        "messages": [{"role": "system", "content": "You are brief."},
                     {"role": "user", "content": "What is the capital of France?"}],
        "temperature": 0, "max_tokens": 24}).json
    assert message.content[0].text == chat["choices"][0]["message"]["content"]
    assert message.role == "assistant"
    assert message.id.startswith("msg_")
    usage = message.usage
    assert usage.input_tokens + usage.cache_read_input_tokens == chat["usage"]["prompt_tokens"]
    assert usage.output_tokens == chat["usage"]["completion_tokens"]


def test_the_streaming_helper(client, model):
    whole = client.messages.create(**options(model))
    with client.messages.stream(**options(model)) as stream:
        text = "".join(stream.text_stream)
        final = stream.get_final_message()
    assert text == whole.content[0].text == final.content[0].text
    assert final.stop_reason == whole.stop_reason
    assert final.usage.output_tokens == whole.usage.output_tokens


def test_events_come_in_their_order(client, model):
    types = [event.type for event in client.messages.create(**options(model), stream=True)]
    deltas = types.count("content_block_delta")
    assert deltas > 1
    assert types == ["message_start", "content_block_start", *["content_block_delta"] * deltas,
                     "content_block_stop", "message_delta", "message_stop"]


def test_blocks_and_strings_say_the_same(client, model):
    plain = client.messages.create(**options(model, system="You are brief."))
    blocks = client.messages.create(**options(
        model, system=[{"type": "text", "text": "You are brief.",
                        "cache_control": {"type": "ephemeral"}}],
        messages=[{"role": "user", "content": [
            {"type": "text", "text": "What is the capital "}, {"type": "text",
                                                               "text": "of France?"}]}]))
    assert blocks.content[0].text == plain.content[0].text


def test_an_answer_goes_on_where_the_last_message_ends(client, model):
    message = client.messages.create(**options(model, messages=[
        {"role": "user", "content": "Count from one to ten in words."},
        {"role": "assistant", "content": "One, two, three,"}]))
    assert message.content[0].text.lstrip().startswith("four")


def test_the_parse_helper_gets_what_its_schema_says(client, model):
    message = client.messages.parse(**options(model, max_tokens=80, output_format=City))
    assert isinstance(message.parsed_output, City)


def test_stop_sequences_are_named(client, model):
    plain = client.messages.create(**options(model)).content[0].text
    stop = plain[4:8]
    message = client.messages.create(**options(model, stop_sequences=["never said", stop]))
    assert message.content[0].text == plain[:plain.index(stop)]
    assert message.stop_reason == "stop_sequence"
    assert message.stop_sequence == stop


def test_a_cut_answer_says_so(client, model):
    assert client.messages.create(**options(model, max_tokens=2)).stop_reason == "max_tokens"


def test_tokens_are_counted_as_they_are_read(client, model):
    fields = options(model, system="You are brief.")
    usage = client.messages.create(**fields).usage
    counted = client.messages.count_tokens(
        model=model, system=fields["system"], messages=fields["messages"])
    assert counted.input_tokens == usage.input_tokens + usage.cache_read_input_tokens


def test_errors_are_the_sdks_own(client, model):
    with pytest.raises(anthropic.BadRequestError) as refused:
        client.messages.create(**options(model, tools=[{"name": "f"}]))
    assert refused.value.body["error"]["type"] == "invalid_request_error"
    assert "tools" in refused.value.body["error"]["message"]
    assert refused.value.request_id == refused.value.body["request_id"]
    with pytest.raises(anthropic.NotFoundError):
        client.messages.create(**options("no-such-model"))
    with pytest.raises(anthropic.BadRequestError):
        client.messages.create(**options(
            model, messages=[{"role": "user", "content": "word " * 5000}]))
