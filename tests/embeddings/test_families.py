"""Every family that embeds or ranks, beside llama.cpp: both read the same made-up file and the same
tokens. docs/models.md has the table that this makes."""

import embeddings
import pytest


@pytest.fixture(scope="session")
def peer():
    return embeddings.prepare_peer()


@pytest.mark.parametrize("family", embeddings.EMBEDDERS + embeddings.RANKERS)
def test_vectors_and_scores_agree_with_llama_cpp(family, peer, tmp_path):
    row = embeddings.measure(family, peer, tmp_path)
    print(row)
    assert row.same_bytes, "alone and in batches"
    assert row.agrees, row.worst


def test_a_wrong_detail_costs_more_than_the_bound(peer, tmp_path):
    """The measure sees what it is for: another pooling."""
    assert embeddings.measure("bert", peer, tmp_path).agrees
    model = tmp_path / "bert.gguf"
    key = b"bert.pooling_type" + (4).to_bytes(4, "little")
    before, found, after = model.read_bytes().partition(key)
    assert found
    model.write_bytes(before + key + (2).to_bytes(4, "little") + after[4:])
    embeddings.run([embeddings.embed_dump(), model, tmp_path / "ids", tmp_path / "wrong"])
    wrong, theirs = (embeddings.read_rows(tmp_path / name) for name in ("wrong", "peer"))
    assert embeddings.lowest_cosine(wrong, theirs) < embeddings.LOWEST_COSINE


def test_the_page_has_every_family():
    page = embeddings.PAGE.read_text()
    for family in embeddings.EMBEDDERS + embeddings.RANKERS:
        assert f"\n| {family} | yes" in page, f"{family}: run tools/embeddings.py --write"
