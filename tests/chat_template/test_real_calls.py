"""Calls as the chat templates of published models show them: which form is found in each, and that
what a template writes for a call is read as that call."""

import json
import pathlib
import subprocess

import pytest
import reference
from test_real_templates import TEMPLATES

TOOL = reference.DUMP.parent / "call_tool"
TABLE = pathlib.Path(__file__).resolve().parent / "calls.json"
SCHEMAS = {
    "get_weather": {"type": "object", "properties": {
        "city": {"type": "string", "description": "Where."},
        "days": {"type": "integer", "description": "How many."},
        "exact": {"type": "boolean", "description": "Whether."},
        "hours": {"type": "array", "items": {"type": "integer"}, "description": "Which."},
        "more": {"type": "object", "additionalProperties": {"type": "string"},
                 "description": "What else."}},
        "required": ["city"]},
    "now": {"type": "object", "properties": {
        "zone": {"type": "string", "description": "Where."}}}}
ARGUMENTS = [
    ("get_weather", {"city": "서울", "days": 3}),
    ("get_weather", {"city": "two\nlines, \"quoted\" & <b>5 < 6</b>", "hours": [7, 8]}),
    ("get_weather", {"city": "42", "exact": True, "more": {"a": ["}", None]}}),
    ("now", {"zone": "UTC"}),
]

# Objects are shown as Python prints them, which is no JSON.
PRINTS_PYTHON = {"ByteDance-Seed-OSS", "openbmb-MiniCPM5-1B"}


def run_tool(requests):
    lines = "".join(json.dumps(request) + "\n" for request in requests)
    done = subprocess.run([TOOL], input=lines, capture_output=True, text=True, check=True,
                          timeout=120)
    return [json.loads(line) for line in done.stdout.splitlines()]


def found():
    """What is found in each template, by its name."""
    sources = [path.read_text(encoding="utf-8") for path in TEMPLATES]
    answers = run_tool({"template": source, "schemas": {}, "answers": []} for source in sources)
    return {path.stem: answer for path, answer in zip(TEMPLATES, answers, strict=True)}


def rendered(source, shape, calls):
    """What the template writes behind the words of the user."""
    message = {"role": "assistant", "content": None if shape["null_content"] else "",
               "tool_calls": [{"id": f"call0000{index}", "type": "function", "function": {
                   "name": name, "arguments": json.dumps(arguments, ensure_ascii=False)
                   if shape["arguments_as_text"] else arguments}}
                   for index, (name, arguments) in enumerate(calls)]}
    text = reference.expected(source, {
        "messages": [{"role": "user", "content": "A question."}, message],
        "tools": [{"type": "function", "function": {"name": name, "description": "Tells it.",
                                                    "parameters": schema}}
                  for name, schema in SCHEMAS.items()],
        "documents": None, "add_generation_prompt": False, "bos_token": "<bos>",
        "eos_token": "<eos>"})
    answer = text.rsplit("A question.", 1)[1]
    # Without marks a call can be told from the answer's head by its place only.
    return answer[answer.index("{"):] if shape["shape"].startswith("{") else answer


def test_the_form_of_each_template_is_the_one_that_is_known():
    assert {name: one["shape"] for name, one in found().items()} == json.loads(
        TABLE.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.stem)
def test_what_a_template_writes_is_read_as_the_calls_that_it_shows(path):
    source = path.read_text(encoding="utf-8")
    [shape] = run_tool([{"template": source, "schemas": {}, "answers": []}])
    if shape["shape"] == "none":
        pytest.skip("calls are shown to the model as text")
    calls = [call for call in ARGUMENTS if "more" not in call[1] or path.stem not in PRINTS_PYTHON]
    rounds = [[call] for call in calls]
    if shape["shape"].endswith("…"):
        rounds.append(calls if "KEY" in shape["shape"] else calls[:2])
    texts = [rendered(source, shape, calls) for calls in rounds]
    [answer] = run_tool([{"template": source, "schemas": SCHEMAS, "answers": texts}])
    for calls, text, parts in zip(rounds, texts, answer["answers"], strict=True):
        read = [(part["name"], json.loads(part["arguments"])) for part in parts
                if isinstance(part, dict)]
        assert read == [(name, arguments) for name, arguments in calls], text
