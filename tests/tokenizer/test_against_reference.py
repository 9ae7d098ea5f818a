"""Ids are those of Hugging Face's `tokenizers`, for every family, on hard and random texts."""

import os
import pathlib
import random
import unicodedata

import families
import pytest
import texts

N_RANDOM = 3000
ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def model_of(tmp_path_factory):
    """The path of a model file by name: the default model, or one trained here for a family."""
    folder = tmp_path_factory.mktemp("models")
    training = [(ROOT / path).read_text(encoding="utf-8") for path in (
        "tests/fidelity/text/english.txt", "tests/fidelity/text/korean.txt",
        "src/model/tokenizer.cpp", "tests/tokenizer/texts.py")]

    def path_of(name):
        if name == "default":
            return os.environ["JARIP_TEST_MODEL"]
        path = folder / f"{name}.gguf"
        if not path.exists():
            families.write_model(path, families.FAMILIES[name], training, texts.CONTROL_TOKENS,
                                 texts.USER_DEFINED_TOKENS)
        return path

    return path_of


def assert_same(model, hard_texts, special, normalize=False):
    reference = families.reference(model, special, normalize)
    expected = reference.encode_batch(hard_texts, add_special_tokens=False)
    actual = families.jarip_ids(model, [text.encode() for text in hard_texts], special)
    wrong = [(text, ids, encoding.ids)
             for text, (ids, _), encoding in zip(hard_texts, actual, expected, strict=True)
             if ids != encoding.ids]
    assert not wrong, f"{len(wrong)} of {len(hard_texts)}; (text, jarip, reference): {wrong[:3]}"


def missing_bytes(model):
    """Bytes that the vocabulary has no token for; the reference drops them without a word."""
    reference = families.reference(model, special=False)
    alphabet = families.pre_tokenizers.ByteLevel.alphabet()
    missing = {letter for letter in alphabet if reference.token_to_id(letter) is None}
    letters = sorted(alphabet, key=ord)
    unprintable = [letter for letter in letters if ord(letter) >= 0x100]
    plain = [byte for byte in range(256) if chr(byte) not in letters]
    byte_of = {letter: plain[ord(letter) - 0x100] for letter in unprintable}
    return {byte_of.get(letter, ord(letter) & 0xFF) for letter in missing}


def is_sayable(text, missing):
    return not any(byte in missing for byte in text.encode())


@pytest.mark.parametrize("special", [False, True], ids=["as text", "special"])
@pytest.mark.parametrize("name", ["default", *families.FAMILIES])
def test_ids_are_the_reference_s(model_of, name, special):
    model = model_of(name)
    missing = missing_bytes(model)
    sayable = [text for text in texts.hard_texts(N_RANDOM, seed=11) if is_sayable(text, missing)]
    assert len(sayable) > 0.9 * N_RANDOM
    assert_same(model, sayable, special)


def test_the_default_model_s_missing_bytes_become_the_replacement_character(model_of):
    model = model_of("default")
    missing = missing_bytes(model)
    assert missing == {0x04, 0x06, 0x13, 0x14, 0x16, 0x1D, 0xC0, 0xC1, 0xF1, 0xF2,
                       *range(0xF5, 0x100)}
    unsayable = ["a\x04b", " \x1d\x1d ", "x\U00040000y", "\x13"]
    reference = families.reference(model, special=False)
    for text, (ids, exact) in zip(
            unsayable, families.jarip_ids(model, [t.encode() for t in unsayable], False),
            strict=True):
        replaced = "".join(c if is_sayable(c, missing) else "\ufffd" for c in text)
        assert ids == reference.encode(replaced, add_special_tokens=False).ids
        assert not exact


def test_qwen_s_normalizer_changes_nothing_in_composed_text(model_of):
    composed = [unicodedata.normalize("NFC", text) for text in texts.hard_texts(1000, seed=12)]
    assert_same(model_of("qwen2"), composed, special=False, normalize=True)


def test_the_file_of_a_conversation_is_the_reference_s(model_of):
    conversation = ("<|im_start|>system\n당신은 도우미입니다.<|im_end|>\n<|im_start|>user\n"
                    "What is 12 + 30?<|im_end|>\n<|im_start|>assistant\n")
    assert_same(model_of("default"), [conversation], special=True)


@pytest.mark.parametrize("name", families.FAMILIES)
def test_any_bytes_come_back(model_of, name):
    source = random.Random(13)
    noise = [source.randbytes(source.randrange(80)) for _ in range(N_RANDOM)]
    noise += [b"\xed\xa0\x80", b"\xff" * 100, b"a\xc3", b"\xf0\x9f\x98 \x80", b"\x00" * 70]
    for special in (False, True):
        for text, (_, exact) in zip(noise, families.jarip_ids(model_of(name), noise, special),
                                    strict=True):
            assert exact, text
