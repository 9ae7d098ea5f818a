#!/usr/bin/env python3
"""Runs the test suites of tools/test_suites.py and adds up what they report.

    tools/run_tests.py           all of them
    tools/run_tests.py NAME…     these, and what they need
    tools/run_tests.py --list    their names
    tools/run_tests.py --soak    the long runs, which nothing else starts

Output goes to build/test-logs/<suite>.log; the end of it is shown when a suite fails. The last line
is 'N passed, N failed' over all tests; the exit status is 0 when none failed."""

import argparse
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass

from test_report import Count, count_folder
from test_suites import ROOT, all_suites, soak_suites

LOGS = ROOT / "build" / "test-logs"
SCRATCH = ROOT / "build" / "test-scratch"
TAIL_LINES = 60

running_processes = set()  # each leads a session of its own


@dataclass(frozen=True)
class Outcome:
    word: str  # ok, FAILED, TIMEOUT, not run
    count: Count
    seconds: float = 0.0

    @property
    def passed(self):
        return self.word == "ok"


def choose(suites, names):
    """The named suites and all that they need, in the order of the table."""
    table = {suite.name: suite for suite in suites}
    wanted = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in table:
            raise KeyError(name)
        if name not in wanted:
            wanted.add(name)
            waiting.extend(table[name].needs)
    return [suite for suite in suites if suite.name in wanted]


def test_environment(suite):
    """The environment of a suite: nothing of the person's own settings, a home of its own."""
    home = os.environ.get("JARIP_HOME") or os.path.expanduser("~/.local/share/jarip")
    record = json.loads((ROOT / "tools" / "default_model.json").read_text(encoding="utf-8"))
    kept = {name: value for name, value in os.environ.items() if not name.startswith("JARIP_")}
    environment = {
        **kept,
        "JARIP_HOME": str(SCRATCH / suite.name / "home"),
        "JARIP_TEST_MODEL": os.path.join(home, "models", f"{record['name']}.gguf"),
        "JARIP_BIN": str(ROOT / "build" / "release" / "bin" / "jarip"),
        "JARIP_REPORTS": str(LOGS / suite.name),
        "GTEST_OUTPUT": f"xml:{LOGS / suite.name}/",
        "ASAN_OPTIONS": "detect_stack_use_after_return=1:strict_string_checks=1",
        "UBSAN_OPTIONS": "print_stacktrace=1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "LC_ALL": "C.UTF-8",
        **suite.environment,
    }
    if suite.name == "model":  # the one step that fills the person's own models folder
        environment["JARIP_HOME"] = home
    return environment


def judge(suite, status, timed_out, seconds):
    """The outcome of a suite that has ended. A runner that died without reporting a failure is
    one failure; a suite without a report is one test."""
    count = count_folder(LOGS / suite.name)
    good = status == 0 and not timed_out and count.failed == 0
    if not good and count.failed == 0:
        count += Count(failed=1)
    if good and count == Count() and not suite.step:
        count = Count(passed=1)
    word = "ok" if good else "TIMEOUT" if timed_out else "FAILED"
    return Outcome(word, count, seconds)


