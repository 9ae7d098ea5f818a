"""Chat templates of published models, as packages ship them: what we render is what jinja2 renders,
set up as Hugging Face does it."""

import pathlib

import pytest
import reference
from test_against_jinja2 import CONVERSATIONS, conversation

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::SyntaxWarning")

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "build" / "templates"
TEMPLATES = sorted(FOLDER.glob("*/*.jinja"))
LEAST = 60
VARIABLES = [{}, {"enable_thinking": False}, {"enable_thinking": True, "thinking": True},
             {"reasoning_effort": "high"}]


def test_they_are_there():
    assert len(TEMPLATES) >= LEAST, "tools/fetch_templates.py brings them"


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.stem)
def test_a_real_template_renders_as_in_jinja2(path):
    template = path.read_text(encoding="utf-8")
    contexts = [(name, {**conversation(name), **variables})
                for name in CONVERSATIONS for variables in VARIABLES]
    answers = reference.render_all([(template, context) for _, context in contexts])
    expected = [reference.expected(template, context) for _, context in contexts]
    wrong = [(name, text, answer) for (name, _), text, answer
             in zip(contexts, expected, answers, strict=True)
             if reference.text_of(answer) != text]
    assert not wrong, (len(wrong), *wrong[0])


def test_most_of_them_render_a_question():
    # Some want tools always.
    context = conversation("a question")
    rendered = [reference.expected(path.read_text(encoding="utf-8"), context)
                for path in TEMPLATES]
    assert sum(text is not None for text in rendered) >= LEAST
