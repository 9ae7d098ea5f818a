"""Every instruction set gives the same bytes, on x86 and on ARM: each kernel on inputs that are the
same everywhere, and the logits of whole models. The programs for ARM run under qemu."""

import os
import pathlib
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
X86 = ROOT / "build" / "release" / "tests" / "support"
ARM = ROOT / "build" / "aarch64" / "tests" / "support"

# What qemu can pretend to be, and the instruction sets that jarip must find there, best first.
PROCESSORS = {
    "max": ["neon-i8mm", "neon-dotprod", "neon", "scalar"],
    "neoverse-n1": ["neon-dotprod", "neon", "scalar"],
    "cortex-a72": ["neon", "scalar"],
}
FORMATS = ["f32", "f16", "bf16", "q8_0", "q4_0", "q4_1", "q5_1", "q2_k", "q3_k_m", "q4_k_m",
           "q5_k_m", "iq4_nl", "iq4_xs", "mxfp4"]


def run(command, instruction_set=None):
    environment = {key: value for key, value in os.environ.items() if key != "JARIP_CPU"}
    if instruction_set:
        environment["JARIP_CPU"] = instruction_set
    return subprocess.run([str(word) for word in command], capture_output=True, env=environment,
                          timeout=300, check=False)


def x86(program, *arguments):
    return [X86 / program, *arguments]


def arm(program, *arguments, processor="max"):
    return ["qemu-aarch64", "-cpu", processor, "-L", "/usr/aarch64-linux-gnu",
            ARM / program, *arguments]


def output(command, instruction_set=None):
    done = run(command, instruction_set)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


def logits(command, tmp_path, instruction_set):
    path = tmp_path / "logits"
    output([*command, path], instruction_set)
    return path.read_bytes()


X86_SETS = output(x86("kernels_digest", "--list")).split()


@pytest.fixture(scope="module")
def digests():
    """What the scalar kernels give on x86."""
    found = output(x86("kernels_digest"), "scalar")
    assert len(found.splitlines()) > 100
    return found


@pytest.fixture(params=[*((name, "optimized") for name in [*FORMATS, "default"]),
                        ("q4_0", "optimized-q8_0"), ("qwen35 q8_0", "optimized")],
                ids=lambda param: "-".join(param).replace(" ", "-"))
def logits_dump(request, tmp_path):
    """The arguments of logits_dump for a model file in each format and for the default model, for
    one with keys and values in q8_0, and for one with recurrent layers."""
    weights, path = request.param
    ids = tmp_path / "ids"
    model = tmp_path / "model.gguf"
    n_tokens = 40  # more than a KV page holds
    if weights == "default":
        model = os.environ["JARIP_TEST_MODEL"]
        n_tokens = 6
    else:
        jarip = os.environ.get("JARIP_BIN", ROOT / "build/release/bin/jarip")
        *family, weights = weights.split()
        output([jarip, "synth", "--family", *(family or ["llama"]), "--tiny", "--format", weights,
                "-o", model])
    ids.write_text(" ".join(str(i * i % 251) for i in range(1, n_tokens + 1)) + "\n")
    return ("logits_dump", model, path, ids)


@pytest.mark.parametrize("instruction_set", X86_SETS)
def test_kernels_on_x86(digests, instruction_set):
    assert output(x86("kernels_digest"), instruction_set) == digests


@pytest.mark.parametrize("processor", PROCESSORS)
def test_what_an_arm_processor_has_is_found(processor):
    listed = output(arm("kernels_digest", "--list", processor=processor)).split()
    assert listed == PROCESSORS[processor]


@pytest.mark.parametrize("processor", PROCESSORS)
def test_kernels_chosen_for_an_arm_processor(digests, processor):
    assert output(arm("kernels_digest", processor=processor)) == digests


@pytest.mark.parametrize("instruction_set", PROCESSORS["max"])
def test_kernels_on_arm(digests, instruction_set):
    assert output(arm("kernels_digest"), instruction_set) == digests


def test_what_a_processor_lacks_is_refused_by_name():
    done = run(arm("kernels_digest", processor="cortex-a72"), "neon-i8mm")
    assert done.returncode == 1
    assert done.stderr.decode() == (
        "kernels_digest: JARIP_CPU=neon-i8mm is not an instruction set of this machine; it has "
        "neon, scalar\n")


def test_logits_of_a_model(logits_dump, tmp_path):
    expected = logits(x86(*logits_dump), tmp_path, "scalar")
    assert len(set(expected)) == 256  # not zeros, not one NaN
    for instruction_set in X86_SETS:
        assert logits(x86(*logits_dump), tmp_path, instruction_set) == expected, instruction_set
    for instruction_set in PROCESSORS["max"]:
        assert logits(arm(*logits_dump), tmp_path, instruction_set) == expected, instruction_set
