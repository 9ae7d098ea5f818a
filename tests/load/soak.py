#!/usr/bin/env python3
r"""Many clients with mixed requests on a real `jarip serve` whose KV pages are too few, while a
third of them leave at random: every finished answer is, byte for byte, the one given alone, what
came of the others is its beginning, and pages, sequences, connections and memory go back to where
they were.

    tests/load/soak.py --seconds 300             the release and the default model
    tests/load/soak.py --jarip build/tsan/bin/jarip --reference build/release/bin/jarip \
        --max-growth 16

The load comes in equal rounds, after which all leave at once, so that what each leaves behind can
be seen; at the end of the last all wait for their answers.
`make soak` runs it for the release, ThreadSanitizer and AddressSanitizer, tests/load/test_soak.py
for some seconds with the other tests. Exit status 1 and what differed when something did."""

import argparse
import contextlib
import dataclasses
import hashlib
import http.client
import json
import os
import pathlib
import random
import socket
import statistics
import struct
import sys
import threading
import time
from dataclasses import dataclass, field

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "wire"))

# Few enough pages that answers are parked all the time, and few enough slots that some wait.
MAX_RUNNING = 24
# Alone: nothing to share, to guess or to take turns with.
PLAIN = ("--max-running", "1", "--prefix-cache", "off", "--draft-tokens", "0")

RUNNING = "jarip_num_requests_running"
WAITING = "jarip_num_requests_waiting"
KV_USE = "jarip_kv_cache_usage_perc"
COUNTERS = {"parked": "jarip_num_preemptions_total", "cached": "jarip_prefix_cache_hits_total",
            "drafts": "jarip_spec_decode_num_accepted_tokens_total",
            "failed": 'jarip_request_success_total{finished_reason="error"}',
            "cancelled": 'jarip_request_success_total{finished_reason="abort"}'}

LEAVING_PART = 1 / 3
DEADLINE_PART = 1 / 20
REST_SECONDS = 60
# A request waits for its user's others, under a sanitizer on a busy machine for long.
READ_SECONDS = 1800
# Answers that may end between a request and its own, for each client: a machine's speed is not in
# it, and nobody who starves stays below.
MOST_PASSED = 8
ROUNDS = 5
# By what a process may still grow when the first two rounds have used all memory once: a step of
# more answers than any before takes room for their logits, a leak takes some in every round.
MAX_GROWTH_MIB = 3


