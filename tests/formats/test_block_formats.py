"""Block formats against the `gguf` package: random blocks mean the same numbers by our definitions,
and through the layout that the kernels read."""

import pathlib
import subprocess

import gguf
import numpy
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
DUMP = ROOT / "build" / "release" / "tests" / "support" / "weights_dump"
N_COLS = 512
N_ROWS = 160  # ten tiles


def run(*arguments, stdin=b""):
    return subprocess.run([DUMP, *map(str, arguments)], input=stdin, capture_output=True,
                          check=True, timeout=60).stdout


FORMATS = [line.split()[0] for line in run("--list").decode().splitlines()]


def test_every_format_of_the_list_is_known_with_its_sizes():
    expected = {"F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q2_K", "Q3_K",
                "Q4_K", "Q5_K", "Q6_K", "IQ4_NL", "IQ4_XS", "MXFP4"}
    assert set(FORMATS) == expected
    for line in run("--list").decode().splitlines():
        name, block_size, block_bytes = line.split()
        kind = gguf.GGMLQuantizationType[name]
        assert gguf.GGML_QUANT_SIZES[kind] == (int(block_size), int(block_bytes)), name


@pytest.mark.parametrize("packed", [(), ("packed",)], ids=["defined", "packed"])
@pytest.mark.parametrize("name", FORMATS)
def test_random_blocks_mean_the_same(name, packed):
    kind = gguf.GGMLQuantizationType[name]
    block_size, block_bytes = gguf.GGML_QUANT_SIZES[kind]
    stored = numpy.random.default_rng(5).integers(
        0, 256, (N_ROWS, N_COLS // block_size * block_bytes), dtype=numpy.uint8)
    with numpy.errstate(all="ignore"):  # any bits: scales are infinite here and there
        theirs = gguf.quants.dequantize(stored, kind).astype("<f4").reshape(N_ROWS, N_COLS)
    ours = numpy.frombuffer(run(name, N_COLS, *packed, stdin=stored.tobytes()), "<f4")
    ours = ours.reshape(N_ROWS, N_COLS)
    finite = numpy.isfinite(theirs)
    assert finite.mean() > 0.8
    # As numbers: a zero's sign is nobody's business, and which NaN it is no one's either.
    assert numpy.array_equal(ours, theirs, equal_nan=True)
    assert numpy.unique(ours[finite]).size > 100
