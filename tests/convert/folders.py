"""Small random models in folders such as Hugging Face's hub has them: config.json, tokenizer.json
and safetensors, a class of transformers each. The names of tensors are those of transformers."""

import json

import numpy as np

N_TOKENS = 300  # of the tokenizer
N_ROWS = 320    # of the embedding
WINDOW = 24
BASE = {"hidden_size": 128, "num_hidden_layers": 2, "intermediate_size": 192,
        "num_attention_heads": 4, "num_key_value_heads": 2, "rms_norm_eps": 1e-5,
        "vocab_size": N_ROWS, "max_position_embeddings": 512, "rope_theta": 10000.0,
        "hidden_act": "silu", "tie_word_embeddings": False, "attention_bias": False,
        "mlp_bias": False, "rope_scaling": None, "bos_token_id": 298, "eos_token_id": 299}
LLAMA3 = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
          "original_max_position_embeddings": 64}
YARN = {"rope_type": "yarn", "factor": 8.0, "original_max_position_embeddings": 64,
        "beta_fast": 32.0, "beta_slow": 1.0}
EXPERTS = {"num_experts_per_tok": 2, "intermediate_size": 96}


def alternating(n_layers, period):
    return ["full_attention" if (i + 1) % period == 0 else "sliding_attention"
            for i in range(n_layers)]


# What a class's config.json has beyond BASE.
CONFIGS = {
    "Llama": {"model_type": "llama"},
    "Llama-3": {"model_type": "llama", "rope_scaling": LLAMA3, "head_dim": 32,
                "tie_word_embeddings": True},
    "Llama-linear": {"model_type": "llama",
                     "rope_scaling": {"type": "linear", "factor": 4.0}},
    "Llama-yarn": {"model_type": "llama", "rope_scaling": YARN, "attention_bias": True},
    "Mistral": {"model_type": "mistral", "head_dim": 48, "sliding_window": None},
    "Mixtral": {"model_type": "mixtral", "num_local_experts": 4, "sliding_window": None,
                **EXPERTS},
    "Qwen2": {"model_type": "qwen2", "use_sliding_window": False, "sliding_window": 64,
              "max_window_layers": 2},
    "Qwen3": {"model_type": "qwen3", "head_dim": 48, "tie_word_embeddings": True},
    "Qwen3Moe": {"model_type": "qwen3_moe", "head_dim": 48, "num_experts": 6,
                 "decoder_sparse_step": 1, "mlp_only_layers": [], "moe_intermediate_size": 96,
                 "norm_topk_prob": True, "num_experts_per_tok": 2},
    "Qwen3_5": {"model_type": "qwen3_5", "num_hidden_layers": 5, "head_dim": 48,
                "full_attention_interval": 4, "attn_output_gate": True,
                "linear_num_key_heads": 2, "linear_num_value_heads": 6,
                "linear_key_head_dim": 32, "linear_value_head_dim": 32,
                "linear_conv_kernel_dim": 4, "rope_theta": None,
                "layer_types": [*["linear_attention"] * 3, "full_attention", "linear_attention"],
                "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0,
                                    "partial_rotary_factor": 0.25, "mrope_interleaved": True,
                                    "mrope_section": [2, 2, 2]}},
    "SmolLM3": {"model_type": "smollm3", "num_hidden_layers": 5, "tie_word_embeddings": True,
                "no_rope_layers": [1, 1, 1, 0, 1], "no_rope_layer_interval": 4},
    "Granite": {"model_type": "granite", "logits_scaling": 8.0, "attention_multiplier": 0.2,
                "embedding_multiplier": 3.0, "residual_multiplier": 0.7,
                "tie_word_embeddings": True},
    "Olmo2": {"model_type": "olmo2"},
    "Olmo3": {"model_type": "olmo3", "num_hidden_layers": 5, "sliding_window": WINDOW,
              "layer_types": alternating(5, 4)},
    "Phi3": {"model_type": "phi3", "sliding_window": None},
    "Phi3-longrope": {"model_type": "phi3", "original_max_position_embeddings": 64,
                      "partial_rotary_factor": 0.75, "head_dim": None,
                      "rope_scaling": {"type": "longrope",
                                       "long_factor": [1.0 + 0.5 * i for i in range(12)],
                                       "short_factor": [1.0] * 12}},
    "Gemma2": {"model_type": "gemma2", "num_hidden_layers": 3, "head_dim": 48,
               "hidden_activation": "gelu_pytorch_tanh", "hidden_act": "gelu_pytorch_tanh",
               "sliding_window": 4096, "query_pre_attn_scalar": 48, "tie_word_embeddings": True,
               "attn_logit_softcapping": 2.0, "final_logit_softcapping": 3.0},
    "Gemma3": {"model_type": "gemma3_text", "num_hidden_layers": 7, "head_dim": 48,
               "hidden_activation": "gelu_pytorch_tanh", "hidden_act": None,
               "query_pre_attn_scalar": 48, "sliding_window": WINDOW,
               "sliding_window_pattern": 6, "rope_local_base_freq": 1000.0,
               "rope_theta": 20000.0, "tie_word_embeddings": True,
               "rope_scaling": {"rope_type": "linear", "factor": 4.0}},
    "Exaone4": {"model_type": "exaone4", "num_hidden_layers": 5, "head_dim": 32,
                "sliding_window": WINDOW, "sliding_window_pattern": "LLLG",
                "rope_scaling": LLAMA3, "tie_word_embeddings": True},
    "GptOss": {"model_type": "gpt_oss", "num_hidden_layers": 3, "head_dim": 32,
               "num_local_experts": 4, "sliding_window": WINDOW, "swiglu_limit": 7.0,
               "attention_bias": True, "layer_types": alternating(3, 2),
               "quantization_config": {"quant_method": "mxfp4"},
               "rope_scaling": {**YARN, "truncate": True}, **EXPERTS},
}
CONFIGS["Qwen3_5Moe"] = {
    **CONFIGS["Qwen3_5"], "model_type": "qwen3_5_moe", "num_experts": 6, "num_experts_per_tok": 2,
    "moe_intermediate_size": 96, "shared_expert_intermediate_size": 96}


