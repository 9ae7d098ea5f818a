"""The official SDK against the real server."""

import openai
import pytest


@pytest.fixture(scope="module")
def client(server):
    with openai.OpenAI(base_url=server.address + "/v1", api_key="unused", max_retries=0) as one:
        yield one


@pytest.fixture(scope="module")
def model(client):
    return client.models.list().data[0].id


def ask(content):
    return [{"role": "system", "content": "You are brief."}, {"role": "user", "content": content}]


def test_models(client, model):
    assert client.models.retrieve(model).id == model
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("no-such-model")


def test_a_chat_whole_and_streamed(client, model):
    options = {"model": model, "messages": ask("What is the capital of France?"),
               "temperature": 0, "max_completion_tokens": 24}
    whole = client.chat.completions.create(**options)
    assert whole.choices[0].message.role == "assistant"
    assert whole.choices[0].message.content
    assert whole.usage.prompt_tokens_details.cached_tokens is not None
    stream = client.chat.completions.create(
        **options, stream=True, stream_options={"include_usage": True})
    chunks = list(stream)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == whole.choices[0].message.content
    assert chunks[-1].usage.completion_tokens == whole.usage.completion_tokens


def test_an_answer_goes_back_as_it_came(client, model):
    first = client.chat.completions.create(
        model=model, messages=ask("Say hello."), temperature=0, max_tokens=8)
    history = [*ask("Say hello."), first.choices[0].message, {"role": "user", "content": "Again."}]
    second = client.chat.completions.create(
        model=model, messages=history, temperature=0, max_tokens=8)
    assert second.usage.prompt_tokens > first.usage.prompt_tokens


def test_the_streaming_helper(client, model):
    with client.chat.completions.stream(
            model=model, messages=ask("Say hello."), temperature=0) as stream:
        text = "".join(event.delta for event in stream if event.type == "content.delta")
        assert stream.get_final_completion().choices[0].message.content == text


def test_logprobs(client, model):
    answer = client.chat.completions.create(
        model=model, messages=ask("Say hello."), temperature=0, max_tokens=4, logprobs=True,
        top_logprobs=2)
    assert all(len(entry.top_logprobs) == 2 for entry in answer.choices[0].logprobs.content)


def test_a_text_whole_and_streamed(client, model):
    options = {"model": model, "prompt": "The capital of France is", "temperature": 0,
               "max_tokens": 8}
    whole = client.completions.create(**options)
    chunks = client.completions.create(**options, stream=True)
    text = "".join(chunk.choices[0].text for chunk in chunks)
    assert whole.choices[0].text == text


def test_the_same_seed_gives_the_same_answer(client, model):
    def answer(seed):
        return client.chat.completions.create(
            model=model, messages=ask("Write a line of a poem."), temperature=1.2, seed=seed,
            max_tokens=16).choices[0].message.content
    assert answer(5) == answer(5)
    assert len({answer(seed) for seed in range(4)}) > 1


def test_several_answers_whole_and_streamed(client, model):
    options = {"model": model, "messages": ask("Write a line of a poem."), "temperature": 1.2,
               "seed": 9, "max_tokens": 12}
    alone = client.chat.completions.create(**options)
    several = client.chat.completions.create(**options, n=3)
    texts = [choice.message.content for choice in several.choices]
    assert [choice.index for choice in several.choices] == [0, 1, 2]
    assert texts[0] == alone.choices[0].message.content
    assert len(set(texts)) == 3
    assert several.usage.prompt_tokens == alone.usage.prompt_tokens
    # Each has a seed with which it comes alone.
    again = client.chat.completions.create(**{**options, "seed": several.choices[2].seed})
    assert again.choices[0].message.content == texts[2]
    streamed = ["", "", ""]
    for chunk in client.chat.completions.create(**options, n=3, stream=True):
        for choice in chunk.choices:
            streamed[choice.index] += choice.delta.content or ""
    assert streamed == texts


