#!/usr/bin/env python3
"""Makes node_modules of the Node.js projects here hold what their package-lock.json says.

    tools/install_node_packages.py [PROJECT...]     all of them if none is named

npm itself is asked whether anything is missing, so that a second run is quick and a damaged folder
is repaired."""

import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
PROJECTS = ("web", "tests/browser", "tests/node", "tests/originals")


def is_complete(folder):
    """Whether node_modules holds every package of the lock file at its version. npm ls compares
    the whole tree and fails on any difference."""
    lock = folder / "package-lock.json"
    installed = folder / "node_modules" / ".package-lock.json"
    if not installed.is_file() or installed.stat().st_mtime < lock.stat().st_mtime:
        return False
    return subprocess.run(["npm", "ls", "--all"], cwd=folder, capture_output=True,
                          check=False).returncode == 0


def main(projects):
    for project in projects or PROJECTS:
        folder = ROOT / project
        if not (folder / "package-lock.json").is_file() or is_complete(folder):
            continue
        print(f"installing the Node.js packages of {project}/", flush=True)
        command = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
        if subprocess.run(command, cwd=folder, check=False).returncode != 0:
            print(f"jarip: npm ci failed in {project}/; its messages are above")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
