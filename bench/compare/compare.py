#!/usr/bin/env python3
"""Measures jarip beside the other programs that come in packages and load the same GGUF files on a
CPU: one run, everybody in turns. docs/performance.md says how to read what it prints.

    make bench                        the whole, in under 15 minutes
    make bench ARGS=--quick           the most important rows in 2 minutes
    make bench ARGS=--write           the whole, into docs/performance.md and its pictures"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import time

import page
from contenders import MODEL, THREADS, Contender, prepare_all
from machine import Disturbance, describe
from results import OURS, Result, as_json, share_of_limit, table, work_of
from rows import MIXED, SHAPES, all_rows, groups_of, models_of
from session import Session, least_cost

ROOT = pathlib.Path(__file__).resolve().parents[2]
WORK = ROOT / "build" / "bench"
MODELS = WORK / "models"
JARIP = ROOT / "build" / "release" / "bin" / "jarip"

BUDGET_S = 14 * 60
QUICK_BUDGET_S = 115
LOADING_ROUNDS = 5
MEMORY_TOKENS = 4096
QUIET = 0.05  # of the machine others may use while the page's figures are measured


def say(text):
    print(text, file=sys.stderr, flush=True)


def ask_jarip(*arguments):
    done = subprocess.run([JARIP, *map(str, arguments)], check=False, capture_output=True)
    if done.returncode != 0:
        raise RuntimeError(done.stderr.decode(errors="replace").strip())
    return done.stdout


def limits_of(threads):
    return json.loads(ask_jarip("bench", "--limits", "--json", "--threads", threads))


def higher(first, second):
    """Of what was measured before and after: a limit is what the machine did at its best."""
    return {key: max(first[key], second[key]) for key in first}


def write_models(names):
    MODELS.mkdir(parents=True, exist_ok=True)
    for name in names:
        path = MODELS / f"{name}.gguf"
        if not path.exists():
            say(f"writing {path.relative_to(ROOT)}")
            shape, _, file_format = name.rpartition("-")
            ask_jarip("synth", "--shape", shape, "--format", file_format, "-o", path)


def work_per_token(model, row):
    tensors = json.loads(ask_jarip("inspect", MODELS / f"{model}.gguf", "--json"))["tensors"]
    is_prefill = row.item.startswith("prefill")
    return work_of(tensors, 1 / row.n_tokens if is_prefill else 1)


def result_of(row, speeds, limits):
    result = Result(row.work, row.title, "tok/s", speeds, row.at_least)
    share = share_of_limit(row.limit, result.median(OURS), work_per_token(row.model, row), limits)
    return Result(row.work, row.title, "tok/s", speeds, row.at_least, of_limit=share)


def measure(contenders, arguments, threads):
    """All results, curves' points included, and what the page says beside them."""
    rows = all_rows(arguments.quick)
    session = Session(contenders, threads, arguments.budget, MODELS)
    disturbance = Disturbance()
    limits = limits_of(threads)
    extra = [] if arguments.quick else measure_start(session)
    measured = []
    groups = groups_of(rows)
    for i, group in enumerate(groups):
        later_s = sum(least_cost(row) for later in groups[i + 1:] for row in later)
        measured += session.measure_model(group, later_s)
    limits = higher(limits, limits_of(threads))
    results = [result_of(row, speeds, limits) for row, speeds in measured] + extra
    spent_s = time.monotonic() - session.begin
    return results, {"machine": describe(threads), "limits": limits, "notes": session.notes,
                     "programs": {one.name: one.what for one in contenders},
                     "disturbance": disturbance.measure(), "seconds": round(spent_s)}


def measure_start(session):
    """Loading and memory: fresh processes. First, since rounds of the rows can be spared."""
    model, title = f"llama-1b-{MIXED}", f"{SHAPES['llama-1b']} {MIXED.upper()}"
    return [session.measure_loading(model, title, LOADING_ROUNDS),
            session.measure_memory(model, title, MEMORY_TOKENS)]


def ours():
    commit = subprocess.run(["git", "-C", ROOT, "describe", "--always", "--dirty"], check=False,
                            capture_output=True, text=True).stdout.strip()
    version = ask_jarip("version").decode().split()[-1]

    return Contender(OURS, f"jarip {version}, commit {commit}",
                     [JARIP, "bench", MODEL, "--from-stdin", "--threads", THREADS])


def parse_arguments():
    parser = argparse.ArgumentParser(description="Measures jarip beside its peers.")
    parser.add_argument("--quick", action="store_true", help="the most important rows, 2 minutes")
    parser.add_argument("--write", action="store_true", help="rewrite docs/performance.md")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--budget", type=int, metavar="SECONDS",
                        help=f"time to stay within; {BUDGET_S} without --quick")
    parser.add_argument("--without", action="append", default=[], metavar="PEER",
                        help="leave a peer out, by its name in the table")
    arguments = parser.parse_args()
    if arguments.quick and arguments.write:
        parser.error("--write needs the whole measurement, not --quick")
    arguments.budget = arguments.budget or (QUICK_BUDGET_S if arguments.quick else BUDGET_S)
    return arguments


def main():
    arguments = parse_arguments()
    try:
        write_models(models_of(all_rows(arguments.quick)))
        missing = []
        peers = [peer for peer in prepare_all(missing.append)
                 if peer.name not in arguments.without
                 and not (arguments.quick and peer.name == "OpenVINO")]
        contenders = [ours(), *peers]
        results, about = measure(contenders, arguments, arguments.threads)
        about["notes"] = missing + about["notes"]
        record = {"about": about, "results": [as_json(result) for result in results]}
        (WORK / "results.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
        print(table(results), page.about_as_text(about), sep="\n\n")
        if not arguments.quick:
            page.draw_all(results, WORK)
        if arguments.write:
            if about["disturbance"]["others"] > QUIET:
                raise RuntimeError("others used too much of the machine: the page stays as it is")
            page.write(results, about)
    except (RuntimeError, ValueError, OSError) as error:
        say(f"compare: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
