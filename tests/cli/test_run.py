"""`jarip run`: one prompt, one answer."""

import re
import signal
import subprocess
import time

import tiny_model
from shell import told


def test_the_default_model_knows_the_capital_of_france(jarip, real_model):
    done = jarip("run", real_model, "The capital of France is", "--raw", "-n", "16", "--greedy")
    assert done.returncode == 0, done.stderr
    assert "Paris" in done.stdout.decode()


def test_a_question_goes_through_the_models_own_chat_template(jarip, real_model):
    """On the reference path: the best answers to this one are near each other in probability."""
    done = jarip("run", real_model, "What is the capital of France?", "--greedy", "-n", "32",
                 "--path", "reference", "--stats")
    assert done.returncode == 0, done.stderr
    assert "Paris" in done.stdout.decode()
    assert "<|im_end|>" not in done.stdout.decode()
    assert told(done).startswith("prompt 37 tokens"), "the template's system prompt included"


def test_the_same_seed_gives_the_same_bytes_whatever_the_threads(jarip, tiny):
    answers = {jarip("run", tiny, "Hello", "-n", "40", "--seed", "7", "--threads", threads).stdout
               for threads in (1, 2, 3)}
    assert len(answers) == 1
    assert jarip("run", tiny, "Hello", "-n", "40", "--seed", "8").stdout not in answers


def test_keys_and_values_in_q8_0_give_bytes_of_their_own_whatever_the_threads(jarip, tiny):
    arguments = ("run", tiny, "Hello, how are you today?", "-n", "60", "--seed", "7",
                 "--kv-format")
    answers = {jarip(*arguments, "q8_0", "--threads", threads, "--cpu", cpu).stdout
               for threads, cpu in ((1, "scalar"), (2, ""), (3, ""))}
    assert len(answers) == 1
    assert jarip(*arguments, "f16").stdout not in answers


def test_the_reference_path_refuses_keys_and_values_in_q8_0(jarip, tiny):
    for command in (("run", tiny, "Hello"), ("bench", tiny)):
        message = jarip.refused(4, *command, "--path", "reference", "--kv-format", "q8_0")
        assert message.startswith("--kv-format: ") and "q8_0" in message


def test_a_drawn_seed_is_told_and_gives_the_answer_again(jarip, tiny):
    first = jarip("run", tiny, "Hello", "-n", "40", "--stats")
    seed = re.search(rb"seed (\d+)\n", first.stderr)[1].decode()
    assert jarip("run", tiny, "Hello", "-n", "40", "--seed", seed).stdout == first.stdout
    assert jarip("run", tiny, "Hello", "-n", "40").stdout != first.stdout


def test_greedy_wins_over_a_temperature_set_elsewhere(jarip, tiny):
    greedy = jarip("run", tiny, "Hello", "-n", "40", "--greedy")
    assert jarip("run", tiny, "Hello", "-n", "40", "--temperature", "0").stdout == greedy.stdout
    assert jarip("run", tiny, "Hello", "-n", "40", "--greedy",
                 JARIP_TEMPERATURE="2").stdout == greedy.stdout


def test_prompts_come_from_standard_input(jarip, tiny):
    expected = jarip("run", tiny, "한국어 질문", "-n", "20", "--greedy").stdout
    assert jarip("run", tiny, "-", "-n", "20", "--greedy", stdin="한국어 질문\n").stdout == expected
    assert jarip("run", tiny, "-n", "20", "--greedy", stdin="한국어 질문").stdout == expected


def test_text_to_be_completed_keeps_its_last_newline(jarip, tiny):
    arguments = ("run", tiny, "-", "--raw", "-n", "20", "--greedy")
    assert jarip(*arguments, stdin="one\n").stdout != jarip(*arguments, stdin="one").stdout


def test_the_answer_ends_before_a_stop_string(jarip, tiny):
    whole = jarip("run", tiny, "Hello", "--raw", "-n", "40", "--greedy").stdout.decode()
    stop = whole[4:6]
    cut = jarip("run", tiny, "Hello", "--raw", "-n", "40", "--greedy", "--stop", stop)
    assert cut.returncode == 0
    assert cut.stdout.decode() == whole[:whole.index(stop)]


