#!/usr/bin/env python3
"""Measures how exact the arithmetic is: jarip's optimized path and llama.cpp, each against jarip's
scalar reference, on the default model and the texts of tests/fidelity/text.

    build/venv/bin/python tools/fidelity.py            print the table
    build/venv/bin/python tools/fidelity.py --write    and put it into docs/fidelity.md
    build/venv/bin/python tools/fidelity.py --no-peer  leave llama.cpp out"""

import argparse
import hashlib
import json
import os
import pathlib
import platform
import re
import subprocess
import sys
import tarfile

from fidelity_metrics import compare, next_tokens_of, read_logits

ROOT = pathlib.Path(__file__).resolve().parent.parent
TEXTS = ROOT / "tests" / "fidelity" / "text"
WORK = ROOT / "build" / "fidelity"
RELEASE = ROOT / "build" / "release"
PAGE = ROOT / "docs" / "fidelity.md"
WINDOW = 512
LANGUAGES = ("english", "korean")


def run(command, **options):
    """Runs a command; on failure shows what it said and raises."""
    result = subprocess.run([str(word) for word in command], check=False, capture_output=True,
                            **options)
    if result.returncode != 0:
        sys.stderr.write(result.stderr.decode(errors="replace")[-4000:])
        raise RuntimeError(f"{command[0]} ended with status {result.returncode}")
    return result.stdout


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
    """llama.cpp: the library of one npm package, the header files out of the source of the same
    release in another, and our peer_logits.cpp between."""

    def __init__(self):
        self.record = json.loads((ROOT / "tests/fidelity/peer.json").read_text())
        self.folder = WORK / "peer"
        self.program = self.folder / "peer_logits"
        self.binaries = self.folder / "library" / "package" / "bins" / "linux-x64"

    def unpack(self, part):
        package = self.record[part]["package"]
        target = self.folder / part
        if target.is_dir():
            return target
        scratch = self.folder / f".{part}"
        scratch.mkdir(parents=True, exist_ok=True)
        wanted = f"{package}@{self.record['package_version']}"
        run(["npm", "pack", "--silent", "--pack-destination", scratch, wanted], cwd=self.folder)
        (archive,) = scratch.glob("*.tgz")
        digest = hashlib.sha256(archive.read_bytes()).hexdigest()
        if digest != self.record[part]["sha256"]:
            raise RuntimeError(f"{wanted} has SHA-256 {digest}, not the recorded one")
        with tarfile.open(archive) as tar:
            tar.extractall(scratch, filter="data")
        archive.unlink()
        scratch.rename(target)
        return target

    def prepare(self):
        self.unpack("library")
        bundle = self.unpack("headers") / "package" / "llama" / "gitRelease.bundle"
        source = self.folder / "source"
        if not source.is_dir():
            run(["git", "clone", "--quiet", bundle, source])
        libraries = [*self.binaries.glob("libllama.v*.so"), *self.binaries.glob("libggml.v*.so"),
                     self.binaries / "libggml-base.so"]
        run(["clang++-19", "-std=c++20", "-O2", "-I", source / "include",
             "-I", source / "ggml" / "include", ROOT / "tests/fidelity/peer_logits.cpp",
             *libraries, f"-Wl,-rpath,{self.binaries}", "-o", self.program])

    def dump(self, model, ids, output):
        run([self.program, model, ids, output, self.binaries])


def measure(model, peer):
    """{language: {path name: Fidelity}}"""
    results = {}
    for language in LANGUAGES:
        windows = windows_of(model, language)
        n_tokens = sum(map(len, windows))
        ids = WORK / f"{language}.ids"
        write_ids(windows, ids)
        files = {name: WORK / f"{language}.{name}.f32" for name in ("reference", "optimized")}
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
    titles = {"reference": "jarip, reference", "optimized": "jarip, optimized"}
    if peer:
        titles["peer"] = f"llama.cpp {peer.record['release']}"
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


def write_page(text):
    page = PAGE.read_text(encoding="utf-8")
    begin, end = "<!-- numbers -->\n", "\n<!-- end of numbers -->"
    head, found_begin, rest = page.partition(begin)
    _, found_end, tail = rest.partition(end)
    if not found_begin or not found_end:
        raise RuntimeError(f"{PAGE} has lost the marks around its numbers")
    PAGE.write_text(head + begin + text + end + tail, encoding="utf-8")


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
            write_page(text)
    except (RuntimeError, ValueError, OSError) as error:
        print(f"fidelity: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
