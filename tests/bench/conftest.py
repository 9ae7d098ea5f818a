"""The modules under test are those of bench/compare and bench/servers."""

import pathlib
import sys

BENCH = pathlib.Path(__file__).resolve().parents[2] / "bench"
sys.path[:0] = [str(BENCH / "compare"), str(BENCH / "servers")]
