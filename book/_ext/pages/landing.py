"""The first screen of the book: for each paper the networks trained and the scores reached, as table and picture."""

from collections.abc import Iterable
from html import escape

import matplotlib.pyplot as plt
import pandas as pd

from pages import svg, table
from pages.ledger import trained_networks
from srlib.figures.style import COLOURS
from srlib.figures.text import markdown_table
from srlib.ledger.rows import KINDS, VERDICTS, counts, ledger
from srlib.models import MODELS, meta_model, params
from srlib.papers import PAPERS, TITLES, claims, get_experiment
from srlib.records.scores import runs

CELL = ("Set5", 3, "psnr")  # of the picture
MAIN = {"drrn": "Table 2", "dsrn": "Table 1", "rlcsc": "Table 1", "drn": "Table 3"}  # each paper's own networks on it
Point = tuple[str, int, float, str]  # paper, weights, dB, network
INKS = {"light": "#212529", "dark": "#ced6dd"}  # of words and axes


def standing() -> str:
    """Number of networks trained and of scores reached for each paper, as a Markdown table."""
    rows = []
    for paper in PAPERS:
        tally = counts(row for row in ledger((paper,)) if row.kind == "measured")
        rows.append(
            {"": f"[{TITLES[paper]}]({paper}.md)", "networks trained": trained_networks(paper)}
            | {"scores reached": f"{tally['reached']} of {tally.total()}"}
            | {verdict: tally[verdict] for verdict in ("short of it", "unfinished", "not run")}
        )
    frame = pd.DataFrame(rows)
    return markdown_table(frame if frame.unfinished.any() else frame.drop(columns="unfinished"))


def claims_of(paper: str) -> str:
    """Number of one paper's claims by kind and verdict, as a Markdown table."""
    lines = ledger((paper,))
    rows = []
    for kind, meaning in KINDS.items():
        if tally := counts(row for row in lines if row.kind == kind):
            verdicts = ", ".join(f"{tally[verdict]} {verdict}" for verdict in VERDICTS if tally[verdict])
            rows.append({"claims": meaning, "how many": tally.total(), "verdicts": verdicts})
    return table(rows)


def picture() -> str:
    """PSNR (dB) against convolution weights, printed and trained here, as an HTML figure for light and for dark pages.

    The alternative text names every point.
    """
    points_of = {"Printed": _printed, "Trained here": _ours}
    points = {kind: [point for paper in PAPERS for point in find(paper)] for kind, find in points_of.items()}
    alt = "Scatter plot of PSNR on Set5 at scale 3 against convolution weights."
    for kind, some in points.items():
        words = "; ".join(f"{name} {psnr:.2f} dB with {weights:,} weights" for _, weights, psnr, name in some)
        alt += f" {kind}: {words or 'none'}."
    images = "".join(
        f'<img class="only-{theme}" alt="{escape(alt)}" src="{_scatter_plot(*points.values(), ink)}">'
        for theme, ink in INKS.items()
    )
    return (
        f'<figure class="srlib-standing"><div>{images}</div>'
        "<figcaption>PSNR on Set5 ×3 against convolution weights. Hollow: what the papers print. Filled: what we have trained, "
        "most of it narrow and all of it briefly; dotted: from our best to the paper's network.</figcaption></figure>"
    )


def _scatter_plot(printed_points: list[Point], our_points: list[Point], ink: str) -> str:
    """The scatter plot as an SVG image, with axes and words in one colour."""
    colours = {f"{part}.color": ink for part in ("text", "xtick", "ytick")} | {"axes.edgecolor": ink, "axes.labelcolor": ink}
    with plt.rc_context(colours | {"svg.hashsalt": "srlib", "svg.fonttype": "none", "font.size": 9}):
        figure, axes = plt.subplots(figsize=(4.8, 3.6), layout="constrained")
        for points, filled in ((printed_points, False), (our_points, True)):
            for paper, weights, psnr, _ in points:
                face = COLOURS[paper] if filled else "none"
                axes.plot(weights, psnr, "o", color=COLOURS[paper], markerfacecolor=face, markersize=6 if filled else 8)
        for paper in PAPERS:
            # the smallest network, and of equal ones the best
            _, weights, psnr, _ = min((p for p in printed_points if p[0] == paper), key=lambda p: (p[1], -p[2]))
            axes.annotate(TITLES[paper], (weights, psnr), (-8, 4), textcoords="offset points", ha="right")
            if best := max((p for p in our_points if p[0] == paper), key=lambda p: p[2], default=None):
                axes.plot([best[1], weights], [best[2], psnr], ":", color=COLOURS[paper], linewidth=1.5, zorder=0)
        axes.set(xscale="log", xlabel="convolution weights", ylabel="PSNR (dB)")
        axes.grid(axis="y", color=ink, alpha=0.2)
        axes.spines[["top", "right"]].set_visible(False)
        return svg(figure, transparent=True)


def _printed(paper: str) -> Iterable[Point]:
    """Printed points of a paper's own networks on `CELL`."""
    for c in claims(paper):
        if (c.dataset, c.scale, c.metric, c.kind, c.where) == (*CELL, "measured", MAIN[paper]):
            yield paper, params(meta_model(MODELS[c.experiment])), c.number, c.experiment


def _ours(paper: str) -> Iterable[Point]:
    """Points of our networks of a paper on `CELL`, under its first protocol, without snapshots."""
    for name in runs().names(paper):
        experiment = get_experiment(name)
        snapshot = any("snapshot_of" in record.info for records in runs().groups(name).values() for record in records)
        if not snapshot and (ours := runs().find(name, *CELL, experiment.protocols[0])):
            yield paper, params(meta_model(experiment.make)), ours.value, name
