"""The shell of the program: help, commands, options and where they come from."""

import os
import pathlib
import re
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
COMMANDS = ["run", "chat", "serve", "keys create", "keys list", "keys revoke", "models", "import",
            "inspect", "tokenize", "bench", "quantize", "imatrix", "synth", "version"]


def test_no_command_says_what_there_is(jarip):
    done = jarip()
    assert done.returncode == 0
    text = done.stdout.decode()
    assert text.startswith("Usage: jarip COMMAND")
    for command in COMMANDS:
        assert re.search(rf"^  {command} ", text, re.MULTILINE), command
    assert "Exit codes:" in text
    assert jarip("--help").stdout == done.stdout == jarip("help").stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_in_both_languages(jarip, command):
    words = command.split()
    english = jarip(*words, "--help")
    assert english.returncode == 0
    assert english.stdout.decode().startswith(f"Usage: jarip {command}")
    assert not re.search("[가-힣]", english.stdout.decode())
    korean = jarip(*words, "--help", "--lang", "ko").stdout.decode()
    assert korean.startswith(f"쓰는 법: jarip {command}")
    assert korean == jarip("help", *words, LANG="ko_KR.UTF-8").stdout.decode()
    assert korean == jarip(*words, "-h", JARIP_LANG="ko", LC_ALL="C").stdout.decode()


def test_a_group_lists_its_commands(jarip):
    listed = jarip("keys").stdout.decode()
    assert listed.startswith("Usage: jarip keys COMMAND")
    for command in ("keys create", "keys list", "keys revoke"):
        assert command in listed
    assert "version" not in listed
    assert jarip("keys", "--help").stdout.decode() == listed
    assert jarip("help", "keys").stdout.decode() == listed
    assert jarip("keys", "--lang", "ko").stdout.decode().startswith("쓰는 법: jarip keys")


def test_version_is_one_line(jarip):
    done = jarip("version")
    assert re.fullmatch(rb"jarip \d+\.\d+\.\d+\n", done.stdout)
    assert jarip("--version").stdout == done.stdout


def test_an_unknown_command_is_refused_with_the_nearest(jarip):
    assert jarip.refused(2, "caht") == (
        'there is no command "caht"; did you mean chat?; see jarip --help')
    assert jarip.refused(2, "frobnicate") == (
        'there is no command "frobnicate"; see jarip --help')
    assert "no option --bogus" in jarip.refused(2, "--bogus")


@pytest.mark.parametrize("arguments, message", [
    (["run"], "MODEL is missing"),
    (["run", "m", "p", "more"], '"more" is one argument too many'),
    (["run", "m", "--temprature", "1"], "no option --temprature; did you mean --temperature?"),
    (["run", "m", "-n"], "--max-tokens needs a value"),
    (["run", "m", "-n", "0"], '--max-tokens is "0", but must be a whole number from 1 to'),
    (["run", "m", "-n", "many"], '--max-tokens is "many", but must be a whole number'),
    (["run", "m", "--temperature", "-1"], '--temperature is "-1", but must be a number from 0 to'),
    (["run", "m", "--temperature", "inf"], '--temperature is "inf", but must be a number'),
    (["run", "m", "--top-p", "1.5"], '--top-p is "1.5", but must be a number from 0 to 1'),
    (["run", "m", "--seed", "18446744073709551616"], "--seed is"),
    (["run", "m", "--threads", "257"], '--threads is "257", but must be a whole number from 0 to'),
    (["run", "m", "--kv-cache", "lots"], '--kv-cache is "lots", but must be a number of bytes'),
    (["run", "m", "--path", "fast"], '--path is "fast", but must be one of optimized, reference'),
    (["run", "m", "--kv-format", "q4"], '--kv-format is "q4", but must be one of f16, q8_0'),
    (["run", "m", "--stop", ""], "--stop is"),
    (["run", "m", "--raw", "--system", "x", "p"], "--system needs the chat template"),
    (["bench", "m", "--reps", "0"], '--reps is "0", but must be a whole number from 1 to'),
    (["bench", "m", "-p", "0", "-n", "0"], "leave nothing to measure"),
    (["synth", "--shape", "huge"], '--shape is "huge", but must be one of llama-tiny, llama-135m'),
    (["synth", "--format", "q9"], '--format is "q9", but must be one of f32, f16, bf16, q8_0'),
    (["version", "--lang", "fr"], '--lang is "fr", but must be one of auto, en, ko'),
    (["version", "--log", "loud"], '--log is "loud", but must be one of debug'),
])
def test_wrong_options_are_refused_by_name_value_and_range(jarip, arguments, message):
    assert message in jarip.refused(2, *arguments)


def test_a_flag_wins_over_the_environment_and_that_over_the_file(jarip, tiny):
    jarip.home.mkdir()
    settings = jarip.home / "config.toml"
    settings.write_text("threads = 999  # too many\n")
    assert jarip.refused(2, "run", tiny, "x") == (
        f'threads on line 1 of {settings} is "999", but must be a whole number from 0 to 256; '
        "see jarip run --help")
    assert "JARIP_THREADS is" in jarip.refused(2, "run", tiny, "x", JARIP_THREADS="x")
    done = jarip("run", tiny, "x", "-n", "1", "--threads", "1", JARIP_THREADS="x")
    assert done.returncode == 0, done.stderr


def test_settings_of_one_command_and_of_all(jarip, tiny):
    jarip.home.mkdir()
    settings = jarip.home / "config.toml"
    settings.write_text('lang = "ko"\n\n[bench]\nthreads = 999\n')
    assert jarip("--help").stdout.decode().startswith("쓰는 법:")
    assert jarip("run", tiny, "x", "-n", "1").returncode == 0
    assert "threads on line 4" in jarip.refused(2, "bench", tiny)


@pytest.mark.parametrize("text, message", [
    ("thraeds = 4\n", "line 1 of {} sets thraeds, which no command knows"),
    ("[run]\nport = 4\n", "line 2 of {} sets port in [run], which no command knows"),
    ("threads 4\n", "line 1 of {} is neither a [section], a `key = value` nor a # comment"),
    ("threads = 4\nthreads = 5\n", "line 2 of {} sets threads again; line 1 already does"),
])
def test_a_wrong_settings_file_is_refused_by_line(jarip, text, message):
    jarip.home.mkdir()
    settings = jarip.home / "config.toml"
    settings.write_text(text)
    assert jarip.refused(2, "version") == message.format(settings)


@pytest.mark.parametrize("language, page", [("en", "options.md"), ("ko", "options.ko.md")])
def test_the_pages_of_options_are_up_to_date(jarip, language, page):
    """To bring them up to date: build/release/bin/jarip docs options --lang LANGUAGE > docs/PAGE"""
    written = jarip("docs", "options", "--lang", language)
    assert written.returncode == 0
    assert (ROOT / "docs" / page).read_bytes() == written.stdout


def test_standard_output_that_cant_be_written_is_an_error(jarip):
    if not os.path.exists("/dev/full"):
        pytest.skip("this system has no /dev/full")
    with open("/dev/full", "wb") as full:
        done = subprocess.run(jarip.command("version"), stdout=full, stderr=subprocess.PIPE,
                              env=jarip.environment, timeout=60, check=False)
    assert done.returncode == 6
    assert done.stderr.decode() == (
        "jarip: can't write to standard output: No space left on device\n")
