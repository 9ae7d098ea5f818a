#!/usr/bin/env python3
"""Every file type that `jarip synth` writes, on a small model: the reference and the optimized path
against llama.cpp, which reads the same file and the same tokens.

    build/venv/bin/python tools/formats.py             print the table
    build/venv/bin/python tools/formats.py --write     and put it into docs/formats.md"""

import argparse
import json
import os
import pathlib
import random
import re
import subprocess
import sys
from dataclasses import dataclass

from fidelity_metrics import compare, next_tokens_of, read_logits
from marked_page import write_between_marks
from peers import PrebuiltLlama, run

ROOT = pathlib.Path(__file__).resolve().parent.parent
RELEASE = ROOT / "build" / "release"
WORK = ROOT / "build" / "formats"
PAGE = ROOT / "docs" / "formats.md"
WINDOWS = (120, 33, 7)  # tokens of each prompt


@dataclass(frozen=True)
class Agreement:
    file_type: str
    formats: tuple     # of the file's matrices, those with most bytes first
    reference: object  # Fidelity of the reference, llama.cpp's being the truth
    optimized: object
    rounding: object   # of the optimized path, the reference being the truth


def jarip():
    return os.environ.get("JARIP_BIN", RELEASE / "bin" / "jarip")


def file_types():
    """All that `jarip synth` knows: it names them when it is given another."""
    refused = subprocess.run([jarip(), "synth", "--format", "?"], check=False, capture_output=True)
    names = re.search(r"must be one of ([^;]*)", refused.stderr.decode())
    if not names:
        raise RuntimeError(f"jarip synth names no formats: {refused.stderr.decode()}")
    return [name.strip(" .") for name in re.split(r",| or ", names.group(1)) if name.strip(" .")]


def prepare_peer():
    llama = PrebuiltLlama()
    llama.prepare()
    return llama, llama.compile(ROOT / "tests" / "fidelity" / "peer_logits.cpp")


def measure(file_type, peer, folder):
    """peer: what prepare_peer() gave."""
    llama, peer_logits = peer
    folder.mkdir(parents=True, exist_ok=True)
    model = folder / f"{file_type}.gguf"
    run([jarip(), "synth", "--shape", "llama-tiny", "--format", file_type, "--force", "-o", model])
    held = json.loads(run([jarip(), "inspect", model, "--json"]))
    ids = random.Random(7)
    prompts = [[ids.randrange(500) for _ in range(n)] for n in WINDOWS]
    words = folder / "ids"
    words.write_text("".join(f"{' '.join(map(str, prompt))}\n" for prompt in prompts))
    logits = {}
    for name in ("reference", "optimized"):
        run([RELEASE / "tests" / "support" / "logits_dump", model, name, words, folder / name])
        logits[name] = read_logits(folder / name, sum(WINDOWS))
    # One thread: the threads of a model so small would only wait for one another.
    run([peer_logits, model, words, folder / "peer", llama.binaries, "1"])
    theirs = read_logits(folder / "peer", sum(WINDOWS))
    following = next_tokens_of(prompts)
    return Agreement(file_type,
                     tuple(row["format"] for row in held["formats"] if row["format"] != "F32"),
                     compare(theirs, logits["reference"], following),
                     compare(theirs, logits["optimized"], following),
                     compare(logits["reference"], logits["optimized"], following))


def table(rows, release):
    lines = ["| `--format` | matrices are in | optimized to llama.cpp: mean KL | highest KL | "
             "reference to llama.cpp: mean KL | optimized to reference: mean KL |",
             "|---|---|---|---|---|---|"]
    for row in rows:
        lines.append(f"| {row.file_type} | {', '.join(row.formats) or 'F32'} | "
                     f"{row.optimized.mean_kl:.1e} | {row.optimized.highest_kl:.1e} | "
                     f"{row.reference.mean_kl:.1e} | {row.rounding.mean_kl:.1e} |")
    return "\n".join([*lines, "", f"Against llama.cpp {release}, on {sum(WINDOWS)} tokens of a "
                                  f"made-up model, `--shape llama-tiny`."])


def main():
    parser = argparse.ArgumentParser(description="Compares every file type with llama.cpp.")
    parser.add_argument("--write", action="store_true", help="rewrite docs/formats.md")
    arguments = parser.parse_args()
    try:
        run(["ninja", "-C", RELEASE, "jarip", "logits_dump"])
        peer = prepare_peer()
        text = table([measure(name, peer, WORK) for name in file_types()], peer[0].release)
        print(text)
        if arguments.write:
            write_between_marks(PAGE, "numbers", text)
    except (RuntimeError, ValueError, OSError) as error:
        print(f"formats: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
