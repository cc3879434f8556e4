"""PSNR against parameters, and against years, from the numbers of all papers: DRRN's Figures 1 and 9, DSRN's 6, DRN's 2.

A size is the number of convolution weights, counted on our networks. Printed points are hollow, ours filled.
"""

import math
from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from pandas.io.formats.style import Styler

from srlib.figures.style import COLOURS, label_points, table
from srlib.figures.tables import NAMES
from srlib.ledger.rows import find_ours, protocols_of
from srlib.models import MODELS, meta_model, params
from srlib.papers import EXPERIMENTS, PAPERS, TITLES, claims, printed
from srlib.papers.checks.drn import edsr_x4
from srlib.papers.checks.drrn import RED30
from srlib.records.scores import OurScore, percent, runs

# Colours and spellings, by the first word of a network's name and by the name.
FAMILY = {name: COLOURS[name] for name in ("drrn", "dsrn", "rlcsc", "drn", "vdsr")}
LABELS = NAMES | {"srcnn_955": "SRCNN", "drcn": "DRCN", "red30": "RED30", "drrn_b1u9": "DRRN_B1U9", "drrn_b1u25": "DRRN_B1U25",
                  "dsrn_t7_x3": "DSRN", "dsrn_t7_x4": "DSRN", "rlcsc_k25": "RL-CSC, K = 25", "rlcsc_k48": "RL-CSC, K = 48",
                  "drn_x3": "DRN", "drn_x4": "DRN", "drn_plus_x3": "DRN+", "drn_plus_x4": "DRN+", "edsr": "EDSR"}  # fmt: skip
_VARIANTS = "_ns_|_c_|_d\\d+|_plain|drrn_b[234]|drrn_b17|k15|k20"  # what only sweeps and ablations compare
_HOLLOW = {"linestyle": "", "markerfacecolor": "none", "markeredgewidth": 2}

# Figure 9's classes (Section 4.5) with their markers and colours, and its methods: the experiment of each, and its class.
CLASSES = {"shallow": ("s", COLOURS["bicubic"]), "deep": ("^", COLOURS["vdsr"]), "very deep": ("o", COLOURS["drrn"])}
METHODS = {"A+": ("a+", "shallow"), "SelfEx": ("selfex", "shallow"), "RFL": ("rfl", "shallow"), "NBSRF": ("nbsrf", "shallow"),
           "PSyCo": ("psyco", "shallow"), "IA": ("ia", "shallow"), "SRCNN": ("srcnn_955", "deep"), "DJSR": ("djsr", "deep"),
           "CSCN": ("scn", "deep"), "ESPCN": ("espcn", "deep"), "FSRCNN": ("fsrcnn", "deep"), "VDSR": ("vdsr", "very deep"),
           "DRCN": ("drcn", "very deep"), "RED30": ("red30", "very deep"), "DRRN_B1U9": ("drrn_b1u9", "very deep"),
           "DRRN_B1U25": ("drrn_b1u25", "very deep")}  # fmt: skip
OWN_YEAR = 2017  # DRRN's own, as DSRN and RL-CSC cite it


def size_points(dataset: str, scale: int) -> pd.DataFrame:
    """Every PSNR that a paper prints on one set at one scale, with ours.

    Returns
    -------
    pandas.DataFrame
        Columns `network`, `weights` and `depth` (empty where they cannot be counted), `printed in` (the paper), `where`,
        `published` (dB), `ours` (dB) and `training_fraction`.
    """
    rows, place = [], ("psnr", dataset, scale)
    for claim in (c for paper in PAPERS for c in claims(paper) if (c.metric, c.dataset, c.scale) == place):
        halfway = "_epoch" in claim.experiment
        if claim.kind not in ("measured", "quoted") or claim.experiment == "bicubic" or halfway:
            continue
        ours = next(filter(None, (find_ours(claim, protocol) for protocol in protocols_of(claim))), None)
        rows.append(_point(claim.experiment, TITLES[claim.paper], claim.where, claim.number, ours))
    points = pd.DataFrame(rows).astype({"weights": "Int64", "depth": "Int64"})
    return points.drop_duplicates(["network", "printed in", "published"], ignore_index=True)  # text and table say the same


def _point(name: str, paper: str, where: str, published: float, ours: OurScore | None = None) -> dict[str, object]:
    """One row of `size_points`; weights and depth are `None` for what is no network of ours."""
    network = meta_model(MODELS[name]) if name in MODELS else None
    return {
        "network": name,
        "weights": params(network) if network else None,
        "depth": network.depth if network else None,
        "printed in": paper,
        "where": where,
        "published": published,
        "ours": ours.value if ours else math.nan,
        "training_fraction": ours.training_fraction if ours else math.nan,
    }


