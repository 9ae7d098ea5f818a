#!/usr/bin/env python3
"""How long a user waits for the first token of short questions while another user's prompt of
16,000 tokens is read, beside how long on an idle server.

    tests/load/fairness.py                a made-up model of 135M parameters, as it has the context
    tests/load/fairness.py --model FILE
    tests/load/fairness.py --cpu-time     on a machine where other programs run too

Prints milliseconds and their ratios; exit status 1 where the median waits more than three times as
long."""

import argparse
import http.client
import json
import os
import pathlib
import random
import statistics
import subprocess
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "wire"))

MODEL = ROOT / "build" / "load" / "llama-135m-q4_0.gguf"
N_LONG = 16000
N_SHORT = 50
N_IDLE = 40
MOST = 3
READ_SECONDS = 600


def cpu_clock(server):
    """Seconds of processor time that the server has had. With one thread that computes, what it
    would take on a machine of its own."""
    clock_id = ~server.process.process.pid << 3 | 2  # as clock_getcpuclockid(3) has it
    return lambda: time.clock_gettime(clock_id)


def tokens(rng, n):
    return [rng.randrange(1000, 40000) for _ in range(n)]


def ask(server, clock, prompt, user):
    """Seconds to the first token, the only one: text of several may wait for whole letters."""
    body = json.dumps({"prompt": prompt, "user": user, "max_tokens": 1, "stream": True,
                       "ignore_eos": True, "temperature": 0})
    connection = http.client.HTTPConnection(server.host, server.port, timeout=READ_SECONDS)
    begin = clock()
    connection.request("POST", "/v1/completions", body, {"Content-Type": "application/json"})
    response = connection.getresponse()
    assert response.status == 200, response.read()
    while not response.readline().startswith(b"data: "):  # pings keep a waiting stream open
        pass
    first = clock() - begin
    response.read()
    connection.close()
    return first


def ask_repeatedly(server, clock, rng, goes_on):
    """Times to first token of one question after the other, at odd moments."""
    times = []
    while goes_on(len(times)):
        times.append(ask(server, clock, tokens(rng, N_SHORT), "modest"))
        time.sleep(rng.uniform(0, 0.1))
    return times


def ask_beside(server, clock, rng, n_long):
    """The same while another user's long prompts are read, one after the other, and their times."""
    long_times = []

    def read_long(prompts):
        for prompt in prompts:
            long_times.append(ask(server, clock, prompt, "greedy"))

    thread = threading.Thread(target=read_long,
                              args=([tokens(rng, N_LONG) for _ in range(n_long)],))
    thread.start()
    time.sleep(0.3)
    times = ask_repeatedly(server, clock, rng, lambda _: thread.is_alive())
    thread.join()
    return times[:-1], long_times  # the last may have been asked at the very end


def row(name, times, idle):
    ms = sorted(1000 * t for t in times)
    at = [statistics.median(ms), ms[int(0.95 * (len(ms) - 1))], ms[-1]]
    base = [statistics.median(1000 * t for t in idle)] * 3
    return (f"{name:<28} {len(ms):>4}  " + "  ".join(f"{x:7.1f}" for x in at) + "   " +
            "  ".join(f"{x / b:4.2f}" for x, b in zip(at, base, strict=True)))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jarip", default=os.environ.get("JARIP_BIN"))
    parser.add_argument("--model", type=pathlib.Path, default=MODEL)
    parser.add_argument("--long", type=int, default=2, help="how many long prompts")
    parser.add_argument("--cpu-time", action="store_true",
                        help="one thread, and the processor time of the server instead of seconds")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if options.jarip:
        os.environ["JARIP_BIN"] = options.jarip
    os.environ["JARIP_TEST_MODEL"] = str(options.model)
    import server as server_module

    if options.model == MODEL and not MODEL.exists():
        MODEL.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run([server_module.BINARY, "synth", "--shape", "llama-135m", "--format",
                        "q4_0", "-o", MODEL], check=True)
    rng = random.Random(options.seed)
    threads = ("--threads", "1") if options.cpu_time else ()
    server = server_module.start_server("--ctx", str(N_LONG + 1000), *threads)
    clock = cpu_clock(server) if options.cpu_time else time.monotonic
    try:
        ask_repeatedly(server, clock, rng, lambda n: n < 5)
        idle = ask_repeatedly(server, clock, rng, lambda n: n < N_IDLE)
        alone = ask(server, clock, tokens(rng, N_LONG), "greedy")
        beside, long_times = ask_beside(server, clock, rng, options.long)
    finally:
        server_module.stop_server(server)
    print(f"{'ms to the first token':<28} {'n':>4}  {'median':>7}  {'p95':>7}  {'worst':>7}   "
          "over the idle median")
    print(row(f"{N_SHORT} tokens, idle", idle, idle))
    print(row(f"beside {N_LONG} tokens", beside, idle))
    print(f"{N_LONG} tokens: {alone:.1f} s alone, {statistics.mean(long_times):.1f} s beside "
          f"{len(beside) / len(long_times):.0f} questions each")
    if statistics.median(beside) > MOST * statistics.median(idle):
        sys.exit(f"the median is more than {MOST} times as long")


if __name__ == "__main__":
    main()
