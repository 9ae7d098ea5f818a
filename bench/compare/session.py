"""One measuring run: who is loaded, in which order they work, and how much time is left."""

import sys
import time

from programs import Program, Refusal, peak_memory, seconds_to_first_token
from results import OURS, Result, peers_that_stay, rounds_that_fit

COSTS_MUCH_S = 3  # a row whose round takes longer keeps only the best peer


class Session:
    def __init__(self, contenders, threads, budget_s, folder):
        self.contenders = contenders  # ours first
        self.threads = threads
        self.folder = folder          # of the models
        self.budget_s = budget_s
        self.begin = time.monotonic()
        self.notes = []               # what could not be measured, and why
        self.slowness = 1.0           # of this machine, against the costs that rows expect

    @property
    def seconds_left(self):
        return self.budget_s - (time.monotonic() - self.begin)

    def say(self, text):
        print(f"[{self.seconds_left:4.0f} s left] {text}", file=sys.stderr, flush=True)

    def note(self, text):
        if text not in self.notes:
            self.say(text)
            self.notes.append(text)

    def measure_model(self, rows, later_s):
        """[(row, {name: [tokens a second, …]})] of rows that share a model. later_s: what the rows
        of later models cost at least."""
        if not any(self._fits(row, later_s) for row in rows):
            self.note(f"{rows[0].title}: no time left")
            return []
        programs = self._load(rows[0].model)
        measured = []
        best = None  # the peer that was quickest last
        try:
            for i, row in enumerate(rows):
                reserve = later_s + sum(map(least_cost, rows[i + 1:]))
                seconds = self._measure_row(row, programs, best if row.one_peer else None, reserve)
                if OURS not in seconds:
                    continue
                speeds = {name: [row.n_tokens / one for one in all_rounds]
                          for name, all_rounds in seconds.items()}
                measured.append((row, speeds))
                peers = {name: min(one) for name, one in seconds.items() if name != OURS}
                best = min(peers, key=peers.get) if peers else best
                self.say(f"{row.title}, {row.work}: " + ", ".join(
                    f"{name} {max(values):.1f}" for name, values in speeds.items()))
        finally:
            for program in programs.values():
                program.stop()
        return measured

    def _load(self, model):
        programs = {}
        for contender in self.contenders:
            self._load_one(contender, model, programs)
        return programs

    def _load_one(self, contender, model, programs):
        program = Program(contender.name,
                          contender.command(self.folder / f"{model}.gguf", self.threads))
        try:
            program.wait_until_ready()
            programs[contender.name] = program
        except Refusal as refusal:
            program.stop()
            self.note(f"{model}: {refusal}")

    def _measure_row(self, row, programs, only_peer, reserve):
        """{name: [seconds, …]}: every program in turn, round after round."""
        if not self._fits(row, reserve):
            self.note(f"{row.title}, {row.work}: no time left")
            return {}
        names = self._warm_up(row, programs, only_peer)
        begin = time.monotonic()
        seconds = {name: [one] for name in names if (one := self._ask(row, programs, name))}
        spent = time.monotonic() - begin
        if OURS not in seconds:
            return {}
        peers = {name: one[0] for name, one in seconds.items() if name != OURS}
        staying = [OURS, *peers_that_stay(peers, spent > COSTS_MUCH_S)]
        a_round = sum(seconds[name][0] for name in staying)
        self.slowness = 0.5 * self.slowness + 0.5 * max(0.3, a_round / row.cost_s)
        for _ in range(self._count(row, reserve, a_round) - 1):
            for name in staying:
                if row.fresh:
                    self._start_again(row, programs, name)
                one = self._ask(row, programs, name)
                if one:
                    seconds[name].append(one)
        return seconds

    def _start_again(self, row, programs, name):
        """A fresh process, warmed up, in place of the program that is loaded."""
        (contender,) = [one for one in self.contenders if one.name == name]
        if program := programs.pop(name, None):
            program.stop()
            self._load_one(contender, row.model, programs)
            self._ask(row, programs, name, row.warm_up or row.item)

    def _warm_up(self, row, programs, only_peer):
        """Who takes part: those that can, of the peers only the given one if it is one of them."""
        peers = [name for name in programs if name != OURS]
        first = [name for name in peers if only_peer in (None, name)]
        others = [name for name in peers if name not in first]

        def able(names):
            return [name for name in names
                    if self._ask(row, programs, name, row.warm_up or row.item)]

        return able([OURS]) + (able(first) or able(others[:1]))

    def _fits(self, row, reserve):
        expected = self.slowness * row.cost_s
        return self._count(row, reserve, expected, self.slowness * (row.warm_up_s or row.cost_s))

    def _count(self, row, reserve, a_round, warm_up=0.0):
        """How many rounds of so many seconds the row gets."""
        return rounds_that_fit(self.seconds_left - warm_up, reserve * self.slowness, a_round,
                               min(3, row.rounds), row.rounds)

    def _ask(self, row, programs, name, item=None):
        """The seconds, or None: then the program has nothing to say on this row, or is gone."""
        if name not in programs:
            return None
        program = programs[name]
        program.patience_s = max(10.0, self.seconds_left)
        try:
            return program.ask(item or row.item)
        except Refusal as refusal:
            self.note(f"{row.title}: {refusal}")
            if program.process.poll() is not None or "took longer" in str(refusal):
                program.stop()
                del programs[name]
            return None

    def measure_loading(self, model, title, rounds):
        """From the start of each program to its first logits, in turns."""
        values = {}
        staying = list(self.contenders)
        path = self.folder / f"{model}.gguf"
        for _ in range(rounds):
            for contender in staying:
                command = contender.command(path, self.threads)
                try:
                    seconds = seconds_to_first_token(contender.name, command, "prefill 1")
                    values.setdefault(contender.name, []).append(seconds)
                except Refusal as refusal:
                    self.note(f"{model}: {refusal}")
            peers = peers_that_stay({name: one[0] for name, one in values.items() if name != OURS},
                                    costs_much=False)
            staying = [one for one in staying if one.name in (OURS, *peers)]
        self.say(f"{title}, load to first token: {values}")
        return Result("load to first token, page cache warm", title, "s", values, 1.0,
                      lower_is_better=True)

    def measure_memory(self, model, title, n_tokens):
        """The most memory that each program held while its context was filled, in MiB."""
        values = {}
        for contender in self.contenders[:2]:  # ours and the first peer, for the time it takes
            command = contender.command(self.folder / f"{model}.gguf", self.threads)
            try:
                n_bytes = peak_memory(contender.name, command, f"prefill {n_tokens}")
                values[contender.name] = [n_bytes / 2**20]
            except Refusal as refusal:
                self.note(f"{model}: {refusal}")
        self.say(f"{title}, peak memory: {values}")
        return Result(f"peak memory, {n_tokens} tokens of context", title, "MiB", values, 1.0,
                      lower_is_better=True)


def least_cost(row):
    """What a row costs at least, on the machine that rows expect."""
    return (row.warm_up_s or row.cost_s) + min(3, row.rounds) * row.cost_s
