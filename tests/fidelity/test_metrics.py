"""The measure itself: worked by hand on small distributions."""

import math
import pathlib
import sys

import numpy as np
import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tools"))
from fidelity_metrics import compare, next_tokens_of, read_logits  # noqa: E402


def logits(*rows):
    return np.log(np.array(rows, dtype=np.float64)).astype(np.float32)


def test_a_path_equal_to_the_reference_has_no_divergence():
    rows = logits([0.2, 0.3, 0.5], [0.6, 0.3, 0.1])
    result = compare(rows, rows, np.array([2, -1]))
    assert result.mean_kl == 0
    assert result.top1_agreement == 1
    assert result.perplexity == pytest.approx(1 / 0.5, rel=1e-6)


def test_divergence_goes_from_the_reference_to_the_path():
    result = compare(logits([0.5, 0.5]), logits([0.9, 0.1]), np.array([0]))
    expected = 0.5 * math.log(0.5 / 0.9) + 0.5 * math.log(0.5 / 0.1)
    assert result.mean_kl == pytest.approx(expected, rel=1e-6)
    assert result.perplexity == pytest.approx(1 / 0.9, rel=1e-6)


def test_a_shift_of_all_logits_changes_nothing():
    rows = logits([0.2, 0.3, 0.5])
    assert compare(rows, rows + 7, np.array([0])).mean_kl == pytest.approx(0, abs=1e-12)


def test_agreement_counts_rows_with_the_same_likeliest_token():
    reference = logits([0.1, 0.9], [0.9, 0.1], [0.9, 0.1], [0.9, 0.1])
    path = logits([0.2, 0.8], [0.4, 0.6], [0.8, 0.2], [0.7, 0.3])
    assert compare(reference, path, np.zeros(4, dtype=np.int64)).top1_agreement == 0.75


def test_rows_past_one_piece_are_all_counted():
    many = np.tile(logits([0.5, 0.5]), (200, 1))
    other = many.copy()
    other[199] = logits([0.9, 0.1])
    assert compare(many, other, np.zeros(200, dtype=np.int64)).mean_kl > 0


def test_no_next_token_crosses_a_window():
    assert next_tokens_of([[5, 6, 7], [8, 9]]).tolist() == [6, 7, -1, 9, -1]


def test_a_file_of_the_wrong_size_or_with_nan_is_refused(tmp_path):
    file = tmp_path / "x.f32"
    np.arange(7, dtype="<f4").tofile(file)
    with pytest.raises(ValueError, match="7 numbers"):
        read_logits(file, 2)
    np.array([1, np.nan], dtype="<f4").tofile(file)
    with pytest.raises(ValueError, match="not finite"):
        read_logits(file, 1)
