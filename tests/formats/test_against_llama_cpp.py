"""Every file type that `jarip synth` writes is read by llama.cpp to the same distributions."""

import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tools"))
import formats  # noqa: E402

# Both round activations to eight bits, each in its own way, and the reference doesn't; a wrong bit
# in a format costs orders of magnitude more.
HIGHEST_MEAN_KL = 1e-3


@pytest.fixture(scope="session")
def peer():
    return formats.prepare_peer()


@pytest.mark.parametrize("file_type", formats.file_types())
def test_the_peer_reads_the_same_model(file_type, peer, tmp_path):
    result = formats.measure(file_type, peer, tmp_path)
    print(result)
    assert result.reference.mean_kl < HIGHEST_MEAN_KL
    assert result.optimized.mean_kl < HIGHEST_MEAN_KL
    assert result.rounding.mean_kl < HIGHEST_MEAN_KL
