"""The table of test suites: what `make test` runs, in which order and what waits for what."""

import pathlib
from dataclasses import dataclass, field

ROOT = pathlib.Path(__file__).resolve().parent.parent
PYTHON = "build/venv/bin/python"
FUZZ_SECONDS = 10

# The unit tests in which threads meet; ThreadSanitizer watches these.
CONCURRENT_TESTS = (
    "access_log_test",
    "accounts_test",
    "answer_test",
    "bounded_queue_test",
    "chat_template_test",
    "database_test",
    "embedder_test",
    "engine_sharing_test",
    "engine_simulation_test",
    "engine_test",
    "gate_test",
    "key_store_test",
    "library_test",
    "metrics_test",
    "model_pool_test",
    "pipeline_test",
    "routes_test",
    "server_test",
    "thread_pool_test",
    "tls_test",
)

# Too much for qemu; tests/instruction_sets compares whole models there in less time.
SLOW_UNDER_QEMU = "model_test"

# Folders of tests/ whose tests measure time or count on a quiet machine.
QUIET = {"browser", "wire"}

# What a folder of tests/ needs besides the release.
FURTHER_NEEDS = {"instruction_sets": ("build-aarch64",), "clients": ("clients-packages",),
                 "chat_template": ("templates",), "families": ("peer",), "formats": ("peer",),
                 "originals": ("originals-packages", "node-packages"),
                 "embeddings": ("embeddings-packages", "peer"),
                 "convert": ("convert-packages", "peer")}

# A folder of tests/ with a requirements.txt of its own has an environment of its own.
CLIENTS_VENV = "build/clients-venv"
SERVERS_VENV = "build/bench/servers-venv"
ORIGINALS_VENV = "build/originals-venv"
EMBEDDINGS_VENV = "build/embeddings-venv"
CONVERT_VENV = "build/convert-venv"
PYTHON_OF = {"embeddings": f"{EMBEDDINGS_VENV}/bin/python",
             "clients": f"{CLIENTS_VENV}/bin/python",
             "convert": f"{CONVERT_VENV}/bin/python",
             "originals": f"{ORIGINALS_VENV}/bin/python"}


@dataclass(frozen=True)
class Suite:
    name: str
    command: str          # run by bash in the root
    needs: tuple = ()     # suites that must have passed
    cores: int = 1        # that it keeps busy; 0 waits for the network or the disk
    alone: bool = False   # runs while nothing else does
    step: bool = False    # prepares something: counts as a test only when it fails
    timeout_s: int = 900
    environment: dict = field(default_factory=dict)


def build(preset, targets="", needs=("node-packages",)):
    return Suite(
        name=f"build-{preset}",
        command=f"cmake --preset {preset} && ninja -C build/{preset} {targets}",
        needs=needs, cores=2, step=True, timeout_s=1800)


def unit(preset, needs_model, only="", but="", cores=2):
    choice = f"-R '^({only})$'" if only else f"-E '^({but})$'" if but else ""
    return Suite(
        name=f"unit-{preset}",
        command=f"ctest --preset {preset} --no-tests=error -j{cores} {choice} "
                f"--output-junit $JARIP_REPORTS/ctest.junit",
        needs=(f"build-{preset}", *needs_model), cores=cores)


def python_folders():
    """Every folder of tests/ that holds pytest files: none can be forgotten in a list."""
    return sorted({path.parent.relative_to(ROOT / "tests").as_posix()
                   for path in (ROOT / "tests").rglob("test_*.py")
                   if "node_modules" not in path.parts})


def pytest(folder):
    return Suite(
        name=folder.replace("/", "-"),
        command=f"{PYTHON_OF.get(folder, PYTHON)} -m pytest -q -p no:cacheprovider tests/{folder} "
                f"--junit-xml=$JARIP_REPORTS/pytest.xml",
        needs=("python-packages", "model", "build-release", *FURTHER_NEEDS.get(folder, ())),
        alone=folder in QUIET)


# What is freed is kept from being used again, of which so much that memory would never settle.
SOAK_ASAN = ("detect_stack_use_after_return=1:strict_string_checks=1:quarantine_size_mb=8:"
             "thread_local_quarantine_size_kb=64")


def soak_load(kind):
    """Five minutes of clients that come and go, compared with answers of the release."""
    # A sanitizer's own tables grow for longer; AddressSanitizer tells at the end what leaked.
    further = "" if kind == "release" else " --max-growth 16"
    return Suite(
        f"soak-load-{kind}",
        f"cmake --preset {kind} && ninja -C build/{kind} jarip && "
        f"{PYTHON} tests/load/soak.py --seconds 300 --jarip build/{kind}/bin/jarip "
        "--reference build/release/bin/jarip --answers build/soak-answers.json"
        f"{further}",
        needs=("python-packages", "node-packages", "model", "build-release"), cores=2, alone=True,
        timeout_s=3600, environment={"ASAN_OPTIONS": SOAK_ASAN})


