#!/usr/bin/env python3
"""Holds law L6: a folder of src/ includes only folders below it, and no file includes itself
through others. The table is ARCHITECTURE.md's. Exit status 1 and one line for each breach."""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent / "src"

BELOW = {
    "base": set(),
    "tensor": {"base"},
    "store": {"base"},
    "net": {"base"},
    "grammar": {"base"},
    "model": {"tensor", "base"},
    "convert": {"model", "tensor", "base"},
    "engine": {"grammar", "model", "tensor", "base"},
    "app": {"engine", "grammar", "model", "store", "net", "base"},
    "api": {"app", "net", "base"},
    "cli": {"api", "app", "convert", "engine", "grammar", "model", "store", "net", "tensor",
            "base"},
}

INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.MULTILINE)


def includes_of(path):
    return INCLUDE.findall(path.read_text(encoding="utf-8"))


def find_cycle(graph):
    """The first include cycle as a list of files, or None. Iterative, so depth has no limit."""
    state = {}
    for start in graph:
        if start in state:
            continue
        stack = [(start, iter(graph[start]))]
        state[start] = "open"
        while stack:
            node, children = stack[-1]
            for child in children:
                if state.get(child) == "open":
                    names = [name for name, _ in stack]
                    return names[names.index(child):] + [child]
                if child in graph and child not in state:
                    state[child] = "open"
                    stack.append((child, iter(graph[child])))
                    break
            else:
                state[node] = "done"
                stack.pop()
    return None


def main():
    problems = []
    graph = {}
    for path in sorted(ROOT.rglob("*")):
        if path.suffix not in {".h", ".cpp"}:
            continue
        name = path.relative_to(ROOT).as_posix()
        folder = name.split("/")[0]
        graph[name] = []
        if folder not in BELOW:
            problems.append(f"src/{name}: folder {folder}/ is not in the table")
            continue
        for include in includes_of(path):
            if name.endswith("_test.cpp") and include.startswith("tests/support/"):
                continue
            target = include.split("/")[0]
            if not (ROOT / include).is_file():
                problems.append(f'src/{name}: include "{include}" is not a file below src/')
            elif target != folder and target not in BELOW[folder]:
                problems.append(f"src/{name}: {folder}/ may not include {include}")
            graph[name].append(include)
    cycle = find_cycle(graph)
    if cycle:
        problems.append("include cycle: " + " -> ".join(cycle))
    for problem in problems:
        print(problem)
    print(f"check_layers: {len(graph)} files, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
