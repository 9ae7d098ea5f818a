#!/usr/bin/env python3
"""Measures how exact the arithmetic is: jarip's optimized paths and llama.cpp, each against jarip's
scalar reference, on the default model and the texts of tests/fidelity/text.

    build/venv/bin/python tools/fidelity.py            print the table
    build/venv/bin/python tools/fidelity.py --write    and put it into docs/fidelity.md
    build/venv/bin/python tools/fidelity.py --no-peer  leave llama.cpp out"""

import argparse
import json
import os
import pathlib
import platform
import re
import sys

from fidelity_metrics import compare, next_tokens_of, read_logits
from marked_page import write_between_marks
from peers import PrebuiltLlama, run

ROOT = pathlib.Path(__file__).resolve().parent.parent
TEXTS = ROOT / "tests" / "fidelity" / "text"
WORK = ROOT / "build" / "fidelity"
RELEASE = ROOT / "build" / "release"
PAGE = ROOT / "docs" / "fidelity.md"
WINDOW = 512
LANGUAGES = ("english", "korean")
OURS = {"reference": "jarip, reference", "optimized": "jarip, optimized",
        "optimized-q8_0": "jarip, optimized, KV q8_0"}


def default_model():
    return pathlib.Path(run([sys.executable, ROOT / "tools" / "fetch_model.py"]).decode().strip())


def build():
    if not (RELEASE / "build.ninja").is_file():
        run(["cmake", "--preset", "release"], cwd=ROOT)
    run(["ninja", "-C", RELEASE, "jarip", "logits_dump"])


def tokenize(model, text):
    jarip = os.environ.get("JARIP_BIN", RELEASE / "bin" / "jarip")
    return json.loads(run([jarip, "tokenize", model, "--json"], input=text))


def windows_of(model, language, n_tokens=None):
    """A text's token ids (the first n_tokens, or all) in windows of 512."""
    ids = tokenize(model, (TEXTS / f"{language}.txt").read_bytes())[:n_tokens]
    return [ids[start:start + WINDOW] for start in range(0, len(ids), WINDOW)]


def write_ids(windows, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{' '.join(map(str, window))}\n" for window in windows))


def dump_ours(model, path_name, ids, output):
    run([RELEASE / "tests" / "support" / "logits_dump", model, path_name, ids, output])


class Peer:
    """llama.cpp out of a package, with our peer_logits.cpp before it."""

    def __init__(self):
        self.llama = PrebuiltLlama()
        self.release = self.llama.release

    def prepare(self):
        self.llama.prepare()
        self.program = self.llama.compile(ROOT / "tests" / "fidelity" / "peer_logits.cpp")

    def dump(self, model, ids, output):
        run([self.program, model, ids, output, self.llama.binaries])


def measure(model, peer):
    """{language: {path name: Fidelity}}"""
    results = {}
    for language in LANGUAGES:
        windows = windows_of(model, language)
        n_tokens = sum(map(len, windows))
        ids = WORK / f"{language}.ids"
        write_ids(windows, ids)
        files = {name: WORK / f"{language}.{name}.f32" for name in OURS}
        for name, output in files.items():
            print(f"{language}: {n_tokens} tokens, {name}", file=sys.stderr, flush=True)
            dump_ours(model, name, ids, output)
        if peer:
            files["peer"] = WORK / f"{language}.peer.f32"
            print(f"{language}: {n_tokens} tokens, llama.cpp", file=sys.stderr, flush=True)
            peer.dump(model, ids, files["peer"])
        reference = read_logits(files["reference"], n_tokens)
        following = next_tokens_of(windows)
        results[language] = {name: compare(reference, read_logits(path, n_tokens), following)
                             for name, path in files.items()}
        for path in files.values():
            path.unlink()
    return results


def processor():
    match = re.search(r"model name\s*:\s*(.*)", pathlib.Path("/proc/cpuinfo").read_text())
    return match.group(1) if match else platform.machine()


def table(results, peer):
    titles = dict(OURS)
    if peer:
        titles["peer"] = f"llama.cpp {peer.release}"
    lines = ["| text | tokens | path | mean KL | highest KL | same likeliest token | perplexity |",
             "|---|---|---|---|---|---|---|"]
    for language, rows in results.items():
        for name, row in rows.items():
            lines.append(f"| {language} | {row.n_tokens} | {titles[name]} | {row.mean_kl:.2e} | "
                         f"{row.highest_kl:.2e} | {100 * row.top1_agreement:.2f} % | "
                         f"{row.perplexity:.4f} |")
    compiler = run(["clang++-19", "--version"]).decode().splitlines()[0]
    lines += ["", f"Measured by `make fidelity` on {processor()}, "
                  f"{len(os.sched_getaffinity(0))} threads; {compiler}."]
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description="Measures how exact the arithmetic is.")
    parser.add_argument("--write", action="store_true", help="rewrite docs/fidelity.md")
    parser.add_argument("--no-peer", action="store_true", help="leave llama.cpp out")
    arguments = parser.parse_args()
    try:
        build()
        model = default_model()
        WORK.mkdir(parents=True, exist_ok=True)
        peer = None if arguments.no_peer else Peer()
        if peer:
            peer.prepare()
        text = table(measure(model, peer), peer)
        print(text)
        if arguments.write:
            write_between_marks(PAGE, "numbers", text)
    except (RuntimeError, ValueError, OSError) as error:
        print(f"fidelity: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
