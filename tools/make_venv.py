#!/usr/bin/env python3
"""Makes build/venv hold exactly what tests/requirements.txt pins, or another folder what another
file pins.

    tools/make_venv.py [FOLDER REQUIREMENTS]

Asks the environment itself what it holds, so that a second run costs a fraction of a second and a
damaged environment is repaired."""

import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
VENV = "build/venv"
REQUIREMENTS = "tests/requirements.txt"

# Run by the environment's own Python: prints every pin that it does not hold.
CHECK = """
import importlib.metadata, sys
for pin in sys.argv[1:]:
    name, _, version = pin.partition("==")
    try:
        if importlib.metadata.version(name) != version:
            print(pin)
    except importlib.metadata.PackageNotFoundError:
        print(pin)
"""


def read_pins(text):
    """The pins of a requirements file; anything but NAME==VERSION is an error."""
    lines = (line.partition("#")[0].strip() for line in text.splitlines())
    pins = [line for line in lines if line]
    loose = [pin for pin in pins if "==" not in pin]
    if loose:
        raise ValueError(f"not pinned to a version: {', '.join(loose)}")
    return pins


def missing(python, pins):
    """The pins that the environment lacks, or None when it can't even start."""
    if not python.is_file():
        return None
    result = subprocess.run([python, "-c", CHECK, *pins], capture_output=True, text=True,
                            check=False)
    return result.stdout.split() if result.returncode == 0 else None


def main():
    venv_name, requirements_name = sys.argv[1:] or (VENV, REQUIREMENTS)
    venv, requirements = ROOT / venv_name, ROOT / requirements_name
    python = venv / "bin" / "python"
    pins = read_pins(requirements.read_text(encoding="utf-8"))
    lacking = missing(python, pins)
    if lacking == []:
        return 0
    if lacking is None:
        shutil.rmtree(venv, ignore_errors=True)
        print(f"making {venv_name}", flush=True)
        made = subprocess.run([sys.executable, "-m", "venv", venv], check=False).returncode == 0
        if not made:
            print("jarip: python3 -m venv failed; on Debian the package is python3-venv")
            return 1
    install = [python, "-m", "pip", "install", "--quiet", "--no-input",
               "--disable-pip-version-check", "--requirement", requirements]
    if subprocess.run(install, check=False).returncode != 0:
        print(f"jarip: pip could not install {requirements_name}; see above")
        return 1
    lacking = missing(python, pins)
    if lacking:
        print(f"jarip: after the installation these are still missing: {', '.join(lacking)}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