def test_an_answer_is_valid_text_even_when_cut_inside_a_character(jarip, tiny):
    for n in range(1, 12):
        jarip("run", tiny, "가나다", "-n", n, "--seed", "3").stdout.decode()


def test_only_the_answer_is_on_standard_output(jarip, tiny):
    plain = jarip("run", tiny, "Hello", "-n", "20", "--greedy")
    assert told(plain) == ""
    measured = jarip("run", tiny, "Hello", "-n", "20", "--greedy", "--stats")
    assert measured.stdout == plain.stdout
    assert re.fullmatch(
        r"prompt \d+ tokens, [\d.]+/s; answer 20 tokens, [\d.]+/s; first token after [\d.]+ s; "
        r"seed \d+\n", told(measured)), measured.stderr


def test_the_reference_path_answers_too(jarip, tiny):
    done = jarip("run", tiny, "Hello", "-n", "20", "--greedy", "--path", "reference")
    assert done.returncode == 0
    assert done.stdout


def test_a_prompt_longer_than_the_context_is_refused_with_both_numbers(jarip, tiny):
    message = jarip.refused(5, "run", tiny, "x" * 300, "--raw")
    assert "300 tokens" in message
    assert "256" in message
    assert "64" in jarip.refused(5, "run", tiny, "x" * 100, "--raw", "--ctx", "64")


def test_the_answer_ends_where_the_context_does(jarip, tiny):
    done = jarip("run", tiny, "x" * 200, "--raw", "--temperature", "2", "--stats",
                 "--ctx", "210", "--seed", "1")
    assert done.returncode == 0
    assert int(re.search(rb"answer (\d+) tokens", done.stderr)[1]) <= 10


def test_an_empty_prompt_is_refused(jarip, tiny):
    assert "no tokens" in jarip.refused(2, "run", tiny, "", "--raw")


def test_a_model_without_a_template_only_completes_text(jarip, tmp_path):
    model = tiny_model.write(tmp_path / "plain.gguf", template=None)
    assert "no chat template" in jarip.refused(4, "run", model, "Hello")
    assert jarip("run", model, "Hello", "--raw", "-n", "5").returncode == 0


def test_a_template_that_cant_be_used_is_told_when_it_is_needed(jarip, tmp_path):
    model = tiny_model.write(tmp_path / "odd.gguf", template="{% import 'x' as y %}")
    assert "template can't be used" in jarip.refused(4, "run", model, "Hello")
    assert jarip("run", model, "Hello", "--raw", "-n", "5").returncode == 0


def test_a_template_may_refuse_a_conversation(jarip, tmp_path):
    model = tiny_model.write(
        tmp_path / "strict.gguf",
        template="{% if messages[0]['role'] == 'system' %}"
                 "{{ raise_exception('no system prompts here') }}{% endif %}x")
    assert "no system prompts here" in jarip.refused(2, "run", model, "Hello", "--system", "y")


def test_control_tokens_that_a_person_types_stay_text(jarip, tmp_path):
    """Were they parsed, the prompt would be a few tokens and fit the context."""
    model = tiny_model.write(tmp_path / "m.gguf")
    message = jarip.refused(5, "run", model, "<|im_end|>" * 30)
    assert re.search(r"the prompt has 3\d\d tokens", message), message


def test_ctrl_c_stops_the_answer_and_says_so_by_its_exit_code(jarip, real_model):
    process = subprocess.Popen(
        jarip.command("run", real_model, "Count to a million.", "--raw", "--seed", "1"),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=jarip.environment)
    try:
        assert process.stdout.read(1), "the answer has begun"
        begin = time.monotonic()
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=30)
        assert time.monotonic() - begin < 10
        assert process.returncode == 130
        assert b"stopped" not in stderr
    finally:
        process.kill()
