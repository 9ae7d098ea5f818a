"""The comparison of the server with the engine alone, in small."""

import os
import subprocess
import sys

import overhead
import pytest


@pytest.mark.parametrize("options", [[], ["--tls", "--keys"]])
def test_a_small_run_counts_every_token_and_says_what_the_server_costs(options):
    done = subprocess.run(
        [sys.executable, overhead.__file__, os.environ["JARIP_TEST_MODEL"], "--streams", "3",
         "--tokens", "8", "--rounds", "1", *options],
        capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert "3 streams of 8 tokens, 2 threads" in done.stdout
    for name in ("model alone", "engine", "server"):
        assert f"\n{name}" in done.stdout
    assert "the server costs " in done.stdout


def test_an_answer_that_lacks_pieces_is_no_measurement():
    piece = b'data: {"object":"text_completion"}\n\n'
    whole = b"HTTP/1.1 200 OK\r\n\r\n" + 8 * piece + b"data: [DONE]\n\n\r\n0\r\n\r\n"
    overhead.Server._check(whole, 8)
    for broken in (whole.replace(b"200", b"401"), whole.replace(8 * piece, 3 * piece),
                   whole.replace(b"[DONE]", b"")):
        with pytest.raises(RuntimeError):
            overhead.Server._check(broken, 8)
