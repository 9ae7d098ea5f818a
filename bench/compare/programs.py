"""The programs that are compared, as processes that wait for a line, work, and answer with the
seconds it took. While one works the others sleep in a read, with all their threads."""

import json
import pathlib
import selectors
import subprocess
import time

FALLS_ASLEEP_WITHIN_S = 3


class Refusal(Exception):
    """A program could not do what it was asked, or ended."""


class Program:
    """One program with one model loaded."""

    def __init__(self, name, command, patience_s=300):
        self.name = name
        self.patience_s = patience_s
        self.process = subprocess.Popen(
            [str(word) for word in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, bufsize=0)
        self.pending = b""

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.stop()

    def wait_until_ready(self):
        self._read()

    def ask(self, item):
        """The seconds that an item took. Returns when the program's threads are asleep."""
        seconds = self.answer(item)
        self._wait_until_asleep()
        return seconds

    def answer(self, item):
        """The seconds that an item took, as soon as the program says them."""
        self._write(item)
        answer = self._read()
        if "seconds" not in answer:
            raise Refusal(f"{self.name}: {answer.get('error', 'no answer')}")
        return answer["seconds"]

    def peak_bytes(self):
        """The most memory that the process has held so far."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        (line,) = [line for line in status.splitlines() if line.startswith("VmHWM:")]
        return int(line.split()[1]) * 1024

    def stop(self):
        for pipe in (self.process.stdin, self.process.stdout):
            pipe.close()
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def _wait_until_asleep(self):
        """Some libraries' threads go on spinning for a while after their work is done, on a core
        that the next program will want."""
        deadline = time.monotonic() + FALLS_ASLEEP_WITHIN_S
        while time.monotonic() < deadline:
            if not any(state == "R" for state in self._thread_states()):
                return
            time.sleep(0.005)

    def _thread_states(self):
        for task in pathlib.Path(f"/proc/{self.process.pid}/task").glob("*/stat"):
            try:
                yield task.read_text(encoding="utf-8").rpartition(")")[2].split()[0]
            except OSError:
                continue  # the thread has ended

    def _write(self, line):
        try:
            self.process.stdin.write(f"{line}\n".encode())
        except BrokenPipeError as error:
            raise Refusal(f"{self.name} ended") from error

    def _read(self):
        """The next line of JSON; what takes longer than the patience counts as a refusal."""
        deadline = time.monotonic() + self.patience_s
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            while b"\n" not in self.pending:
                if not selector.select(max(0.0, deadline - time.monotonic())):
                    self.process.kill()
                    raise Refusal(f"{self.name} took longer than {self.patience_s:.0f} s")
                piece = self.process.stdout.read(65536)
                if not piece:
                    raise Refusal(f"{self.name} could not load the model or ended")
                self.pending += piece
        line, _, self.pending = self.pending.partition(b"\n")
        return json.loads(line)


def seconds_to_first_token(name, command, item):
    """From the start of the process to its first logits."""
    begin = time.monotonic()
    with Program(name, command) as program:
        program.wait_until_ready()
        program.answer(item)
        return time.monotonic() - begin


def peak_memory(name, command, item):
    with Program(name, command) as program:
        program.wait_until_ready()
        program.ask(item)
        return program.peak_bytes()
