"""Constrained answers of a real server: every one that isn't cut by its length is valid, greedy
and sampled, of the default model and of models with random weights."""

import json
import os
import random
import re
import subprocess

import pytest
from random_schemas import Maker
from server import BINARY, start_server, stop_server
from validation import problems

PERSON = {"type": "object", "properties": {
    "name": {"type": "string", "maxLength": 40}, "age": {"type": "integer", "minimum": 0},
    "role": {"enum": ["admin", "reader"]},
    "tags": {"type": "array", "items": {"type": "string", "maxLength": 10}, "maxItems": 3}},
    "required": ["name", "age", "role"], "additionalProperties": False}

SOAK = "JARIP_SOAK" in os.environ  # make soak
N_SCHEMAS = 500 if SOAK else 60  # for each random model
RANDOM_MODELS = [(form, seed) for seed in range(7, 10 if SOAK else 8)
                 for form in ("f16", "q4_k_m", *(["q8_0"] if SOAK else []))]


@pytest.fixture(scope="module")
def server():
    running = start_server("--ctx", "2048")
    yield running
    stop_server(running)


@pytest.fixture(scope="module", params=RANDOM_MODELS)
def random_server(request, tmp_path_factory):
    """A tiny model with random weights: every token is about as likely as any other."""
    form, seed = request.param
    path = tmp_path_factory.mktemp("models") / f"random-{form}-{seed}.gguf"
    subprocess.run([BINARY, "synth", "--shape", "llama-tiny", "--format", form,
                    "--seed", str(seed), "-o", path], check=True, timeout=300)
    kept = os.environ["JARIP_TEST_MODEL"]
    os.environ["JARIP_TEST_MODEL"] = str(path)
    try:
        running = start_server()
    finally:
        os.environ["JARIP_TEST_MODEL"] = kept
    yield running
    stop_server(running)


def complete(server, prompt="Answer:", **fields):
    reply = server.post("/v1/completions", {"prompt": prompt, "max_tokens": 200, **fields})
    assert reply.status == 200, reply.body
    choice = reply.json["choices"][0]
    return choice["text"], choice["finish_reason"]


def as_format(schema):
    return {"type": "json_schema", "json_schema": {"name": "x", "strict": True, "schema": schema}}


@pytest.mark.parametrize("temperature", [0, 0.7, 1.5])
def test_a_schema_holds(server, temperature):
    for seed in range(4):
        reply = server.chat("Describe a person as JSON.", response_format=as_format(PERSON),
                            max_tokens=300, temperature=temperature, seed=seed)
        assert reply.status == 200, reply.body
        choice = reply.json["choices"][0]
        assert choice["finish_reason"] == "stop"
        assert problems(PERSON, choice["message"]["content"]) == ""


def test_streamed_it_is_the_same(server):
    body = {"messages": [{"role": "user", "content": "A person?"}], "temperature": 1, "seed": 5,
            "max_tokens": 200, "response_format": as_format(PERSON)}
    whole = server.post("/v1/chat/completions", body).json["choices"][0]["message"]["content"]
    *chunks, done = server.events("/v1/chat/completions", body)
    assert done == "[DONE]"
    deltas = [json.loads(chunk)["choices"][0]["delta"].get("content", "") for chunk in chunks]
    assert "".join(deltas) == whole


def test_any_object(server):
    for seed in range(3):
        reply = server.chat("Give me JSON.", response_format={"type": "json_object"},
                            max_tokens=300, temperature=1, seed=seed)
        choice = reply.json["choices"][0]
        if choice["finish_reason"] == "stop":
            assert isinstance(json.loads(choice["message"]["content"]), dict)


@pytest.mark.parametrize(("fields", "pattern"), [
    ({"guided_regex": r"[A-Z][a-z]{2,9}, \d{2,4}"}, r"[A-Z][a-z]{2,9}, \d{2,4}"),
    ({"guided_choice": ["yes.", "no (never)"]}, r"yes\.|no \(never\)"),
    ({"structured_outputs": {"choice": ["빨강", "파랑"]}}, r"빨강|파랑"),
    ({"grammar": 'root ::= item{2,3}\nitem ::= "- " [a-z ]{1,20} "\\n"'},
     r"(- [a-z ]{1,20}\n){2,3}"),
    ({"structured_outputs": {"grammar": 'root ::= root "+" n | n\nn ::= [0-9]{1,3}'}},
     r"\d{1,3}(\+\d{1,3})*"),
])
def test_other_grammars(server, fields, pattern):
    for seed in range(4):
        text, reason = complete(server, temperature=1, seed=seed, **fields)
        if reason == "stop":
            assert re.fullmatch(pattern, text), text


