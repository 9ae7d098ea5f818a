#!/usr/bin/env python3
"""Every family of models beside llama.cpp: `jarip synth` writes a small model of each, both
programs read the same file and tokens, and their next-token distributions are compared.

    build/venv/bin/python tools/families.py            print the table
    build/venv/bin/python tools/families.py --write    and put it into docs/models.md"""

import argparse
import os
import pathlib
import random
import re
import subprocess
import sys
from dataclasses import dataclass

from embeddings import EMBEDDERS, RANKERS
from fidelity_metrics import compare, next_tokens_of, read_logits
from marked_page import write_between_marks
from peers import PrebuiltLlama, run

ROOT = pathlib.Path(__file__).resolve().parent.parent
RELEASE = ROOT / "build" / "release"
WORK = ROOT / "build" / "families"
PAGE = ROOT / "docs" / "models.md"

# One bound for all families. Both programs compute in f32 with keys and values in f16, so what is
# left is rounding; a forgotten norm, bias or window costs orders of magnitude more.
HIGHEST_MEAN_KL = 1e-5
# Longer than the windows and the original contexts of the made-up models, and shorter.
LENGTHS = (300, 131, 7)
CHUNK = 37  # of a prompt, when all are fed side by side

# What the peer leaves out of a file that it reads: it is given prompts for which that is the same.
PEER_LENGTHS = {"mistral": (72, 31, 7)}


@dataclass(frozen=True)
class Agreement:
    family: str
    lengths: tuple
    peer: object      # Fidelity of jarip's optimized path, llama.cpp's being the truth
    same_bytes: bool  # alone and whole, and side by side in chunks


def jarip():
    return os.environ.get("JARIP_BIN", RELEASE / "bin" / "jarip")


def logits_dump():
    return RELEASE / "tests" / "support" / "logits_dump"


def families():
    """All that write text: `jarip synth` names what it knows when it is given another."""
    refused = subprocess.run([jarip(), "synth", "--family", "?"], check=False, capture_output=True)
    names = re.search(r"must be one of ([^;\n]*)", refused.stderr.decode())
    if not names:
        raise RuntimeError(f"jarip synth names no families: {refused.stderr.decode()}")
    every = [name.strip(" .") for name in re.split(r",| or ", names.group(1)) if name.strip(" .")]
    return [name for name in every if name not in EMBEDDERS + RANKERS]


def windows(lengths):
    ids = random.Random(7)
    return [[ids.randrange(500) for _ in range(n)] for n in lengths]


def prepare_peer():
    llama = PrebuiltLlama()
    llama.prepare()
    return llama, llama.compile(ROOT / "tests" / "fidelity" / "peer_logits.cpp")


def dump(program, prompts, output, *arguments):
    ids = output.with_suffix(".ids")
    ids.write_text("".join(f"{' '.join(map(str, window))}\n" for window in prompts))
    run([program, *arguments[:-1], ids, output, *arguments[-1]])
    return read_logits(output, sum(map(len, prompts)))


def measure(family, peer, folder):
    """peer: what prepare_peer() gave."""
    llama, peer_logits = peer
    model = folder / f"{family}.gguf"
    run([jarip(), "synth", "--family", family, "--tiny", "--format", "f32", "--force", "-o", model])
    prompts = windows(LENGTHS)
    ours = dump(logits_dump(), prompts, folder / "ours", model, "optimized", ())
    together = dump(logits_dump(), prompts, folder / "together", model, "optimized", (str(CHUNK),))
    lengths = PEER_LENGTHS.get(family, LENGTHS)
    short = prompts if lengths == LENGTHS else windows(lengths)
    # One thread: the threads of a model so small would only wait for one another.
    theirs = dump(peer_logits, short, folder / "peer", model,
                  (llama.binaries, "1"))
    same = ours if lengths == LENGTHS else dump(logits_dump(), short, folder / "short", model,
                                                "optimized", ())
    return Agreement(family, lengths,
                     compare(theirs, same, next_tokens_of(short)),
                     ours.tobytes() == together.tobytes())


def table(rows, release):
    lines = ["| family | logits agree with llama.cpp: mean KL | highest KL | "
             "same bytes alone and in batch |", "|---|---|---|---|"]
    for row in rows:
        agrees = "yes" if row.peer.mean_kl < HIGHEST_MEAN_KL else "**no**"
        note = "" if row.lengths == LENGTHS else " ¹"
        lines.append(f"| {row.family} | {agrees}{note}: {row.peer.mean_kl:.1e} | "
                     f"{row.peer.highest_kl:.1e} | "
                     f"{'yes' if row.same_bytes else '**no**'} |")
    lines += ["", f"Against llama.cpp {release}. Bound of the mean: {HIGHEST_MEAN_KL:.0e}. Prompts "
                  f"of {', '.join(map(str, LENGTHS))} tokens; windows are of 72."]
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description="Compares every family with llama.cpp.")
    parser.add_argument("--write", action="store_true", help="rewrite docs/models.md")
    parser.add_argument("--family", action="append", help="only this one (may be repeated)")
    arguments = parser.parse_args()
    try:
        run(["ninja", "-C", RELEASE, "jarip", "logits_dump"])
        WORK.mkdir(parents=True, exist_ok=True)
        peer = prepare_peer()
        rows = []
        for family in arguments.family or families():
            rows.append(measure(family, peer, WORK))
            print(family, rows[-1], file=sys.stderr, flush=True)
        text = table(rows, peer[0].release)
        print(text)
        if arguments.write:
            write_between_marks(PAGE, "families", text)
    except (RuntimeError, ValueError, OSError) as error:
        print(f"families: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
