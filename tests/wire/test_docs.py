"""The commands of docs/api.md do what the page says they do."""

import pathlib
import re
import subprocess

import pytest

PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs" / "api.md"
# A command, and what must stand in its output, one piece a line.
EXAMPLE = re.compile(r"```sh\n(curl .*?)```(?:\n\n```text\n(.*?)```)?", re.S)
EXAMPLES = EXAMPLE.findall(PAGE.read_text(encoding="utf-8"))


def test_the_page_has_examples():
    assert len(EXAMPLES) > 12
    assert sum(bool(expected) for _, expected in EXAMPLES) > 12


@pytest.mark.parametrize(("command", "expected"), EXAMPLES,
                         ids=[f"example-{i + 1}" for i in range(len(EXAMPLES))])
def test_an_example_does_what_the_page_says(server, command, expected):
    here = command.replace("http://127.0.0.1:8484", server.address)
    done = subprocess.run(["bash", "-c", here], capture_output=True, text=True, timeout=60,
                          check=True)
    for piece in expected.splitlines():
        assert piece in done.stdout
    assert done.stdout