def without_variants(points: pd.DataFrame) -> pd.DataFrame:
    """The points without the networks that only sweeps and ablations compare."""
    return points[~points.network.str.contains(_VARIANTS, regex=True)]


def red30_point() -> pd.DataFrame:
    """RED30 on Set5 ×3, of what DRRN's Figure 1 and Section 1 say in words: a row for `size_points`."""
    architecture, arguments = RED30
    network = meta_model(lambda: architecture(**arguments))
    psnr = round(printed("drrn.t2.set5.x3.drrn_b1u25.psnr") - printed("drrn.f1.gain.red30"), 2)
    return pd.DataFrame([_point("red30", "DRRN", "Figure 1", psnr) | {"weights": params(network), "depth": network.depth}])


def drn_x4_points() -> pd.DataFrame:
    """DRN, DRN+ and EDSR on Set5 ×4, whose PSNR is only in DRN's image: rows for `size_points`."""
    rows = []
    for name in ("drn_x4", "drn_plus_x4"):
        scores = (runs().find(name, "Set5", 4, "psnr", protocol) for protocol in EXPERIMENTS[name].protocols)
        rows.append(_point(name, "DRN", "Figure 2", math.nan, next(filter(None, scores), None)))
    rows.append(_point("edsr", "DRN", "Figure 2", math.nan) | {"weights": edsr_x4()})
    return pd.DataFrame(rows)


def size_figure(points: pd.DataFrame, test_set: str, size: tuple[float, float]) -> Figure:
    """PSNR against convolution weights: printed points hollow, ours filled, a line between the two.

    The points are those of `size_points` with weights; a size without a printed PSNR is a vertical mark. `test_set`, with its
    scale, is for the axis; `size` of the figure is in inches.
    """
    figure, axes = plt.subplots(figsize=size, layout="constrained")
    labels: dict[str, tuple[float, float]] = {}
    marks, lines = [], []
    for name, group in points.groupby("network", sort=False):
        first = group.sort_values("ours").iloc[0]  # one with ours, if any has
        top, colour = group.published.max(), FAMILY.get(name.split("_")[0], "0.4")
        label = LABELS.get(name, name) + (f" ({first.depth})" if pd.notna(first.depth) else "")
        if group.published.isna().all():
            axes.axvline(first.weights, color=colour, linestyle=(0, (4, 3)), linewidth=1.5, zorder=1)
            look = {"color": colour, "rotation": 90, "size": "small", "ha": "right", "va": "bottom"}
            look |= {"xycoords": axes.get_xaxis_transform(), "textcoords": "offset points"}
            axes.annotate(f"{label}: no PSNR in the text", (first.weights, 0.03), (-4, 0), **look)
            marks.append(first.weights)
        else:
            axes.plot(group.weights, group.published, marker="o", markersize=9, color=colour, **_HOLLOW)
            labels[label] = (first.weights, top)
        if pd.notna(first.ours):
            axes.plot([first.weights] * 2, [top, first.ours], "-", linewidth=1, color=colour)
            lines += [(first.weights, height) for height in np.linspace(top, first.ours, 60)]
            axes.plot(first.weights, first.ours, "o", markersize=6, color=colour)
            if first.training_fraction < 1:
                labels[f"{LABELS.get(name, name)}, {percent(first.training_fraction)} trained"] = (first.weights, first.ours)
    axes.set(xscale="log", xlabel="convolution weights", ylabel=f"PSNR on {test_set} (dB)")
    axes.margins(0.2, 0.12)
    printed_handle = Line2D([], [], marker="o", markersize=9, color="0.4", label="printed", **_HOLLOW)
    axes.legend(handles=[printed_handle, _ours_handle()], loc="upper left", frameon=True)
    lines += [(weights, height) for weights in marks for height in np.linspace(*axes.get_ylim(), 60)]
    label_points(axes, labels, [line for line in lines if pd.notna(line[1])])
    return figure


def _ours_handle() -> Line2D:
    """The legend's filled point: ours."""
    return Line2D([], [], marker="o", linestyle="", markersize=6, color="0.4", label="ours")


def sizes_table(points: pd.DataFrame, caption: str) -> Styler:
    """The points of a figure as a table, a row for each paper that prints one."""
    rows = points.sort_values("published").assign(weights=points.weights.map("{:,}".format))
    rows["published"] = [f"{value:.2f}" if pd.notna(value) else "only in the image" for value in rows.published]
    rows["ours"] = [f"{value:.2f}" if pd.notna(value) else "not run" for value in rows.ours]
    rows["trained"] = [percent(value) if pd.notna(value) else "–" for value in rows.pop("training_fraction")]
    return table(rows, caption)


