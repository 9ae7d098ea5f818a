"""The curves of growth, as SVG and PNG."""

import matplotlib

matplotlib.use("svg")
matplotlib.rcParams["svg.hashsalt"] = "jarip"  # the same numbers give the same file
import matplotlib.pyplot as plt  # noqa: E402

COLOURS = ("#0b6e4f", "#b5651d", "#5b5f97", "#7a7a7a")
META = {"svg": {"Date": None}, "png": {"Software": None}}


def draw(panels, path, x_label):
    """panels: [(title, y label, {name: [(x, y), …]})], side by side in one picture."""
    figure, axes = plt.subplots(1, len(panels), figsize=(5.2 * len(panels), 3.8), squeeze=False)
    for axis, (title, y_label, curves) in zip(axes[0], panels, strict=True):
        names = sorted(curves, key=lambda name: name != "jarip")
        for colour, name in zip(COLOURS, names, strict=False):
            points = sorted(curves[name])
            axis.plot(*zip(*points, strict=True), marker="o", markersize=4, color=colour,
                      label=name)
        xs = sorted({x for points in curves.values() for x, _ in points})
        if all(xs):
            axis.set_xscale("log", base=2)
        axis.set_xticks(xs, [f"{x // 1024}k" if x >= 1024 else str(x) for x in xs])
        axis.set_ylim(bottom=0)
        axis.set_title(title, fontsize=11)
        axis.set_xlabel(x_label)
        axis.set_ylabel(y_label)
        axis.grid(alpha=0.3)
        axis.legend(frameon=False)
    figure.tight_layout()
    for kind, meta in META.items():
        figure.savefig(path.with_suffix(f".{kind}"), metadata=meta, dpi=110, facecolor="white")
    plt.close(figure)
