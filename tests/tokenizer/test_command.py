"""`jarip tokenize` gives the reference's ids, from standard input and from an argument."""

import json
import os
import subprocess

import families
import texts

JARIP = os.environ.get("JARIP_BIN", str(families.ROOT / "build" / "release" / "bin" / "jarip"))


def tokenize(*arguments, text=b""):
    process = subprocess.run([JARIP, "tokenize", os.environ["JARIP_TEST_MODEL"], *arguments],
                             input=text, capture_output=True, timeout=60, check=False)
    assert process.returncode == 0, process.stderr.decode()
    return process.stdout.decode(), process.stderr.decode()


def reference_ids(text, special=False):
    reference = families.reference(os.environ["JARIP_TEST_MODEL"], special)
    return reference.encode(text, add_special_tokens=False).ids


def test_standard_input_is_taken_to_its_last_byte():
    text = "The capital of France is\n자립\n\n"
    output, complaints = tokenize("--json", text=text.encode())
    assert json.loads(output) == reference_ids(text)
    assert complaints == ""


def test_the_text_may_be_an_argument():
    output, _ = tokenize("--json", "--", " -1 + 2")
    assert json.loads(output) == reference_ids(" -1 + 2")


def test_control_tokens_are_parsed_only_when_asked_for():
    text = "".join(texts.CONTROL_TOKENS)
    as_text, _ = tokenize("--json", text=text.encode())
    special, _ = tokenize("--json", "--special", text=text.encode())
    assert json.loads(as_text) == reference_ids(text)
    assert json.loads(special) == reference_ids(text, special=True)
    assert as_text != special


def test_people_see_each_token_with_its_bytes():
    output, _ = tokenize("자 ok\n")
    lines = output.splitlines()
    assert [int(line.split()[0]) for line in lines] == reference_ids("자 ok\n")
    assert lines[-1].endswith('"\\n"')
    assert lines[0].endswith('"\\xEC"')  # the first byte of 자, which is three tokens here


def test_bytes_without_a_token_are_reported():
    output, complaints = tokenize("--json", text=b"a\x04b")
    assert json.loads(output) == reference_ids("a\ufffdb")
    assert "U+FFFD" in complaints
