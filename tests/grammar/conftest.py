"""The grammar tool as a process, over the vocabulary of the default model."""

import json
import os
import pathlib
import subprocess
import sys
import tarfile

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "wire"))

TOOL = ROOT / "build" / "release" / "tests" / "support" / "grammar_tool"
SUITE_PACKAGE = "jsonschema==4.26.0"
SUITE = ROOT / "build" / "json-schema-test-suite"


class Tool:
    def __init__(self, *arguments):
        self.process = subprocess.Popen([TOOL, *arguments], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)

    def ask(self, kind, text, draw=(), accept=()):
        task = {"kind": kind, "text": text, "draw": list(draw), "accept": list(accept)}
        print(json.dumps(task), file=self.process.stdin, flush=True)
        line = self.process.stdout.readline()
        assert line, f"the tool ended on {task}"
        return json.loads(line)

    def schema(self, schema, draw=(), accept=()):
        return self.ask("schema", json.dumps(schema, ensure_ascii=False), draw, accept)

    def end(self):
        self.process.stdin.close()
        assert self.process.wait(timeout=60) == 0


@pytest.fixture(scope="session")
def tool():
    """Over the default model's vocabulary."""
    one = Tool(os.environ["JARIP_TEST_MODEL"])
    yield one
    one.end()


@pytest.fixture(scope="session")
def byte_tool():
    """Over a vocabulary of bytes and a few pieces, quicker where the schemas are many."""
    one = Tool()
    yield one
    one.end()


@pytest.fixture(scope="session")
def test_suite():
    """The folder of the JSON Schema Test Suite, draft 2020-12: the jsonschema package's source
    has it, its wheel doesn't."""
    folder = SUITE / "tests" / "draft2020-12"
    if not folder.is_dir():
        SUITE.mkdir(parents=True, exist_ok=True)
        subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps",
                        "--disable-pip-version-check", "--no-binary", ":all:", "--dest", SUITE,
                        SUITE_PACKAGE], check=True, timeout=600)
        [archive] = SUITE.glob("jsonschema-*.tar.gz")
        with tarfile.open(archive) as source:
            for member in source.getmembers():
                inside = pathlib.PurePosixPath(member.name).parts[1:]
                if inside[:3] == ("json", "tests", "draft2020-12") and member.isfile():
                    path = SUITE.joinpath(*inside[1:])
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(source.extractfile(member).read())
    return folder
