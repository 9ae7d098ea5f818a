"""The default model's greedy answers are, byte for byte, the golden ones: on one thread and on
several, and with every instruction set that this machine has."""

import os
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tools"))
import golden  # noqa: E402

MODEL = os.environ["JARIP_TEST_MODEL"]


def test_there_are_ten_answers_and_none_is_empty():
    assert len(golden.files()) == 10
    assert all(golden.read(path)[1] for path in golden.files())


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("path", golden.files(), ids=lambda path: path.stem)
def test_the_answer_is_the_golden_one(path, threads):
    prompt, answer = golden.read(path)
    assert golden.answer(MODEL, prompt, "--threads", str(threads)) == answer


@pytest.mark.parametrize("instruction_set", ["scalar", "avx2", "avxvnni", "avx512"])
def test_every_instruction_set_gives_the_golden_answer(instruction_set):
    prompt, answer = golden.read(golden.files()[0])
    try:
        found = golden.answer(MODEL, prompt, environment={"JARIP_CPU": instruction_set})
    except RuntimeError as error:
        if "is not an instruction set of this machine" not in str(error):
            raise
        pytest.skip(str(error))
    assert found == answer
