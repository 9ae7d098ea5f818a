"""Tokens, templates, gaps and embeddings: what llama.cpp's clients and others ask for."""

import pytest


@pytest.mark.parametrize("text", ["", "Hello, world!", "안녕하세요 😀", "a\n\n  b\t<|im_end|>"])
def test_text_comes_back_from_its_tokens(server, text):
    tokens = server.post("/tokenize", {"content": text}).json["tokens"]
    assert server.post("/detokenize", {"tokens": tokens}).json["content"] == text


def test_more_tokens_than_there_may_be_are_refused(server):
    reply = server.post("/detokenize", {"tokens": [1] * 262_145})
    assert reply.status == 400
    assert reply.error["param"] == "tokens"


def test_control_tokens_are_parsed_unless_told_not_to(server):
    parsed = server.post("/tokenize", {"content": "<|im_end|>"}).json["tokens"]
    plain = server.post("/tokenize", {"content": "<|im_end|>", "parse_special": False}).json
    assert len(parsed) == 1
    assert len(plain["tokens"]) > 1


def test_pieces_are_the_text(server):
    pieces = server.post("/tokenize", {"content": "한a", "with_pieces": True}).json["tokens"]
    text = b"".join(bytes(piece["piece"]) if isinstance(piece["piece"], list)
                    else piece["piece"].encode() for piece in pieces)
    assert text.decode() == "한a"


def test_a_template_is_applied_as_a_chat_reads_it(server):
    messages = [{"role": "user", "content": "hi"}]
    prompt = server.post("/apply-template", {"messages": messages}).json["prompt"]
    assert prompt.endswith("<|im_start|>assistant\n")
    tokens = server.post("/tokenize", {"content": prompt, "add_special": True}).json["tokens"]
    usage = server.chat("hi", max_tokens=1).json["usage"]
    assert len(tokens) == usage["prompt_tokens"]


def test_ids_of_another_tokenizer_are_refused_and_say_so(server):
    body = {"model": server.get("/v1/models").json["data"][0]["id"], "input": [[100257, 1]]}
    reply = server.post("/v1/embeddings", body)
    assert reply.status == 400
    assert reply.error["param"] == "input[0][0]"
    assert "another model's tokenizer" in reply.error["message"]


@pytest.mark.parametrize(("path", "fields"), [
    ("/v1/embeddings", {"input": "a"}),
    ("/v1/rerank", {"query": "q", "documents": ["a", "b"]}),
])
def test_a_model_that_writes_text_does_not_embed_or_rank(server, path, fields):
    model = server.get("/v1/models").json["data"][0]["id"]
    reply = server.post(path, {"model": model, **fields})
    assert reply.status == 400
    assert reply.error["code"] == "unsupported_value"
    assert model in reply.error["message"]


def test_a_model_without_tokens_for_gaps_says_so(server):
    reply = server.post("/infill", {"input_prefix": "def f(", "input_suffix": ")"})
    assert reply.status == 400
    assert "can't fill gaps" in reply.error["message"]
