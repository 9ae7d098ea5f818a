"""Small random encoders in folders such as Hugging Face's hub has them, and what BERT's paper makes
of their weights, in NumPy."""

import json

import folders
import numpy as np

D, D_FF, N_HEADS, N_LAYERS, N_POSITIONS = 64, 96, 4, 2, 48
PADDING = 1  # of XLM-RoBERTa, behind which its positions begin
BERT = {"hidden_size": D, "intermediate_size": D_FF, "num_attention_heads": N_HEADS,
        "num_hidden_layers": N_LAYERS, "layer_norm_eps": 1e-5, "hidden_act": "gelu",
        "max_position_embeddings": N_POSITIONS, "position_embedding_type": "absolute",
        "vocab_size": folders.N_ROWS, "pad_token_id": PADDING}
NOMIC = {"n_embd": D, "n_inner": D_FF, "n_head": N_HEADS, "n_layer": N_LAYERS,
         "layer_norm_epsilon": 1e-5, "n_positions": 8192, "max_trained_positions": 2048,
         "activation_function": "swiglu", "rotary_emb_base": 1000, "rotary_emb_fraction": 1.0,
         "rotary_emb_interleaved": False, "prenorm": False, "qkv_proj_bias": False,
         "mlp_fc1_bias": False, "mlp_fc2_bias": False, "type_vocab_size": 2}
CONFIGS = {
    "BertModel": {**BERT, "type_vocab_size": 2},
    "BertForMaskedLM": {**BERT, "type_vocab_size": 2},
    "BertForSequenceClassification": {**BERT, "type_vocab_size": 2},
    "XLMRobertaModel": {**BERT, "type_vocab_size": 1},
    "XLMRobertaForSequenceClassification": {**BERT, "type_vocab_size": 1},
    "NomicBertModel": NOMIC,
}


class EncoderWeights(folders.Weights):
    def linear(self, name, n_rows, n_cols, bias=True):
        self.matrix(f"{name}.weight", n_rows, n_cols)
        if bias:
            self.bias(f"{name}.bias", n_rows)

    def layer_norm(self, name):
        self.norm(f"{name}.weight", D)
        self.norm(f"{name}.bias", D, 0.0)


def tensors_of(name):
    weights = EncoderWeights()
    config = CONFIGS[name]
    weights.matrix("embeddings.word_embeddings.weight", folders.N_ROWS, D)
    weights.bias("embeddings.token_type_embeddings.weight", config["type_vocab_size"], D)
    if name == "NomicBertModel":
        add_nomic(weights)
        return weights.tensors
    weights.bias("embeddings.position_embeddings.weight", N_POSITIONS, D)
    weights.tensors["embeddings.position_ids"] = np.arange(N_POSITIONS)[None]
    weights.layer_norm("embeddings.LayerNorm")
    for i in range(N_LAYERS):
        prefix = f"encoder.layer.{i}."
        for part in ("query", "key", "value"):
            weights.linear(f"{prefix}attention.self.{part}", D, D)
        weights.linear(f"{prefix}attention.output.dense", D, D)
        weights.layer_norm(f"{prefix}attention.output.LayerNorm")
        weights.linear(f"{prefix}intermediate.dense", D_FF, D)
        weights.linear(f"{prefix}output.dense", D, D_FF)
        weights.layer_norm(f"{prefix}output.LayerNorm")
    return with_top(name, weights)


def with_top(name, weights):
    """What stands on the encoder, and the prefix that the encoder then has."""
    prefix = "bert." if name.startswith("Bert") else "roberta."
    if not name.endswith("Model"):
        weights.tensors = {prefix + key: value for key, value in weights.tensors.items()}
    if name == "XLMRobertaForSequenceClassification":
        weights.linear("classifier.dense", D, D)
        weights.linear("classifier.out_proj", 1, D)
    elif name == "BertForMaskedLM":
        weights.linear("cls.predictions.transform.dense", D, D)
    elif name != "XLMRobertaModel":
        weights.linear("bert.pooler.dense" if name != "BertModel" else "pooler.dense", D, D)
    if name == "BertForSequenceClassification":
        weights.linear("classifier", 1, D)
    return weights.tensors


