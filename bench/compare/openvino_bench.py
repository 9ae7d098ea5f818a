"""OpenVINO GenAI's side of the comparison: the work of `jarip bench --from-stdin` as far as its
pipeline can be asked for it, answered in the same JSON. Contexts that are there before can't be
asked for.

    openvino_bench.py MODEL THREADS"""

import json
import os
import sys
import time

import numpy as np

# The protocol has standard output to itself: the library writes there too.
PROTOCOL = os.fdopen(os.dup(1), "w", buffering=1)
os.dup2(2, 1)

import openvino as ov  # noqa: E402
import openvino_genai as genai  # noqa: E402


def load(model, threads):
    scheduler = genai.SchedulerConfig()
    scheduler.enable_prefix_caching = False  # every prompt is to be read
    scheduler.max_num_batched_tokens = 512
    return genai.LLMPipeline(model, "CPU", scheduler_config=scheduler,
                             INFERENCE_NUM_THREADS=threads)


def generate(pipeline, batch, n_in, n_out):
    """Seconds of the whole, and of that until the first token."""
    row = np.arange(n_in, dtype=np.int64) * 7919 % 30000
    ids = np.ascontiguousarray(np.broadcast_to(row, (batch, n_in)))
    config = genai.GenerationConfig(max_new_tokens=n_out, ignore_eos=True, do_sample=False)
    begin = time.perf_counter()
    done = pipeline.generate(
        genai.TokenizedInputs(ov.Tensor(ids), ov.Tensor(np.ones_like(ids))), config)
    seconds = time.perf_counter() - begin
    return seconds, done.perf_metrics.get_ttft().mean / 1000


def measure(pipeline, line):
    words = line.split()
    item = dict(zip(words[::2], map(int, words[1::2]), strict=True))
    if item.pop("depth", 0):
        raise ValueError("this pipeline can't be given a context")
    batch = item.pop("batch", 1)
    ((kind, n_tokens),) = item.items()
    if kind == "prefill":
        return generate(pipeline, batch, n_tokens, 1)[0]
    seconds, first = generate(pipeline, batch, 1, n_tokens + 1)
    return seconds - first


def main():
    pipeline = load(sys.argv[1], int(sys.argv[2]))
    print(json.dumps({"ready": True}), file=PROTOCOL)
    for line in sys.stdin:
        try:
            answer = {"seconds": measure(pipeline, line)}
        except (ValueError, RuntimeError) as error:
            answer = {"error": str(error).strip().splitlines()[-1]}
        print(json.dumps(answer), file=PROTOCOL)


if __name__ == "__main__":
    main()
