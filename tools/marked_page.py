"""Pages of docs/ of which a part is written by a measurement, between two marks."""


def write_between_marks(page, name, text):
    """Puts text between <!-- name --> and <!-- end of name -->."""
    begin, end = f"<!-- {name} -->\n", f"\n<!-- end of {name} -->"
    head, found_begin, rest = page.read_text(encoding="utf-8").partition(begin)
    _, found_end, tail = rest.partition(end)
    if not found_begin or not found_end:
        raise RuntimeError(f"{page} has lost the marks around its {name}")
    page.write_text(head + begin + text + end + tail, encoding="utf-8")
