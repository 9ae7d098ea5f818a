"""How far one path's next-token distributions are from another's."""

from dataclasses import dataclass

import numpy as np

ROWS_AT_ONCE = 64


@dataclass(frozen=True)
class Fidelity:
    n_tokens: int
    mean_kl: float      # KL(reference || path), nats
    highest_kl: float
    top1_agreement: float
    perplexity: float   # of the path, over the next tokens of each window


def log_softmax(logits):
    """Rows of logits to rows of log-probabilities, in double precision."""
    rows = logits.astype(np.float64)
    rows -= rows.max(axis=1, keepdims=True)
    return rows - np.log(np.exp(rows).sum(axis=1, keepdims=True))


def compare(reference, path, next_tokens):
    """reference, path: f32 [n_tokens, n_vocab]; next_tokens: for each row the token that follows in
    its window, or -1 at a window's end."""
    kl, agree, nll = [], [], []
    for start in range(0, len(reference), ROWS_AT_ONCE):
        rows = slice(start, start + ROWS_AT_ONCE)
        log_p = log_softmax(reference[rows])
        log_q = log_softmax(path[rows])
        kl.append((np.exp(log_p) * (log_p - log_q)).sum(axis=1))
        agree.append(log_p.argmax(axis=1) == log_q.argmax(axis=1))
        wanted = next_tokens[rows]
        inside = np.flatnonzero(wanted >= 0)
        nll.append(-log_q[inside, wanted[inside]])
    kl = np.concatenate(kl)
    return Fidelity(n_tokens=len(kl), mean_kl=float(kl.mean()), highest_kl=float(kl.max()),
                    top1_agreement=float(np.concatenate(agree).mean()),
                    perplexity=float(np.exp(np.concatenate(nll).mean())))


def next_tokens_of(windows):
    """What compare() takes, of a list of windows of token ids."""
    return np.concatenate([np.append(window[1:], -1).astype(np.int64) for window in windows])


def read_logits(path, n_tokens):
    """The file that logits_dump and peer_logits write, mapped: f32 [n_tokens, n_vocab]."""
    values = np.memmap(path, dtype="<f4", mode="r")
    if n_tokens == 0 or values.size % n_tokens != 0:
        raise ValueError(f"{path} holds {values.size} numbers, not a multiple of {n_tokens} tokens")
    logits = values.reshape(n_tokens, -1)
    if not np.isfinite(logits).all():
        raise ValueError(f"{path} holds a logit that is not finite")
    return logits
