"""Comparisons of networks of ours: differences of PSNR beside the paper's, and PSNR on held-out images by iteration."""

import math
from collections.abc import Callable, Mapping, Sequence

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from srlib.figures.sweeps import PAPER_SIZE
from srlib.figures.text import with_intervals
from srlib.ledger.comparisons import Difference, evidence_on, mean_by_image, mean_difference, printed_difference
from srlib.models import MODELS
from srlib.papers import full_size_name, width_of
from srlib.papers.orderings import ALIKE, Order
from srlib.papers.variants import STANDIN_SUFFIX
from srlib.records.scores import runs

CURVE_COLUMNS = ["panel", "series", "seed", "budget", "iteration", "psnr"]
_PAIR_COLUMNS = ["claim", "pair", "psnr", "half_width", "images", "printed", "seeds"]


def _pairs(orders: Mapping[str, Order], paper: str, pair_of: Callable[[Difference], str], dataset: str) -> pd.DataFrame:
    """The pairs of claims that have runs; after those of a claim their mean, unless the claim is that they are alike.

    Columns: `claim`; `pair`, its label; `psnr`, better minus worse; `half_width` of its interval over seeds; `images`, the ends
    of that over test images; `printed`, as `psnr` (all in dB); `seeds`, the numbers of both networks, empty for a mean.
    """
    rows = []
    for claim, order in orders.items():
        differences = evidence_on(order, dataset)
        printed = [printed_difference(d, paper) for d in differences]
        for d, value in zip(differences, printed, strict=True):
            seeds = " and ".join(str(len(seeds)) for seeds in d.seeds)
            rows.append((claim, pair_of(d), d.psnr, d.ci_half_width, d.images, value, seeds))
        if len(differences) > 1 and order.relation != ALIKE:
            mean = None if None in printed else sum(printed) / len(printed)
            name, ours = f"mean of the {len(differences)}", mean_difference(differences)
            rows.append((claim, name, *ours, mean_by_image(differences), mean, ""))
    return pd.DataFrame(rows, columns=_PAIR_COLUMNS)


def difference_figure(orders: Mapping[str, Order], paper: str, pair_of: Callable[[Difference], str]) -> Figure:
    """Differences of PSNR (dB) on Set5 ×3 between networks that claims compare: ours with intervals, the paper's own hollow.

    Parameters
    ----------
    orders : mapping
        Heading of a claim to the pairs that decide it; claims without runs are left out.
    paper : str
        Name of the paper that the printed differences are from.
    pair_of : callable
        Label of a `Difference`.
    """
    pairs = _pairs(orders, paper, pair_of, "Set5")
    count = len(pairs) + pairs.claim.nunique()
    figure, axes = plt.subplots(figsize=(7.5, 1.1 + 0.3 * max(count, 2)), layout="constrained")
    ours, over_images = {"color": "C3"}, {"color": "C3", "linewidth": 4, "alpha": 0.25}
    as_printed = {"color": "0.25", "markerfacecolor": "none", "markeredgewidth": 1.5}
    labels, headings = [], []
    for claim, group in pairs.groupby("claim", sort=False):
        headings.append(len(labels))
        labels.append(claim)
        for y, pair in enumerate(group.itertuples(), len(labels)):
            marker = {"fmt": "o", "markersize": 6} if pair.seeds else {"fmt": "D", "markersize": 7}
            half_width = pair.half_width if math.isfinite(pair.half_width) else None
            axes.errorbar(pair.psnr, y, xerr=half_width, capsize=3, **ours, **marker)
            if math.isfinite(pair.images[0]):
                axes.plot(pair.images, [y + 0.25] * 2, solid_capstyle="butt", **over_images)
            if pd.notna(pair.printed):
                axes.plot(pair.printed, y, "s", markersize=8, **as_printed)
        labels += list(group.pair)
    axes.axvline(0, color="0.3", linewidth=1)
    axes.plot([], [], "o", label="ours, with 95 % interval over seeds", **ours)
    axes.plot([], [], label="95 % interval over images", **over_images)
    axes.plot([], [], "D", label="mean of a claim's pairs", **ours)
    axes.plot([], [], "s", label="as printed", **as_printed)
    axes.set_yticks(range(count), labels, fontsize="small")
    for y in headings:
        axes.get_yticklabels()[y].set_fontweight("bold")
    axes.set(ylim=(max(count, 1) - 0.4, -0.6), xlabel="difference of PSNR on Set5 ×3 (dB)")
    axes.grid(axis="y", visible=False)
    figure.legend(loc="outside lower center", ncols=2, frameon=False, fontsize="small")
    return figure


