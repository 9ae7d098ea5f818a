"""The load of soak.py, for some seconds."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from soak import soak  # noqa: E402


def test_answers_under_load_are_the_answers_alone_and_nothing_is_left():
    # In rounds as short as these not all memory has been used once.
    soak(seconds=8, n_requests=24, size=200, n_rounds=4, max_growth_mib=6)
