"""Ids are those of the original tokenizers, on hard texts and on random ones: 2,000 as a rule,
100,000 where JARIP_SOAK is set."""

import os
import pathlib
import struct
import subprocess
import sys

import pytest
import vocabularies
from vocabularies import MISTRAL, NODE, ROOT

sys.path.insert(0, str(ROOT / "tests" / "tokenizer"))
import texts  # noqa: E402

N_RANDOM = 100_000 if os.environ.get("JARIP_SOAK") else 2_000
DUMP = ROOT / "build" / "release" / "tests" / "tokenizer" / "tokenizer_dump"
CORPUS = ("tests/fidelity/text/english.txt", "tests/fidelity/text/korean.txt",
          "src/model/tokenizer.cpp", "tests/tokenizer/texts.py")


def training():
    return [line for path in CORPUS
            for line in pathlib.Path(ROOT / path).read_text(encoding="utf-8").splitlines()]


def npm(name):
    return NODE / f"tokenizer-{name}" / "models" / "tokenizer.json"


ORIGINALS = {
    "llama3": lambda _: vocabularies.byte_level(npm("llama3"), "llama-bpe"),
    "qwen3": lambda _: vocabularies.byte_level(npm("qwen3"), "qwen2", normalizes=True),
    "gpt-oss": lambda _: vocabularies.byte_level(npm("gptoss"), "gpt-4o"),
    "mistral-tekken": lambda _: vocabularies.tekken(MISTRAL / "tekken_240911.json"),
    "llama2-json": lambda _: vocabularies.spm_of_json(npm("llama2"), True),
    "gemma3": lambda _: vocabularies.spm_of_json(npm("gemma3"), False),
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


@pytest.mark.parametrize("name", ORIGINALS)
def test_ids_are_the_original_s(name, tmp_path):
    original = ORIGINALS[name](tmp_path)
    path = tmp_path / "vocabulary.gguf"
    vocabularies.write_file(path, original)
    hard = [text for text in texts.hard_texts(N_RANDOM, seed=21) if original.takes(text)]
    assert len(hard) > 0.7 * N_RANDOM
    expected = original.encode(hard)
    wrong = [(text, ids, theirs) for text, ids, theirs
             in zip(hard, jarip_ids(path, hard), expected, strict=True) if ids != theirs]
    assert not wrong, f"{len(wrong)} of {len(hard)}; (text, jarip, original): {wrong[:3]}"
