"""A short version of `make fidelity` without the peer: the optimized path stays close to the
reference on the first tokens of both texts, with keys and values in either format.
docs/fidelity.md has the whole measurement."""

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
