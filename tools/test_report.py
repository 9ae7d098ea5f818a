"""Reads what test runners report in JUnit's XML form (GoogleTest, pytest, Vitest and Node.js each
write a dialect of it) and adds it up."""

import xml.etree.ElementTree
from dataclasses import dataclass


@dataclass(frozen=True)
class Count:
    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __add__(self, other):
        return Count(self.passed + other.passed, self.failed + other.failed,
                     self.skipped + other.skipped)

    def __str__(self):
        text = f"{self.passed} passed, {self.failed} failed"
        return f"{text}, {self.skipped} skipped" if self.skipped else text


def count_case(case):
    tags = {child.tag for child in case}
    if tags & {"failure", "error"}:
        return Count(failed=1)
    if "skipped" in tags or case.get("result") == "skipped" or case.get("status") == "notrun":
        return Count(skipped=1)
    return Count(passed=1)


def count_text(text):
    """The tests of one report; a report that can't be read counts as one failure."""
    try:
        root = xml.etree.ElementTree.fromstring(text)
    except xml.etree.ElementTree.ParseError:
        return Count(failed=1)
    return sum((count_case(case) for case in root.iter("testcase")), Count())


def count_folder(folder):
    """All reports in a folder together."""
    return sum((count_text(path.read_bytes()) for path in sorted(folder.glob("*.xml"))), Count())
