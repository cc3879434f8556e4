"""Pairs of networks that claims of order compare, drawn and listed: ours with its interval beside what the paper prints."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from srlib.ledger.comparisons import Difference, evidence_on, mean_by_image, mean_difference, printed_difference
from srlib.papers.orderings import ALIKE, Order


@dataclass(frozen=True)
class _Line:
    """A pair of networks, or the mean of a claim's pairs."""

    name: str
    psnr: float  # dB, better minus worse
    ci_half_width: float  # over seeds
    images: tuple[float, float]  # its interval over test images
    printed: float | None
    seeds: str  # of both; empty for a mean


def _lines(order: Order, paper: str, pair_of: Callable[[Difference], str], dataset: str) -> list[_Line]:
    """The pairs of one claim that have runs; last their mean, where the better one is always the first."""
    found = evidence_on(order, dataset)
    lines = []
    for d in found:
        seeds = " and ".join(str(len(several)) for several in d.seeds)
        lines.append(_Line(pair_of(d), d.psnr, d.ci_half_width, d.images, printed_difference(d, paper), seeds))
    if len(found) > 1 and order.relation != ALIKE:
        printed = [line.printed for line in lines]
        mean = None if None in printed else sum(printed) / len(printed)
        lines.append(_Line(f"mean of the {len(found)}", *mean_difference(found), mean_by_image(found), mean, ""))
    return lines


def difference_figure(
    orders: Mapping[str, Order], paper: str, pair_of: Callable[[Difference], str], dataset: str = "Set5", scale: int = 3
) -> Figure:
    """What claims of order compare, a line a pair: ours filled with its interval, the paper's own difference hollow.

    Parameters
    ----------
    orders : mapping
        What is claimed, in a few words, to the pairs that decide it; claims without runs are left out.
    paper : str
        Whose printed numbers stand beside ours.
    pair_of : callable
        How a pair is called.
    dataset, scale
        Where PSNR is taken.
    """
    found = {claim: _lines(order, paper, pair_of, dataset) for claim, order in orders.items()}
    lines = [line for claim, several in found.items() if several for line in (claim, *several)]
    figure, axes = plt.subplots(figsize=(7.5, 1.1 + 0.3 * max(len(lines), 2)), layout="constrained")
    for y, line in ((y, line) for y, line in enumerate(lines) if isinstance(line, _Line)):
        look = {"fmt": "o", "markersize": 6} if line.seeds else {"fmt": "D", "markersize": 7}
        axes.errorbar(
            line.psnr, y, xerr=line.ci_half_width if math.isfinite(line.ci_half_width) else None, color="C3", capsize=3, **look
        )
        if math.isfinite(line.images[0]):
            axes.plot(line.images, [y + 0.25] * 2, color="C3", linewidth=4, alpha=0.25, solid_capstyle="butt")
        if line.printed is not None:
            axes.plot(line.printed, y, "s", color="0.25", markerfacecolor="none", markersize=8, markeredgewidth=1.5)
    axes.axvline(0, color="0.3", linewidth=1)
    axes.plot([], [], "o", color="C3", label="ours, with 95 % interval over seeds")
    axes.plot([], [], color="C3", linewidth=4, alpha=0.25, label="95 % interval over images")
    axes.plot([], [], "D", color="C3", label="mean of a claim's pairs")
    axes.plot([], [], "s", color="0.25", markerfacecolor="none", markeredgewidth=1.5, label="as printed")
    axes.set_yticks(range(len(lines)), [line.name if isinstance(line, _Line) else line for line in lines])
    for label, line in zip(axes.get_yticklabels(), lines, strict=True):
        label.set(fontweight="normal" if isinstance(line, _Line) else "bold", fontsize="small")
    axes.set(ylim=(max(len(lines), 1) - 0.4, -0.6), xlabel=f"difference of PSNR on {dataset} ×{scale} (dB)")
    axes.grid(axis="y", visible=False)
    figure.legend(loc="outside lower center", ncols=2, frameon=False, fontsize="small")
    return figure


def difference_table(
    orders: Mapping[str, Order], paper: str, pair_of: Callable[[Difference], str], datasets: Sequence[str] = ("Set5",)
) -> pd.DataFrame:
    """The same as a table: a row a pair, with the printed difference, ours with both its intervals, and the seeds of both.

    Parameters
    ----------
    orders, paper, pair_of
        As for `difference_figure`.
    datasets : sequence of str
        A column of ours for each; the printed differences are the first's.
    """
    rows: dict[tuple[str, str], dict[str, str]] = {}
    for dataset in datasets:
        for claim, order in orders.items():
            for line in _lines(order, paper, pair_of, dataset):
                printed = "–" if line.printed is None else f"{line.printed:+.2f}"
                known = {"claim": claim, "pair": line.name, "seeds": line.seeds or "–", "printed": printed}
                margin = f" ± {line.ci_half_width:.3f}" if math.isfinite(line.ci_half_width) else ""
                low, high = line.images
                images = f" (images {low:+.2f} to {high:+.2f})" if math.isfinite(low) else ""
                rows.setdefault((claim, line.name), known)[f"ours, {dataset}"] = f"{line.psnr:+.3f}{margin}{images}"
    return pd.DataFrame(rows.values())
