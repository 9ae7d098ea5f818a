"""Both renderers: jinja2 set up as Hugging Face's apply_chat_template sets it up, and ours."""

import datetime
import functools
import json
import pathlib
import subprocess

import jinja2
import jinja2.ext
import jinja2.sandbox

ROOT = pathlib.Path(__file__).resolve().parents[2]
DUMP = ROOT / "build" / "release" / "tests" / "support" / "template_dump"
NOW = 1_753_876_543  # 2025-07-30 11:55:43 UTC
TRUSTED = ["bos_token", "eos_token"]


class Generation(jinja2.ext.Extension):
    """{% generation %}: its body, printed as it is."""

    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return jinja2.nodes.CallBlock(self.call_method("call_body"), [], [], body).set_lineno(line)

    @staticmethod
    def call_body(caller):
        return caller()


def raise_exception(message):
    raise jinja2.exceptions.TemplateError(message)


def to_json(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators,
                      sort_keys=sort_keys)


def make_environment():
    environment = jinja2.sandbox.ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, jinja2.ext.loopcontrols])
    environment.filters["tojson"] = to_json
    environment.globals["raise_exception"] = raise_exception
    now = datetime.datetime.fromtimestamp(NOW, datetime.UTC).replace(tzinfo=None)
    environment.globals["strftime_now"] = lambda fmt: now.strftime(fmt)
    return environment


ENVIRONMENT = make_environment()


@functools.lru_cache(maxsize=8)
def compiled(template):
    return ENVIRONMENT.from_string(template)


def expected(template, context):
    """The text, or None where jinja2 fails."""
    try:
        return compiled(template).render(**context)
    except Exception:  # a template may make Python raise anything
        return None


def render_all(requests):
    """Ours: for each (template, context) the dump's answer, in one process."""
    lines = "".join(json.dumps({"template": template, "context": context, "now": NOW,
                                "trusted": TRUSTED}) + "\n" for template, context in requests)
    done = subprocess.run([DUMP], input=lines, capture_output=True, text=True, check=True,
                          timeout=120, env={"TZ": "UTC"})
    return [json.loads(line) for line in done.stdout.splitlines()]


def text_of(answer):
    """The whole text of an answer, or None for an error."""
    segments = answer.get("segments")
    return None if segments is None else "".join(text for text, _ in segments)
