"""Comparisons of networks of ours: differences of PSNR beside the paper's, and PSNR on held-out images by iteration."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from srlib.figures.sweeps import PAPER_SIZE
from srlib.ledger.comparisons import (
    Difference,
    evidence_on,
    full_size_name,
    mean_by_image,
    mean_difference,
    printed_difference,
    width_of,
)
from srlib.models import MODELS
from srlib.papers.orderings import ALIKE, Order
from srlib.papers.variants import STANDIN_SUFFIX
from srlib.records.scores import runs

CURVE_COLUMNS = ["panel", "series", "seed", "budget", "iteration", "psnr"]


@dataclass(frozen=True)
class _Pair:
    """The difference between two networks, or the mean difference of a claim's pairs."""

    name: str
    psnr: float  # dB, better minus worse
    ci_half_width: float  # dB, over seeds
    images: tuple[float, float]  # dB, ends of the interval over test images
    printed: float | None  # dB
    seeds: str  # numbers of seeds of the two networks; empty for a mean


def _pairs(order: Order, paper: str, pair_of: Callable[[Difference], str], dataset: str) -> list[_Pair]:
    """The pairs of one claim that have runs, and after them their mean, unless the claim is that they are alike."""
    differences = evidence_on(order, dataset)
    pairs = [
        _Pair(
            pair_of(d),
            d.psnr,
            d.ci_half_width,
            d.images,
            printed_difference(d, paper),
            " and ".join(str(len(seeds)) for seeds in d.seeds),
        )
        for d in differences
    ]
    if len(pairs) > 1 and order.relation != ALIKE:
        printed = [pair.printed for pair in pairs]
        mean = None if None in printed else sum(printed) / len(printed)
        name = f"mean of the {len(pairs)}"
        pairs.append(_Pair(name, *mean_difference(differences), mean_by_image(differences), mean, ""))
    return pairs


def difference_figure(
    orders: Mapping[str, Order], paper: str, pair_of: Callable[[Difference], str], dataset: str = "Set5", scale: int = 3
) -> Figure:
    """Differences of PSNR (dB) between the networks that claims compare: ours with their intervals, the paper's own hollow.

    Parameters
    ----------
    orders : mapping
        Heading of a claim to the pairs that decide it; claims without runs are left out.
    paper : str
        Name of the paper that the printed differences are from.
    pair_of : callable
        Label of a `Difference`.
    dataset : str
        Test set of the PSNR.
    scale : int
        Its scale, for the axis.

    Returns
    -------
    matplotlib.figure.Figure
        A row for each pair of networks, under the heading of its claim.
    """
    pairs_of = {claim: _pairs(order, paper, pair_of, dataset) for claim, order in orders.items()}
    rows = [row for claim, pairs in pairs_of.items() if pairs for row in (claim, *pairs)]
    figure, axes = plt.subplots(figsize=(7.5, 1.1 + 0.3 * max(len(rows), 2)), layout="constrained")
    for y, pair in enumerate(rows):
        if isinstance(pair, str):
            continue
        marker = {"fmt": "o", "markersize": 6} if pair.seeds else {"fmt": "D", "markersize": 7}
        half_width = pair.ci_half_width if math.isfinite(pair.ci_half_width) else None
        axes.errorbar(pair.psnr, y, xerr=half_width, color="C3", capsize=3, **marker)
        if math.isfinite(pair.images[0]):
            axes.plot(pair.images, [y + 0.25] * 2, color="C3", linewidth=4, alpha=0.25, solid_capstyle="butt")
        if pair.printed is not None:
            axes.plot(pair.printed, y, "s", color="0.25", markerfacecolor="none", markersize=8, markeredgewidth=1.5)
    axes.axvline(0, color="0.3", linewidth=1)
    axes.plot([], [], "o", color="C3", label="ours, with 95 % interval over seeds")
    axes.plot([], [], color="C3", linewidth=4, alpha=0.25, label="95 % interval over images")
    axes.plot([], [], "D", color="C3", label="mean of a claim's pairs")
    axes.plot([], [], "s", color="0.25", markerfacecolor="none", markeredgewidth=1.5, label="as printed")
    axes.set_yticks(range(len(rows)), [row if isinstance(row, str) else row.name for row in rows])
    for label, row in zip(axes.get_yticklabels(), rows, strict=True):
        label.set(fontweight="bold" if isinstance(row, str) else "normal", fontsize="small")
    axes.set(ylim=(max(len(rows), 1) - 0.4, -0.6), xlabel=f"difference of PSNR on {dataset} ×{scale} (dB)")
    axes.grid(axis="y", visible=False)
    figure.legend(loc="outside lower center", ncols=2, frameon=False, fontsize="small")
    return figure


