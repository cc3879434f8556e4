"""DRRN's studies of its structure: the grid of B and U (Figure 6), and the components (Figure 8 and Table 4)."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from srlib.figures.sweeps import PAPER_SIZE, depth_of, sweep
from srlib.ledger.comparisons import Difference, ci_half_width, evidence_on, full_size_name, mean_difference
from srlib.models import meta_model, params
from srlib.papers import claims, get_experiment
from srlib.papers.drrn import GRID
from srlib.papers.orderings import Order
from srlib.records.run import Rerun

# Marker, size, and shift to the right: published points are hollow, ours filled.
_MARKERS = {"published": ("s", 90, 0), "record": ("o", 110, 0), "this run": ("D", 60, 0.18)}
_TICKS = (1, 2, 3, 5, 10, 20)  # of the logarithmic axes


def structure_sweep(series: Mapping[str, Iterable[tuple[int, int]]], fresh: Rerun | None = None) -> pd.DataFrame:
    """PSNR on Set5 ×3 of some DRRN structures against their depth: the points of a `sweep`, of which `x` is the depth.

    `series` maps the name of a series to its structures (B, U); `fresh` are runs of this notebook.
    """
    names = [(name, f"drrn_b{B}u{U}") for name, structures in series.items() for B, U in structures]
    experiments = {(name, depth_of(experiment)): experiment for name, experiment in names}
    scores = [c for c in claims("drrn") if (c.kind, c.metric, c.dataset, c.scale) == ("measured", "psnr", "Set5", 3)]
    psnr = {c.experiment: c.number for c in scores}
    published = {key: psnr[experiment] for key, experiment in experiments.items() if experiment in psnr}
    return sweep(experiments, published, "Set5", 3, "drrn", fresh)


def grid_points(extra: Iterable[tuple[int, int]] = (), fresh: Rerun | None = None) -> pd.DataFrame:
    """All points of DRRN's Figure 6: those of `structure_sweep`, a series for each structure, with columns `B` and `U`.

    `extra` are structures (B, U) beside those of the figure.
    """
    structures = {f"B{B}U{U}": (B, U) for B, U in sorted({*extra, *GRID})}
    points = structure_sweep({name: [structure] for name, structure in structures.items()}, fresh)
    points[["B", "U"]] = [structures[name] for name in points.series]
    return points


def grid_panels(points: pd.DataFrame) -> list[str]:
    """The panels of Figure 6: the paper's size, and each size with more than two structures or with a run of this notebook."""
    sizes = points.groupby("panel")
    drawn = [panel for panel, group in sizes if group.experiment.nunique() > 2 or "this run" in set(group.source)]
    return list(dict.fromkeys([PAPER_SIZE, *drawn]))


def grid_figure(points: pd.DataFrame, panels: Sequence[str]) -> Figure:
    """DRRN's Figure 6: the grid of B and U, coloured by PSNR, a panel for each size of network as their levels differ.

    A point is the mean over the seeds of the longest runs; `points` and `panels` are from `grid_points` and `grid_panels`.
    """
    longest = points.groupby(["panel", "source"]).iterations.transform("max")  # runs of different length are not averaged
    means = points[points.iterations == longest].groupby(["panel", "source", "B", "U"], sort=False).psnr.mean().reset_index()
    figure, axes_of = plt.subplots(1, len(panels), figsize=(4.7 * len(panels), 4.2), layout="constrained", squeeze=False)
    for axes, panel in zip(axes_of[0], panels, strict=True):
        axes.set(title=panel, xlabel="U (residual units a block)", ylabel="B (recursive blocks)")
        _draw_panel(axes, means[means.panel == panel])
    return figure


def _draw_panel(axes: Axes, means: pd.DataFrame) -> None:
    """One panel of the grid: equal depths, points with their PSNR, a bar of colours and a legend."""
    logarithmic = max(means.U.max(), means.B.max()) > 10
    if logarithmic:
        axes.set(xscale="log", yscale="log", xlim=(0.7, 40), ylim=(0.7, 40))
        axes.set(xticks=_TICKS, xticklabels=_TICKS, yticks=_TICKS, yticklabels=_TICKS)
        axes.minorticks_off()
    else:
        axes.set(xlim=(0.4, means.U.max() + 0.8), ylim=(0.4, means.B.max() + 1))
        axes.set(xticks=range(1, means.U.max() + 1), yticks=range(1, means.B.max() + 1))
    depth_contours(axes, (10, 20, 30, 50) if logarithmic else (10, 20, 30))
    scale = plt.Normalize(means.psnr.min(), max(means.psnr.max(), means.psnr.min() + 0.01))
    for source, group in means.groupby("source", sort=False):
        marker, size, shift = _MARKERS[source]
        x = group.U * (1 + shift) if logarithmic else group.U + shift
        colours = plt.cm.viridis(scale(group.psnr))
        hollow = {"facecolors": "none", "edgecolors": colours, "linewidths": 3}
        axes.scatter(x, group.B, marker=marker, s=size, label=source, **(hollow if source == "published" else {"c": colours}))
        for u, point in zip(x, group.itertuples(), strict=True):
            place = _label_place(point.B, point.U, source, logarithmic)
            axes.annotate(f"{point.psnr:.2f}", (u, point.B), textcoords="offset points", size="small", **place)
    axes.figure.colorbar(plt.cm.ScalarMappable(scale, "viridis"), ax=axes, label="PSNR at ×3 (dB)")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=3, frameon=False)


