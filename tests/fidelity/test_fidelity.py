"""A short version of `make fidelity` without the peer: the optimized path stays close to the
reference on the first tokens of both texts, with keys and values in either format.
docs/fidelity.md has the whole measurement."""

import json
import os
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tools"))
import fidelity  # noqa: E402
from fidelity_metrics import compare, next_tokens_of, read_logits  # noqa: E402

TOKENS = 100

# Twice what docs/fidelity.md reports for the whole texts: room for so short a piece, none for a
# mistake in a kernel, which costs orders of magnitude.
HIGHEST_MEAN_KL = 1e-2
LOWEST_AGREEMENT = 0.90


@pytest.mark.parametrize("path", ["optimized", "optimized-q8_0"])
@pytest.mark.parametrize("language", fidelity.LANGUAGES)
def test_the_optimized_path_is_close_to_the_reference(language, path, tmp_path):
    model = os.environ["JARIP_TEST_MODEL"]
    windows = fidelity.windows_of(model, language, TOKENS)
    ids = tmp_path / "ids"
    fidelity.write_ids(windows, ids)
    logits = {}
    for name in ("reference", path):
        fidelity.dump_ours(model, name, ids, tmp_path / name)
        logits[name] = read_logits(tmp_path / name, TOKENS)
    result = compare(logits["reference"], logits[path], next_tokens_of(windows))
    print(result)
    assert result.mean_kl < HIGHEST_MEAN_KL
    assert result.top1_agreement > LOWEST_AGREEMENT


def test_eval_says_what_the_logits_say(tmp_path):
    """`jarip eval` against the same measures out of dumped logits, on the default model and a
    smaller copy of it."""
    base = os.environ["JARIP_TEST_MODEL"]
    smaller = tmp_path / "smaller.gguf"
    jarip = os.environ.get("JARIP_BIN", fidelity.RELEASE / "bin" / "jarip")
    fidelity.run([jarip, "quantize", base, smaller, "--format", "q4_0"])
    text = fidelity.TEXTS / "english.txt"
    chunk, chunks, skip = 160, 2, 50
    tokens = fidelity.tokenize(base, text.read_bytes())[:chunk * chunks]
    windows = [tokens[:chunk], tokens[chunk:]]
    fidelity.write_ids(windows, tmp_path / "ids")
    counted = [at for at in range(chunk * chunks) if skip <= at % chunk < chunk - 1]
    logits = {}
    for name, model in (("base", base), ("smaller", smaller)):
        fidelity.dump_ours(model, "optimized", tmp_path / "ids", tmp_path / name)
        logits[name] = read_logits(tmp_path / name, len(tokens))[counted]
    wanted = compare(logits["base"], logits["smaller"], next_tokens_of(windows)[counted])
    own = compare(logits["base"], logits["base"], next_tokens_of(windows)[counted])

    settings = [text, "--chunk", str(chunk), "--chunks", str(chunks), "--skip", str(skip), "--json"]
    told = json.loads(fidelity.run([jarip, "eval", "kl", smaller, base, *settings]))
    assert told["n_tokens"] == len(counted) == wanted.n_tokens
    assert told["kl"]["mean"] == pytest.approx(wanted.mean_kl, rel=1e-6)
    assert told["kl"]["max"] == pytest.approx(wanted.highest_kl, rel=1e-6)
    assert told["same_likeliest_token"] == pytest.approx(wanted.top1_agreement)
    assert told["perplexity"]["value"] == pytest.approx(wanted.perplexity, rel=1e-6)
    assert told["base_perplexity"]["value"] == pytest.approx(own.perplexity, rel=1e-6)
    alone = json.loads(fidelity.run([jarip, "eval", "perplexity", smaller, *settings]))
    assert alone["perplexity"] == told["perplexity"]