def difference_table(
    orders: Mapping[str, Order], paper: str, pair_of: Callable[[Difference], str], datasets: Sequence[str] = ("Set5",)
) -> pd.DataFrame:
    """Differences of PSNR (dB) between the networks that claims compare: the printed one, and ours with both its intervals.

    Parameters
    ----------
    orders, paper, pair_of
        As for `difference_figure`.
    datasets : sequence of str
        Test sets, each with a column of our differences; the printed differences are those of the first.

    Returns
    -------
    pandas.DataFrame
        A row for each pair: columns `claim`, `pair`, `seeds` (their number, of both networks), `printed`, `ours, <dataset>`.
    """
    rows: dict[tuple[str, str], dict[str, str]] = {}
    for dataset in datasets:
        for claim, order in orders.items():
            for pair in _pairs(order, paper, pair_of, dataset):
                printed = "–" if pair.printed is None else f"{pair.printed:+.2f}"
                row = {"claim": claim, "pair": pair.name, "seeds": pair.seeds or "–", "printed": printed}
                margin = f" ± {pair.ci_half_width:.3f}" if math.isfinite(pair.ci_half_width) else ""
                low, high = pair.images
                images = f" (images {low:+.2f} to {high:+.2f})" if math.isfinite(low) else ""
                rows.setdefault((claim, pair.name), row)[f"ours, {dataset}"] = f"{pair.psnr:+.3f}{margin}{images}"
    return pd.DataFrame(rows.values())


def curves(experiments: Mapping[str, str]) -> pd.DataFrame:
    """Learning curves of the records of some experiments and of their narrow forms: PSNR (dB) on held-out images.

    Parameters
    ----------
    experiments : mapping
        Series to the name of the paper's experiment.

    Returns
    -------
    pandas.DataFrame
        Columns `panel` (the paper's size, the number of filters, or 'for a CPU'), `series`, `seed`, `budget`, `iteration`,
        `psnr` (dB).
    """
    frames, series_of = [pd.DataFrame(columns=CURVE_COLUMNS)], {name: series for series, name in experiments.items()}
    for name in (name for name in runs().names() if full_size_name(name) in series_of):
        series, width = series_of[full_size_name(name)], width_of(name)
        panel = PAPER_SIZE if name in MODELS else f"{width} filters" if width else "for a CPU"
        for (_, budget, *_), records in runs().groups(name).items():
            for record in records:
                if (record.folder / "curve.csv").exists():
                    curve, seed = record.curve.dropna(subset="psnr"), record.info["seed"]
                    frames.append(curve.assign(panel=panel, series=series, seed=seed, budget=budget)[CURVE_COLUMNS])
    return pd.concat([frame for frame in frames if len(frame)] or frames, ignore_index=True)


def curve_figure(points: pd.DataFrame, colours: Mapping[str, object]) -> Figure:
    """Learning curves in a panel for each size of network: the mean of a series at one budget thick, its seeds thin.

    Parameters
    ----------
    points : pandas.DataFrame
        From `curves`.
    colours : mapping
        Series to colour, in the order of the legend.
    """
    panels = list(dict.fromkeys(points.panel)) or ["no record yet"]
    figure, grid = plt.subplots(1, len(panels), figsize=(max(7.5, 4.6 * len(panels)), 4.0), layout="constrained", squeeze=False)
    for axes, panel in zip(grid[0], panels, strict=True):
        in_panel = points[points.panel == panel]
        for series, colour in colours.items():
            for _, group in in_panel[in_panel.series == series].groupby("budget"):
                mean = group.groupby("iteration").psnr.mean()
                label = f"{series}, {group.iteration.max():,} iterations"
                axes.plot(mean.index, mean, color=colour, linewidth=2, label=label)
                if group.seed.nunique() > 1:
                    for _, curve in group.groupby("seed"):
                        axes.plot(curve.iteration, curve.psnr, color=colour, linewidth=0.7, alpha=0.5)
        axes.set(title=panel, xlabel="iterations", ylabel="PSNR on held-out images (dB)")
        if len(in_panel):
            third = in_panel.groupby(["series", "seed", "budget"]).psnr.nth(min(2, in_panel.iteration.nunique() - 1))
            axes.set_ylim(third.min() - 0.1, in_panel.psnr.max() + 0.1)  # earlier values would flatten the rest
            axes.legend(fontsize="small", loc="lower right")
    return figure


def loss_figure(experiments: Mapping[str, tuple[str, object]]) -> Figure:
    """Learning curves of experiments and of their narrow and stand-in forms in one panel, a line for each record's first seed.

    Parameters
    ----------
    experiments : mapping
        Name of the paper's experiment to its label in the legend, and colour.
    """
    figure, axes = plt.subplots(layout="constrained")
    for full_size, (label, colour) in experiments.items():
        for name in (name for name in runs().names() if full_size in _full_sizes(name)):
            for (_, budget, data, _), records in runs().groups(name).items():
                curve = records[0].curve.dropna(subset="psnr")
                axes.plot(curve.iteration, curve.psnr, color=colour, label=f"{label}: {name}, {data}, budget {budget:g}")
    axes.set(xlabel="iterations", ylabel="PSNR on held-out images (dB)")
    if axes.lines:
        axes.legend(fontsize="small")
    else:
        axes.text(0.5, 0.5, "no record of either yet", transform=axes.transAxes, ha="center", color="0.35")
    return figure


def _full_sizes(name: str) -> tuple[str, str]:
    """An experiment's name without the stand-in's suffix, and without that of a narrow form."""
    name = name.removesuffix(STANDIN_SUFFIX)
    return name, name.rpartition("_w")[0]
