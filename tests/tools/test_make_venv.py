"""Every Python package of the tests and of the comparison is pinned."""

import make_venv
import pytest


@pytest.mark.parametrize("name", [make_venv.REQUIREMENTS, "bench/compare/requirements.txt"])
def test_the_requirements_of_this_repository_are_pinned(name):
    assert make_venv.read_pins((make_venv.ROOT / name).read_text(encoding="utf-8"))


def test_a_loose_requirement_is_refused():
    with pytest.raises(ValueError, match="pytest>=9"):
        make_venv.read_pins("# tests\nnumpy==1.0\npytest>=9\n")