def difference_table(
    orders: Mapping[str, Order], paper: str, pair_of: Callable[[Difference], str], datasets: Sequence[str] = ("Set5",)
) -> pd.DataFrame:
    """The differences of `difference_figure` (dB) as a table, on one or more test sets: a row for each pair.

    Columns `claim`, `pair`, `seeds` (their number, of both networks), `printed` (on the first set), and `ours, <dataset>` for
    each set, with both its intervals.
    """
    rows: dict[tuple[str, str], dict[str, str]] = {}
    for dataset in datasets:
        for pair in _pairs(orders, paper, pair_of, dataset).itertuples():
            printed = f"{pair.printed:+.2f}" if pd.notna(pair.printed) else "–"
            row = {"claim": pair.claim, "pair": pair.pair, "seeds": pair.seeds or "–", "printed": printed}
            ours = with_intervals(pair.psnr, pair.half_width, pair.images, digits=3)
            rows.setdefault((pair.claim, pair.pair), row)[f"ours, {dataset}"] = ours
    return pd.DataFrame(rows.values())


def curves(experiments: Mapping[str, str]) -> pd.DataFrame:
    """Learning curves of the records of some experiments and of their narrow forms: PSNR (dB) on held-out images.

    `experiments` maps a series to the name of the paper's experiment. Columns `panel` (the paper's size, the number of filters,
    or 'for a CPU'), `series`, `seed`, `budget`, `iteration`, `psnr` (dB).
    """
    frames, series_of = [], {name: series for series, name in experiments.items()}
    for name in (name for name in runs().names() if full_size_name(name) in series_of):
        series, width = series_of[full_size_name(name)], width_of(name)
        panel = PAPER_SIZE if name in MODELS else f"{width} filters" if width else "for a CPU"
        for (_, budget, *_), records in runs().groups(name).items():
            for record in (record for record in records if (record.folder / "curve.csv").exists()):
                curve = record.curve.dropna(subset="psnr")
                frames.append(curve.assign(panel=panel, series=series, seed=record.info["seed"], budget=budget))
    frames = [frame[CURVE_COLUMNS] for frame in frames if len(frame)] or [pd.DataFrame(columns=CURVE_COLUMNS)]
    return pd.concat(frames, ignore_index=True)


def curve_figure(points: pd.DataFrame, colours: Mapping[str, object]) -> Figure:
    """Learning curves, from `curves`, in a panel for each size of network: a series at one budget thick, its seeds thin.

    `colours` maps each series to its colour, in the order of the legend. The thick line is the mean over seeds.
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

    `experiments` maps the name of the paper's experiment to its label in the legend, and colour.
    """
    figure, axes = plt.subplots(layout="constrained")
    for full_size, (label, colour) in experiments.items():
        for name in (name for name in runs().names() if full_size_name(name.removesuffix(STANDIN_SUFFIX)) == full_size):
            for (_, budget, data, _), records in runs().groups(name).items():
                curve = records[0].curve.dropna(subset="psnr")
                axes.plot(curve.iteration, curve.psnr, color=colour, label=f"{label}: {name}, {data}, budget {budget:g}")
    axes.set(xlabel="iterations", ylabel="PSNR on held-out images (dB)")
    if axes.lines:
        axes.legend(fontsize="small")
    else:
        axes.text(0.5, 0.5, "no record of either yet", transform=axes.transAxes, ha="center", color="0.35")
    return figure
