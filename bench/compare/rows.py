"""What is compared: the rows of the table, the points of the curves, and the models they need."""

from dataclasses import dataclass

SHAPES = {"llama-135m": "135M", "llama-1b": "1.2B"}
MIXED = "q4_k_m"  # what most people run: the curves, loading and memory are measured with it
BATCHES = (1, 2, 4, 8, 16, 32, 64)
DEPTHS = (16384, 8192, 4096, 2048, 1024, 0)  # the longest first: what was read serves the shorter
STREAMS = 16


@dataclass(frozen=True)
class Row:
    work: str                # for people
    shape: str
    format: str
    item: str                # the line that asks both programs for it
    n_tokens: int            # that an answer in seconds stands for
    at_least: float | None   # times the peer; None: only a point of a curve
    limit: str = ""          # what of the machine could end it: int8, f32 or read
    rounds: int = 5
    cost_s: float = 1.0      # of one round, ours and one peer's, on a quiet machine of two cores
    warm_up: str = ""        # another line to warm up with; empty: the item itself
    warm_up_s: float = 0     # what that costs, ours and one peer's; 0: as much as a round
    one_peer: bool = False   # only the peer that was best so far with this model
    fresh: bool = False      # each round in processes of its own: where a process's memory
                             # happens to lie changes how fast a small model decodes
    quick: bool = False      # part of the short version

    @property
    def is_of_a_curve(self):
        return self.at_least is None

    @property
    def model(self):
        return f"{self.shape}-{self.format}"

    @property
    def title(self):
        return f"{SHAPES[self.shape]} {self.format.upper()}"


def prefill_row(shape, file_format, at_least, limit, quick=False):
    small = shape == "llama-135m"
    return Row("prefill 512", shape, file_format, "prefill 512", 512, at_least, limit,
               rounds=5 if small else 3, cost_s=0.9 if small else 5,
               warm_up="" if small else "prefill 64", quick=quick)


def decode_row(shape, file_format, at_least, quick=False):
    small = shape == "llama-135m"
    n_tokens = 64 if small else 24
    return Row("decode, one stream", shape, file_format, f"decode {n_tokens}", n_tokens, at_least,
               "read", cost_s=0.8 if small else 1.4, warm_up="decode 8", fresh=small, quick=quick)


def batch_row(shape, file_format, batch, at_least=None, quick=False):
    small = shape == "llama-135m"
    n_tokens = 16 if small else 6
    return Row(f"{batch} streams decoding together", shape, file_format,
               f"decode {n_tokens} batch {batch}", n_tokens * batch, at_least,
               "int8" if at_least else "", rounds=5 if at_least else 3,
               cost_s=n_tokens * batch / (300 if small else 60) + 0.2,
               one_peer=at_least is None, quick=quick)


def depth_rows():
    """The curves against context: with one context that shrinks."""
    rows = []
    for depth in DEPTHS:
        for work, n_tokens in (("decode", 16), ("prefill", 512)):
            rows.append(Row(f"{work} after {depth}", "llama-135m", MIXED,
                            f"{work} {n_tokens} depth {depth}", n_tokens, None, rounds=3,
                            cost_s=0.5 + depth * n_tokens / 2e6, one_peer=True,
                            warm_up=f"decode 1 depth {depth}",
                            warm_up_s=120 if depth == max(DEPTHS) else 0.5))
    return rows


def long_prompt_row():
    return Row("prefill 8192", "llama-135m", MIXED, "prefill 8192", 8192, 2.0, "int8", rounds=2,
               cost_s=28, warm_up="prefill 64", warm_up_s=0.3, one_peer=True)


def all_rows(quick=False):
    """Every row once; groups_of says in which order they are measured."""
    rows = []
    for file_format in ("q4_0", "q8_0", "q4_k_m", "f16", "bf16"):
        is_mixed = file_format == MIXED
        exact = file_format in ("f16", "bf16")
        rows.append(prefill_row("llama-135m", file_format, 1.2 if exact else 2.0,
                                "f32" if exact else "int8", quick=not exact))
        rows.append(decode_row("llama-135m", file_format, 1.2 if exact else 1.35,
                               quick=not exact))
        if file_format in ("q4_0", MIXED):
            rows.append(batch_row("llama-135m", file_format, STREAMS, 2.5, quick=is_mixed))
        if is_mixed:
            rows += [batch_row("llama-135m", file_format, batch)
                     for batch in BATCHES if batch != STREAMS]
            rows += [long_prompt_row(), *depth_rows()]
    for file_format in ("q4_0", "q8_0", "q4_k_m"):
        is_mixed = file_format == MIXED
        rows.append(prefill_row("llama-1b", file_format, 2.0, "int8", quick=is_mixed))
        rows.append(decode_row("llama-1b", file_format, 1.05, quick=is_mixed))
        if file_format in ("q4_0", MIXED):
            rows.append(batch_row("llama-1b", file_format, STREAMS, 2.5, quick=is_mixed))
        if is_mixed:
            rows += [batch_row("llama-1b", file_format, batch)
                     for batch in BATCHES if batch != STREAMS]
    return [row for row in rows if row.quick] if quick else rows


def models_of(rows):
    """The models' names, each once, in the order of the rows."""
    return list(dict.fromkeys(row.model for row in rows))


def groups_of(rows):
    """Rows that share a model, which is loaded once for each group. What the table asks for comes
    before all curves: on a slow day points are lost, not rows."""
    groups = []
    for is_of_a_curve in (False, True):
        part = [row for row in rows if row.is_of_a_curve == is_of_a_curve]
        groups += [[row for row in part if row.model == name] for name in models_of(part)]
    return groups
