"""Every Python package of the tests is pinned."""

import make_venv
import pytest


def test_the_requirements_of_this_repository_are_pinned():
    assert make_venv.read_pins(make_venv.REQUIREMENTS.read_text(encoding="utf-8"))


def test_a_loose_requirement_is_refused():
    with pytest.raises(ValueError, match="pytest>=9"):
        make_venv.read_pins("# tests\nnumpy==1.0\npytest>=9\n")
