"""The program as a person at a shell meets it: a fresh home folder and a bare environment."""

import os
import pathlib

import pytest
import tiny_model
from shell import Jarip

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def binary():
    path = pathlib.Path(os.environ.get("JARIP_BIN", ROOT / "build/release/bin/jarip")).resolve()
    assert path.is_file(), f"{path} isn't built (or set JARIP_BIN)"
    return path


@pytest.fixture
def jarip(binary, tmp_path):
    return Jarip(binary, tmp_path / "home")


@pytest.fixture(scope="session")
def real_model():
    path = os.environ.get("JARIP_TEST_MODEL")
    assert path and pathlib.Path(path).is_file(), "JARIP_TEST_MODEL must be the default model"
    return pathlib.Path(path)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """A model that speaks nonsense at once."""
    return tiny_model.write(tmp_path_factory.mktemp("models") / "tiny.gguf")
