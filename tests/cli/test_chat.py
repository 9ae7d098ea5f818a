"""`jarip chat`, over pipes and at a terminal."""

import signal
import termios
import time

import pexpect
import pytest
import tiny_model
from shell import told

SEED = ("--seed", "1", "-n", "12")


def talk(jarip, model, *lines, options=SEED, **variables):
    done = jarip("chat", model, *options, stdin="".join(line + "\n" for line in lines),
                 **variables)
    assert done.returncode == 0, done.stderr
    return done


def test_every_line_of_a_pipe_is_answered(jarip, tiny):
    one = talk(jarip, tiny, "Hello").stdout
    assert one.endswith(b"\n")
    assert talk(jarip, tiny, "Hello", "And you?").stdout.startswith(one)
    assert len(talk(jarip, tiny, "Hello", "And you?").stdout) > len(one)


def test_what_was_said_is_remembered_until_a_reset(jarip, tiny):
    fresh = talk(jarip, tiny, "And you?").stdout
    first = talk(jarip, tiny, "Hello").stdout
    assert talk(jarip, tiny, "Hello", "And you?").stdout != first + fresh
    assert talk(jarip, tiny, "Hello", "/reset", "And you?").stdout == first + fresh


def test_a_line_that_ends_in_a_backslash_goes_on(jarip, tiny):
    assert talk(jarip, tiny, "one\\", "two").stdout != talk(jarip, tiny, "one", "two").stdout
    assert talk(jarip, tiny, "one\\", "two").stdout.count(b"\n") <= 12


def test_the_system_prompt_is_set_and_shown(jarip, tiny):
    done = talk(jarip, tiny, "/system", "/system Be brief.", "/system", "Hello")
    said = told(done).splitlines()
    assert said[0] == "There is no system prompt."
    assert said[2] == "Be brief."
    given = talk(jarip, tiny, "Hello", options=(*SEED, "--system", "Be brief."))
    assert done.stdout == given.stdout
    assert given.stdout != talk(jarip, tiny, "Hello").stdout


def test_regenerating_gives_another_answer_in_its_place(jarip, tiny, tmp_path):
    notes = tmp_path / "notes.md"
    talk(jarip, tiny, "Hello", "/regenerate", f"/save {notes}")
    assert notes.read_text().count("## Assistant") == 1
    assert "no answer yet" in talk(jarip, tiny, "/regenerate").stderr.decode()


def test_saving_says_where_or_why_not(jarip, tiny, tmp_path):
    notes = tmp_path / "my notes.md"
    done = talk(jarip, tiny, "안녕", f"/save {notes}", "/save", "/save /nowhere/x.md")
    assert notes.read_text(encoding="utf-8").startswith("## User\n\n안녕\n\n## Assistant\n\n")
    said = told(done)
    assert f"Saved in {notes}." in said
    assert "/save FILE" in said
    assert "can't write /nowhere/x.md: No such file or directory" in said


def test_commands_are_listed_and_unknown_ones_refused(jarip, tiny):
    said = told(talk(jarip, tiny, "/help", "/hepl", "/stats"))
    for command in ("/help", "/system", "/reset", "/regenerate", "/save", "/stats", "/exit"):
        assert f"\n{command} " in "\n" + said
    assert "There is no command /hepl" in said
    assert "speeds" in said


def test_the_chat_speaks_korean(jarip, tiny):
    said = told(talk(jarip, tiny, "/help", "/reset", LANG="ko_KR.UTF-8"))
    assert "지금까지 한 말을 잊는다" in said
    assert "모두 잊었습니다." in said


def test_exit_leaves_what_follows_unread(jarip, tiny):
    assert talk(jarip, tiny, "/exit", "Hello").stdout == b""


def test_a_full_context_is_told_and_nothing_is_cut_silently(jarip, tiny):
    done = talk(jarip, tiny, "x" * 300, "Hello", options=(*SEED,))
    said = told(done)
    assert "256" in said
    assert "/reset" in said
    # The question that didn't fit is no part of what is said after it.
    assert done.stdout == talk(jarip, tiny, "Hello").stdout


def test_an_answer_that_reaches_its_limit_says_so(jarip, tiny):
    assert "limit of 2 tokens" in talk(
        jarip, tiny, "Hello", options=("--seed", "1", "-n", "2")).stderr.decode()
    assert "context is full" in talk(
        jarip, tiny, "x" * 150, options=("--seed", "1", "--temperature", "2", "--ctx", "190"),
    ).stderr.decode()


def test_a_model_without_a_template_is_refused_at_once(jarip, tmp_path):
    model = tiny_model.write(tmp_path / "plain.gguf", template=None)
    assert "no chat template" in jarip.refused(4, "chat", model)


class Terminal:
    """A chat at a terminal of 80 columns; whatever happens, it ends with the test."""

    def __init__(self, jarip, *arguments, **variables):
        self.child = pexpect.spawn(jarip.command("chat", *arguments)[0],
                                   jarip.command("chat", *arguments)[1:],
                                   env={**jarip.environment, "TERM": "xterm", **variables},
                                   encoding="utf-8", timeout=60, dimensions=(24, 80))

    def __enter__(self):
        self.prompt()
        return self

    def __exit__(self, *_):
        self.child.close(force=True)

    def prompt(self):
        """Waits for the next empty prompt; what was shown before it."""
        self.child.expect(r"\x1b\[J> \r\x1b\[2C")
        return self.child.before

    def leave(self):
        self.child.send("\x04")
        self.child.expect(pexpect.EOF)
        self.child.close()
        return self.child.exitstatus