def unsized_table(points: pd.DataFrame, caption: str) -> Styler:
    """Methods with a printed PSNR but a size that no text gives, which are not drawn: a row each."""
    groups = points[points.weights.isna()].groupby("network", sort=False)
    rows = [{"method": LABELS.get(name, name), "printed (dB)": _printed(group)} for name, group in groups]
    return table(pd.DataFrame(rows), caption)


def _printed(points: pd.DataFrame) -> str:
    """The printed PSNRs of one network, each with its paper: `33.66 (DRRN), 33.67 (DSRN)`."""
    return ", ".join(f"{psnr:.2f} ({paper})" for psnr, paper in zip(points.published, points["printed in"], strict=True))


def _years() -> dict[str, int]:
    """Each method of Figure 9 and the year of its reference in DRRN's list."""
    years = {c.experiment: int(c.number) for c in claims("drrn") if c.id.startswith("drrn.f9.year.")}
    return {name: years.get(experiment, OWN_YEAR) for name, (experiment, _) in METHODS.items()}


def year_points(points: pd.DataFrame) -> pd.DataFrame:
    """The points of Figure 9, out of those of `size_points`: DRRN's number where it prints one, else the other papers'.

    Columns `method`, `class`, `year`, `printed in`, `where`, `published`, `ours`, `training_fraction`.
    """
    years, parts = _years(), []
    for name, (experiment, kind) in METHODS.items():
        group = points[points.network == experiment].drop(columns=["network", "weights", "depth"])
        own = group[group["printed in"] == "DRRN"]
        method = {"method": name, "class": kind, "year": years[name]}
        parts += [method | row for row in (own if len(own) else group).to_dict("records")]
    return pd.DataFrame(parts)


def year_figure(points: Mapping[str, pd.DataFrame]) -> Figure:
    """DRRN's Figure 9: PSNR at ×3 by the year of the reference, a panel for each test set, a marker for each class.

    `points` maps each test set to its points, from `year_points`.
    """
    figure, axes_of = plt.subplots(1, len(points), figsize=(5.5 * len(points), 4.6), layout="constrained")
    for axes, (dataset, frame) in zip(axes_of, points.items(), strict=True):
        _draw_years(axes, frame, dataset)
    handles = [
        Line2D([], [], marker=marker, markersize=8, color=colour, label=kind, **_HOLLOW)
        for kind, (marker, colour) in CLASSES.items()
    ]
    figure.legend(handles=[*handles, _ours_handle()], loc="outside lower center", ncols=4, frameon=False)
    return figure


def _draw_years(axes: Axes, points: pd.DataFrame, dataset: str) -> None:
    """One panel: within a year the methods stand side by side, in order of their PSNR."""
    labels = {}
    for year, of_year in points.groupby("year"):
        axes.axvspan(year - 0.5, year + 0.5, color="0.96" if year % 2 else "1", zorder=0)
        order = of_year.groupby("method").published.max().sort_values()
        for k, (name, best) in enumerate(order.items()):
            x = year + 0.7 * ((k + 0.5) / len(order) - 0.5) - 0.1
            group = of_year[of_year.method == name]
            first = group.sort_values("ours").iloc[0]
            marker, colour = CLASSES[first["class"]]
            axes.plot([x] * len(group), group.published, marker=marker, markersize=8, color=colour, **_HOLLOW)
            if pd.notna(first.ours):
                axes.plot(x, first.ours, marker, markersize=5, color=colour)
            labels[name.removeprefix("DRRN_")] = (x, best)
    axes.set(xlim=(2013.5, 2017.5), xticks=range(2014, 2018))
    axes.set(xlabel="year of the reference", ylabel=f"PSNR on {dataset} ×3 (dB)")
    axes.grid(visible=False, axis="x")
    axes.margins(y=0.12)
    label_points(axes, labels)


def year_table(points: Mapping[str, pd.DataFrame], caption: str) -> Styler:
    """The methods of Figure 9 as a table: class, year, and the printed PSNR on each test set; `points` as in `year_figure`."""
    rows = [{"method": name, "class": METHODS[name][1], "year": year} for name, year in _years().items()]
    for dataset, frame in points.items():
        for row in rows:
            printed_psnr = _printed(frame[frame.method == row["method"]])
            row[f"{dataset} ×3, printed (dB)"] = printed_psnr or "only in the image"
    return table(pd.DataFrame(rows), caption)