def add_nomic(weights):
    weights.layer_norm("emb_ln")
    for i in range(N_LAYERS):
        prefix = f"encoder.layers.{i}."
        weights.linear(f"{prefix}attn.Wqkv", 3 * D, D, False)
        weights.linear(f"{prefix}attn.out_proj", D, D, False)
        weights.linear(f"{prefix}mlp.fc11", D_FF, D, False)
        weights.linear(f"{prefix}mlp.fc12", D_FF, D, False)
        weights.linear(f"{prefix}mlp.fc2", D, D_FF, False)
        weights.layer_norm(f"{prefix}norm1")
        weights.layer_norm(f"{prefix}norm2")


def vocabulary():
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[unused0]"]
    words = ["the", "##ing", "cat", *map(chr, range(0x61, 0x7B))]
    return special + words


def unigram():
    tokens = [["<s>", 0.0], ["<pad>", 0.0], ["</s>", 0.0], ["<unk>", 0.0], ["\u2581cat", -2.0],
              *[[chr(c), -5.0 - c / 100] for c in range(0x61, 0x7B)], ["\u2581", -3.0]]
    special = [{"id": i, "content": tokens[i][0], "single_word": False, "lstrip": False,
                "rstrip": False, "normalized": False, "special": True} for i in range(4)]
    return {"added_tokens": special, "normalizer": None,
            "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
                {"type": "WhitespaceSplit"},
                {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "always"}]},
            "post_processor": {"type": "TemplateProcessing", "single": [
                {"SpecialToken": {"id": "<s>", "type_id": 0}},
                {"Sequence": {"id": "A", "type_id": 0}},
                {"SpecialToken": {"id": "</s>", "type_id": 0}}], "pair": [], "special_tokens": {}},
            "model": {"type": "Unigram", "unk_id": 3, "vocab": tokens}}


