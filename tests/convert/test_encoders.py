"""Vectors and scores of converted encoders beside a forward pass in NumPy over the original folder,
and how their texts are cut and pooled."""

import json
import random
import shutil
import subprocess

import encoders
import folders
import gguf
import numpy as np
import pytest
from conftest import SUPPORT
from fidelity_metrics import read_logits

POOLED = {"mean_tokens": (1, lambda states: states.mean(axis=0)),
          "cls_token": (2, lambda states: states[0]),
          "lasttoken": (3, lambda states: states[-1])}


def texts():
    dice = random.Random(9)
    return [[dice.randrange(300) for _ in range(n)] for n in (2, 7, 33, 45)]


def ours(model, scratch):
    ids, out = scratch / "texts.ids", scratch / "vectors"
    ids.write_text("".join(f"{' '.join(map(str, text))}\n" for text in texts()))
    subprocess.run([SUPPORT / "embed_dump", model, ids, out], check=True, capture_output=True)
    return np.fromfile(out, dtype="<f4").reshape(len(texts()), -1).astype(np.float64)


def lowest_cosine(a, b):
    a = a / np.linalg.norm(a, axis=1, keepdims=True)
    b = b / np.linalg.norm(b, axis=1, keepdims=True)
    return (a * b).sum(axis=1).min()


@pytest.mark.parametrize(("name", "pooling"), [
    ("BertModel", "mean_tokens"), ("BertModel", "cls_token"), ("BertForMaskedLM", "mean_tokens"),
    ("XLMRobertaModel", "cls_token"), ("XLMRobertaModel", "mean_tokens"),
    ("NomicBertModel", "mean_tokens"), ("NomicBertModel", "lasttoken")])
def test_vectors(name, pooling, convert, tmp_path):
    model = convert(encoders.write_folder(tmp_path / "m", name, pooling))
    number, pool = POOLED[pooling]
    fields = gguf.GGUFReader(model).fields
    architecture = fields["general.architecture"].contents()
    assert fields[f"{architecture}.pooling_type"].contents() == number
    encoder = encoders.Encoder(name)
    theirs = np.array([pool(encoder.states(text)) for text in texts()])
    assert lowest_cosine(ours(model, tmp_path), theirs) > 0.99999


@pytest.mark.parametrize("name", ["BertForSequenceClassification",
                                  "XLMRobertaForSequenceClassification"])
def test_scores(name, convert, tmp_path):
    model = convert(encoders.write_folder(tmp_path / "m", name, None))
    encoder = encoders.Encoder(name)
    theirs = np.array([encoder.score(text) for text in texts()])
    assert np.abs(ours(model, tmp_path) - theirs).max() < 2e-3


def test_a_decoder_that_pools_is_a_model_that_embeds(convert, tmp_path):
    folder = folders.write_folder(tmp_path / "m", "Qwen3")
    for source in ("modules.json", "1_Pooling"):
        pooled = tmp_path / "pooled"
        if not pooled.exists():
            encoders.write_folder(pooled, "BertModel", "lasttoken")
        (shutil.copytree if source == "1_Pooling" else shutil.copy)(pooled / source,
                                                                    folder / source)
    fields = gguf.GGUFReader(convert(folder)).fields
    assert fields["qwen3.pooling_type"].contents() == 3


@pytest.mark.parametrize("tied", [True, False])
def test_a_decoder_that_ranks_weighs_its_yes_against_its_no(tied, convert, tmp_path):
    tokens = folders.tokenizer()
    tokens["model"]["vocab"] |= {"ye": 300, "yes": 301}
    tokens["model"]["merges"] += [["y", "e"], ["ye", "s"]]
    tensors = folders.tensors_of("Qwen3", {**folders.config_of("Qwen3"),
                                           "tie_word_embeddings": tied})
    models = []
    for kind, arguments in (("writes", ()), ("ranks", ("--pooling", "rank"))):
        folder = folders.write_folder(tmp_path / kind, "Qwen3", tensors, tie_word_embeddings=tied)
        (folder / "tokenizer.json").write_text(json.dumps(tokens))
        models.append(convert(folder, *arguments))
    scores = ours(models[1], tmp_path)[:, 0]
    no = tokens["model"]["vocab"]["no"]
    logits = read_logits_of(models[0], tmp_path)
    wanted = np.array([row[301] - row[no] for row in logits])
    assert np.abs(scores - wanted).max() < 5e-3
    fields = gguf.GGUFReader(models[1]).fields
    assert "{query}" in fields["tokenizer.chat_template.rerank"].contents()
    assert fields["qwen3.classifier.output_labels"].contents() == ["yes", "no"]