def test_a_drawn_seed_gives_the_answer_again(client, model):
    options = {"model": model, "messages": ask("Write a line of a poem."), "temperature": 1.2,
               "max_tokens": 12}
    raw = client.chat.completions.with_raw_response.create(**options)
    first = raw.parse()
    assert int(raw.headers["x-jarip-seed"]) == first.choices[0].seed
    again = client.chat.completions.create(**options, seed=first.choices[0].seed)
    assert again.choices[0].message.content == first.choices[0].message.content
    assert client.chat.completions.create(**options).choices[0].seed != first.choices[0].seed


def test_several_texts_have_logprobs_of_their_own(client, model):
    answer = client.completions.create(
        model=model, prompt="The capital of France is", temperature=1, seed=3, max_tokens=4, n=2,
        logprobs=3)
    for choice in answer.choices:
        assert "".join(choice.logprobs.tokens) == choice.text
        assert all(len(top) in (3, 4) for top in choice.logprobs.top_logprobs)
    assert answer.usage.completion_tokens <= 8


def test_several_prompts_get_what_each_gets_alone(client, model):
    prompts = ["The capital of France is", "Once upon a time", "하나, 둘,"]
    options = {"model": model, "temperature": 1, "seed": 3, "max_tokens": 8, "n": 2,
               "logprobs": 2, "echo": False}
    alone = [client.completions.create(prompt=prompt, **options) for prompt in prompts]
    batch = client.completions.create(prompt=prompts, **options)
    assert [choice.index for choice in batch.choices] == list(range(6))
    expected = [(choice.text, choice.seed, choice.logprobs, choice.finish_reason)
                for answer in alone for choice in answer.choices]
    assert [(choice.text, choice.seed, choice.logprobs, choice.finish_reason)
            for choice in batch.choices] == expected
    assert batch.usage.prompt_tokens == sum(answer.usage.prompt_tokens for answer in alone)
    assert batch.usage.completion_tokens == sum(answer.usage.completion_tokens for answer in alone)
    streamed = [""] * 6
    for chunk in client.completions.create(prompt=prompts, **options, stream=True,
                                           stream_options={"include_usage": True}):
        for choice in chunk.choices:
            streamed[choice.index] += choice.text
    assert streamed == [text for text, *_ in expected]
    assert chunk.usage.prompt_tokens == batch.usage.prompt_tokens
    assert chunk.usage.completion_tokens == batch.usage.completion_tokens


def test_several_prompts_as_tokens_and_with_echo(server, client, model):
    prompts = ["The capital of France is", "Once upon a time"]
    tokens = [server.post("/tokenize", {"content": prompt, "add_special": True}).json["tokens"]
              for prompt in prompts]
    options = {"model": model, "temperature": 0, "max_tokens": 4, "echo": True}
    texts = client.completions.create(prompt=prompts, **options)
    ids = client.completions.create(prompt=tokens, **options)
    assert [choice.text for choice in ids.choices] == [choice.text for choice in texts.choices]
    for choice, prompt in zip(texts.choices, prompts, strict=True):
        assert choice.text.startswith(prompt) and len(choice.text) > len(prompt)


def test_several_prompts_without_a_seed_get_one_each(client, model):
    answer = client.completions.create(model=model, prompt=["Once", "Once"], max_tokens=2)
    assert answer.choices[0].seed != answer.choices[1].seed


def test_errors_are_the_sdks_own(client, model):
    with pytest.raises(openai.BadRequestError) as refused:
        client.chat.completions.create(model=model, messages=ask("hi"), extra_body={"best_of": 2})
    assert refused.value.param == "best_of"
    assert refused.value.code == "unsupported_value"
    assert refused.value.request_id
    with pytest.raises(openai.NotFoundError):
        client.chat.completions.create(model="no-such-model", messages=ask("hi"))
    with pytest.raises(openai.BadRequestError) as overflow:
        client.chat.completions.create(model=model, messages=ask("word " * 5000))
    assert overflow.value.code == "context_length_exceeded"
