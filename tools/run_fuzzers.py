#!/usr/bin/env python3
"""Runs every fuzz target for some seconds on its committed corpus, two at a time.

    tools/run_fuzzers.py [--seconds N] [TARGET…]

A target is a program <name>_fuzz of the asan build; its corpus is fuzz/corpus/<name>. New inputs
are kept below build/fuzz/<name>, so that a later run goes on from them; an input that breaks a
target is kept there as crash-…."""

import argparse
import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys
import xml.sax.saxutils

ROOT = pathlib.Path(__file__).resolve().parent.parent
PROGRAMS = ROOT / "build" / "asan" / "fuzz"
CORPORA = ROOT / "fuzz" / "corpus"
WORK = ROOT / "build" / "fuzz"


def find_targets():
    """Names that fuzz/CMakeLists.txt declares: a target that was not built is then noticed. So is a
    corpus whose target isn't found there."""
    text = (ROOT / "fuzz" / "CMakeLists.txt").read_text(encoding="utf-8")
    declared = re.findall(r"^\s*jarip_fuzzer\((\w+)", text, re.MULTILINE)
    corpora = sorted(folder.name for folder in CORPORA.iterdir() if folder.is_dir())
    return declared + [name for name in corpora if name not in declared]


def run_target(name, seconds):
    """(problem or None, one line on what was done)"""
    corpus = CORPORA / name
    program = PROGRAMS / f"{name}_fuzz"
    if not corpus.is_dir() or not any(corpus.iterdir()):
        return "no committed corpus", f"{corpus.relative_to(ROOT)} is missing or empty"
    if not program.is_file():
        return "not built", f"{program.relative_to(ROOT)} is missing"
    found = WORK / name
    found.mkdir(parents=True, exist_ok=True)
    command = [program, f"-max_total_time={seconds}", "-timeout=10", "-rss_limit_mb=2048",
               "-print_final_stats=1", f"-artifact_prefix={found}/", found, corpus]
    log = found.with_suffix(".log")
    with log.open("wb") as file:
        try:
            status = subprocess.run(command, stdout=file, stderr=subprocess.STDOUT, check=False,
                                    timeout=seconds + 120).returncode
        except subprocess.TimeoutExpired:
            return "did not stop", f"see {log.relative_to(ROOT)}"
    text = log.read_text(encoding="utf-8", errors="replace")
    executed = re.search(r"number_of_executed_units:\s*(\d+)", text)
    if status != 0:
        return f"exit status {status}", "\n".join(text.splitlines()[-40:])
    if not executed or int(executed.group(1)) == 0:
        return "ran no input", f"see {log.relative_to(ROOT)}"
    return None, f"{executed.group(1)} inputs in {seconds} s"


def write_report(results):
    """The results in JUnit's form where the test runner asks for them."""
    folder = os.environ.get("JARIP_REPORTS")
    if not folder:
        return
    cases = []
    for name, (problem, _) in results.items():
        inner = f"<failure message={xml.sax.saxutils.quoteattr(problem)}/>" if problem else ""
        cases.append(f'<testcase name="{name}">{inner}</testcase>')
    text = f"<testsuites><testsuite name='fuzz'>{''.join(cases)}</testsuite></testsuites>"
    (pathlib.Path(folder) / "fuzz.xml").write_text(text, encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description="Runs the fuzz targets briefly.")
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("targets", nargs="*", metavar="TARGET")
    arguments = parser.parse_args()
    names = arguments.targets or find_targets()
    with concurrent.futures.ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        outcomes = pool.map(lambda name: run_target(name, arguments.seconds), names)
    results = dict(zip(names, outcomes, strict=True))
    for name, (problem, detail) in results.items():
        print(f"{name}: {problem + ': ' if problem else ''}{detail}")
    write_report(results)
    return 1 if any(problem for problem, _ in results.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
