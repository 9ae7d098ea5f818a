"""What a JSON text is worth to a validator that nobody here wrote."""

import json

import jsonschema

CHECKER = jsonschema.Draft202012Validator.FORMAT_CHECKER


def problems(schema, text):
    """Why the text isn't valid; nothing when it is."""
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        return f"not JSON: {error}"
    validator = jsonschema.Draft202012Validator(schema, format_checker=CHECKER)
    return "; ".join(error.message for error in validator.iter_errors(value))
