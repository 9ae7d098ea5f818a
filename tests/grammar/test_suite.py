"""The JSON Schema Test Suite, draft 2020-12: for every schema of it that isn't refused, no value
that the suite calls invalid is accepted, and all that is drawn is valid."""

import json

from validation import problems

# Refused as a whole; docs/structured-output.md says why. Of all other files some schemas compile.
REFUSED = {"contains", "defs", "dependentRequired", "dependentSchemas", "dynamicRef", "refRemote",
           "unevaluatedItems", "unevaluatedProperties"}


def write(value):
    """As answers are written: integers without a fraction."""
    return json.dumps(value, ensure_ascii=False)


def test_nothing_invalid_is_accepted(tool, test_suite):
    n_schemas = n_refused = n_values = 0
    for path in sorted(test_suite.glob("*.json")):
        n_compiled = 0
        for case in json.loads(path.read_text(encoding="utf-8")):
            n_schemas += 1
            invalid = [write(test["data"]) for test in case["tests"] if not test["valid"]]
            answer = tool.schema(case["schema"], range(5), invalid)
            if "error" in answer:
                n_refused += 1
                assert "JSON schema" in answer["error"] or "no text at all" in answer["error"]
                continue
            n_compiled += 1
            for text, accepted in zip(invalid, answer["accepted"], strict=True):
                n_values += 1
                assert not accepted, (path.name, case["description"], case["schema"], text)
            for text in answer["drawn"]:
                assert text is None or isinstance(text, str), (case["schema"], text)
                if text is not None:
                    assert problems(case["schema"], text) == "", (path.name, case["schema"], text)
        assert (n_compiled == 0) == (path.stem in REFUSED), path.name
    print(f"{n_schemas} schemas, {n_refused} refused, {n_values} invalid values")
    assert n_schemas - n_refused >= 185
    assert n_values >= 250
