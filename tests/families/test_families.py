"""Every family that can run, beside llama.cpp: both read the same made-up file and the same tokens.
docs/models.md has the table that this makes."""

import pathlib
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
import families  # noqa: E402


@pytest.fixture(scope="session")
def peer():
    return families.prepare_peer()


@pytest.mark.parametrize("family", families.families())
def test_next_token_distributions_agree_with_llama_cpp(family, peer, tmp_path):
    row = families.measure(family, peer, tmp_path)
    print(row)
    assert row.same_bytes, "alone and whole, and side by side in chunks"
    assert row.peer.mean_kl < families.HIGHEST_MEAN_KL


def test_a_wrong_detail_costs_more_than_the_bound(peer, tmp_path):
    """The measure sees what it is for: a window that is too wide."""
    truth = families.measure("gemma2", peer, tmp_path)
    assert truth.peer.mean_kl < families.HIGHEST_MEAN_KL
    model = tmp_path / "gemma2.gguf"
    wrong = tmp_path / "wrong.gguf"
    # 72 stands in the file as the value of the window's key: type u32 (4), then the number.
    key = b"gemma2.attention.sliding_window" + (4).to_bytes(4, "little")
    before, found, after = model.read_bytes().partition(key)
    assert found
    wrong.write_bytes(before + key + (73).to_bytes(4, "little") + after[4:])
    prompts = families.windows(families.LENGTHS)
    ours = families.dump(families.logits_dump(), prompts, tmp_path / "wrong", wrong, "optimized",
                         ())
    theirs = families.read_logits(tmp_path / "peer", len(ours))
    assert families.compare(theirs, ours,
                            families.next_tokens_of(prompts)).mean_kl > families.HIGHEST_MEAN_KL


def test_the_page_has_every_family():
    page = (ROOT / "docs" / "models.md").read_text()
    for family in families.families():
        assert f"\n| {family} | yes" in page, f"{family}: run tools/families.py --write"
