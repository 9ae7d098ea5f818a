"""Model files that are missing, damaged or of an unknown kind: one line each, and an exit code."""

import os
import shutil

import pytest
import tiny_model

COMMANDS = [("run", "{}", "x"), ("chat", "{}"), ("bench", "{}"), ("inspect", "{}"),
            ("tokenize", "{}", "x")]


def asked(command, model):
    return [word.format(model) for word in command]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_a_model_that_isnt_there(jarip, command):
    message = jarip.refused(3, *asked(command, "nowhere"))
    assert 'there is no model "nowhere"' in message
    assert "jarip import" in message


def test_a_missing_model_is_told_with_the_names_there_are(jarip, tiny):
    assert jarip("import", tiny, "--name", "mine").returncode == 0
    assert "mine" in jarip.refused(3, "run", "yours", "x")


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_a_file_that_is_no_gguf(jarip, tmp_path, command):
    path = tmp_path / "notes.gguf"
    path.write_text("These are my notes.")
    message = jarip.refused(4, *asked(command, path))
    assert "not a GGUF file" in message
    assert "offset 0" in message


def test_an_empty_file(jarip, tmp_path):
    path = tmp_path / "empty.gguf"
    path.touch()
    assert jarip.refused(4, "run", path, "x")


def test_the_default_model_cut_at_every_twentieth(jarip, real_model, tmp_path):
    path = tmp_path / "cut.gguf"
    shutil.copyfile(real_model, path)
    n_bytes = path.stat().st_size
    for twentieths in range(19, 0, -1):
        os.truncate(path, n_bytes * twentieths // 20)
        message = jarip.refused(4, "run", path, "x")
        assert "offset" in message, (twentieths, message)


def test_an_unknown_family_is_named(jarip, tmp_path):
    path = tiny_model.write(tmp_path / "m.gguf", family="mystery")
    assert "mystery" in jarip.refused(4, "run", path, "x")
    assert "mystery" in jarip.refused(4, "bench", path)


def test_an_unknown_format_is_named_with_its_tensor(jarip, tmp_path):
    path = tiny_model.write(tmp_path / "m.gguf", wrong_format="blk.1.ffn_up.weight",
                            wrong_shapes={"blk.1.ffn_up.weight": (128, 256)})
    message = jarip.refused(4, "run", path, "x")
    assert "IQ2_XXS" in message
    assert "F32, F16, BF16, Q8_0" in message
    assert "IQ4_XS, MXFP4" in message
    assert "blk.1.ffn_up.weight" in message


def test_a_wrong_shape_is_named_with_its_tensor(jarip, tmp_path):
    path = tiny_model.write(tmp_path / "m.gguf", wrong_shapes={"blk.0.attn_k.weight": (32, 32)})
    assert "blk.0.attn_k.weight" in jarip.refused(4, "run", path, "x")


def test_a_missing_tensor_is_named(jarip, tmp_path):
    path = tiny_model.write(tmp_path / "m.gguf", without=["blk.1.attn_norm.weight"])
    assert "blk.1.attn_norm.weight" in jarip.refused(4, "run", path, "x")


@pytest.mark.parametrize("options, message", [
    (["--ctx", "257"], "--ctx"),
    (["--ctx", "1"], "--ctx"),
    (["--kv-cache", "1K"], "--kv-cache"),
    (["--cpu", "abacus"], "abacus"),
])
def test_what_the_model_or_machine_cant_do_is_refused_by_option(jarip, tiny, options, message):
    assert message in jarip.refused(2, "run", tiny, "x", *options)


@pytest.mark.parametrize("arguments", [("models",), ("import", "{}"), ("run", "tiny", "x")],
                         ids=lambda arguments: arguments[0])
def test_a_home_that_is_no_folder(jarip, tiny, arguments):
    jarip.home.write_text("in the way")
    message = jarip.refused(6, *[word.format(tiny) for word in arguments])
    assert str(jarip.home) in message


def test_no_home_at_all(jarip):
    del jarip.environment["JARIP_HOME"]
    assert "JARIP_HOME" in jarip.refused(2, "models")
    assert jarip("version").returncode == 0
