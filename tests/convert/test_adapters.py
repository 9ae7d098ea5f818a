"""LoRA adapters as PEFT saves them: beside the model that has the adapter worked into its weights
in the folder already, and what is refused."""

import json

import folders
import numpy as np
import pytest
from safetensors.numpy import save_file

RANK = 6
ALPHA = 9
TEXT = "The rain in Spain stays mainly in the plain, 그리고 비는 오지 않는다. " * 20
SETTINGS = {"peft_type": "LORA", "r": RANK, "lora_alpha": ALPHA, "bias": "none",
            "use_rslora": False, "use_dora": False, "fan_in_fan_out": False,
            "modules_to_save": None, "task_type": "CAUSAL_LM", "rank_pattern": {},
            "alpha_pattern": {}, "layer_replication": None, "base_model_name_or_path": "some/one",
            "target_modules": ["q_proj", "v_proj"]}
CHANGED = ("_proj.weight", "qkv_proj.weight", "gate_up_proj.weight")


def pairs_for(tensors, names=CHANGED):
    dice = np.random.default_rng(5)
    pairs = {}
    for name, tensor in tensors.items():
        if name.endswith(names) and tensor.ndim == 2 and "experts" not in name:
            n_out, n_in = tensor.shape
            pairs[name] = (dice.normal(0, 0.1, (RANK, n_in)).astype("f4"),
                           dice.normal(0, 0.1, (n_out, RANK)).astype("f4"))
    return pairs


def write_adapter(folder, pairs, tensors=None, **changes):
    folder.mkdir(parents=True)
    (folder / "adapter_config.json").write_text(json.dumps({**SETTINGS, **changes}))
    written = dict(tensors or {})
    for name, (narrow, wide) in pairs.items():
        stem = "base_model.model." + name.removesuffix(".weight")
        written[f"{stem}.lora_A.weight"] = narrow
        written[f"{stem}.lora_B.weight"] = wide
    save_file(written, folder / "adapter_model.safetensors")
    return folder


@pytest.fixture
def measure(jarip, tmp_path):
    def run(model, base, *arguments):
        text = tmp_path / "text.txt"
        text.write_text(TEXT, encoding="utf-8")
        done = jarip("eval", "kl", model, base, text, "--chunk", "64", "--json", *arguments)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)["kl"]["mean"]

    return run


# One of each way in which matrices lie in a folder.
@pytest.mark.parametrize("name", ["Llama", "Llama-3", "Qwen3", "Phi3", "Gemma2", "Olmo2",
                                  "Exaone4", "Qwen3Moe"])
def test_an_adapter_is_as_if_worked_into_the_weights(name, convert, jarip, measure, tmp_path):
    tensors = folders.tensors_of(name, folders.config_of(name))
    pairs = pairs_for(tensors)
    assert pairs
    merged = {key: value + (ALPHA / RANK) * pairs[key][1] @ pairs[key][0]
              if key in pairs else value for key, value in tensors.items()}
    base = convert(folders.write_folder(tmp_path / "base", name, tensors), "--format", "f32")
    wanted = convert(folders.write_folder(tmp_path / "merged", name, merged), "--format", "f32")
    adapter = write_adapter(tmp_path / "adapter", pairs)
    assert measure(base, wanted) > 1e-4
    assert measure(base, wanted, "--lora", adapter) < 1e-7
    done = jarip("convert", adapter, tmp_path / "adapter.gguf", "--base", base)
    assert done.returncode == 0 and f"rank {RANK}" in done.stdout, done.stderr
    assert measure(base, wanted, "--lora", tmp_path / "adapter.gguf") < 1e-7


def test_rank_stabilized_adapters_have_their_scale(convert, measure, tmp_path):
    tensors = folders.tensors_of("Qwen3", folders.config_of("Qwen3"))
    pairs = pairs_for(tensors, ("q_proj.weight",))
    merged = {key: value + (ALPHA / RANK ** 0.5) * pairs[key][1] @ pairs[key][0]
              if key in pairs else value for key, value in tensors.items()}
    base = convert(folders.write_folder(tmp_path / "base", "Qwen3", tensors), "--format", "f32")
    wanted = convert(folders.write_folder(tmp_path / "merged", "Qwen3", merged), "--format", "f32")
    adapter = write_adapter(tmp_path / "adapter", pairs, use_rslora=True)
    assert measure(base, wanted, "--lora", adapter) < 1e-7


@pytest.mark.parametrize(("changes", "word"), [
    ({"peft_type": "LOHA"}, "peft_type"), ({"use_dora": True}, "use_dora"),
    ({"bias": "all"}, "bias"), ({"modules_to_save": ["lm_head"]}, "modules_to_save"),
    ({"alpha_pattern": {"q_proj": 3}}, "alpha_pattern"), ({"lora_alpha": 0}, "lora_alpha"),
    ({"lora_alpha": "9"}, "lora_alpha"), ({"fan_in_fan_out": True}, "fan_in_fan_out"),
    ({"use_rslora": True, "rank_pattern": {"q_proj": 3}}, "rank_pattern")])
def test_other_kinds_of_adapters_are_refused_by_name(changes, word, convert, jarip, tmp_path):
    tensors = folders.tensors_of("Llama", folders.config_of("Llama"))
    base = convert(folders.write_folder(tmp_path / "base", "Llama", tensors))
    adapter = write_adapter(tmp_path / "adapter", pairs_for(tensors), **changes)
    done = jarip("convert", adapter, tmp_path / "out.gguf", "--base", base)
    assert done.returncode == 4 and word in done.stderr
    assert not (tmp_path / "out.gguf").exists()


@pytest.mark.parametrize(("name", "shape"), [
    ("base_model.model.lm_head.lora_A.weight", (RANK, 128)),
    ("base_model.model.model.embed_tokens.lora_embedding_A", (RANK, 320)),
    ("base_model.model.model.layers.0.self_attn.q_proj.lora_magnitude_vector.weight", (128,)),
    ("base_model.model.model.layers.9.self_attn.q_proj.lora_A.weight", (RANK, 128)),
    ("base_model.model.model.layers.0.mlp.other.lora_A.weight", (RANK, 128))])
def test_what_an_adapter_may_not_change_is_refused_by_name(name, shape, convert, jarip, tmp_path):
    tensors = folders.tensors_of("Llama", folders.config_of("Llama"))
    base = convert(folders.write_folder(tmp_path / "base", "Llama", tensors))
    adapter = write_adapter(tmp_path / "adapter", pairs_for(tensors),
                            {name: np.zeros(shape, "f4")})
    done = jarip("convert", adapter, tmp_path / "out.gguf", "--base", base)
    assert done.returncode == 4 and "tensor " in done.stderr, done.stderr


def test_an_adapter_needs_its_model(convert, jarip, tmp_path):
    tensors = folders.tensors_of("Llama", folders.config_of("Llama"))
    adapter = write_adapter(tmp_path / "adapter", pairs_for(tensors))
    done = jarip("convert", adapter, tmp_path / "out.gguf")
    assert done.returncode == 2 and "--base" in done.stderr
