#!/usr/bin/env python3
"""`jarip quantize` beside llama.cpp's quantizer on a real model: how much of the model each leaves,
and how long each takes. Both start from one F16 file: the default model, whose weights are spread
evenly over the steps that its Q4_1 file has rounded them to, lest that format look too good.

    build/venv/bin/python tools/quantizers.py             print the table
    build/venv/bin/python tools/quantizers.py --write     and put it into docs/formats.md
    build/venv/bin/python tools/quantizers.py --imatrix FILE    ours with an importance matrix"""

import argparse
import os
import pathlib
import resource
import subprocess
import sys

import fidelity
import gguf
import numpy
from fidelity_metrics import compare, next_tokens_of, read_logits
from marked_page import write_between_marks
from peers import BuiltLlama

ROOT = pathlib.Path(__file__).resolve().parent.parent
WORK = ROOT / "build" / "quantizers"
PAGE = ROOT / "docs" / "formats.md"
FILE_TYPES = {"q8_0": 7, "q6_k": 18, "q5_k_m": 17, "q5_1": 9, "q5_0": 8, "q4_k_m": 15,
              "q4_k_s": 14, "iq4_nl": 25, "iq4_xs": 30, "q4_1": 3, "q4_0": 2, "q3_k_m": 12,
              "q2_k": 10}
N_ENGLISH, N_KOREAN = 1536, 512  # tokens of the texts of tests/fidelity


def spread(tensor, random):
    """A matrix as F16, each weight of a Q4_1 one anywhere within its step."""
    values = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
    if tensor.tensor_type == gguf.GGMLQuantizationType.Q4_1:
        blocks = tensor.data.reshape(-1, 20)
        steps = blocks[:, :2].copy().view(numpy.float16).astype(numpy.float32)
        steps = numpy.repeat(steps, 32, axis=1).reshape(values.shape)
        values = values + (random.random(values.shape, dtype=numpy.float32) - 0.5) * steps
    return values.astype(numpy.float16 if values.ndim > 1 else numpy.float32)


def write_source(model, path):
    read = gguf.GGUFReader(model)
    random = numpy.random.default_rng(1)
    writer = gguf.GGUFWriter(path, "llama")
    for field in read.fields.values():
        if field.name.startswith("GGUF.") or field.name in ("general.architecture",
                                                            "general.file_type"):
            continue
        value = field.contents()
        if field.types[0] == gguf.GGUFValueType.ARRAY:
            writer.add_array(field.name, value)
        else:
            writer.add_key_value(field.name, value, field.types[0])
    for tensor in read.tensors:
        writer.add_tensor(tensor.name, spread(tensor, random))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def processor_seconds(command):
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    subprocess.run([str(word) for word in command], check=True, capture_output=True)
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before


def squared_error(source, path):
    exact = {tensor.name: tensor for tensor in gguf.GGUFReader(source).tensors}
    total = 0.0
    for tensor in gguf.GGUFReader(path).tensors:
        was = exact[tensor.name]
        if was.data.ndim > 1:
            values = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
            total += float(((values - was.data.astype(numpy.float32)) ** 2).sum())
    return total


class Judge:
    """Compares a quantized file's distributions with those of the source."""

    def __init__(self, source):
        self.windows = fidelity.windows_of(source, "english", N_ENGLISH)
        self.windows += fidelity.windows_of(source, "korean", N_KOREAN)
        fidelity.write_ids(self.windows, WORK / "ids")
        self.truth = self.logits(source)

    def logits(self, model):
        output = WORK / "logits"
        fidelity.dump_ours(model, "optimized", WORK / "ids", output)
        return read_logits(output, sum(map(len, self.windows))).copy()

    def judge(self, model):
        return compare(self.truth, self.logits(model), next_tokens_of(self.windows))


def measure(name, source, judge, peer, imatrix):
    """The row of a file type, ours and the peer's."""
    ours, theirs = WORK / f"{name}.ours.gguf", WORK / f"{name}.theirs.gguf"
    jarip = os.environ.get("JARIP_BIN", fidelity.RELEASE / "bin" / "jarip")
    led = ["--imatrix", imatrix] if imatrix else []
    seconds = [processor_seconds([jarip, "quantize", source, ours, "--format", name, "--force",
                                  *led]),
               processor_seconds([peer, source, theirs, FILE_TYPES[name], os.cpu_count()])]
    error = squared_error(source, ours) / squared_error(source, theirs)
    results = [judge.judge(path) for path in (ours, theirs)]
    size = ours.stat().st_size / 2**20
    for path in (ours, theirs):
        path.unlink()
    return (f"| {name} | {size:.0f} MiB | {error:.3f} | {results[0].mean_kl:.4f} | "
            f"{results[1].mean_kl:.4f} | {results[0].perplexity:.2f} | "
            f"{results[1].perplexity:.2f} | {seconds[0]:.1f} | {seconds[1]:.1f} |")


def main():
    parser = argparse.ArgumentParser(description="Compares the quantizer with llama.cpp's.")
    parser.add_argument("--write", action="store_true", help="rewrite docs/formats.md")
    parser.add_argument("--imatrix", help="of jarip imatrix, for our files alone")
    arguments = parser.parse_args()
    if arguments.write and arguments.imatrix:
        parser.error("the page's table is without an importance matrix")
    try:
        fidelity.build()
        WORK.mkdir(parents=True, exist_ok=True)
        llama = BuiltLlama()
        llama.prepare()
        peer = llama.compile(ROOT / "tests" / "formats" / "peer_quantize.cpp")
        source = WORK / "source.gguf"
        write_source(fidelity.default_model(), source)
        judge = Judge(source)
        lines = ["| `--format` | size | squared error, of llama.cpp's | KL, jarip | KL, llama.cpp "
                 "| perplexity, jarip | llama.cpp | s of a core, jarip | llama.cpp |",
                 "|---|---|---|---|---|---|---|---|---|"]
        for name in FILE_TYPES:
            lines.append(measure(name, source, judge, peer, arguments.imatrix))
            print(lines[-1], file=sys.stderr, flush=True)
        perplexity = judge.judge(source).perplexity
        lines += ["", f"Against llama.cpp {llama.release}; the source's perplexity is "
                      f"{perplexity:.2f}, on {N_ENGLISH} tokens of English and {N_KOREAN} of "
                      f"Korean. {fidelity.processor()}."]
        text = "\n".join(lines)
        print(text)
        if arguments.write:
            write_between_marks(PAGE, "quantizers", text)
    except (RuntimeError, ValueError, OSError, subprocess.CalledProcessError) as error:
        print(f"quantizers: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
