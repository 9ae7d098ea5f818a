"""What is asked of the servers: prompts as token ids, new ones every round, so that nothing of an
earlier round lies in a cache."""

import random
from dataclasses import dataclass

CLIENTS = 8
CURVE_CLIENTS = (1, 2, 4, 8, 16, 32)
NEW_TOKENS = 64
# The first ids are control tokens in every vocabulary that we make; all have more than the last.
TOKENS = range(1000, 40000)


@dataclass(frozen=True)
class Workload:
    name: str
    title: str                # for people
    n_clients: int
    n_requests: int           # of all clients: each sends its next when it has its answer
    shared_tokens: int        # that all prompts begin with
    own_tokens: int           # that follow, in each prompt others
    n_new: int = NEW_TOKENS
    user: str | None = None   # on whose behalf, where the server shares itself among users
    throughput_at_least: float | None = None  # as a part of the peer's
    first_token_at_most: float | None = None  # p95, as a part of the peer's

    def prompts(self, seed):
        numbers = random.Random(f"{self.name} {seed}")

        def tokens(count):
            return [numbers.choice(TOKENS) for _ in range(count)]

        shared = tokens(self.shared_tokens)
        return [shared + tokens(self.own_tokens) for _ in range(self.n_requests)]

    def requests(self, seed):
        """Bodies for /v1/completions: greedy and of a set length, so that everybody computes as
        much."""
        body = {"max_tokens": self.n_new, "temperature": 0, "ignore_eos": True, "stream": True,
                "stream_options": {"include_usage": True}}
        if self.user:
            body["user"] = self.user
        return [{"prompt": prompt, **body} for prompt in self.prompts(seed)]


# Measured beside llama-server.
WORKLOADS = (
    Workload("shared", "a shared prefix of 900 tokens, 64 new", CLIENTS, CLIENTS * 24, 900, 16,
             throughput_at_least=3.0, first_token_at_most=1 / 3),
    Workload("distinct", "prompts of 300 tokens, 64 new", CLIENTS, CLIENTS * 8, 0, 300,
             throughput_at_least=2.0),
)
CURVE = Workload("curve", "prompts of 300 tokens, 64 new", CLIENTS, CLIENTS * 2, 0, 300)

# To repeat by hand what tests/load/fairness.py and `make overhead` measure: generator.py.
QUESTIONS = Workload("questions", "questions of 50 tokens, 1 new", 1, 200, 0, 50, n_new=1,
                     user="modest")
LONG = Workload("long", "prompts of 16,000 tokens, 1 new", 1, 2, 0, 16000, n_new=1, user="greedy")
STREAMS = Workload("streams", "prompts of 8 tokens, 256 new", 16, 64, 0, 8, n_new=256)

BY_NAME = {one.name: one for one in (*WORKLOADS, CURVE, QUESTIONS, LONG, STREAMS)}
