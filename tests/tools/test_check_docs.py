"""The documents' checker finds each kind of breach."""

import check_docs


def test_a_link_to_nothing_is_found(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# One heading\n")
    text = "[a](page.md#one-heading) [b](page.md#none) [c](gone.md) [d](https://example.org)"
    problems = list(check_docs.check_links(tmp_path / "other.md", text))
    assert problems == ["link to page.md#none: there is no such heading",
                        "link to gone.md: there is no such file"]


def test_a_command_that_does_not_exist_is_found():
    text = "`make test` `make coffee` `tools/run_tests.py` `tools/brew.py`\n"
    problems = list(check_docs.check_commands(text, {"test"}))
    assert problems == ["'make coffee': the Makefile has no such target",
                        "tools/brew.py: there is no such file"]


def test_the_readmes_may_differ_in_comments_and_quoted_text_only():
    english = '```sh\nmake test  # all\njarip run m "Hello"\n```\n'
    korean = '```sh\nmake test  # 모두\njarip run m "안녕"\n```\n'
    assert not list(check_docs.check_translation(english, korean))
    assert list(check_docs.check_translation(english, korean.replace("run m", "run n")))
    assert list(check_docs.check_translation(english, korean + "```sh\nmake\n```\n"))