def model_class(name):
    return f"{name.split('-')[0]}ForCausalLM"


def config_of(name):
    return {**BASE, "architectures": [model_class(name)], **CONFIGS[name]}


class Weights:
    """Draws tensors by name; the same name and seed give the same numbers."""

    def __init__(self, seed=3):
        self.dice = np.random.default_rng(seed)
        self.tensors = {}

    def matrix(self, name, *shape, gain=1.0):
        deviation = gain / np.sqrt(shape[-1])
        self.tensors[name] = self.dice.normal(0, deviation, shape).astype(np.float32)

    def norm(self, name, n, mean=1.0):
        self.tensors[name] = self.dice.normal(mean, 0.1, n).astype(np.float32)

    def bias(self, name, *shape):
        self.tensors[name] = self.dice.normal(0, 0.3, shape).astype(np.float32)

    def blocks(self, name, n, n_rows, n_cols):
        shape = (n, n_rows, n_cols // 32)
        self.tensors[f"{name}_blocks"] = self.dice.integers(0, 256, (*shape, 16), dtype=np.uint8)
        self.tensors[f"{name}_scales"] = self.dice.integers(121, 124, shape, dtype=np.uint8)


MXFP4 = np.array([0, 0.5, 1, 1.5, 2, 3, 4, 6, -0.0, -0.5, -1, -1.5, -2, -3, -4, -6], np.float32)


def in_full(tensors):
    """The same without blocks: as a gpt-oss in 16 or 32 bits has its experts, on their side."""
    out = {}
    for name, tensor in tensors.items():
        if name.endswith("_blocks"):
            nibbles = np.stack([tensor & 15, tensor >> 4], axis=-1).reshape(*tensor.shape[:-1], 32)
            scales = tensors[name.replace("_blocks", "_scales")].astype(np.float32)
            values = MXFP4[nibbles] * np.exp2(scales - 127)[..., None]
            values = values.reshape(*tensor.shape[:2], -1).swapaxes(1, 2)
            out[name.removesuffix("_blocks")] = np.ascontiguousarray(values)
        elif not name.endswith("_scales"):
            out[name] = tensor
    return out


def tensors_of(name, config):
    family = name.split("-")[0]
    weights = Weights()
    d, d_ff = config["hidden_size"], config["intermediate_size"]
    around_one = 0.0 if family.startswith("Gemma") or family.startswith("Qwen3_5") else 1.0
    weights.matrix("model.embed_tokens.weight", N_ROWS, d)
    weights.norm("model.norm.weight", d, around_one)
    if not config["tie_word_embeddings"]:
        weights.matrix("lm_head.weight", N_ROWS, d)
    for i in range(config["num_hidden_layers"]):
        prefix = f"model.layers.{i}."
        add_norms(weights, prefix, family, d, around_one)
        if config.get("layer_types", [""] * 99)[i] == "linear_attention":
            add_delta_net(weights, f"{prefix}linear_attn.", config)
        else:
            add_attention(weights, prefix, family, config, around_one)
        add_feed_forward(weights, prefix, family, config, d, d_ff)
    return weights.tensors


def add_norms(weights, prefix, family, d, mean):
    names = ["input_layernorm", "post_attention_layernorm"]
    if family in ("Olmo2", "Olmo3", "Exaone4"):
        names = ["post_attention_layernorm", "post_feedforward_layernorm"]
    if family.startswith("Gemma"):
        names += ["pre_feedforward_layernorm", "post_feedforward_layernorm"]
    for name in names:
        weights.norm(f"{prefix}{name}.weight", d, mean)


def add_delta_net(weights, prefix, config):
    d, head = config["hidden_size"], config["linear_key_head_dim"]
    n_heads = config["linear_num_value_heads"]
    n_mixed = head * (2 * config["linear_num_key_heads"] + n_heads)
    weights.matrix(f"{prefix}in_proj_qkv.weight", n_mixed, d)
    weights.matrix(f"{prefix}in_proj_z.weight", n_heads * head, d)
    weights.matrix(f"{prefix}in_proj_b.weight", n_heads, d)
    weights.matrix(f"{prefix}in_proj_a.weight", n_heads, d)
    weights.matrix(f"{prefix}conv1d.weight", n_mixed, 1, config["linear_conv_kernel_dim"])
    weights.norm(f"{prefix}dt_bias", n_heads, -2.0)
    weights.norm(f"{prefix}A_log", n_heads, -1.0)
    weights.norm(f"{prefix}norm.weight", head)
    weights.matrix(f"{prefix}out_proj.weight", d, n_heads * head)


def add_attention(weights, prefix, family, config, mean):
    prefix += "self_attn."
    d = config["hidden_size"]
    head = config.get("head_dim") or d // config["num_attention_heads"]
    q, kv = config["num_attention_heads"] * head, config["num_key_value_heads"] * head
    if family == "Phi3":
        weights.matrix(f"{prefix}qkv_proj.weight", q + 2 * kv, d)
        weights.matrix(f"{prefix}o_proj.weight", d, q)
        return
    biased = family == "Qwen2" or config["attention_bias"]
    q_rows = 2 * q if family.startswith("Qwen3_5") else q  # a gate beside each query
    for name, n_rows, n_cols in (("q", q_rows, d), ("k", kv, d), ("v", kv, d), ("o", d, q)):
        weights.matrix(f"{prefix}{name}_proj.weight", n_rows, n_cols)
        if biased and (name != "o" or family != "Qwen2"):
            weights.bias(f"{prefix}{name}_proj.bias", n_rows)
    if family.startswith(("Qwen3", "Gemma3", "Exaone4", "Olmo")):
        whole = family.startswith("Olmo")
        weights.norm(f"{prefix}q_norm.weight", q if whole else head, mean)
        weights.norm(f"{prefix}k_norm.weight", kv if whole else head, mean)
    if family == "GptOss":
        weights.bias(f"{prefix}sinks", config["num_attention_heads"])


def add_feed_forward(weights, prefix, family, config, d, d_ff):
    if family == "Mixtral":
        prefix += "block_sparse_moe."
        weights.matrix(f"{prefix}gate.weight", config["num_local_experts"], d)
        for i in range(config["num_local_experts"]):
            weights.matrix(f"{prefix}experts.{i}.w1.weight", d_ff, d)
            weights.matrix(f"{prefix}experts.{i}.w2.weight", d, d_ff)
            weights.matrix(f"{prefix}experts.{i}.w3.weight", d_ff, d)
        return
    prefix += "mlp."
    if family == "GptOss":
        n = config["num_local_experts"]
        weights.matrix(f"{prefix}router.weight", n, d)
        weights.bias(f"{prefix}router.bias", n)
        weights.blocks(f"{prefix}experts.gate_up_proj", n, 2 * d_ff, d)
        weights.bias(f"{prefix}experts.gate_up_proj_bias", n, 2 * d_ff)
        weights.blocks(f"{prefix}experts.down_proj", n, d, d_ff)
        weights.bias(f"{prefix}experts.down_proj_bias", n, d)
    elif family == "Qwen3_5Moe":
        n, d_ff = config["num_experts"], config["moe_intermediate_size"]
        weights.matrix(f"{prefix}gate.weight", n, d)
        weights.matrix(f"{prefix}experts.gate_up_proj", n, 2 * d_ff, d)
        weights.matrix(f"{prefix}experts.down_proj", n, d, d_ff)
        weights.matrix(f"{prefix}shared_expert_gate.weight", 1, d)
        weights.matrix(f"{prefix}shared_expert.gate_proj.weight", d_ff, d)
        weights.matrix(f"{prefix}shared_expert.up_proj.weight", d_ff, d)
        weights.matrix(f"{prefix}shared_expert.down_proj.weight", d, d_ff)
    elif family == "Qwen3Moe":
        weights.matrix(f"{prefix}gate.weight", config["num_experts"], d)
        d_ff = config["moe_intermediate_size"]
        for i in range(config["num_experts"]):
            weights.matrix(f"{prefix}experts.{i}.gate_proj.weight", d_ff, d)
            weights.matrix(f"{prefix}experts.{i}.up_proj.weight", d_ff, d)
            weights.matrix(f"{prefix}experts.{i}.down_proj.weight", d, d_ff)
    elif family == "Phi3":
        weights.matrix(f"{prefix}gate_up_proj.weight", 2 * d_ff, d)
        weights.matrix(f"{prefix}down_proj.weight", d, d_ff)
    else:
        weights.matrix(f"{prefix}gate_proj.weight", d_ff, d)
        weights.matrix(f"{prefix}up_proj.weight", d_ff, d)
        weights.matrix(f"{prefix}down_proj.weight", d, d_ff)


def alphabet():
    """The letter for each byte in byte-level vocabularies."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    letters = {byte: chr(byte) for byte in printable}
    letters.update({byte: chr(0x100 + i) for i, byte in enumerate(others)})
    return [letters[byte] for byte in range(256)]


def tokenizer():
    """Byte-level BPE of 256 bytes, some merges and three added tokens."""
    tokens = alphabet()
    merges = []
    for first in "etaoinshrdlc":
        for second in "eao":
            merges.append([first, second])
    tokens += ["".join(pair) for pair in merges]
    while len(tokens) < N_TOKENS - 3:
        merges.append([tokens[-1], "e"])
        tokens.append(tokens[-1] + "e")
    added = [("<tool_call>", False), ("<|begin|>", True), ("<|finish|>", True)]
    return {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [
            {"id": len(tokens) + i, "content": content, "single_word": False, "lstrip": False,
             "rstrip": False, "normalized": False, "special": special}
            for i, (content, special) in enumerate(added)],
        "normalizer": None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
            {"type": "Digits", "individual_digits": True},
            {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True,
             "use_regex": True}]},
        "post_processor": None,
        "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True,
                    "use_regex": True},
        "model": {"type": "BPE", "dropout": None, "unk_token": None,
                  "continuing_subword_prefix": None, "end_of_word_suffix": None,
                  "fuse_unk": False, "byte_fallback": False, "ignore_merges": False,
                  "vocab": {token: i for i, token in enumerate(tokens)}, "merges": merges}}


TOKENIZER_CONFIG = {"bos_token": "<|begin|>", "eos_token": "<|finish|>", "add_bos_token": False,
                    "chat_template": "{% for m in messages %}{{ m.content }}{% endfor %}"}

TYPES = {np.dtype("float32"): "F32", np.dtype("float16"): "F16", np.dtype("uint16"): "BF16",
         np.dtype("uint8"): "U8", np.dtype("int64"): "I64"}


def write_safetensors(path, tensors):
    """By hand, so that the reader is held against the format's description. uint16 is BF16."""
    head, at = {"__metadata__": {"format": "pt"}}, 0
    for name, tensor in tensors.items():
        head[name] = {"dtype": TYPES[tensor.dtype], "shape": list(tensor.shape),
                      "data_offsets": [at, at + tensor.nbytes]}
        at += tensor.nbytes
    text = json.dumps(head).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for tensor in tensors.values():
            file.write(np.ascontiguousarray(tensor).tobytes())


def write_shards(folder, tensors, n_shards=2):
    names = sorted(tensors)
    where = {}
    for i in range(n_shards):
        file = f"model-{i + 1:05}-of-{n_shards:05}.safetensors"
        part = {name: tensors[name] for name in names[i::n_shards]}
        write_safetensors(folder / file, part)
        where.update(dict.fromkeys(part, file))
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": where}))


def as_bf16(values):
    """Rounded to nearest, ties to even, as uint16."""
    bits = values.view(np.uint32).astype(np.uint64)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)


def write_folder(folder, name, tensors=None, shards=False, **changes):
    config = {**config_of(name), **changes}
    tensors = tensors_of(name, config) if tensors is None else tensors
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer()))
    (folder / "tokenizer_config.json").write_text(json.dumps(TOKENIZER_CONFIG))
    if shards:
        write_shards(folder, tensors)
    else:
        write_safetensors(folder / "model.safetensors", tensors)
    return folder
