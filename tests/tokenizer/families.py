"""The reference tokenizers: each family's real definition as in its tokenizer.json, run by Hugging
Face's `tokenizers` over the vocabulary of a GGUF file."""

import dataclasses
import functools
import json
import pathlib
import struct
import subprocess

import gguf
from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers

ROOT = pathlib.Path(__file__).resolve().parents[2]
DUMP = ROOT / "build" / "release" / "tests" / "tokenizer" / "tokenizer_dump"

NORMAL, CONTROL, USER_DEFINED = 1, 3, 4

CONTRACTIONS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
LLAMA_SPLIT = (CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
               r"|\s*[\r\n]+|\s+(?!\S)|\s+")
QWEN_SPLIT = (CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
              r"|\s*[\r\n]+|\s+(?!\S)|\s+")

QWEN35_SPLIT = (CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}"
                r"| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
UPPER = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]"
LOWER = r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
CASED_END = r"| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
TEKKEN_SPLIT = f"{UPPER}*{LOWER}+|{UPPER}+{LOWER}*" + r"|\p{N}" + CASED_END
O200K_SPLIT = (f"{UPPER}*{LOWER}+{CONTRACTIONS}?|{UPPER}+{LOWER}*{CONTRACTIONS}?"
               r"|\p{N}{1,3}" + CASED_END)


def byte_level(use_regex):
    return pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=use_regex)


def split(expression):
    return pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(expression), "isolated"), byte_level(use_regex=False)])


@dataclasses.dataclass(frozen=True)
class Family:
    name: str  # of tokenizer.ggml.pre
    make_pre_tokenizer: object
    ignore_merges: bool = False
    normalizer: object = None


FAMILIES = {family.name: family for family in (
    Family("gpt-2", lambda: byte_level(use_regex=True)),
    Family("llama-bpe", lambda: split(LLAMA_SPLIT), ignore_merges=True),
    Family("qwen2", lambda: split(QWEN_SPLIT), normalizer=normalizers.NFC()),
    Family("dbrx", lambda: split(LLAMA_SPLIT)),
    Family("qwen35", lambda: split(QWEN35_SPLIT)),
    Family("tekken", lambda: split(TEKKEN_SPLIT), ignore_merges=True),
    Family("gpt-4o", lambda: split(O200K_SPLIT), ignore_merges=True),
    Family("smollm", lambda: pre_tokenizers.Sequence([
        pre_tokenizers.Digits(individual_digits=True), byte_level(use_regex=True)])),
)}


@functools.cache
def read_vocabulary(model):
    """Pre-tokenizer, tokens, types and merges of a GGUF file."""
    fields = gguf.GGUFReader(model).fields
    return [fields[f"tokenizer.ggml.{key}"].contents()
            for key in ("pre", "tokens", "token_type", "merges")]


def reference(model, special, normalize=False):
    """The tokenizer of a GGUF file. special: control tokens in the text are parsed. normalize: with
    the family's own normalizer, which jarip leaves out."""
    pre, tokens, types, merges = read_vocabulary(model)
    family = FAMILIES[pre]
    tokenizer = Tokenizer(models.BPE(vocab={token: i for i, token in enumerate(tokens)},
                                     merges=[tuple(merge.split(" ")) for merge in merges],
                                     ignore_merges=family.ignore_merges))
    tokenizer.pre_tokenizer = family.make_pre_tokenizer()
    if normalize:
        tokenizer.normalizer = family.normalizer
    added = {USER_DEFINED} | ({CONTROL} if special else set())
    tokenizer.add_tokens([AddedToken(token, normalized=False, special=kind == CONTROL)
                          for token, kind in zip(tokens, types, strict=True) if kind in added])
    return tokenizer


def write_model(path, family, texts, control, user_defined, n_tokens=2000):
    """A GGUF file of nothing but a vocabulary, trained on the texts as the family cuts them. Every
    seventh merge is left out, so that some tokens can't be merged: a family takes those for whole
    pieces or not at all."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = family.make_pre_tokenizer()
    tokenizer.train_from_iterator(texts, trainers.BpeTrainer(
        vocab_size=n_tokens, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False))
    trained = json.loads(tokenizer.to_str())["model"]
    text_tokens = sorted(trained["vocab"], key=trained["vocab"].get)
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(family.name)
    writer.add_token_list(text_tokens + control + user_defined)
    writer.add_token_types([NORMAL] * len(text_tokens) + [CONTROL] * len(control)
                           + [USER_DEFINED] * len(user_defined))
    writer.add_token_merges([" ".join(merge) for i, merge in enumerate(trained["merges"])
                             if i % 7 != 6])
    writer.add_eos_token_id(len(text_tokens))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def jarip_ids(model, texts, special):
    """For each text (bytes) the ids, and whether they decode to the text."""
    mode = b"s" if special else b"t"
    process = subprocess.run(
        [DUMP, model], capture_output=True, timeout=300, check=False,
        input=b"".join(mode + struct.pack("<I", len(text)) + text for text in texts))
    assert process.returncode == 0, process.stderr.decode()
    lines = process.stdout.decode().splitlines()
    assert len(lines) == len(texts)
    results = []
    for line in lines:
        ids, exact = line.split("\t")
        results.append(([int(i) for i in ids.split()], exact == "exact"))
    return results
