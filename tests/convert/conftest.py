import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(pathlib.Path(__file__).parent), str(ROOT / "tools")]
BINARY = pathlib.Path(os.environ.get("JARIP_BIN", ROOT / "build" / "release" / "bin" / "jarip"))
SUPPORT = ROOT / "build" / "release" / "tests" / "support"


@pytest.fixture(scope="session")
def jarip():
    """Runs a command; text in, text out."""

    def run(*arguments, **options):
        return subprocess.run([BINARY, *arguments], capture_output=True, text=True, timeout=120,
                              check=False, **options)

    return run


@pytest.fixture(scope="session")
def convert(jarip):
    """Converts a folder into a file beside it, and gives that."""

    def run(folder, *arguments):
        path = folder.parent / f"{folder.name}.gguf"
        done = jarip("convert", folder, path, "--force", *arguments)
        assert done.returncode == 0, done.stderr
        return path

    return run
