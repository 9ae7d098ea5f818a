"""What is asked of the servers: prompts as token ids, new ones every round, so that nothing of an
earlier round lies in a cache."""

import random
from dataclasses import dataclass

CLIENTS = 8
CURVE_CLIENTS = (1, 2, 4, 8, 16, 32)
NEW_TOKENS = 64


@dataclass(frozen=True)
class Workload:
    name: str
    title: str                # for people
    n_clients: int
    n_requests: int           # of each client
    shared_tokens: int        # that all prompts begin with
    own_tokens: int           # that follow, in each prompt others
    throughput_at_least: float
    first_token_at_most: float | None = None  # p95, as a part of the peer's
    n_new: int = NEW_TOKENS

    def prompts(self, n_vocab, seed):
        """For each client its list of prompts."""
        numbers = random.Random(f"{self.name} {seed}")

        def tokens(count):
            # the first ids are control tokens in every vocabulary that we make
            return [numbers.randrange(1000, n_vocab) for _ in range(count)]

        shared = tokens(self.shared_tokens)
        return [[shared + tokens(self.own_tokens) for _ in range(self.n_requests)]
                for _ in range(self.n_clients)]


WORKLOADS = (
    Workload("shared", "a shared prefix of 900 tokens, 64 new", CLIENTS, 24, 900, 16,
             throughput_at_least=3.0, first_token_at_most=1 / 3),
    Workload("distinct", "prompts of 300 tokens, 64 new", CLIENTS, 12, 0, 300,
             throughput_at_least=2.0),
)

CURVE = Workload("curve", "prompts of 300 tokens, 64 new", CLIENTS, 2, 0, 300,
                 throughput_at_least=0)