def history_of(jarip):
    return (jarip.home / "history").read_text(encoding="utf-8").splitlines()


def typed(jarip, model, keys):
    """What a line is after these keys, as the history has it."""
    with Terminal(jarip, model, *SEED) as terminal:
        terminal.child.send(keys + "\r")
        terminal.prompt()
        assert terminal.leave() == 0
    return history_of(jarip)[-1]


@pytest.mark.parametrize("keys, line", [
    ("안녕하세요", "안녕하세요"),
    ("안녕하세요\x7f\x7f", "안녕하"),
    ("\u1112\u1161\u11ab\u1100\u1173\u11af\x7f", "\u1112\u1161\u11ab"),
    ("가다\x1b[D나", "가나다"),
    ("🙂👨\u200d👩\u200d👧\x7f", "🙂"),
    ("one two\x17three", "one three"),
    ("xone\x01\x1b[3~", "one"),
    ("one\x1b\rtwo", "one\\ntwo"),
    ("\x1b[200~def f():\r\n    pass\r\n\x1b[201~", "def f():\\n    pass\\n"),
])
def test_lines_are_edited_as_a_person_expects(jarip, tiny, keys, line):
    assert typed(jarip, tiny, keys) == line


def test_the_locale_doesnt_matter_for_hangul(jarip, tiny):
    jarip.environment["LANG"] = "C"
    assert typed(jarip, tiny, "한글\x7f국") == "한국"


def test_hangul_is_drawn_whole_where_a_line_wraps(jarip, tiny):
    with Terminal(jarip, tiny, *SEED) as terminal:
        terminal.child.send("가" * 40)
        # 2 columns of prompt and 39 characters of two columns fill 80; the last one wraps.
        terminal.child.expect_exact("> " + "가" * 39 + "\r\n가")


def test_history_comes_back_in_the_next_chat(jarip, tiny):
    typed(jarip, tiny, "첫 질문")
    assert (jarip.home / "history").stat().st_mode & 0o777 == 0o600
    with Terminal(jarip, tiny, *SEED) as terminal:
        terminal.child.send("\x1b[A")
        terminal.child.expect_exact("첫 질문")


def test_history_can_be_off(jarip, tiny):
    with Terminal(jarip, tiny, *SEED, "--history", "off") as terminal:
        terminal.child.send("secret\r")
        terminal.prompt()
        assert terminal.leave() == 0
    assert not (jarip.home / "history").exists()


def test_ctrl_c_drops_the_line_and_ctrl_d_leaves(jarip, tiny):
    with Terminal(jarip, tiny, *SEED) as terminal:
        terminal.child.send("never sent\x03")
        terminal.child.expect("Ctrl-D or /exit leaves")
        terminal.prompt()
        assert terminal.leave() == 0
    assert not (jarip.home / "history").exists()


def test_ctrl_c_stops_the_answer_and_not_the_program(jarip, real_model):
    with Terminal(jarip, real_model, "--seed", "1") as terminal:
        terminal.child.send("Tell me a very long story about a village.\r")
        terminal.child.expect(r"village\.\r\x1b\[\d+C\r\n")
        terminal.child.expect(r"\w+ \w+ \w+")
        begin = time.monotonic()
        terminal.child.send("\x03")
        terminal.child.expect(r"\(stopped\)")
        assert time.monotonic() - begin < 10
        terminal.prompt()
        terminal.child.send("/stats\r")
        terminal.child.expect(r"answer \d+ tokens")
        terminal.prompt()
        assert terminal.leave() == 0


def test_the_terminal_is_given_back_as_it_was(jarip, tiny):
    with Terminal(jarip, tiny, *SEED) as terminal:
        fd = terminal.child.child_fd
        assert not termios.tcgetattr(fd)[3] & termios.ICANON
        terminal.child.kill(signal.SIGTERM)
        terminal.child.expect(pexpect.EOF)
        assert "\x1b[?2004l" in terminal.child.before


def test_a_history_that_cant_be_read_is_told_and_the_chat_goes_on(jarip, tiny):
    (jarip.home / "history").mkdir(parents=True)
    done = talk(jarip, tiny, "Hello")
    assert str(jarip.home / "history") in told(done)
    assert done.stdout == talk(jarip, tiny, "Hello", options=(*SEED, "--history", "off")).stdout


def test_a_history_that_cant_be_written_is_told_once(jarip, tiny):
    jarip.home.mkdir()
    (jarip.home / "history").symlink_to("/nowhere/history")  # not even root can write there
    with Terminal(jarip, tiny, *SEED) as terminal:
        terminal.child.send("one\r")
        terminal.child.expect("can't write")
        terminal.prompt()
        terminal.child.send("two\r")
        assert "can't write" not in terminal.prompt()
        assert terminal.leave() == 0
