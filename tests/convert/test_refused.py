"""What would change a model's answers is refused by its name, and nothing is written."""

import json

import folders
import numpy as np
import pytest


@pytest.fixture
def refused(jarip, tmp_path):
    """Converts what must be refused; gives what was said."""

    def run(source):
        out = tmp_path / "out.gguf"
        done = jarip("convert", source, out)
        assert done.returncode not in (0, 1) and done.returncode < 100, done
        assert not out.exists() and list(tmp_path.glob(".out*")) == []
        assert len(done.stderr.splitlines()) == 1
        return done.stderr

    return run


@pytest.mark.parametrize(("name", "change", "told"), [
    ("Llama", {"architectures": ["MambaForCausalLM"]}, "MambaForCausalLM"),
    ("Llama", {"architectures": None}, "architectures"),
    ("Llama", {"hidden_act": "relu"}, "hidden_act"),
    ("Llama", {"rope_scaling": {"type": "dynamic", "factor": 2.0}}, "rope_type"),
    ("Llama", {"rope_scaling": {"type": "linear"}}, "factor"),
    ("Llama", {"rope_scaling": {**folders.YARN, "mscale": 2.0}}, "mscale"),
    ("Llama", {"rope_scaling": {**folders.YARN, "attention_factor": 2.0}}, "attention_factor"),
    ("Llama", {"quantization_config": {"quant_method": "gptq"}}, "gptq"),
    ("Llama", {"partial_rotary_factor": 0.5}, "partial_rotary_factor"),
    ("Llama", {"num_hidden_layers": -2}, "num_hidden_layers"),
    ("Llama", {"num_hidden_layers": 1e300}, "num_hidden_layers"),
    ("Llama", {"num_hidden_layers": "2"}, "num_hidden_layers"),
    ("Llama", {"num_hidden_layers": 3}, "model.layers.2"),
    ("Llama", {"num_hidden_layers": 1}, "model.layers.1"),
    ("Llama", {"num_attention_heads": 0}, "num_attention_heads"),
    ("Llama", {"num_attention_heads": 5}, "q_proj"),
    ("Llama", {"hidden_size": None}, "hidden_size"),
    ("Llama", {"no_rope_layers": [1, 0]}, "no_rope_layers"),
    ("Qwen2", {"use_sliding_window": True}, "sliding_window"),
    ("Qwen3", {"is_causal": False}, "is_causal"),
    ("Qwen3Moe", {"norm_topk_prob": False}, "norm_topk_prob"),
    ("Qwen3Moe", {"mlp_only_layers": [1]}, "mlp_only_layers"),
    ("Qwen3Moe", {"num_experts": 7}, "experts"),
    ("Qwen3Moe", {"num_experts": 5}, "expert"),
    ("SmolLM3", {"no_rope_layers": [1, 0, 1, 0, 1]}, "no_rope_layers"),
    ("Gemma2", {"query_pre_attn_scalar": 100}, "query_pre_attn_scalar"),
    ("Gemma3", {"attn_logit_softcapping": 50.0}, "attn_logit_softcapping"),
    ("Gemma3", {"use_bidirectional_attention": True}, "use_bidirectional_attention"),
    ("Olmo3", {"layer_types": ["linear_attention"] * 5}, "linear_attention"),
    ("Olmo3", {"layer_types": ["full_attention"] * 4}, "layer_types"),
    ("GptOss", {"swiglu_limit": 5.0}, "swiglu_limit"),
    ("Phi3-longrope", {"rope_scaling": {"type": "longrope", "long_factor": [1.0],
                                        "short_factor": [1.0]}}, "long_factor"),
])
def test_settings(name, change, told, refused, tmp_path):
    tensors = folders.tensors_of(name, folders.config_of(name))
    assert told in refused(folders.write_folder(tmp_path / "m", name, tensors, **change))


