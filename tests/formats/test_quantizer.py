"""`jarip quantize` beside llama.cpp's quantizer, on the same made-up weights: the same formats for
the same matrices, with no more error, in files that both programs read."""

import json
import pathlib
import subprocess
import sys

import gguf
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
import formats  # noqa: E402

FILE_TYPES = {"q4_0": 2, "q4_1": 3, "q8_0": 7, "q5_0": 8, "q5_1": 9, "q2_k": 10, "q3_k_s": 11,
              "q3_k_m": 12, "q3_k_l": 13, "q4_k_s": 14, "q4_k_m": 15, "q5_k_s": 16, "q5_k_m": 17,
              "q6_k": 18, "iq4_nl": 25, "iq4_xs": 30}


@pytest.fixture(scope="session")
def peer():
    llama, logits = formats.prepare_peer()
    return llama, logits, llama.compile(ROOT / "tests" / "formats" / "peer_quantize.cpp")


@pytest.fixture(scope="session")
def source(tmp_path_factory):
    path = tmp_path_factory.mktemp("source") / "f32.gguf"
    formats.run([formats.jarip(), "synth", "--shape", "llama-tiny", "--format", "f32", "-o", path])
    return path


@pytest.fixture(scope="session")
def written(peer, source, tmp_path_factory):
    """(ours, theirs) of a file type, each written once."""
    llama, _, program = peer
    files = {}

    def write(name):
        if name not in files:
            ours, theirs = (tmp_path_factory.mktemp(name) / who for who in ("ours", "theirs"))
            formats.run([formats.jarip(), "quantize", source, ours, "--format", name])
            formats.run([program, source, theirs, FILE_TYPES[name], 2, llama.binaries])
            files[name] = (ours, theirs)
        return files[name]

    return write


def read(path):
    return {tensor.name: tensor for tensor in gguf.GGUFReader(path).tensors}


def values(tensor):
    return gguf.quants.dequantize(tensor.data, tensor.tensor_type)


@pytest.mark.parametrize("name", FILE_TYPES)
def test_no_more_error_than_the_peers(name, source, written):
    truth, ours, theirs = (read(path) for path in (source, *written(name)))
    errors = [0.0, 0.0]
    for key, tensor in truth.items():
        exact = values(tensor)
        for i, held in enumerate((ours, theirs)):
            errors[i] += float(((values(held[key]) - exact) ** 2).sum())
    assert 0 < errors[0] <= 1.005 * errors[1]


@pytest.mark.parametrize("name", FILE_TYPES)
def test_matrices_get_the_formats_that_the_peer_gives_them(name, written):
    chosen = [{key: tensor.tensor_type.name for key, tensor in read(path).items()}
              for path in written(name)]
    assert chosen[0] == chosen[1]


@pytest.mark.parametrize("name", ["q4_k_m", "q2_k", "iq4_xs", "q5_1"])
def test_both_programs_read_what_the_other_wrote(name, peer, written, tmp_path):
    llama, logits, _ = peer
    ours, theirs = written(name)
    (tmp_path / "ids").write_text("1 7 30 200 5 5 81 400\n")
    formats.run([logits, ours, tmp_path / "ids", tmp_path / "out", llama.binaries])
    assert (tmp_path / "out").stat().st_size == 8 * 512 * 4
    answer = subprocess.run([formats.jarip(), "run", theirs, "--raw", "--greedy",
                             "-n", "8", "The rain"], check=True, capture_output=True, timeout=60)
    assert answer.stdout
    held = json.loads(formats.run([formats.jarip(), "inspect", ours, "--json"]))
    assert held["metadata"]["general.file_type"] == FILE_TYPES[name]
