#!/usr/bin/env python3
"""Every family of models that embed or rank beside llama.cpp: `jarip synth` writes a small model of
each, both programs read the same file and tokens, and what they give is compared.

    build/venv/bin/python tools/embeddings.py            print the table
    build/venv/bin/python tools/embeddings.py --write    and put it into docs/models.md"""

import argparse
import os
import pathlib
import random
import sys
from dataclasses import dataclass

import numpy as np
from marked_page import write_between_marks
from peers import PrebuiltLlama, run

ROOT = pathlib.Path(__file__).resolve().parent.parent
RELEASE = ROOT / "build" / "release"
WORK = ROOT / "build" / "embeddings"
PAGE = ROOT / "docs" / "models.md"

EMBEDDERS = ("bert", "bert-cls", "nomic-bert", "jina-bert-v3", "qwen3-embedding")
RANKERS = ("bert-rerank", "qwen3-rerank")
LOWEST_COSINE = 0.99999
HIGHEST_DIFFERENCE = 1e-3  # of two scores, as probabilities
# Around pages of 32 tokens, the kernel's 48 queries and ranges of 256 positions.
LENGTHS = (2, 7, 31, 32, 33, 48, 49, 96, 131, 255, 256, 257, 300, 600)


@dataclass(frozen=True)
class Agreement:
    family: str
    worst: float      # lowest cosine, or highest difference of scores
    same_bytes: bool  # alone, and in batches

    @property
    def agrees(self):
        return (self.worst < HIGHEST_DIFFERENCE if self.family in RANKERS
                else self.worst > LOWEST_COSINE)


def jarip():
    return os.environ.get("JARIP_BIN", RELEASE / "bin" / "jarip")


def embed_dump():
    return RELEASE / "tests" / "support" / "embed_dump"


def prepare_peer():
    llama = PrebuiltLlama()
    llama.prepare()
    return llama, llama.compile(ROOT / "tests" / "fidelity" / "peer_embeddings.cpp")


def write_texts(path):
    ids = random.Random(5)
    path.write_text("".join(f"{' '.join(str(ids.randrange(500)) for _ in range(n))}\n"
                            for n in LENGTHS))
    return path


def read_rows(path):
    return np.fromfile(path, dtype="<f4").reshape(len(LENGTHS), -1).astype(np.float64)


def lowest_cosine(a, b):
    a = a / np.linalg.norm(a, axis=1, keepdims=True)
    b = b / np.linalg.norm(b, axis=1, keepdims=True)
    return float((a * b).sum(axis=1).min())


def as_probability(logits):
    return 1 / (1 + np.exp(-logits))


def measure(family, peer, folder):
    """peer: what prepare_peer() gave."""
    llama, peer_embeddings = peer
    model = folder / f"{family}.gguf"
    run([jarip(), "synth", "--family", family, "--tiny", "--format", "f32", "--force", "-o", model])
    ids = write_texts(folder / "ids")
    run([embed_dump(), model, ids, folder / "alone", "alone"])
    run([embed_dump(), model, ids, folder / "together", "together"])
    # One thread: the threads of a model so small would only wait for one another.
    run([peer_embeddings, model, ids, folder / "peer", llama.binaries, "1"])
    ours, theirs = read_rows(folder / "alone"), read_rows(folder / "peer")
    if family in RANKERS:
        # llama.cpp gives this family's two probabilities, and the others' logit.
        theirs = theirs[:, :1] if family == "qwen3-rerank" else as_probability(theirs)
        worst = float(np.abs(as_probability(ours) - theirs).max())
    else:
        worst = lowest_cosine(ours, theirs)
    same = (folder / "alone").read_bytes() == (folder / "together").read_bytes()
    return Agreement(family, worst, same)


def table(rows, release):
    lines = ["| family | agrees with llama.cpp | worst of all texts | "
             "same bytes alone and in batch |", "|---|---|---|---|"]
    for row in rows:
        what = (f"scores differ by {row.worst:.1e}" if row.family in RANKERS
                else f"cosine 1 - {1 - row.worst:.1e}")
        lines.append(f"| {row.family} | {'yes' if row.agrees else '**no**'} | {what} | "
                     f"{'yes' if row.same_bytes else '**no**'} |")
    lines += ["", f"Against llama.cpp {release}. Bounds: cosine {LOWEST_COSINE}, scores "
                  f"{HIGHEST_DIFFERENCE}. Texts of {LENGTHS[0]} to {LENGTHS[-1]} tokens."]
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description="Compares embedding families with llama.cpp.")
    parser.add_argument("--write", action="store_true", help="rewrite docs/models.md")
    arguments = parser.parse_args()
    try:
        run(["ninja", "-C", RELEASE, "jarip", "embed_dump"])
        WORK.mkdir(parents=True, exist_ok=True)
        peer = prepare_peer()
        text = table([measure(family, peer, WORK) for family in EMBEDDERS + RANKERS],
                     peer[0].release)
        print(text)
        if arguments.write:
            write_between_marks(PAGE, "embeddings", text)
    except (RuntimeError, ValueError, OSError) as error:
        print(f"embeddings: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
