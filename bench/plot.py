"""Plots of the results: bars per row on a log scale; SVG and PNG."""
import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from rows import PEERS, PHYSICAL
from table import ORDER, word

COLOURS = {"otter": "#1b6ca8", "caf": "#b0504a", "erlang": "#8a4fa3", "go": "#3fa7a3", "boost_fiber": "#c98b2d", "tokio": "#666666"}


def save(figure, folder, name):
    for suffix in ("svg", "png"):
        figure.savefig(folder / f"{name}.{suffix}", bbox_inches="tight", dpi=110)
    plt.close(figure)


def bars(lines, bench, cores, axes):
    chosen = [l for l in lines if l["bench"] == bench and l["cores"] == cores and l["value"] > 0]
    chosen.sort(key=lambda l: (PEERS.index(l["peer"]), l["params"]))
    names = [(l["peer"] + " " + " ".join(word(l["params"], w) for w in ("form", "mailbox", "spin", "what"))).strip() for l in chosen]
    values = [l["value"] for l in chosen]
    axes.barh(range(len(chosen)), values, color=[COLOURS[l["peer"]] for l in chosen],
              xerr=[[max(0, l["value"] - l["min"]) for l in chosen], [max(0, l["max"] - l["value"]) for l in chosen]])
    axes.set_yticks(range(len(chosen)), names, fontsize=7)
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.tick_params(axis="x", labelsize=7)
    axes.set_title(f"{bench}, {cores} worker{'s' if cores > 1 else ''} ({chosen[0]['unit'] if chosen else ''})", fontsize=8)
    if bench in PHYSICAL:
        axes.axvline(PHYSICAL[bench], color="black", linestyle=":", linewidth=1)


def all_plots(lines, folder):
    benches = [b for b in ORDER if any(l["bench"] == b and l["value"] > 0 for l in lines)]
    for cores in sorted({l["cores"] for l in lines}):
        shown = [b for b in benches if any(l["bench"] == b and l["cores"] == cores and l["value"] > 0 for l in lines)]
        if not shown:
            continue
        rows = (len(shown) + 2) // 3
        figure, axes = plt.subplots(rows, 3, figsize=(16, 3.2 * rows), squeeze=False)
        for place, bench in zip(axes.flat, shown):
            bars(lines, bench, cores, place)
        for place in list(axes.flat)[len(shown):]:
            place.axis("off")
        figure.suptitle("median, least to most; the dotted line is what the machine itself asks for", fontsize=9)
        figure.tight_layout()
        save(figure, folder, f"rows_{cores}")
