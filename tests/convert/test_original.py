"""Next-token distributions of converted models beside those of mlx-lm, which reads the original
folder by code of its own: what a converter turns, stacks or adds must come out the same."""

import random
import subprocess

import folders
import mlx.core as mx
import numpy as np
import pytest
from conftest import SUPPORT
from fidelity_metrics import compare, next_tokens_of, read_logits
from mlx_lm.utils import load_model

HIGHEST_MEAN_KL = 1e-5
# What mlx-lm leaves out: the windows of Gemma 2. Prompts are within them.
LENGTHS = (90, 40, 5)


def prompts():
    dice = random.Random(7)
    return [[dice.randrange(folders.N_TOKENS - 3) for _ in range(n)] for n in LENGTHS]


def ours(model, windows, folder, path="optimized"):
    ids = folder / "prompts.ids"
    ids.write_text("".join(f"{' '.join(map(str, window))}\n" for window in windows))
    out = folder / "logits"
    subprocess.run([SUPPORT / "logits_dump", model, path, ids, out], check=True,
                   capture_output=True)
    return read_logits(out, sum(LENGTHS))


def theirs(folder, windows):
    mx.set_default_device(mx.cpu)
    model, _ = load_model(folder)
    return np.concatenate([np.array(model(mx.array([window]))[0].astype(mx.float32))
                           for window in windows])


def agreement(folder, model, scratch, path="optimized"):
    windows = prompts()
    return compare(theirs(folder, windows), ours(model, windows, scratch, path),
                   next_tokens_of(windows))


@pytest.mark.parametrize("name", folders.CONFIGS)
def test_a_converted_model_says_what_the_original_says(name, convert, tmp_path):
    folder = folders.write_folder(tmp_path / name, name)
    # In blocks, weights are multiplied in whole numbers; the reference does as the original.
    path = "reference" if name == "GptOss" else "optimized"
    found = agreement(folder, convert(folder), tmp_path, path)
    print(f"{name}: mean KL {found.mean_kl:.1e}, highest {found.highest_kl:.1e}")
    assert found.mean_kl < HIGHEST_MEAN_KL


def test_experts_in_blocks_and_in_full_are_the_same(convert, tmp_path):
    blocks = convert(folders.write_folder(tmp_path / "blocks", "GptOss"))
    tensors = folders.tensors_of("GptOss", folders.config_of("GptOss"))
    full = convert(folders.write_folder(tmp_path / "full", "GptOss", folders.in_full(tensors),
                                        quantization_config=None))
    assert full.stat().st_size > 2 * blocks.stat().st_size
    one, other = (np.array(ours(model, prompts(), tmp_path, "reference"))
                  for model in (blocks, full))
    assert one.tobytes() == other.tobytes()


def test_the_measure_sees_heads_that_were_not_turned(convert, tmp_path):
    folder = folders.write_folder(tmp_path / "Llama", "Llama")
    model = convert(folder)
    config = folders.config_of("Llama")
    tensors = folders.tensors_of("Llama", config)
    name = "model.layers.0.self_attn.k_proj.weight"
    tensors[name] = tensors[name].reshape(2, 2, 16, 128).swapaxes(1, 2).reshape(64, 128)
    folders.write_folder(folder, "Llama", tensors)
    assert agreement(folder, model, tmp_path).mean_kl > HIGHEST_MEAN_KL