def write_folder(folder, name, pooling="mean_tokens", **changes):
    folder.mkdir()
    config = {"architectures": [name], **CONFIGS[name], **changes}
    (folder / "config.json").write_text(json.dumps(config))
    if name.startswith("XLM"):
        (folder / "tokenizer.json").write_text(json.dumps(unigram()))
        (folder / "tokenizer_config.json").write_text(json.dumps(
            {"bos_token": "<s>", "eos_token": "</s>", "sep_token": "</s>", "pad_token": "<pad>"}))
    else:
        (folder / "vocab.txt").write_text("\n".join(vocabulary()) + "\n")
        (folder / "tokenizer_config.json").write_text(json.dumps(
            {"do_lower_case": True, "cls_token": "[CLS]", "sep_token": "[SEP]",
             "pad_token": "[PAD]", "unk_token": "[UNK]", "mask_token": "[MASK]"}))
    if pooling:
        (folder / "1_Pooling").mkdir()
        (folder / "1_Pooling" / "config.json").write_text(json.dumps(
            {"word_embedding_dimension": D,
             **{f"pooling_mode_{mode}": mode == pooling
                for mode in ("cls_token", "mean_tokens", "max_tokens", "lasttoken")}}))
        (folder / "modules.json").write_text(json.dumps([
            {"idx": 0, "path": "", "type": "sentence_transformers.models.Transformer"},
            {"idx": 1, "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
            {"idx": 2, "path": "2_Normalize", "type": "sentence_transformers.models.Normalize"}]))
    folders.write_safetensors(folder / "model.safetensors", tensors_of(name))
    return folder


def softmax(scores):
    scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return scores / scores.sum(axis=-1, keepdims=True)


def erf(x):
    """By its series, which converges for every x; those here are small."""
    x = np.clip(x, -5, 5)
    term = total = x.copy()
    for n in range(1, 120):
        term = -term * x * x / n
        total = total + term / (2 * n + 1)
    return 2 / np.sqrt(np.pi) * total


class Encoder:
    """The forward pass in double precision, for one text."""

    def __init__(self, name):
        self.name = name
        self.weights = {key.removeprefix("bert.").removeprefix("roberta."):
                        value.astype(np.float64) for key, value in tensors_of(name).items()}

    def linear(self, name, x):
        out = x @ self.weights[f"{name}.weight"].T
        return out + self.weights.get(f"{name}.bias", 0)

    def norm(self, name, x):
        x = x - x.mean(axis=-1, keepdims=True)
        x = x / np.sqrt((x * x).mean(axis=-1, keepdims=True) + 1e-5)
        return x * self.weights[f"{name}.weight"] + self.weights[f"{name}.bias"]

    def attention(self, q, k, v):
        def heads(x):
            return x.reshape(len(x), N_HEADS, -1).swapaxes(0, 1)

        q, k, v = heads(q), heads(k), heads(v)
        if self.name == "NomicBertModel":
            q, k = rotate(q), rotate(k)
        weights = softmax(q @ k.swapaxes(1, 2) / np.sqrt(D / N_HEADS))
        return (weights @ v).swapaxes(0, 1).reshape(-1, D)

    def states(self, ids):
        x = (self.weights["embeddings.word_embeddings.weight"][ids]
             + self.weights["embeddings.token_type_embeddings.weight"][0])
        if self.name == "NomicBertModel":
            return self.nomic_layers(self.norm("emb_ln", x))
        first = PADDING + 1 if self.name.startswith("XLM") else 0
        x = x + self.weights["embeddings.position_embeddings.weight"][first:first + len(ids)]
        x = self.norm("embeddings.LayerNorm", x)
        for i in range(N_LAYERS):
            prefix = f"encoder.layer.{i}."
            q, k, v = (self.linear(f"{prefix}attention.self.{part}", x)
                       for part in ("query", "key", "value"))
            given = self.linear(f"{prefix}attention.output.dense", self.attention(q, k, v))
            x = self.norm(f"{prefix}attention.output.LayerNorm", x + given)
            inner = self.linear(f"{prefix}intermediate.dense", x)
            inner = inner * (1 + erf(inner / np.sqrt(2))) / 2
            x = self.norm(f"{prefix}output.LayerNorm",
                          x + self.linear(f"{prefix}output.dense", inner))
        return x

    def nomic_layers(self, x):
        for i in range(N_LAYERS):
            prefix = f"encoder.layers.{i}."
            q, k, v = np.split(self.linear(f"{prefix}attn.Wqkv", x), 3, axis=1)
            given = self.linear(f"{prefix}attn.out_proj", self.attention(q, k, v))
            x = self.norm(f"{prefix}norm1", x + given)
            gate = self.linear(f"{prefix}mlp.fc12", x)
            inner = self.linear(f"{prefix}mlp.fc11", x) * gate / (1 + np.exp(-gate))
            x = self.norm(f"{prefix}norm2", x + self.linear(f"{prefix}mlp.fc2", inner))
        return x

    def score(self, ids):
        first = self.states(ids)[:1]
        if self.name.startswith("Bert"):
            return self.linear("classifier", np.tanh(self.linear("pooler.dense", first)))[0]
        hidden = np.tanh(self.linear("classifier.dense", first))
        return self.linear("classifier.out_proj", hidden)[0]


def rotate(x):
    """[heads, tokens, dimensions], pairs half a head apart."""
    half = x.shape[-1] // 2
    angles = np.arange(x.shape[1])[:, None] * 1000.0 ** (-np.arange(half) / half)
    a, b = x[..., :half], x[..., half:]
    return np.concatenate([a * np.cos(angles) - b * np.sin(angles),
                           a * np.sin(angles) + b * np.cos(angles)], axis=-1)
