"""Ids of converted tokenizers are those of the originals, on hard texts and on random ones: 2,000
as a rule, 100,000 where JARIP_SOAK is set."""

import json
import os
import pathlib
import struct
import subprocess
import sys

import numpy as np
import pytest
import vocabularies
from vocabularies import MISTRAL, NODE, ROOT

sys.path[:0] = [str(ROOT / "tests" / "tokenizer"), str(ROOT / "tests" / "convert")]
import folders  # noqa: E402
import texts  # noqa: E402

N_RANDOM = 100_000 if os.environ.get("JARIP_SOAK") else 2_000
BINARY = pathlib.Path(os.environ.get("JARIP_BIN", ROOT / "build" / "release" / "bin" / "jarip"))
DUMP = ROOT / "build" / "release" / "tests" / "tokenizer" / "tokenizer_dump"
CORPUS = ("tests/fidelity/text/english.txt", "tests/fidelity/text/korean.txt",
          "src/model/tokenizer.cpp", "tests/tokenizer/texts.py")


def training():
    return [line for path in CORPUS
            for line in pathlib.Path(ROOT / path).read_text(encoding="utf-8").splitlines()]


def npm(name):
    return NODE / f"tokenizer-{name}" / "models" / "tokenizer.json"


ORIGINALS = {
    "llama3": lambda _: vocabularies.tokenizer_file(npm("llama3")),
    "qwen3": lambda _: vocabularies.tokenizer_file(npm("qwen3"), normalizes=True),
    "gpt-oss": lambda _: vocabularies.tokenizer_file(npm("gptoss")),
    "mistral-tekken": lambda _: vocabularies.tekken(MISTRAL / "tekken_240911.json"),
    "llama2-json": lambda _: vocabularies.tokenizer_file(npm("llama2")),
    "gemma3": lambda _: vocabularies.tokenizer_file(npm("gemma3")),
    "mistral-v1": lambda _: vocabularies.sentencepiece_file(MISTRAL / "tokenizer.model.v1"),
    "mistral-v3": lambda _: vocabularies.sentencepiece_file(
        MISTRAL / "mistral_instruct_tokenizer_240323.model.v3"),
    "wordpiece": lambda _: vocabularies.wordpiece(training(), lowercase=True),
    "wordpiece-cased": lambda _: vocabularies.wordpiece(training(), lowercase=False),
    "unigram": lambda folder: vocabularies.unigram(folder, training()),
}


def jarip_ids(model, hard_texts):
    process = subprocess.run(
        [DUMP, model], capture_output=True, timeout=600, check=False,
        input=b"".join(b"t" + struct.pack("<I", len(text)) + text
                       for text in (text.encode() for text in hard_texts)))
    assert process.returncode == 0, process.stderr.decode()
    return [[int(i) for i in line.split("\t")[0].split()]
            for line in process.stdout.decode().splitlines()]


def convert(folder, original, path):
    """The tokenizer's own files beside weights of no meaning, by `jarip convert`."""
    folder.mkdir()
    for name, data in original.files.items():
        (folder / name).write_bytes(data)
    config = {**folders.config_of("Llama"), "hidden_size": 32, "intermediate_size": 32,
              "num_hidden_layers": 1, "num_attention_heads": 1, "num_key_value_heads": 1,
              "tie_word_embeddings": True, "bos_token_id": None, "eos_token_id": None}
    (folder / "config.json").write_text(json.dumps(config))
    tensors = {name: np.zeros(tensor.shape, np.float16)
               for name, tensor in folders.tensors_of("Llama", config).items()}
    tensors["model.embed_tokens.weight"] = np.zeros((original.n_tokens, 32), np.float16)
    folders.write_safetensors(folder / "model.safetensors", tensors)
    subprocess.run([BINARY, "convert", folder, path], check=True, capture_output=True)


@pytest.mark.parametrize("name", ORIGINALS)
def test_ids_are_the_original_s(name, tmp_path):
    original = ORIGINALS[name](tmp_path)
    path = tmp_path / "vocabulary.gguf"
    if original.files:
        convert(tmp_path / name, original, path)
    else:
        vocabularies.write_file(path, original)
    hard = [text for text in texts.hard_texts(N_RANDOM, seed=21) if original.takes(text)]
    assert len(hard) > 0.7 * N_RANDOM
    expected = original.encode(hard)
    wrong = [(text, ids, theirs) for text, ids, theirs
             in zip(hard, jarip_ids(path, hard), expected, strict=True) if ids != theirs]
    assert not wrong, f"{len(wrong)} of {len(hard)}; (text, jarip, original): {wrong[:3]}"
