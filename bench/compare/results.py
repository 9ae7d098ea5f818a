"""From seconds to the table: medians, ratios, verdicts and the machine's limits. Pure functions."""

import statistics
from dataclasses import dataclass

OURS = "jarip"
LLAMA = "llama.cpp"  # its builds' names begin so

# A peer that needed this much more than the best one in the first round is left out of the rest.
STAYS_WITHIN = 1.25


@dataclass(frozen=True)
class Result:
    """One row as measured. Values are in `unit`; higher is better unless lower_is_better."""

    work: str
    title: str
    unit: str
    values: dict               # of each program, a value for each round
    at_least: float | None     # the ratio to reach
    lower_is_better: bool = False
    of_limit: str = ""         # "62 % of int8"

    def median(self, name):
        return statistics.median(self.values[name])

    def best_of(self, names):
        choose = min if self.lower_is_better else max
        return choose(names, key=self.median, default=None)

    def ratio_to(self, peer):
        """How many times as good as the peer we are; None without one."""
        if peer is None or OURS not in self.values:
            return None
        ours, theirs = self.median(OURS), self.median(peer)
        return theirs / ours if self.lower_is_better else ours / theirs

    @property
    def best_peer(self):
        return self.best_of([name for name in self.values if name != OURS])

    @property
    def ratio(self):
        return self.ratio_to(self.best_peer)

    @property
    def ratio_to_llama(self):
        return self.ratio_to(self.best_of([n for n in self.values if n.startswith(LLAMA)]))

    @property
    def is_reached(self):
        if self.ratio is None or self.at_least is None:
            return None
        return self.ratio >= self.at_least

    def spread(self, name):
        values = self.values[name]
        return (max(values) - min(values)) / statistics.median(values)


def peers_that_stay(seconds, costs_much):
    """Who goes on after the first round, by the seconds that each peer needed in it."""
    if not seconds:
        return []
    best = min(seconds.values())
    if costs_much:
        return [min(seconds, key=seconds.get)]
    return [name for name, needed in seconds.items() if needed <= STAYS_WITHIN * best]


def rounds_that_fit(seconds_left, seconds_for_later, seconds_a_round, least, most):
    """How often a row can be measured when what comes later must find its time too. 0 when not even
    the least fits in all that is left."""
    if least * seconds_a_round > seconds_left:
        return 0
    fitting = int((seconds_left - seconds_for_later) / max(seconds_a_round, 1e-9))
    return max(least, min(most, fitting))


def share_of_limit(limit, tokens_per_second, work, limits):
    """What part of the machine's limit a row uses, "62 % of int8"; empty where none is known.

    work: of the model, {"ops_per_token": …, "bytes_per_step": …}; limits: as `jarip bench --limits
    --json` gives them."""
    keys = {"int8": ("ops_per_token", "int8_ops_per_second"),
            "f32": ("ops_per_token", "f32_flops_per_second"),
            "read": ("bytes_per_step", "read_bytes_per_second")}
    if limit not in keys or not limits:
        return ""
    mine, machine = keys[limit]
    return f"{100 * work[mine] * tokens_per_second / limits[machine]:.0f} % of {limit}"


def work_of(tensors, logits_per_token):
    """What a token costs, from `jarip inspect --json`'s list of tensors: operations of the matrices
    (a multiplication and an addition a weight), and bytes that a step of one stream reads. The
    embedding, tied to the output, counts where logits are wanted."""
    ops = 0.0
    n_bytes = 0
    for tensor in tensors:
        if len(tensor["shape"]) == 2:
            share = logits_per_token if tensor["name"] == "token_embd.weight" else 1
            ops += 2 * tensor["shape"][0] * tensor["shape"][1] * share
        n_bytes += tensor["bytes"]
    return {"ops_per_token": ops, "bytes_per_step": n_bytes}


def format_value(value):
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def table_line(result):
    """A line of the table in Markdown."""
    ours = format_value(result.median(OURS)) if OURS in result.values else "–"
    peer = result.best_peer
    theirs = f"{format_value(result.median(peer))} ({peer})" if peer else "–"
    ratio, llama = (f"{x:.2f}" if x is not None else "–"
                    for x in (result.ratio, result.ratio_to_llama))
    wanted = f"{result.at_least:.2f}" if result.at_least is not None else "–"
    verdict = {True: "yes", False: "**no**", None: "–"}[result.is_reached]
    names = [name for name in (OURS, peer) if name in result.values]
    spread = " / ".join(f"{100 * result.spread(name):.0f} %" for name in names)
    cells = [result.work, result.title, f"{ours} {result.unit}", theirs, ratio, wanted, verdict,
             llama, spread, result.of_limit or "–"]
    return f"| {' | '.join(cells)} |"


def table(results):
    """The rows that something is asked of, in Markdown."""
    head = ("work", "model", "jarip", "best peer", "ratio", "at least", "reached",
            "ratio to llama.cpp", "spread ours / peer", "of the machine")
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    return "\n".join(lines + [table_line(row) for row in results if row.at_least is not None])


def as_json(result):
    return {"work": result.work, "model": result.title, "unit": result.unit,
            "values": result.values, "best_peer": result.best_peer, "ratio": result.ratio,
            "ratio_to_llama": result.ratio_to_llama,
            "at_least": result.at_least, "reached": result.is_reached,
            "lower_is_better": result.lower_is_better, "of_limit": result.of_limit}
