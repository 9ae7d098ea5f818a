#!/usr/bin/env python3
"""Holds the documents to the repository: every link to a file or a heading leads somewhere, every
`make` target and every script that a document names exists, and README.md and README.ko.md give
the same commands. Exit status 1 and one line for each breach."""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`([^`\n]+)`")
MAKE = re.compile(r"\bmake ([a-z][a-z-]*)")
SCRIPT = re.compile(r"(?<![\w./$-])((?:tools|tests|src|docs|fuzz|bench|cmake)/[\w./-]*\w)")


def anchor_of(heading):
    """The anchor that hosts of Markdown give to a heading."""
    text = re.sub(r"[`*]", "", heading.strip().lower())
    return re.sub(r"\s", "-", re.sub(r"[^\w\s-]", "", text))


def anchors(text):
    plain = FENCE.sub("", text)
    return {anchor_of(line) for line in re.findall(r"^#+\s+(.*)$", plain, re.MULTILINE)}


def check_links(path, text):
    for target in LINK.findall(FENCE.sub("", text)):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        file = (path.parent / name).resolve() if name else path
        if not file.exists():
            yield f"link to {target}: there is no such file"
        elif anchor and anchor not in anchors(file.read_text(encoding="utf-8")):
            yield f"link to {target}: there is no such heading"


def check_commands(text, targets):
    code = [body for _, body in FENCE.findall(text)] + CODE.findall(FENCE.sub("", text))
    for piece in code:
        for target in MAKE.findall(piece):
            if target not in targets:
                yield f"'make {target}': the Makefile has no such target"
        for name in SCRIPT.findall(piece):
            if not (ROOT / name).exists():
                yield f"{name}: there is no such file"


def shell_commands(text):
    """The lines of a document's shell blocks, without comments and empty lines."""
    lines = [line.partition(" #")[0].rstrip() for language, body in FENCE.findall(text)
             if language in ("sh", "bash", "python") for line in body.splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


def quoted_text_left_out(line):
    """A command without what it quotes: an example's question is in the reader's language."""
    return re.sub(r"'[^']*'|\"[^\"]*\"", "…", line)


def check_translation(english, korean):
    ours = [quoted_text_left_out(line) for line in shell_commands(english)]
    theirs = [quoted_text_left_out(line) for line in shell_commands(korean)]
    for left, right in zip(ours, theirs, strict=False):
        if left != right:
            yield f"README.md says '{left}' where README.ko.md says '{right}'"
            return
    if len(ours) != len(theirs):
        yield f"README.md gives {len(ours)} lines of commands, README.ko.md {len(theirs)}"


def documents():
    """Every document of the repository, from its root, without what builds and installs leave."""
    paths = (path.relative_to(ROOT) for path in ROOT.rglob("*.md"))
    return sorted(path.as_posix() for path in paths
                  if path.parts[0] != "build" and "node_modules" not in path.parts)


def main():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    names = documents()
    problems = []
    for name in names:
        path = ROOT / name
        text = path.read_text(encoding="utf-8")
        found = [*check_links(path, text), *check_commands(text, targets)]
        problems += [f"{name}: {problem}" for problem in found]
    problems += check_translation((ROOT / "README.md").read_text(encoding="utf-8"),
                                  (ROOT / "README.ko.md").read_text(encoding="utf-8"))
    for problem in problems:
        print(problem)
    print(f"check_docs: {len(names)} documents, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
