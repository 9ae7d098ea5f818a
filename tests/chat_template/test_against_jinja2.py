"""Every construct of a chat template gives what jinja2 gives, set up as Hugging Face does it."""

import json
import os
import pathlib

import gguf
import pytest
import random_templates
import reference

# jinja2 compiles templates to Python, which warns of what the templates do.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::SyntaxWarning")

HERE = pathlib.Path(__file__).resolve().parent
N_RANDOM = 4000
SEED = 20_250_730


def load(path):
    return json.loads((HERE / path).read_text(encoding="utf-8"))


CONTEXT = load("cases/context.json")
TABLES = ["expressions", "statements", "strings", "values", "whitespace"]
CASES = [(table, template) for table in TABLES for template in load(f"cases/{table}.json")]
FAMILIES = sorted(path.stem for path in (HERE / "families").glob("*.jinja"))
CONVERSATIONS = load("families/conversations.json")


def conversation(name):
    """What apply_chat_template would give a template for it."""
    fields = {"add_generation_prompt": True, "bos_token": "<s>", "eos_token": "</s>", "tools": None,
              "documents": None, **CONVERSATIONS[name]}
    if fields["tools"] == "TOOLS":
        fields["tools"] = load("families/tools.json")
    return fields


def assert_same_for_all_conversations(template):
    contexts = [conversation(name) for name in CONVERSATIONS]
    answers = reference.render_all([(template, context) for context in contexts])
    wrong = [(name, answer) for name, context, answer
             in zip(CONVERSATIONS, contexts, answers, strict=True)
             if reference.text_of(answer) != reference.expected(template, context)]
    assert not wrong


@pytest.fixture(scope="module")
def answers():
    """Ours for all of the table, at once."""
    return dict(zip(CASES, reference.render_all([(t, CONTEXT) for _, t in CASES]), strict=True))


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0]}: {case[1]}")
def test_the_table_renders_and_fails_as_in_jinja2(answers, case):
    answer = answers[case]
    assert reference.text_of(answer) == reference.expected(case[1], CONTEXT), answer


@pytest.mark.parametrize("template", load("cases/refused.json"))
def test_what_is_not_supported_is_refused_and_not_approximated(template):
    assert reference.expected(template, CONTEXT) is not None
    answer = reference.render_all([(template, CONTEXT)])[0]
    assert answer["error"]["where"].startswith("line 1, column ")
    assert answer["error"]["message"]


@pytest.mark.parametrize("family", FAMILIES)
def test_templates_in_the_manner_of_known_families(family):
    template = (HERE / "families" / f"{family}.jinja").read_text(encoding="utf-8")
    assert_same_for_all_conversations(template)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_s_template_works_for_most_conversations(family):
    template = (HERE / "families" / f"{family}.jinja").read_text(encoding="utf-8")
    rendered = [reference.expected(template, conversation(name)) for name in CONVERSATIONS]
    assert sum(text is not None for text in rendered) >= 8


@pytest.mark.parametrize("family", FAMILIES)
def test_control_tokens_that_a_person_types_stay_input(family):
    template = (HERE / "families" / f"{family}.jinja").read_text(encoding="utf-8")
    context = conversation("control tokens typed")
    typed = context["messages"][0]["content"]
    answer = reference.render_all([(template, context)])[0]
    assert "".join(text for text, from_input in answer["segments"] if from_input).count(typed) == 1


def test_the_default_model_s_own_template():
    reader = gguf.GGUFReader(os.environ["JARIP_TEST_MODEL"])
    assert_same_for_all_conversations(reader.fields["tokenizer.chat_template"].contents())


def test_random_templates_and_who_wrote_each_character():
    made = random_templates.templates(N_RANDOM, SEED)
    context = random_templates.CONTEXT
    ours = reference.render_all([(template, context) for template in made])
    wrong = []
    n_rendered = 0
    for template, answer in zip(made, ours, strict=True):
        expected = reference.expected(template, context)
        error = answer.get("error", {"code": "", "message": ""})
        # jinja2 makes nothing of a constant that can't be sliced; cases/refused.json has more.
        if error["code"] in ("unsupported", "too_large") or "sliced" in error["message"]:
            continue
        if reference.text_of(answer) != expected:
            wrong.append((template, expected, answer))
        elif expected is not None:
            n_rendered += 1
            own = "".join(text for text, from_input in answer["segments"] if not from_input)
            if not own.isascii():
                wrong.append((template, "the context's text came out as the template's", answer))
    assert not wrong, f"{len(wrong)} of {len(made)} differ; the first: {wrong[0]}"
    assert n_rendered > N_RANDOM / 4
