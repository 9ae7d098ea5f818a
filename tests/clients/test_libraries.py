"""Libraries that people use: each says what the server says, whole and streamed."""

import json
import os
import pathlib
import subprocess
import sys

import pytest

QUESTION = "What is the capital of France?"


@pytest.fixture(scope="module")
def langchain(server, model):
    from langchain_openai import ChatOpenAI

    return ChatOpenAI(base_url=server.address + "/v1", api_key="unused", model=model,
                      temperature=0, max_tokens=12, max_retries=0)


def test_langchain_answers_and_streams(langchain, greedy):
    answer = langchain.invoke(QUESTION)
    assert answer.content == greedy(QUESTION)
    assert answer.usage_metadata["output_tokens"] == 12
    assert "".join(chunk.content for chunk in langchain.stream(QUESTION)) == answer.content


def test_langchain_keeps_to_its_messages(langchain):
    messages = [("system", "You are brief."), ("human", "Say hello."), ("ai", "Hello."),
                ("human", "Again.")]
    assert langchain.invoke(messages).content


def test_langchain_is_told_that_ids_of_another_tokenizer_mean_nothing(server, model):
    import openai
    from langchain_openai import OpenAIEmbeddings

    embeddings = OpenAIEmbeddings(base_url=server.address + "/v1", api_key="unused", model=model,
                                  max_retries=0, check_embedding_ctx_length=False)
    with pytest.raises(openai.BadRequestError, match="was not trained to embed"):
        embeddings.embed_query("hello")


@pytest.fixture(scope="module")
def litellm():
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # nothing is fetched
    import litellm

    litellm.telemetry = False
    return litellm


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
def test_litellm_answers_and_streams(litellm, server, model, greedy, provider):
    base = server.address + ("/v1" if provider == "openai" else "")
    options = {"model": f"{provider}/{model}", "api_base": base, "api_key": "unused",
               "messages": [{"role": "user", "content": QUESTION}], "temperature": 0,
               "max_tokens": 12, "num_retries": 0}
    answer = litellm.completion(**options)
    assert answer.choices[0].message.content == greedy(QUESTION)
    assert answer.choices[0].finish_reason == "length"
    chunks = litellm.completion(**options, stream=True)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert text == answer.choices[0].message.content


@pytest.fixture
def llm(server, model, tmp_path):
    """The command `llm`, with this server as one of its models."""
    (tmp_path / "extra-openai-models.yaml").write_text(json.dumps(
        [{"model_id": "here", "model_name": model, "api_base": server.address + "/v1"}]))
    environment = {**os.environ, "LLM_USER_PATH": str(tmp_path), "OPENAI_API_KEY": "unused"}

    def run(*arguments):
        command = [pathlib.Path(sys.executable).parent / "llm", "-m", "here", "-o", "temperature",
                   "0", "-o", "max_tokens", "12", *arguments]
        done = subprocess.run(command, env=environment, capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, timeout=60, check=True)
        return done.stdout.strip()
    return run


def test_llm_answers_and_streams(llm, greedy):
    assert llm("--no-stream", QUESTION) == greedy(QUESTION)
    assert llm(QUESTION) == greedy(QUESTION)
