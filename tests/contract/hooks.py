"""What schemathesis sends is changed where a random value would only ever meet one refusal, or take
long. Values that must be refused stay as they are."""

import os

import schemathesis

MODEL = os.environ["LOADED_MODEL"]  # any other name is a 404 that never gets further
LONGEST_NAME = 256
INT32 = 2**31 - 1
# What the server takes of a number, and the nearest value that suits a test.
AT_MOST = {"n": (1, 128, 2), "max_tokens": (1, INT32, 2), "max_completion_tokens": (1, INT32, 2),
           "max_output_tokens": (1, INT32, 2), "n_predict": (-1, INT32, 2)}
AT_LEAST = {"timeout": (0.001, 1e6, 60), "max_queue_ms": (1, INT32, 60_000)}


def allowed(body, name, least, most):
    value = body.get(name)
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return is_number and least <= value <= most


@schemathesis.hook
def before_call(context, case, kwargs):
    body = case.body
    if not isinstance(body, dict):
        return
    name = body.get("model")
    if isinstance(name, str) and 1 <= len(name) <= LONGEST_NAME:
        body["model"] = MODEL
    for field, (least, most, suited) in AT_MOST.items():
        if allowed(body, field, least, most):
            body[field] = min(body[field], suited)
    for field, (least, most, suited) in AT_LEAST.items():
        if allowed(body, field, least, most):
            body[field] = max(body[field], suited)
