"""docs/performance.md: the part that a measurement writes, and its pictures."""

import pathlib
import re
import sys

from results import OURS, table

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "performance.md"
PICTURES = ROOT / "docs" / "performance"
sys.path.insert(0, str(ROOT / "tools"))
from marked_page import write_between_marks  # noqa: E402


def limits_as_text(limits):
    return (f"int8 {limits['int8_ops_per_second'] / 1e12:.2f} Top/s, "
            f"f32 {limits['f32_flops_per_second'] / 1e12:.3f} Tflop/s, "
            f"memory read {limits['read_bytes_per_second'] / 1e9:.1f} GB/s")


def about_as_text(about):
    """What was measured, on what, and how quiet it was, in Markdown."""
    machine, others = about["machine"], about["disturbance"]
    lines = [f"- Machine: {machine['processor']} ({', '.join(machine['instructions'])}), "
             f"{machine['cores']} cores of which {machine['threads']} were used, "
             f"{machine['memory_gib']} GiB; {machine['system']}.",
             f"- Its limits with {machine['threads']} threads, measured in the same run: "
             f"{limits_as_text(about['limits'])}.",
             f"- Programs: {'; '.join(about['programs'].values())}.",
             f"- The run took {about['seconds']} s; other processes had "
             f"{100 * others['others']:.1f} % of the machine meanwhile, other machines on the same "
             f"host {100 * others['stolen']:.1f} %."]
    lines += [f"- Not measured: {note}." for note in about["notes"]]
    return "\n".join(lines)


def curve_points(results, pattern):
    """{shape's title: {name: [(x, tokens a second), …]}} of the rows whose work matches; x is the
    pattern's number."""
    panels = {}
    for result in results:
        found = re.fullmatch(pattern, result.work)
        if not found:
            continue
        names = [name for name in (OURS, result.best_peer) if name]
        for name in names:
            curves = panels.setdefault(result.title, {})
            curves.setdefault(name, []).append((int(found.group(1)), result.median(name)))
    return {title: curves for title, curves in panels.items()
            if max(len(points) for points in curves.values()) > 1}


def draw_all(results, folder):
    from plots import draw  # after the measuring: it takes its time to load

    folder.mkdir(parents=True, exist_ok=True)
    batches = curve_points(results, r"(\d+) streams decoding together")
    if batches:
        draw([(title, "tokens a second, all streams", curves)
              for title, curves in batches.items()], folder / "batch", "streams decoding together")
    panels = [(f"{title}, {work}", "tokens a second", curves)
              for work in ("prefill", "decode")
              for title, curves in curve_points(results, work + r" after (\d+)").items()]
    if panels:
        draw(panels, folder / "context", "tokens of context before")


def write(results, about):
    draw_all(results, PICTURES)
    write_between_marks(PAGE, "numbers", f"{table(results)}\n\n{about_as_text(about)}")
