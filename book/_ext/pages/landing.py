"""The first screen of the book: where each paper stands, in one table, one sentence and one picture."""

import math
from collections.abc import Iterable
from html import escape

import pandas as pd

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
SIZE = (480, 360)
PLOT = (34, 14, 472, 310)  # left, top, right and bottom of the area between the axes


def standing() -> str:
    """Where each paper stands, as a small Markdown table: its networks that are trained, and its scores."""
    rows = []
    for paper in PAPERS:
        own = counts(row for row in ledger((paper,)) if row.kind == "measured")
        rows.append(
            {"": f"[{TITLES[paper]}]({paper}.md)", "networks trained": trained_networks(paper)}
            | {"scores reached": f"{own['reached']} of {own.total()}"}
            | {word: own[word] for word in ("short of it", "unfinished", "not run")}
        )
    frame = pd.DataFrame(rows)
    return markdown_table(frame if frame.unfinished.any() else frame.drop(columns="unfinished"))


def claims_of(paper: str) -> str:
    """All that one paper claims, by kind and verdict, as Markdown."""
    lines = ledger((paper,))
    rows = []
    for kind, meaning in KINDS.items():
        if said := counts(row for row in lines if row.kind == kind):
            listed = ", ".join(f"{said[verdict]} {verdict}" for verdict in VERDICTS if said[verdict])
            rows.append({"claims": meaning, "how many": said.total(), "verdicts": listed})
    return markdown_table(pd.DataFrame(rows))


def picture() -> str:
    """PSNR against size, what the papers print and what we have trained, as an SVG figure in HTML.

    Its words have the page's colour, light or dark; nothing in it is a style that a strict policy would refuse.
    """
    printed = [point for paper in PAPERS for point in _printed(paper)]
    ours = [point for paper in PAPERS for point in _ours(paper)]
    low = min(32, math.floor(min(psnr for *_, psnr, _ in printed + ours)))
    lines, names = [], []
    for paper in PAPERS:
        theirs = min((p for p in printed if p[0] == paper), key=lambda p: (p[1], -p[2]))  # of the smallest the best
        (x, y), colour = _place(*theirs[1:3], low), _colour(paper)
        names.append(_text(x + 10, y + 5, TITLES[paper], "start") if names else _text(x - 10, y + 2, TITLES[paper], "end"))
        if best := max((p for p in ours if p[0] == paper), key=lambda p: p[2], default=None):
            a, b = _place(*best[1:3], low)
            ends = f'x1="{a:.1f}" y1="{b:.1f}" x2="{x:.1f}" y2="{y:.1f}"'
            lines.append(f'<line {ends} stroke="{colour}" stroke-width="1.5" stroke-dasharray="2 4"/>')
    marks = [_mark(*point, low, filled=False) for point in printed] + [_mark(*point, low, filled=True) for point in ours]
    said, have = (
        "; ".join(f"{name} {psnr:.2f} dB with {weights:,} weights" for _, weights, psnr, name in points)
        for points in (printed, ours)
    )
    alt = (
        f"Scatter plot of PSNR on Set5 at scale 3 against convolution weights. Printed: {said}. Trained here: {have or 'none'}."
    )
    return (
        f'<figure class="srlib-standing"><svg viewBox="0 0 {SIZE[0]} {SIZE[1]}" role="img" aria-label="{escape(alt)}" '
        f'fill="currentColor" font-size="13">{"".join([*_axes(low), *lines, *marks, *names])}</svg>'
        "<figcaption>PSNR on Set5 ×3 against convolution weights. Hollow: what the papers print. Filled: what we have trained, "
        "most of it narrow and all of it briefly; dotted: from our best to the paper's network.</figcaption></figure>"
    )


def _printed(paper: str) -> Iterable[Point]:
    """The paper's own networks on the cell of the picture."""
    for c in claims(paper):
        if (c.dataset, c.scale, c.metric, c.kind, c.where) == (*CELL, "measured", MAIN[paper]):
            yield paper, params(meta_model(MODELS[c.experiment])), c.number, c.experiment


def _ours(paper: str) -> Iterable[Point]:
    """Networks of that paper that we have trained, under its first protocol."""
    for name in runs().names(paper):
        experiment = get_experiment(name)
        if any("snapshot_of" in record.info for several in runs().groups(name).values() for record in several):
            continue  # what a network was on its way
        if ours := runs().find(name, *CELL, experiment.protocols[0]):
            yield paper, params(meta_model(experiment.make)), ours.value, name


def _place(weights: float, psnr: float, low: int) -> tuple[float, float]:
    """Where a point stands: 10^3.5 to 10^7.5 weights, `low` to 35 dB."""
    left, top, right, bottom = PLOT
    return left + (math.log10(weights) - 3.5) / 4 * (right - left), bottom - (psnr - low) / (35 - low) * (bottom - top)


def _colour(paper: str) -> str:
    return "#{:02x}{:02x}{:02x}".format(*(round(255 * part) for part in COLOURS[paper]))


def _mark(paper: str, weights: int, psnr: float, name: str, low: int, filled: bool) -> str:
    x, y = _place(weights, psnr, low)
    look = f'fill="{_colour(paper)}"' if filled else f'fill="none" stroke="{_colour(paper)}" stroke-width="2.5"'
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{5 if filled else 6}" {look}><title>{name}: {psnr:.2f} dB</title></circle>'


def _text(x: float, y: float, words: str, anchor: str = "middle") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{words}</text>'


def _axes(low: int) -> Iterable[str]:
    left, top, right, bottom = PLOT
    for psnr in range(low, 36):
        y = _place(1e4, psnr, low)[1]
        yield f'<line x1="{left}" y1="{y:.1f}" x2="{right}" y2="{y:.1f}" stroke="currentColor" stroke-opacity="0.2"/>'
        yield _text(left - 8, y + 4, str(psnr), "end")
    for power, words in ((4, "10,000"), (5, "100,000"), (6, "1 million"), (7, "10 million")):
        x = _place(10**power, low, low)[0]
        yield f'<line x1="{x:.1f}" y1="{bottom}" x2="{x:.1f}" y2="{bottom + 5}" stroke="currentColor" stroke-opacity="0.5"/>'
        yield _text(x, bottom + 20, words)
    yield _text((left + right) / 2, bottom + 40, "convolution weights")
    yield _text(left + 6, top + 14, "PSNR, dB", "start")
