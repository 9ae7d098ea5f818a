#!/usr/bin/env python3
"""Has aiperf, a load generator that nobody here wrote, send a workload to a server and tells what
it measured.

    generator.py WORKLOAD --url http://127.0.0.1:8484    to a server that runs already"""

import argparse
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass

from workloads import BY_NAME

ROOT = pathlib.Path(__file__).resolve().parents[2]
AIPERF = pathlib.Path(sys.executable).with_name("aiperf")
EXPORT = "profile_export_aiperf.json"
PATIENCE_S = 600
ASKS_A_SECOND = 200
# aiperf loads a tokenizer in any case; here the prompts are ids and the server's `usage` counts, so
# that one of a single word does and nothing is fetched.
TOKENIZER = {
    "tokenizer.json": {"version": "1.0", "added_tokens": [],
                       "pre_tokenizer": {"type": "Whitespace"},
                       "model": {"type": "WordLevel", "vocab": {"<unk>": 0},
                                 "unk_token": "<unk>"}},
    "tokenizer_config.json": {"tokenizer_class": "PreTrainedTokenizerFast", "unk_token": "<unk>"},
}
# These make it look for the tokenizer among downloads only.
OFFLINE = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")


class Refusal(Exception):
    """A workload wasn't answered as it was asked for."""


@dataclass(frozen=True)
class Outcome:
    """What a workload did on one server, as aiperf says."""

    tokens_per_second: float  # of all clients, from the first request to the last token
    median_s: float           # to the first text of an answer, as the next two
    p95_s: float
    worst_s: float


def command(workload, url, folder):
    """One connection a request, so that each server pays the same. The generator runs on the
    server's cores, so: one worker, no watching of metrics, and a rate that no server here reaches,
    because without one aiperf 0.13 asks in a loop of a whole core whether a client is free."""
    return [AIPERF, "profile", "--model", "any", "--url", url, "--endpoint-type", "completions",
            "--streaming", "--use-server-token-count", "--tokenizer", folder,
            "--input-file", folder / "inputs.json", "--custom-dataset-type", "inputs-json",
            "--conversation-num", workload.n_requests, "--concurrency", workload.n_clients,
            "--request-rate", ASKS_A_SECOND, "--arrival-pattern", "constant",
            "--connection-reuse-strategy", "never", "--workers-max", 1, "--record-processors", 1,
            "--request-timeout-seconds", PATIENCE_S, "--no-server-metrics", "--no-gpu-telemetry",
            "--ui", "none", "--output-artifact-dir", folder]


def write_inputs(workload, seed, folder):
    """aiperf sends the bodies as they stand, each once."""
    sessions = [{"session_id": f"request-{i}", "payloads": [body]}
                for i, body in enumerate(workload.requests(seed))]
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, content in (("inputs.json", {"data": sessions}), *TOKENIZER.items()):
        (folder / name).write_text(json.dumps(content), encoding="utf-8")


def send(workload, url, seed, folder):
    """The Outcome; the folder is made anew and keeps what aiperf wrote."""
    write_inputs(workload, seed, folder)
    environment = {key: value for key, value in os.environ.items() if key not in OFFLINE}
    with (folder / "output.txt").open("wb") as output:
        process = subprocess.Popen([str(word) for word in command(workload, url, folder)],
                                   stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                                   env=environment, start_new_session=True)
        try:
            process.wait(timeout=PATIENCE_S)
        except subprocess.TimeoutExpired:
            raise Refusal(f"the clients weren't done after {PATIENCE_S} s") from None
        finally:
            if process.returncode is None:  # its services are in its process group
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
    export = folder / EXPORT
    if not export.exists():
        raise Refusal(f"aiperf ended with status {process.returncode}: {reason(folder)}")
    return outcome(json.loads(export.read_text(encoding="utf-8")), workload)


def reason(folder):
    """The server's first error, else the end of what aiperf printed."""
    records = folder / "profile_export.jsonl"
    if records.exists():
        with records.open(encoding="utf-8") as lines:
            for line in lines:
                if error := json.loads(line).get("error"):
                    return f"{error.get('code')} {error.get('message')}"[:500]
    return (folder / "output.txt").read_text(encoding="utf-8", errors="replace")[-500:]


def outcome(export, workload):
    """Of an export; raises Refusal where an answer is missing or shorter than asked for."""
    if export["error_summary"]:
        raise Refusal(json.dumps(export["error_summary"])[:500])
    n_wanted = workload.n_requests
    n_answers = round(export["request_count"]["avg"])
    if n_answers != n_wanted or not export["is_complete"]:
        raise Refusal(f"{n_answers} answers came where {n_wanted} were asked for")
    lengths = export["usage_completion_tokens"]
    if lengths["min"] != workload.n_new or lengths["max"] != workload.n_new:
        raise Refusal(f"{lengths['min']:.0f} to {lengths['max']:.0f} tokens came where "
                      f"{workload.n_new} were asked for")
    first_ms = export["time_to_first_token"]
    if first_ms["count"] != n_wanted:
        raise Refusal(f"{n_wanted - first_ms['count']} answers had no text")
    return Outcome(export["output_token_throughput"]["avg"],
                   *[first_ms[part] / 1000 for part in ("p50", "p95", "max")])


def main():
    parser = argparse.ArgumentParser(description="Has aiperf send a workload to a server.")
    parser.add_argument("workload", choices=BY_NAME)
    parser.add_argument("--url", default="http://127.0.0.1:8484")
    parser.add_argument("--seed", default="1", help="another one gives other prompts")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # aiperf ends with it
    workload = BY_NAME[arguments.workload]
    try:
        result = send(workload, arguments.url, arguments.seed,
                      ROOT / "build" / "bench" / "aiperf" / workload.name)
    except (Refusal, OSError) as error:
        print(f"generator: {error}", file=sys.stderr)
        return 1
    print(f"{workload.n_requests} {workload.title}, {workload.n_clients} at a time: "
          f"{result.tokens_per_second:,.0f} tok/s; first token after {1000 * result.median_s:,.1f} "
          f"ms, p95 {1000 * result.p95_s:,.1f}, worst {1000 * result.worst_s:,.1f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
