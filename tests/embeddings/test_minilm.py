"""The real MiniLM behind a real server: its vectors beside those of another program that runs the
original files, OpenAI's client, and what is refused."""

import base64
import concurrent.futures
import math
import pathlib
import random

import minilm
import numpy as np
import openai
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
TEXTS = ROOT / "tests" / "fidelity" / "text"


def sentences():
    """200 runs of words out of English and Korean texts, none longer than the other program
    reads."""
    dice = random.Random(11)
    chosen = []
    for name, count, longest in (("english.txt", 150, 30), ("korean.txt", 50, 12)):
        words = (TEXTS / name).read_text(encoding="utf-8").split()
        for _ in range(count):
            n_words = dice.randint(2, longest)
            first = dice.randrange(len(words) - n_words)
            chosen.append(" ".join(words[first:first + n_words]))
    assert len(set(chosen)) == 200
    return chosen


def client(server):
    return openai.OpenAI(base_url=f"http://{server.host}:{server.port}/v1", api_key="none")


def model_of(server):
    return server.get("/v1/models").json["data"][0]["id"]


def vectors(server, texts):
    """By OpenAI's client, which asks for base64 by itself."""
    reply = client(server).embeddings.create(model=model_of(server), input=texts)
    assert [item.index for item in reply.data] == list(range(len(texts)))
    return np.array([item.embedding for item in reply.data])


def test_vectors_are_those_of_the_original_files(server, original_folder, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    texts = sentences()
    ours = vectors(server, texts)
    theirs = minilm.original(original_folder, tmp_path).embed(texts)
    cosines = (ours * theirs).sum(axis=1)
    print(f"lowest cosine {cosines.min():.8f} over {len(texts)} sentences")
    assert cosines.min() > 0.9999
    assert np.abs(np.linalg.norm(ours, axis=1) - 1).max() < 1e-5


def test_near_texts_are_near(server):
    king, queen, pasta = vectors(server, ["The king sat on his throne.", "A queen wore her crown.",
                                          "Boil the pasta for nine minutes."])
    assert king @ queen > king @ pasta + 0.1


def test_base64_is_the_floats_bit_for_bit(server):
    body = {"model": model_of(server), "input": ["a", "안녕하세요"]}
    floats = server.post("/v1/embeddings", body).json
    coded = server.post("/v1/embeddings", {**body, "encoding_format": "base64"}).json
    for one, other in zip(floats["data"], coded["data"], strict=True):
        decoded = np.frombuffer(base64.b64decode(other["embedding"]), dtype="<f4")
        assert np.array(one["embedding"], dtype="<f4").tobytes() == decoded.tobytes()
    assert floats["usage"] == coded["usage"]
    assert floats["usage"]["prompt_tokens"] == floats["usage"]["total_tokens"] > 4
    assert floats["object"] == "list"
    assert floats["data"][0]["object"] == "embedding"


def test_a_text_gets_the_same_bytes_alone_and_among_others(server):
    texts = sentences()[:60]
    body = {"model": model_of(server), "encoding_format": "base64"}
    together = server.post("/v1/embeddings", {**body, "input": texts}).json["data"]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        alone = list(pool.map(
            lambda text: server.post("/v1/embeddings", {**body, "input": text}).json["data"][0],
            texts))
    assert [one["embedding"] for one in together] == [one["embedding"] for one in alone]


def test_tokens_are_read_as_they_are(server):
    model = model_of(server)
    text = "Hello, world"
    tokens = server.post("/tokenize", {"content": text, "add_special": True}).json["tokens"]
    by_text, by_tokens, by_list = (
        server.post("/v1/embeddings", {"model": model, "input": given}).json["data"][0]["embedding"]
        for given in (text, tokens, [tokens]))
    assert by_text == by_tokens == by_list


def test_a_text_longer_than_the_context_is_refused_with_both_numbers(server):
    reply = server.post("/v1/embeddings", {"model": model_of(server),
                                           "input": ["short", "word " * 600]})
    assert reply.status == 400
    assert reply.error["param"] == "input[1]"
    assert reply.error["code"] == "context_length_exceeded"
    assert "602" in reply.error["message"] and "512" in reply.error["message"]


@pytest.mark.parametrize(("path", "fields", "param"), [
    ("/v1/embeddings", {"input": "a", "dimensions": 128}, "dimensions"),
    ("/v1/embeddings", {"input": "a", "dimensions": 0}, "dimensions"),
    ("/v1/embeddings", {"input": []}, "input"),
    ("/v1/embeddings", {"input": ""}, "input"),
    ("/v1/embeddings", {"input": [[30522]]}, "input[0][0]"),
    ("/v1/embeddings", {"input": "a", "encoding_format": "int8"}, "encoding_format"),
    ("/v1/embeddings", {"input": "a", "truncate": True}, "truncate"),
    ("/v1/rerank", {"query": "a", "documents": ["b"]}, "model"),
    ("/v1/chat/completions", {"messages": [{"role": "user", "content": "Hi"}]}, "model"),
    ("/v1/completions", {"prompt": "Hi"}, "model"),
])
def test_what_it_can_not_do_is_refused_by_name(server, path, fields, param):
    reply = server.post(path, {"model": model_of(server), **fields})
    assert reply.status == 400, reply.body
    assert reply.error["param"] == param


def test_all_dimensions_may_be_asked_for(server):
    reply = client(server).embeddings.create(model=model_of(server), input="a", dimensions=384)
    assert len(reply.data[0].embedding) == 384
    assert math.isclose(sum(x * x for x in reply.data[0].embedding), 1, rel_tol=1e-5)


def test_work_is_counted(server):
    before = server.metric("jarip_prompt_tokens_total")
    reply = server.post("/v1/embeddings", {"model": model_of(server), "input": ["one", "two"]}).json
    assert server.metric("jarip_prompt_tokens_total") - before == reply["usage"]["prompt_tokens"]
    assert server.eventually("jarip_num_requests_waiting", 0)
