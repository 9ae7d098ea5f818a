#!/usr/bin/env python3
"""Installs what tools/packages.txt lists for the given groups and the machine lacks.

    tools/install_packages.py build test

Says what is missing and why before it installs anything. Installs through apt-get as root or by
sudo; where neither is possible it prints the command to run and stops with status 1."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass

ROOT = pathlib.Path(__file__).resolve().parent.parent
LIST = ROOT / "tools" / "packages.txt"
PAGE = ROOT / "web" / "package.json"


@dataclass(frozen=True)
class Package:
    group: str
    name: str
    why: str


def read_list(text):
    """The packages of tools/packages.txt; a line that is not "group package why" is an error."""
    packages = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        fields = line.split(maxsplit=2)
        if len(fields) != 3:
            raise ValueError(f"line {number} is not 'group package why': {line!r}")
        packages.append(Package(*fields))
    return packages


def installed_names():
    """Names of the packages that dpkg holds as wholly installed."""
    query = ["dpkg-query", "-W", "-f=${Package} ${db:Status-Status}\n"]
    lines = subprocess.run(query, check=True, capture_output=True, text=True).stdout.splitlines()
    return {line.split()[0] for line in lines if line.endswith(" installed")}


def apt_prefix():
    """What to put before apt-get to be allowed to install; None when nothing helps."""
    if os.geteuid() == 0:
        return []
    if not shutil.which("sudo"):
        return None
    if sys.stdin.isatty():
        return ["sudo"]
    able = subprocess.run(["sudo", "-n", "true"], capture_output=True, check=False).returncode == 0
    return ["sudo", "-n"] if able else None


def install(names):
    command = ["apt-get", "install", "--yes", "--no-install-recommends", *names]
    prefix = apt_prefix()
    if prefix is None:
        print("jarip: installing needs root and there is no sudo to ask; run this as root:\n")
        print(f"    apt-get update && {' '.join(command)}\n")
        return False
    quiet = [*prefix, "env", "DEBIAN_FRONTEND=noninteractive"]
    # An old package list names versions that the mirrors no longer hold.
    for step in (["apt-get", "update"], command):
        if subprocess.run([*quiet, *step], check=False).returncode != 0:
            print(f"jarip: '{' '.join(step)}' failed; its messages are above")
            return False
    return True


def version_of(text):
    """(major, minor) of the first version number in a text, or None."""
    match = re.search(r"(\d+)\.(\d+)", text)
    return (int(match.group(1)), int(match.group(2))) if match else None


def node_problem():
    """A sentence on what is wrong with Node.js here, or None."""
    oldest = json.loads(PAGE.read_text(encoding="utf-8"))["engines"]["node"].removeprefix(">=")
    need = f"Node.js {oldest} or newer with npm is needed to build the page"
    node = shutil.which("node")
    if not node or not shutil.which("npm"):
        return f"{need}; none is here"
    said = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    found = version_of(said)
    if found is None:
        return f"{need}; {node} does not start"
    return None if found >= version_of(oldest) else f"{need}; this is {said.strip()}"


def main(groups):
    packages = read_list(LIST.read_text(encoding="utf-8"))
    known = {package.group for package in packages}
    unknown = [group for group in groups if group not in known]
    if unknown or not groups:
        print(f"usage: install_packages.py GROUP…, of: {', '.join(sorted(known))}")
        return 2
    problem = node_problem()
    if problem:
        print(f"jarip: {problem}")
        return 1
    wanted = [package for package in packages if package.group in groups]
    if not shutil.which("apt-get") or not shutil.which("dpkg-query"):
        print("jarip: this is not a Debian system. Install the equivalents of these, then run the")
        print("commands of the Makefile one by one: " + " ".join(p.name for p in wanted))
        return 1
    present = installed_names()
    missing = [package for package in wanted if package.name not in present]
    if not missing:
        return 0
    print("jarip: these Debian packages are missing and will be installed:")
    for package in missing:
        print(f"  {package.name:<22} {package.why}")
    sys.stdout.flush()
    return 0 if install([package.name for package in missing]) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