def soak_suites():
    """The long runs, which `make test` leaves out: what they try in hours it tries in minutes."""
    return [
        *[soak_load(kind) for kind in ("release", "tsan", "asan")],
        Suite("soak-grammar",
              f"{PYTHON} -m pytest -q -p no:cacheprovider tests/grammar/test_random_schemas.py "
              f"tests/grammar/test_server.py --junit-xml=$JARIP_REPORTS/pytest.xml",
              needs=("python-packages", "model", "build-release"), cores=2, timeout_s=7200,
              environment={"JARIP_SOAK": "1"}),
        Suite("servers-packages",
              f"python3 tools/make_venv.py {SERVERS_VENV} bench/servers/requirements.txt", cores=0,
              step=True),
        Suite("soak-generator",
              f"{PYTHON} -m pytest -q -p no:cacheprovider tests/bench/check_generator.py "
              f"--junit-xml=$JARIP_REPORTS/pytest.xml",
              needs=("python-packages", "servers-packages", "model", "build-release"), cores=2),
        Suite("soak-tokenizers",
              f"{PYTHON_OF['originals']} -m pytest -q -p no:cacheprovider tests/originals "
              f"--junit-xml=$JARIP_REPORTS/pytest.xml",
              needs=("originals-packages", "node-packages", "build-release"), cores=2,
              timeout_s=3600, environment={"JARIP_SOAK": "1"}),
    ]


def node_suites():
    suites = []
    if (ROOT / "web" / "package.json").is_file():
        suites.append(Suite(
            "web", "cd web && npm run --silent check && npm run --silent lint && npm test --silent"
            " -- --reporter=default --reporter=junit"
            " --outputFile.junit=$JARIP_REPORTS/vitest.xml",
            needs=("node-packages",)))
    for folder in ("browser", "node"):
        suites.append(Suite(
            folder, f"cd tests/{folder} && npm test --silent -- --test-reporter=spec"
            " --test-reporter-destination=stdout --test-reporter=junit"
            " --test-reporter-destination=$JARIP_REPORTS/node.xml",
            needs=("node-packages", "model", "build-release"), alone=folder in QUIET))
    return suites


def all_suites():
    concurrent = " ".join(CONCURRENT_TESTS)
    return [
        Suite("model", "python3 tools/fetch_model.py", cores=0, step=True),
        Suite("python-packages", "python3 tools/make_venv.py", cores=0, step=True),
        Suite("clients-packages",
              f"python3 tools/make_venv.py {CLIENTS_VENV} tests/clients/requirements.txt",
              cores=0, step=True),
        Suite("templates", "python3 tools/fetch_templates.py", cores=0, step=True),
        Suite("originals-packages",
              f"python3 tools/make_venv.py {ORIGINALS_VENV} tests/originals/requirements.txt",
              cores=0, step=True),
        Suite("embeddings-packages",
              f"python3 tools/make_venv.py {EMBEDDINGS_VENV} tests/embeddings/requirements.txt",
              cores=0, step=True),
        Suite("convert-packages",
              f"python3 tools/make_venv.py {CONVERT_VENV} tests/convert/requirements.txt",
              cores=0, step=True),
        Suite("peer", "python3 -c 'import sys; sys.path.insert(0, \"tools\"); import peers; "
              "peers.PrebuiltLlama().prepare()'", cores=0, step=True),
        Suite("node-packages", "python3 tools/install_node_packages.py", cores=0, step=True),
        Suite("layers", "python3 tools/check_layers.py"),
        Suite("docs", "python3 tools/check_docs.py"),
        Suite("style", "tools/check_style.sh", needs=("python-packages",)),
        build("release"),
        unit("release", ("model",)),
        build("asan"),
        unit("asan", ("model",)),
        Suite("fuzz", f"python3 tools/run_fuzzers.py --seconds {FUZZ_SECONDS}",
              needs=("build-asan",), cores=2),
        build("tsan", concurrent),
        unit("tsan", ("model",), only="|".join(CONCURRENT_TESTS)),
        build("aarch64", needs=()),
        # One test takes nearly all of it, so that another suite may run beside it.
        unit("aarch64", (), but=SLOW_UNDER_QEMU, cores=1),
        *[pytest(folder) for folder in python_folders()],
        *node_suites(),
    ]