def _label_place(B: int, U: int, source: str, logarithmic: bool) -> dict[str, Any]:
    """Where the PSNR of a point is written, as options of `annotate`: below or above it; on logarithmic axes beside it, too."""
    place = {"ha": "center", "va": "center"}
    below, above = place | {"xytext": (0, -13)}, place | {"xytext": (0, 13)}
    if not logarithmic:
        return above if source == "this run" else below
    if source == "this run":
        return below
    if B == 3 and U < 8:  # Figure 6's row and column stand close on this scale
        return {"xytext": (2, 5), "ha": "left", "va": "bottom", "rotation": 45}
    if U == 3:
        return place | {"xytext": (-9, 0) if B < 3 else (2, 18), "ha": "right"}
    return below if B == 3 or (B == 1 and source == "record") else above  # above B = 1 stand the printed numbers


def depth_contours(axes: Axes, depths: Sequence[int]) -> None:
    """Lines of equal depth d = (1 + 2U)B + 1 in the plane of U and B (DRRN, Figure 6)."""
    B = np.linspace(*axes.get_ylim(), 200)
    for d in depths:
        U = ((d - 1) / B - 1) / 2
        axes.plot(U, B, color="0.6", linewidth=1, linestyle="--", zorder=0)
        x, y = (axes.transData - axes.transAxes).transform(np.column_stack([U, B])).T
        inside = np.flatnonzero((x > 0.22) & (x < 0.95) & (y > 0.05) & (y < 0.95))
        if inside.size:
            k = inside[-1] if axes.get_yscale() == "linear" else inside[np.abs(y[inside] - 0.17).argmin()]  # away from points
            text = f"d = {d}" if d == min(depths) else f"{d}"
            axes.annotate(text, (U[k], B[k]), color="0.35", fontsize="small", ha="center", va="center",
                          bbox={"facecolor": "white", "edgecolor": "none", "pad": 1, "alpha": 0.8})  # fmt: skip


def structure_name(experiment: str) -> str:
    """DRRN_BxUy without the DRRN, such as B3U2, of an experiment's name, narrow or not."""
    return full_size_name(experiment).removeprefix("drrn_").upper()


def grid_summary(points: pd.DataFrame, panels: Sequence[str], orders: Iterable[Order]) -> str:
    """What the narrow structures say: PSNR's rank correlation with depth and with weights, and how far seeds scatter.

    `points` and `panels` are from `grid_points` and `grid_panels`; `orders` are claims that structures are comparable. Of each
    claim the first pair that was run tells how many seeds it would take.
    """
    narrow = points[points.panel.isin(panels[1:2]) & (points.source == "record")]
    if narrow.empty:
        return "No narrow structures have been trained alike yet."
    structures = narrow.groupby("experiment").psnr.mean().to_frame()
    networks = [meta_model(get_experiment(name).make) for name in structures.index]
    structures["depth"] = [network.depth for network in networks]
    structures["weights"] = [params(network) for network in networks]
    correlation = structures.corr("spearman").psnr
    text = (
        f"Among our {len(structures)} structures of {panels[1]}, PSNR is rank-correlated with depth by "
        f"**{correlation.depth:+.2f}** and with the number of weights by **{correlation.weights:+.2f}**."
    )
    first_pairs = [pair for order in orders for pair in evidence_on(order, "Set5")[:1]]
    return text + "".join(f" {_seeds_needed(pair)}" for pair in first_pairs if pair.seed_stds[0][1])


def _seeds_needed(pair: Difference) -> str:
    """How far seeds of two structures scatter, and how many seeds it takes to call the two comparable, in a sentence."""
    deviation, freedom = pair.seed_stds[0]
    seeds = next(n for n in range(2, 1000) if ci_half_width(pair.seed_stds, (n, n)) < 0.05)
    return (
        f"Seeds of networks as deep as {structure_name(pair.better)} scatter by {deviation:.3f} dB (standard deviation, "
        f"{freedom} degrees of freedom): two of them with two seeds each must differ by "
        f"{ci_half_width(pair.seed_stds, (2, 2)):.2f} dB to be told apart, and at least {seeds} seeds each are needed to call "
        "them comparable."
    )


def components_summary(points: pd.DataFrame, printed: Mapping[str, float], orders: Mapping[str, Order]) -> str:
    """What the components add, as printed in Table 4 and in our runs: a Markdown list.

    `points` are from the `sweep` of Figure 8's structures. `printed` maps a structure (`VDSR`, `NS_C`, `NS`, ...) to its PSNR
    (dB) in Table 4, `orders` a claim, in a few words, to the pairs that decide it; claims without runs are left out.
    """
    spread = max(printed.values()) - min(printed.values())
    text = f"* The five printed values lie within **{spread:.2f} dB**; the paper gives neither seeds nor spread."
    seeds = points[points.source == "record"].groupby(["panel", "series", "x", "budget"]).psnr
    largest_range = (seeds.max() - seeds.min()).max()
    if largest_range > 0:
        text += f" Two seeds of one of our networks of this figure differ by up to **{largest_range:.2f} dB**."
    total, alone = (printed[structure] - printed["VDSR"] for structure in ("NS", "NS_C"))
    text += f"\n* Of the **{total:+.2f} dB** that it credits to local residuals (NS over VDSR), "
    text += f"**{alone:+.2f} dB** are theirs alone (NS_C over VDSR)."
    for claim, order in orders.items():
        if pairs := evidence_on(order, "Set5"):
            mean, half_width = mean_difference(pairs)
            text += f"\n* *{claim[0].upper()}{claim[1:]}*: our {len(pairs)} pairs differ by "
            text += f"**{mean:+.2f} ± {half_width:.2f} dB** in the mean."
    return text