@pytest.mark.parametrize(("change", "told"), [
    (lambda tensors: tensors.pop("model.norm.weight"), "model.norm.weight is missing"),
    (lambda tensors: tensors.pop("model.layers.1.mlp.up_proj.weight"),
     "model.layers.1.mlp.up_proj.weight is missing"),
    (lambda tensors: tensors.update({"model.layers.0.self_attn.sinks": np.zeros(4, "f4")}),
     "model.layers.0.self_attn.sinks"),
    (lambda tensors: tensors.update({"lm_head.weight": np.zeros((320, 128), "i8")}),
     "lm_head.weight is of type I64"),
    (lambda tensors: tensors.update(
        {"language_model.model.norm.weight": tensors["model.norm.weight"]}), "twice"),
])
def test_tensors(change, told, refused, tmp_path):
    tensors = folders.tensors_of("Llama", folders.config_of("Llama"))
    change(tensors)
    assert told in refused(folders.write_folder(tmp_path / "m", "Llama", tensors))


def changed_tokenizer(change):
    data = folders.tokenizer()
    change(data)
    return json.dumps(data)


@pytest.mark.parametrize(("change", "told"), [
    (lambda t: t["pre_tokenizer"]["pretokenizers"].insert(
        0, {"type": "Split", "pattern": {"Regex": "abc"}, "behavior": "Isolated",
            "invert": False}), "abc"),
    (lambda t: t.update(pre_tokenizer=None), "pre_tokenizer"),
    (lambda t: t["model"].update(type="Mystery"), "Mystery"),
    (lambda t: t["model"].update(ignore_merges=True), "pre_tokenizer"),
    (lambda t: t.update(normalizer={"type": "Lowercase"}), "Lowercase"),
    (lambda t: t.update(post_processor={"type": "Mystery"}), "Mystery"),
    (lambda t: t["added_tokens"][0].update(single_word=True), "single_word"),
    (lambda t: t["added_tokens"][0].update(id=4000), "4001 tokens"),
    (lambda t: t["model"]["merges"].append(["zz", "zz"]), "merges"),
    (lambda t: t["model"].update(vocab={"a": 5_000_000}), "token 5000000"),
    (lambda t: t["model"].update(vocab=[]), "vocab"),
])
def test_tokenizers(change, told, refused, tmp_path):
    folder = folders.write_folder(tmp_path / "m", "Llama")
    (folder / "tokenizer.json").write_text(changed_tokenizer(change))
    assert told in refused(folder)


def test_a_folder_without_what_it_needs(refused, tmp_path):
    folder = folders.write_folder(tmp_path / "m", "Llama")
    (folder / "tokenizer.json").unlink()
    assert "tokenizer.json" in refused(folder)
    (folder / "model.safetensors").unlink()
    assert "model.safetensors" in refused(folder)
    (folder / "pytorch_model.bin").write_bytes(b"\x80")
    assert "save_pretrained" in refused(folder)
    assert "save_pretrained" in refused(folder / "pytorch_model.bin")
    (folder / "config.json").unlink()
    assert "config.json" in refused(folder)
    assert "nowhere" in refused(tmp_path / "nowhere")


def test_broken_files(refused, tmp_path):
    folder = folders.write_folder(tmp_path / "m", "Llama")
    weights = folder / "model.safetensors"
    whole = weights.read_bytes()
    for broken in (whole[:-1], whole[:5], b"\xff" * 8 + whole[8:], whole + b"x"):
        weights.write_bytes(broken)
        assert "model.safetensors" in refused(folder)
    weights.write_bytes(whole)
    (folder / "config.json").write_text("{" * 1000)
    assert "config.json" in refused(folder)


def test_an_index_that_lies(refused, tmp_path):
    folder = folders.write_folder(tmp_path / "m", "Llama", shards=True)
    index = folder / "model.safetensors.index.json"
    told = json.loads(index.read_text())
    (folder / "model.safetensors.index.json").write_text(json.dumps(
        {"weight_map": {name: "../other.safetensors" for name in told["weight_map"]}}))
    assert "no name of a .safetensors file" in refused(folder)
    names = dict.fromkeys(told["weight_map"], "model-00001-of-00002.safetensors")
    index.write_text(json.dumps({"weight_map": names}))
    assert "isn't in model-00001-of-00002" in refused(folder)