def make_requests(n, size, seed):
    """Bodies of all kinds: token ids, so that any model will do; many begin like others, some
    repeat themselves, so that what is guessed is right."""
    rng = random.Random(seed)
    prefixes = [[rng.randrange(10, 400) for _ in range(300)] for _ in range(3)]
    requests = []
    for number in range(n):
        n_prompt = rng.choice((rng.randint(1, 30), rng.randint(30, 150), rng.randint(100, size)))
        prompt = [rng.randrange(10, 400) for _ in range(n_prompt)]
        if number % 3 == 0:
            prompt = rng.choice(prefixes)[:rng.randint(20, 300)] + prompt
        if number % 4 == 1:
            prompt = prompt[:12] * (n_prompt // 12 + 1)
        n_most = rng.choice((1, rng.randint(2, 30), size // 2, size // 2))
        requests.append({
            "prompt": prompt[:size], "max_tokens": n_most, "seed": number,
            "temperature": rng.choice((0, 0.7, 1.2)), "top_p": rng.choice((1, 0.9)),
            "frequency_penalty": rng.choice((0, 0, 0.3)),
            "ignore_eos": True, "logprobs": rng.choice((None, None, 2))})
    return requests


@dataclass
class Answer:
    text: str = ""
    logprobs: list = field(default_factory=list)
    finish: str = ""
    error: dict = field(default_factory=dict)

    def add(self, choice):
        self.text += choice["text"]
        self.finish = choice["finish_reason"] or self.finish
        if choice["logprobs"]:
            self.logprobs += choice["logprobs"]["token_logprobs"]

    def begins(self, whole):
        return (whole.text.startswith(self.text)
                and whole.logprobs[:len(self.logprobs)] == self.logprobs)


class CutOff(Exception):
    """The round is over, and the client has left."""


class Asker:
    """One connection and what came over it."""

    def __init__(self, server, body):
        self.connection = http.client.HTTPConnection(server.host, server.port, timeout=READ_SECONDS)
        self.connection.request("POST", "/v1/completions", json.dumps(body),
                                {"Content-Type": "application/json"})

    def close(self, rng):
        """As a client that closes, or as one that crashes does."""
        if rng.random() < 0.5 and self.connection.sock:
            self.connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                            struct.pack("ii", 1, 0))
        self.connection.close()

    def cut_off(self):
        """While another thread waits for what comes."""
        with contextlib.suppress(OSError, AttributeError):  # it may be closed by now
            self.connection.sock.shutdown(socket.SHUT_RDWR)

    def whole(self):
        response = self.connection.getresponse()
        reply = json.loads(response.read())
        answer = Answer()
        if response.status == 200:
            answer.add(reply["choices"][0])
        else:
            answer.error = reply["error"]
        return answer

    def stream(self, most_lines):
        response = self.connection.getresponse()
        answer = Answer()
        if response.status != 200:
            answer.error = json.loads(response.read())["error"]
            return answer
        for _ in range(most_lines):
            line = response.readline()
            if not line or line.startswith(b"data: [DONE]"):
                break
            if line.startswith(b"data: "):
                event = json.loads(line[len(b"data: "):])
                if "error" in event:
                    answer.error = event["error"]
                elif event["choices"]:
                    answer.add(event["choices"][0])
        return answer


def answer_alone(server, body):
    asker = Asker(server, body)
    answer = asker.whole()
    asker.connection.close()
    assert not answer.error, answer.error
    return answer


class Load:
    """Clients that ask until the time is over."""

    def __init__(self, server, requests, alone, seed):
        self.server = server
        self.requests = requests
        self.alone = alone
        self.seed = seed
        self.lock = threading.Lock()
        self.counts = {"finished": 0, "left": 0, "late": 0}
        self.n_ended = 0
        self.most_passed = 0  # answers that ended while one was waited for
        self.seconds = {-1: [], 0: [], 1: []}  # of finished answers, by priority
        self.faults = []
        self.asking = set()
        self.is_over = False

    def run(self, n_clients, seconds, to_their_end):
        end = time.monotonic() + seconds
        self.is_over = False
        threads = [threading.Thread(target=self.client, args=(number, end))
                   for number in range(n_clients)]
        for thread in threads:
            thread.start()
        if not to_their_end:
            while time.monotonic() < end and not self.faults:
                time.sleep(0.05)
            self.cut_off()
        for thread in threads:
            thread.join()
        self.seed += n_clients

    def cut_off(self):
        with self.lock:
            self.is_over = True
            for asker in self.asking:
                asker.cut_off()

    @contextlib.contextmanager
    def asker(self, body):
        begin = self.n_ended
        asker = Asker(self.server, body)
        with self.lock:
            self.asking.add(asker)
            if self.is_over:
                asker.cut_off()
        try:
            yield asker
        except (OSError, http.client.HTTPException, ValueError):
            if not self.is_over:
                raise
            raise CutOff from None
        finally:
            with self.lock:
                self.asking.remove(asker)
                self.n_ended += 1
                self.most_passed = max(self.most_passed, self.n_ended - begin)

    def client(self, number, end):
        rng = random.Random(self.seed + number)
        while time.monotonic() < end and not self.faults:
            which = rng.randrange(len(self.requests))
            try:
                outcome = self.ask(rng, which)
            except CutOff:
                outcome = "left"
            except Exception as error:  # whatever it is, the run has failed
                self.faults.append(f"request {which}: {error!r}")
                self.cut_off()
                return
            with self.lock:
                self.counts[outcome] += 1

    def ask(self, rng, which):
        body = {**self.requests[which], "user": rng.choice(("", "a", "b", "c")),
                "priority": rng.randint(-1, 1), "stream": rng.random() < 0.5}
        may_be_late = rng.random() < DEADLINE_PART
        if may_be_late:
            body.update(rng.choice(({"timeout": rng.uniform(0.01, 1)},
                                    {"max_queue_ms": rng.randint(1, 500)})))
        leaves = rng.random() < LEAVING_PART
        begin = time.monotonic()
        with self.asker(body) as asker:
            if leaves and not body["stream"]:
                time.sleep(rng.uniform(0, 1))
                asker.close(rng)
                return "left"
            answer = asker.stream(rng.randint(0, 40) if leaves else 1 << 30) \
                if body["stream"] else asker.whole()
            asker.close(rng)
        outcome = self.judge(which, answer, leaves or self.is_over, may_be_late)
        if outcome == "finished":
            self.seconds[body["priority"]].append(time.monotonic() - begin)
        return outcome

    def judge(self, which, answer, leaves, may_be_late):
        expected = self.alone[which]
        assert answer.begins(expected), f"{answer} is not how {expected} begins"
        if answer.error:
            assert may_be_late and answer.error["param"] in ("timeout", "max_queue_ms"), \
                answer.error
            return "late"
        if leaves:
            return "left"
        assert answer == expected, f"{answer} is not {expected}"
        return "finished"


@dataclass
class Held:
    """What a server that nobody asks anything holds."""
    mib: float
    threads: int
    files: int

    @classmethod
    def by(cls, server):
        proc = pathlib.Path(f"/proc/{server.process.process.pid}")
        lines = dict(line.split(":", 1) for line in
                     (proc / "status").read_text(encoding="utf-8").splitlines())
        return cls(round(int(lines["VmRSS"].split()[0]) / 1024, 1), int(lines["Threads"]),
                   len(os.listdir(proc / "fd")))


def at_rest(server, idle):
    """Waits until nothing is left of any request; what the server holds then."""
    for name in (RUNNING, WAITING, KV_USE):
        assert server.eventually(name, 0, REST_SECONDS), f"{name} doesn't go back to 0"
    end = time.monotonic() + REST_SECONDS
    while (held := Held.by(server)).files > idle.files and time.monotonic() < end:
        time.sleep(0.05)
    assert held.files <= idle.files, f"{held.files - idle.files} connections are left open"
    assert held.threads <= idle.threads, f"{held.threads - idle.threads} threads are left"
    return held


def check_memory(rounds, most):
    growth = rounds[-1].mib - rounds[1].mib
    assert growth <= most, \
        f"memory grows, {growth:.1f} MiB since round 2: {[held.mib for held in rounds]}"


def kv_bytes_of(server_module, n_ctx):
    """Memory for the fewest pages, whatever the model: what a refusal says a context needs."""
    process = server_module.Process("--port", "0", "--ctx", str(n_ctx), "--kv-cache", "1")
    try:
        return int(process.wait_for_line(r"needs (\d+) bytes")[1])
    finally:
        process.end()


def stop(server_module, server):
    """A sanitizer that found something shows here."""
    try:
        server_module.stop_server(server)
    except AssertionError:
        raise AssertionError("\n".join(["the server ended badly:", *server.process.last_lines()])) \
            from None


def answer_all_alone(server_module, requests, n_ctx, reference):
    """reference: another build that is to give the same bytes."""
    binary = server_module.BINARY
    try:
        server_module.BINARY = reference or binary
        server = server_module.start_server("--ctx", str(n_ctx), *PLAIN)
        try:
            return [answer_alone(server, body) for body in requests]
        finally:
            stop(server_module, server)
    finally:
        server_module.BINARY = binary


def digest(*paths):
    digest = hashlib.sha256()
    for path in paths:
        with open(path, "rb") as file:
            while piece := file.read(1 << 20):
                digest.update(piece)
    return digest.hexdigest()


def known_answers(server_module, requests, n_ctx, reference, path):
    """As answer_all_alone(), from a file that has those of the same program, model, requests."""
    if not path:
        return answer_all_alone(server_module, requests, n_ctx, reference)
    of = [digest(reference or server_module.BINARY, server_module.model_path()), n_ctx, requests]
    if path.exists():
        known = json.loads(path.read_text(encoding="utf-8"))
        if known["of"] == of:
            return [Answer(**answer) for answer in known["answers"]]
    answers = answer_all_alone(server_module, requests, n_ctx, reference)
    path.write_text(json.dumps({"of": of, "answers": list(map(dataclasses.asdict, answers))}),
                    encoding="utf-8")
    return answers


def soak(seconds, n_clients=64, n_requests=48, size=600, seed=1, reference=None, answers=None,
         n_rounds=ROUNDS, max_growth_mib=MAX_GROWTH_MIB, say=lambda _: None):
    """The counts of what happened. AssertionError when something differs or is left."""
    import server as server_module

    n_ctx = 2 * size
    requests = make_requests(n_requests, size, seed)
    alone = known_answers(server_module, requests, n_ctx, reference, answers)
    say(f"{n_requests} answers alone; now {n_clients} clients, {n_rounds} rounds of "
        f"{seconds / n_rounds:g} s")

    server = server_module.start_server("--ctx", str(n_ctx), "--max-running", str(MAX_RUNNING),
                                        "--kv-cache", str(kv_bytes_of(server_module, n_ctx)))
    try:
        server.metric(RUNNING)
        load = Load(server, requests, alone, seed)
        rounds = run_rounds(server, load, n_clients, seconds / n_rounds, n_rounds, say)
        counts = {**load.counts, **{name: int(server.metric(metric))
                                    for name, metric in COUNTERS.items()}}
        check_counts(load, counts, n_clients, say)
        stop(server_module, server)  # a sanitizer can name what leaked
        check_memory(rounds, max_growth_mib)
    finally:
        server.process.end()
    return counts


def run_rounds(server, load, n_clients, seconds, n_rounds, say):
    idle = Held.by(server)
    say(f"idle: {idle}")
    rounds = []
    for number in range(n_rounds):
        load.run(n_clients, seconds, to_their_end=number + 1 == n_rounds)
        assert not load.faults, load.faults[0]
        rounds.append(at_rest(server, idle))
        say(f"round {number + 1}: {rounds[-1]}, {load.counts}")
    return rounds


def check_counts(load, counts, n_clients, say):
    say(", ".join(f"{name} {value}" for name, value in counts.items()))
    for priority, seconds in load.seconds.items():
        if seconds:
            say(f"priority {priority}: {len(seconds)} answers, median "
                f"{statistics.median(seconds):.1f} s, longest {max(seconds):.1f} s")
    say(f"at most {load.most_passed} answers ended while one was waited for")
    assert load.most_passed <= MOST_PASSED * n_clients, "somebody starves"
    assert counts["failed"] <= sum(load.counts.values()) * DEADLINE_PART * 3
    for name in ("finished", "left", "parked", "cached", "drafts", "cancelled"):
        assert counts[name] > 0, f"a load that has none {name} tests too little"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--requests", type=int, default=48)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jarip", default=os.environ.get("JARIP_BIN"))
    parser.add_argument("--model", default=os.environ.get("JARIP_TEST_MODEL"))
    parser.add_argument("--reference", help="the program that answers alone; the same by default")
    parser.add_argument("--answers", type=pathlib.Path,
                        help="a file for what was answered alone, for the next run to begin with")
    parser.add_argument("--max-growth", type=float, default=MAX_GROWTH_MIB, metavar="MIB",
                        help="how much memory may grow by after the second round")
    options = parser.parse_args()
    if options.jarip:
        os.environ["JARIP_BIN"] = options.jarip
    if options.model:
        os.environ["JARIP_TEST_MODEL"] = options.model
    try:
        soak(options.seconds, options.clients, options.requests, seed=options.seed,
             reference=options.reference, answers=options.answers,
             max_growth_mib=options.max_growth, say=lambda text: print(text, flush=True))
    except AssertionError as fault:
        sys.exit(f"soak: {fault}")


if __name__ == "__main__":
    main()
