"""The golden answers' files: a prompt, a line of four dashes, the answer's bytes."""

import os
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent
FOLDER = ROOT / "tests" / "golden"
SEPARATOR = b"\n----\n"
N_TOKENS = 48


def files():
    return sorted(FOLDER.glob("*.txt"))


def read(path):
    """(prompt, answer) as bytes."""
    prompt, separator, answer = path.read_bytes().partition(SEPARATOR)
    if not separator:
        raise ValueError(f"{path} has no line of four dashes")
    return prompt, answer


def answer(model, prompt, *options, environment=None):
    """The bytes that jarip answers, greedily."""
    jarip = os.environ.get("JARIP_BIN", str(ROOT / "build" / "release" / "bin" / "jarip"))
    command = [jarip, "run", model, "-", "--greedy", "-n", str(N_TOKENS), *options]
    result = subprocess.run(command, input=prompt, capture_output=True, check=False, timeout=120,
                            env={**os.environ, **(environment or {})})
    if result.returncode != 0:
        raise RuntimeError(result.stderr.decode(errors="replace").strip())
    return result.stdout