def read_logits_of(model, scratch):
    """Those of each text's last token."""
    out = scratch / "logits"
    subprocess.run([SUPPORT / "logits_dump", model, "optimized", scratch / "texts.ids", out],
                   check=True, capture_output=True)
    ends = np.cumsum([len(text) for text in texts()])
    return read_logits(out, int(ends[-1]))[ends - 1]


def test_wordpieces_and_what_stands_around_a_text(convert, tmp_path):
    fields = gguf.GGUFReader(convert(encoders.write_folder(tmp_path / "m", "BertModel"))).fields
    tokens = fields["tokenizer.ggml.tokens"].contents()
    assert tokens[5:9] == ["[unused0]", "\u2581the", "ing", "\u2581cat"]
    assert tokens[-1] == f"[PAD{folders.N_ROWS - 1}]"
    named = {role: tokens[fields[f"tokenizer.ggml.{role}_token_id"].contents()]
             for role in ("bos", "seperator", "padding", "mask", "unknown")}
    assert named == {"bos": "[CLS]", "seperator": "[SEP]", "padding": "[PAD]", "mask": "[MASK]",
                     "unknown": "[UNK]"}


def test_unigrams_and_what_stands_around_a_text(jarip, convert, tmp_path):
    path = convert(encoders.write_folder(tmp_path / "m", "XLMRobertaModel"))
    fields = gguf.GGUFReader(path).fields
    assert fields["tokenizer.ggml.model"].contents() == "t5"
    assert fields["bert.context_length"].contents() == encoders.N_POSITIONS - 2
    assert fields["tokenizer.ggml.add_bos_token"].contents()
    assert fields["tokenizer.ggml.add_eos_token"].contents()
    told = jarip("tokenize", path, "cat").stdout
    assert "4" in told.split()


@pytest.mark.parametrize(("pooling", "told"), [
    (None, "--pooling"), ("max_tokens", "pooling_mode_max_tokens"), ("none", "isn't true")])
def test_pooling_that_is_not_known_is_refused(pooling, told, jarip, tmp_path):
    folder = encoders.write_folder(tmp_path / "m", "BertModel", pooling)
    done = jarip("convert", folder, tmp_path / "out.gguf")
    assert done.returncode != 0 and told in done.stderr
    if pooling is None:
        done = jarip("convert", folder, tmp_path / "out.gguf", "--pooling", "first")
        assert done.returncode == 0, done.stderr
        fields = gguf.GGUFReader(tmp_path / "out.gguf").fields
        assert fields["bert.pooling_type"].contents() == 2


@pytest.mark.parametrize(("name", "change", "told"), [
    ("BertModel", {"hidden_act": "relu"}, "hidden_act"),
    ("BertModel", {"position_embedding_type": "relative_key"}, "position_embedding_type"),
    ("NomicBertModel", {"prenorm": True}, "prenorm"),
    ("NomicBertModel", {"rotary_emb_fraction": 0.5}, "rotary_emb_fraction"),
])
def test_settings_that_would_change_vectors_are_refused(name, change, told, jarip, tmp_path):
    folder = encoders.write_folder(tmp_path / "m", name, **change)
    done = jarip("convert", folder, tmp_path / "out.gguf")
    assert done.returncode != 0 and told in done.stderr
    assert not (tmp_path / "out.gguf").exists()
