"""Thousands of random schemas: what random tokens out of the masks write is valid, whatever is
drawn, and values known to be valid are accepted."""

import json
import os
import random

import pytest
from random_schemas import Maker
from validation import problems

SOAK = "JARIP_SOAK" in os.environ  # make soak
N_BATCHES = 200 if SOAK else 6
N_MODEL_BATCHES = 40 if SOAK else 2
N_SCHEMAS = 100  # a batch
N_DRAWS = 3
MOST_CUT = 0.2  # of the answers, by their length


@pytest.mark.parametrize("batch", range(N_BATCHES))
def test_answers_are_valid_and_valid_values_are_answers(byte_tool, batch):
    check(byte_tool, batch, N_SCHEMAS)


@pytest.mark.parametrize("batch", range(1000, 1000 + N_MODEL_BATCHES))
def test_the_same_over_the_default_models_vocabulary(tool, batch):
    check(tool, batch, 25)


def check(tool, batch, n_schemas):
    rng = random.Random(batch)
    n_cut = 0
    for _ in range(n_schemas):
        schema, value = Maker(rng).root()
        assert problems(schema, value) == "", (schema, value)
        answer = tool.schema(schema, [rng.randrange(1 << 40) for _ in range(N_DRAWS)], [value])
        assert "error" not in answer, (schema, answer)
        assert answer["accepted"] == [True], (json.dumps(schema), value)
        for text in answer["drawn"]:
            if text is None:
                n_cut += 1
                continue
            assert isinstance(text, str), (schema, text)
            assert problems(schema, text) == "", (json.dumps(schema), text)
    assert n_cut <= MOST_CUT * n_schemas * N_DRAWS