def test_what_is_cut_says_so(server):
    text, reason = complete(server, guided_regex="a{1000}", max_tokens=5)
    assert reason == "length"
    assert set(text) == {"a"}


@pytest.mark.parametrize(("fields", "param", "words"), [
    ({"response_format": as_format({"properties": {"a": {"not": {"const": 1}}}})},
     "response_format.json_schema.schema", "#/properties/a/not"),
    ({"response_format": as_format({"type": "strin"})}, "response_format.json_schema.schema",
     "#/type"),
    ({"guided_regex": "(?=a)b"}, "guided_regex", "look-ahead"),
    ({"grammar": "root ::= x"}, "grammar", '"x"'),
    ({"guided_json": {"$ref": "https://example.org/x"}}, "guided_json", "#/$ref"),
    ({"guided_json": "{"}, "guided_json", "isn't valid JSON"),
])
def test_what_cant_be_enforced_is_refused(server, fields, param, words):
    reply = server.chat("hi", **fields)
    assert reply.status == 400
    assert reply.error["param"] == param
    assert words in reply.error["message"]


def test_random_schemas_on_a_random_model(random_server):
    rng = random.Random(N_SCHEMAS)
    n_whole = 0
    for number in range(N_SCHEMAS):
        schema, _ = Maker(rng).root(2)
        text, reason = complete(random_server, guided_json=schema, max_tokens=300,
                                temperature=[0, 1][number % 2], seed=number)
        if reason == "stop":
            n_whole += 1
            assert problems(schema, text) == "", (schema, text)
    assert n_whole > N_SCHEMAS / 3


def test_all_apis_hold_to_the_same_schema(server):
    flat = {"type": "json_schema", "name": "x", "schema": PERSON}
    prompt = [{"role": "user", "content": "Describe a person as JSON."}]
    common = {"temperature": 1, "seed": 11}
    chat = server.post("/v1/chat/completions", {
        "messages": prompt, "max_tokens": 300, "response_format": as_format(PERSON), **common})
    responses = server.post("/v1/responses", {
        "input": prompt, "max_output_tokens": 300, "text": {"format": flat}, **common})
    messages = server.post("/v1/messages", {
        "model": chat.json["model"], "messages": prompt, "max_tokens": 300,
        "output_config": {"format": {"type": "json_schema", "schema": PERSON}}, **common})
    assert (chat.status, responses.status, messages.status) == (200, 200, 200)
    text = chat.json["choices"][0]["message"]["content"]
    assert problems(PERSON, text) == ""
    assert responses.json["output"][0]["content"][0]["text"] == text
    echoed = {"description": None, "strict": True}  # as OpenAI's API tells them where unsaid
    assert responses.json["text"]["format"] == {**flat, **echoed}
    assert messages.json["content"][0]["text"] == text


def test_several_answers_all_match(server):
    reply = server.chat("A person as JSON.", response_format=as_format(PERSON), n=3, seed=2,
                        temperature=1, max_tokens=300)
    texts = [choice["message"]["content"] for choice in reply.json["choices"]]
    assert len(set(texts)) == 3
    assert [problems(PERSON, text) for text in texts] == [""] * 3


def test_the_sdks_parse_helper(server):
    import openai
    import pydantic

    class Person(pydantic.BaseModel):
        name: str = pydantic.Field(max_length=30)
        age: int = pydantic.Field(ge=0, lt=200)
        friends: list[str | None] = pydantic.Field(max_length=0)

    with openai.OpenAI(base_url=server.address + "/v1", api_key="unused", max_retries=0) as client:
        answer = client.chat.completions.parse(
            model=client.models.list().data[0].id, response_format=Person, temperature=0,
            max_completion_tokens=400, messages=[{"role": "user", "content": "Ann, 30, alone"}])
        response = client.responses.parse(
            model=client.models.list().data[0].id, text_format=Person, temperature=0,
            max_output_tokens=400, input="Ann, 30, alone")
    assert isinstance(answer.choices[0].message.parsed, Person)
    assert isinstance(response.output_parsed, Person)
