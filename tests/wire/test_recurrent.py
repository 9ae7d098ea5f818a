"""A model with recurrent layers behind a real server: what of a text is found again, and the
same bytes with everything found, nothing found and after a start anew."""

import subprocess

import pytest
from server import BINARY, start_server, stop_server

# Words that no other prompt has; longer than the 256 tokens between two checkpoints.
LONG = " ".join(f"w{number}" for number in range(220))


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("recurrent") / "qwen35.gguf"
    subprocess.run([BINARY, "synth", "--family", "qwen35", "--tiny", "--format", "q8_0", "-o",
                    path], check=True, capture_output=True, timeout=60)
    return path


@pytest.fixture
def start(model):
    servers = []

    def run(*arguments):
        servers.append(start_server(*arguments, model=model))
        return servers[-1]

    yield run
    for server in servers:
        stop_server(server)


def ask(server, prompt):
    """How a text goes on, and of how many tokens it had, how many were found."""
    reply = server.post("/v1/completions", {"prompt": prompt, "max_tokens": 40, "seed": 5,
                                            "temperature": 0.8, "ignore_eos": True})
    assert reply.status == 200, reply.body
    usage = reply.json["usage"]
    found = usage["prompt_tokens_details"]["cached_tokens"]
    return reply.json["choices"][0]["text"], usage["prompt_tokens"], found


def test_the_same_bytes_found_or_computed_and_after_a_start_anew(start):
    server = start("--ctx", "2048")
    first, n_prompt, n_found = ask(server, LONG)
    assert n_prompt > 256
    assert n_found == 0
    again, _, n_found = ask(server, LONG)
    assert again == first
    assert n_prompt - 33 <= n_found < n_prompt, "all but the last page is found"
    longer, n_longer, n_found = ask(server, LONG + " and then some")
    assert n_longer > n_prompt
    assert n_found >= n_prompt - 64, "a text goes on where it was"

    plain = start("--ctx", "2048", "--prefix-cache", "off", "--threads", "1")
    assert ask(plain, LONG) == (first, n_prompt, 0)
    assert ask(plain, LONG + " and then some") == (longer, n_longer, 0)


def test_no_more_memory_than_asked_for_and_a_word_where_it_is_too_little(model):
    done = subprocess.run([BINARY, "serve", model, "--port", "0", "--kv-cache", "64K"],
                          check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode != 0
    assert "--kv-cache" in done.stderr
