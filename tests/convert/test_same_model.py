"""A model has many ways to lie in a folder: each becomes the same file."""

import json

import folders
import pytest


@pytest.fixture
def same(convert, tmp_path):
    """Converts the folder of a family as it is written here, and in another way."""

    def check(name, tensors, **changes):
        plain = convert(folders.write_folder(tmp_path / "one" / "m", name))
        other = convert(folders.write_folder(tmp_path / "two" / "m", name, tensors, **changes))
        assert plain.read_bytes() == other.read_bytes()

    return check


def renamed(name, rename):
    tensors = folders.tensors_of(name, folders.config_of(name))
    return {rename(key): value for key, value in tensors.items()}


def test_the_model_without_its_head(same):
    same("Qwen3", renamed("Qwen3", lambda key: key.removeprefix("model.")))


@pytest.mark.parametrize("rename", [
    lambda key: f"language_model.{key}",
    lambda key: key.replace("model.", "model.language_model.", 1)])
def test_the_part_that_reads_text_of_a_model_that_sees(rename, same):
    tensors = renamed("Gemma3", rename)
    tensors["vision_tower.encoder.weight"] = folders.Weights().dice.normal(
        size=(3, 3)).astype("f4")
    same("Gemma3", tensors, architectures=["Gemma3ForConditionalGeneration"],
         text_config=folders.config_of("Gemma3"), vision_config={"hidden_size": 3},
         hidden_size=None)


def test_rotations_as_the_newest_transformers_write_them(same):
    llama = folders.config_of("Llama-3")
    same("Llama-3", None, rope_scaling=None, rope_theta=None,
         rope_parameters={"rope_theta": llama["rope_theta"], **llama["rope_scaling"]})


def test_rotations_for_each_kind_of_layer(same):
    gemma = folders.config_of("Gemma3")
    same("Gemma3", None, rope_scaling=None, rope_theta=None, rope_local_base_freq=None,
         sliding_window_pattern=None,
         layer_types=folders.alternating(gemma["num_hidden_layers"], 6),
         rope_parameters={
             "full_attention": {"rope_theta": gemma["rope_theta"], **gemma["rope_scaling"]},
             "sliding_attention": {"rope_type": "default",
                                   "rope_theta": gemma["rope_local_base_freq"]}})


def test_special_tokens_past_the_embedding_are_left_out(convert, jarip, tmp_path):
    folder = folders.write_folder(tmp_path / "m", "Llama")
    plain = convert(folder).read_bytes()
    tokens = folders.tokenizer()
    tokens["added_tokens"].append({"id": folders.N_ROWS, "content": "<image>", "special": True})
    (folder / "tokenizer.json").write_text(json.dumps(tokens))
    assert convert(folder).read_bytes() == plain
    tokens["added_tokens"][-1]["special"] = False
    (folder / "tokenizer.json").write_text(json.dumps(tokens))
    done = jarip("convert", folder, tmp_path / "out.gguf")
    assert done.returncode != 0 and "321 tokens" in done.stderr


def test_whether_merges_are_ignored_may_not_matter(convert, jarip, tmp_path):
    """GGUF knows this pre-tokenizer with merges that count. Where they make every token, a
    tokenizer that ignores them makes the same."""
    folder = folders.write_folder(tmp_path / "m", "Llama")
    tokens = folders.tokenizer()
    model = tokens["model"]
    n_merged = 3
    model["merges"] = model["merges"][:n_merged]
    vocabulary = sorted(model["vocab"], key=model["vocab"].get)
    model["vocab"] = {token: i for i, token in enumerate(vocabulary[:256 + n_merged])}
    (folder / "tokenizer.json").write_text(json.dumps(tokens))
    plain = convert(folder).read_bytes()
    model["ignore_merges"] = True
    (folder / "tokenizer.json").write_text(json.dumps(tokens))
    assert convert(folder).read_bytes() == plain
    model["merges"].pop()
    (folder / "tokenizer.json").write_text(json.dumps(tokens))
    done = jarip("convert", folder, tmp_path / "out.gguf")
    assert done.returncode != 0 and "pre_tokenizer" in done.stderr