def end_session(process):
    """Ends a suite with all that it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def stop(signal_number, _frame):
    """Whoever stops the runner stops the suites too: they would go on without it."""
    for process in list(running_processes):
        end_session(process)
    os._exit(128 + signal_number)


def run_suite(suite):
    shutil.rmtree(LOGS / suite.name, ignore_errors=True)
    (LOGS / suite.name).mkdir(parents=True)
    shutil.rmtree(SCRATCH / suite.name, ignore_errors=True)
    (SCRATCH / suite.name / "home").mkdir(parents=True)
    started = time.monotonic()
    with (LOGS / f"{suite.name}.log").open("wb") as log:
        # A session of its own, so that ending the suite ends all that it started.
        process = subprocess.Popen(["bash", "-c", suite.command], cwd=ROOT,
                                   stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                                   env=test_environment(suite), start_new_session=True)
        running_processes.add(process)
        try:
            status = process.wait(timeout=suite.timeout_s)
            timed_out = False
        except subprocess.TimeoutExpired:
            end_session(process)
            status = process.wait()
            timed_out = True
        running_processes.discard(process)
    return judge(suite, status, timed_out, time.monotonic() - started)


class Schedule:
    """Runs suites as their needs and the machine's cores allow; prints each as it ends."""

    def __init__(self, suites, n_cores):
        self.waiting = list(suites)
        self.names = {suite.name for suite in suites}
        self.n_cores = n_cores
        self.running = {}
        self.outcomes = {}
        self.changed = threading.Condition()

    def is_ready(self, suite):
        return all(need in self.outcomes for need in suite.needs if need in self.names)

    def has_room(self, suite):
        if suite.alone or any(other.alone for other in self.running.values()):
            return not self.running
        busy = sum(min(other.cores, self.n_cores) for other in self.running.values())
        return suite.cores == 0 or busy + min(suite.cores, self.n_cores) <= self.n_cores

    def blocked_by(self, suite):
        return [need for need in suite.needs
                if need in self.outcomes and not self.outcomes[need].passed]

    def finish(self, suite, outcome):
        self.outcomes[suite.name] = outcome
        print(f"  {outcome.word:<8} {suite.name:<18} {outcome.seconds:7.1f} s   {outcome.count}",
              flush=True)
        if outcome.word in ("FAILED", "TIMEOUT"):
            show_tail(suite)

    def work(self, suite):
        outcome = run_suite(suite)
        with self.changed:
            del self.running[suite.name]
            self.finish(suite, outcome)
            self.changed.notify()

    def start_ready(self):
        """In the order of the table: a small suite doesn't take the core that a build waits for,
        as it would keep the build from the other one too."""
        is_waited_for = False
        for suite in list(self.waiting):
            if self.blocked_by(suite):
                self.waiting.remove(suite)
                self.finish(suite, Outcome("not run", Count()))
            elif not self.is_ready(suite):
                continue
            elif not self.has_room(suite) or (is_waited_for and suite.cores > 0):
                is_waited_for = is_waited_for or not suite.alone
            else:
                self.waiting.remove(suite)
                self.running[suite.name] = suite
                threading.Thread(target=self.work, args=(suite,), daemon=True).start()

    def run(self):
        with self.changed:
            while self.waiting or self.running:
                before = len(self.outcomes)
                self.start_ready()
                if len(self.outcomes) == before and self.running:
                    self.changed.wait()
        return self.outcomes


def show_tail(suite):
    path = LOGS / f"{suite.name}.log"
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    print(f"  ---- end of {path.relative_to(ROOT)} ({len(lines)} lines)")
    for line in lines[-TAIL_LINES:]:
        print(f"  | {line}")
    print("  ----", flush=True)


def print_summary(suites, outcomes, seconds):
    print(f"\n{'suite':<18} {'result':<8} {'seconds':>8} {'passed':>7} {'failed':>7} "
          f"{'skipped':>8}")
    for suite in suites:
        outcome = outcomes[suite.name]
        count = outcome.count
        print(f"{suite.name:<18} {outcome.word:<8} {outcome.seconds:>8.1f} {count.passed:>7} "
              f"{count.failed:>7} {count.skipped:>8}")
    print(f"{'in all':<18} {'':<8} {seconds:>8.1f}\n")
    print(sum((outcomes[suite.name].count for suite in suites), Count()), flush=True)


def main():
    parser = argparse.ArgumentParser(description="Runs jarip's test suites.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="suites; none means all")
    parser.add_argument("--list", action="store_true", help="print the suites' names and stop")
    parser.add_argument("--soak", action="store_true", help="the long runs and what they need")
    arguments = parser.parse_args()
    suites = all_suites() + soak_suites()
    if arguments.list:
        print("\n".join(suite.name for suite in suites))
        return 0
    try:
        names = arguments.names or [suite.name for suite in
                                    (soak_suites() if arguments.soak else all_suites())]
        chosen = choose(suites, names)
    except KeyError as error:
        parser.error(f"no suite is called {error.args[0]}; they are: "
                     f"{', '.join(suite.name for suite in suites)}")
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    n_cores = len(os.sched_getaffinity(0))
    print(f"jarip: {len(chosen)} suites on {n_cores} cores; output in build/test-logs", flush=True)
    started = time.monotonic()
    outcomes = Schedule(chosen, n_cores).run()
    print_summary(chosen, outcomes, time.monotonic() - started)
    return 0 if all(outcome.passed for outcome in outcomes.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
