"""One dial turned: the figures in which a paper varies depth, recursions or components, and the runs of ours beside them.

Networks of the papers' size and narrow ones have panels of their own, as their levels differ. Runs of different budgets are
never joined by a line. A mean of ours has the 95 % interval that the scatter of seeds leaves.
"""

import math
from collections.abc import Callable, Iterable, Mapping

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from srlib.ledger.comparisons import ci_half_width, like_depth, pooled_std
from srlib.papers import get_experiment
from srlib.records.run import Rerun
from srlib.records.scores import runs

COLUMNS = ["panel", "source", "series", "x", "psnr", "seed", "budget", "iterations", "recipe", "experiment"]
PAPER_SIZE = "the paper's size"
_STYLES = {"published": "o", "record": "o", "this run": "D"}


def sweep(
    experiments: Mapping[tuple[str, float], str],
    published: Mapping[tuple[str, float], float],
    dataset: str,
    scale: int,
    protocol: str,
    fresh: Rerun | None = None,
) -> pd.DataFrame:
    """All points of a sweep.

    Parameters
    ----------
    experiments : mapping
        (series, x) to the name of the paper's experiment; its narrow forms `<name>_w<filters>` are found by themselves.
    published : mapping
        (series, x) to the printed PSNR (dB), where the text has it.
    dataset, scale, protocol
        Where PSNR is taken.
    fresh : Rerun, optional
        Runs of this notebook.

    Returns
    -------
    pandas.DataFrame
        Columns `panel` (the paper's size, or so many filters), `source` ('published', 'record', 'this run'), `series`, `x`,
        `psnr` (dB), `seed`, `budget`, `iterations`, `recipe`, `experiment`. Of each panel and recipe the records are of one
        length, that which most networks have, so that they can be compared.
    """
    points = [
        (PAPER_SIZE, "published", series, x, value, "", 1.0, 0, "", experiments.get((series, x), ""))
        for (series, x), value in published.items()
    ]
    for (series, x), name in experiments.items():
        for narrow in runs().names():
            base, _, width = narrow.rpartition("_w")
            if narrow != name and base != name.removesuffix("_w128"):
                continue
            panel = PAPER_SIZE if narrow == name else f"{width} filters"
            for (recipe, budget, *_), records in runs().groups(narrow).items():
                for record in records:
                    psnr = record.mean(dataset, scale, "psnr", protocol)
                    if psnr is not None:
                        done = record.info["iterations_done"]
                        points.append((panel, "record", series, x, psnr, record.info["seed"], budget, done, recipe, narrow))
        for record in fresh.records if fresh else ():
            spelt = record.info["experiment"]
            if spelt == name or spelt.rpartition("_w")[0] == name.removesuffix("_w128"):
                panel = PAPER_SIZE if spelt == name else f"{spelt.rpartition('_w')[2]} filters"
                panel += f", {fresh.test_set}, this run's data" if fresh.stand_in else ""
                psnr = record.mean(fresh.test_set, scale, "psnr", protocol)
                known = (record.info[key] for key in ("seed", "budget", "iterations_done"))
                points.append((panel, "this run", series, x, psnr, *known, record.info["recipe"]["name"], spelt))
    return _at_one_length(pd.DataFrame(points, columns=COLUMNS))


def _at_one_length(points: pd.DataFrame) -> pd.DataFrame:
    """The points without records of another length than most networks of their panel and recipe have; of equals the longest."""
    records = points[points.source == "record"]
    networks = records.groupby(["panel", "recipe", "budget"]).experiment.nunique().reset_index()
    common = networks.sort_values(["experiment", "budget"]).groupby(["panel", "recipe"]).budget.last()
    lengths = [common.get((point.panel, point.recipe), point.budget) for point in points.itertuples()]
    return points[(points.source != "record") | (points.budget == lengths)].reset_index(drop=True)


def sweep_figure(
    points: pd.DataFrame, xlabel: str, ticks: Iterable[float], colours: Mapping[str, object], place: str = "Set5 ×3"
) -> Figure:
    """PSNR against the dial, a panel for each size of network: published points hollow, ours filled, this run's as diamonds.

    Parameters
    ----------
    points : pandas.DataFrame
        From `sweep`.
    xlabel : str
        Name and unit of the dial.
    ticks : iterable of float
        All values that the dial takes in the paper.
    colours : mapping
        Series to colour, in the order of the legend.
    place : str
        Test set and scale, for the axis.
    """
    panels, ticks = list(dict.fromkeys([PAPER_SIZE, *points.panel])), sorted(set(ticks))
    figure, axes_of = plt.subplots(1, len(panels), figsize=(4.6 * len(panels), 3.8), layout="constrained", squeeze=False)
    for axes, panel in zip(axes_of[0], panels, strict=True):
        here = points[points.panel == panel]
        lengths = {f", {count:,} iterations" for count in here[here.source != "published"].iterations}
        alike = len(lengths) == 1
        axes.set(title=panel + "".join(lengths if alike else ()), xlabel=xlabel, ylabel=f"PSNR on {place} (dB)")
        if here.empty:
            axes.text(
                0.5, 0.5, "no value in the text,\nno run of ours yet", transform=axes.transAxes, ha="center", color="0.35"
            )
            axes.set(xticks=[], yticks=[])
            continue
        axes.set_xticks(ticks)
        edge, order = 0.08 * (ticks[-1] - ticks[0]), list(colours)
        for (source, series, recipe, budget), group in here.groupby(["source", "series", "recipe", "budget"], sort=False):
            mean = group.groupby("x").psnr.mean()
            aside = edge * 0.25 * (order.index(series) - (len(order) - 1) / 2) if source == "record" else 0  # seen side by side
            colour, label = colours[series], series
            if source != "published":
                label += ", this run" * (source == "this run") + f", {recipe}" * (recipe != "fast")
                label += "" if alike else f", {group.iterations.max():,} iterations"
            hollow = {"markerfacecolor": "none", "markeredgewidth": 2} if source == "published" else {}
            line = "-" if len(mean) > 1 else "none"
            axes.plot(mean.index + aside, mean, line, marker=_STYLES[source], color=colour, markersize=8, label=label, **hollow)
            if source == "record":
                _intervals(axes, group, margins(here, recipe, budget), colour, aside)
                axes.plot(group.x + aside, group.psnr, "_", color=colour, markersize=9)  # single seeds as ticks
        axes.set_xlim(ticks[0] - edge, ticks[-1] + edge)
        axes.margins(y=0.15)
        low, high = axes.get_ylim()
        room = max(0.1 - (high - low) / 2, 0)  # no panel shows less than 0.2 dB
        axes.set_ylim(low - room, high + room)
        axes.legend(
            fontsize="small",
            loc="upper center",
            bbox_to_anchor=(0.5, -0.24),
            ncols=2 if alike or here.source.eq("published").all() else 1,
            frameon=False,
        )
    return figure


def margins(points: pd.DataFrame, recipe: str, budget: float) -> Callable[[str, int], float]:
    """Half the 95 % interval (dB) of a mean over seeds, by experiment and number of seeds.

    It is from the scatter of the records of one panel that were trained alike and are of like depth.
    """
    alike = points[(points.source == "record") & (points.recipe == recipe) & (points.budget == budget)].drop_duplicates(
        ["experiment", "seed"]
    )
    groups = {name: group.to_numpy() for name, group in alike.groupby("experiment").psnr}

    def half(experiment: str, seeds: int) -> float:
        return ci_half_width([pooled_std(values for name, values in groups.items() if like_depth(experiment, name))], [seeds])

    return half


def _intervals(axes: Axes, group: pd.DataFrame, margin_of: Callable[[str, int], float], colour: object, aside: float) -> None:
    means = group.groupby("x").agg(mean=("psnr", "mean"), size=("psnr", "size"), experiment=("experiment", "first"))
    half = [margin_of(name, size) for name, size in zip(means.experiment, means["size"], strict=True)]
    if all(map(math.isfinite, half)):
        axes.errorbar(means.index + aside, means["mean"], half, fmt="none", ecolor=colour, elinewidth=1, capsize=3, alpha=0.6)


def sweep_table(points: pd.DataFrame, dial: str) -> pd.DataFrame:
    """The same as a table: a row for each series and value of the dial; ours as mean and 95 % interval.

    Parameters
    ----------
    points : pandas.DataFrame
        From `sweep`.
    dial : str
        Name of the dial.
    """
    rows, fresh = [], "this run" in set(points.source)
    for (panel, series, x), group in points.groupby(["panel", "series", "x"], sort=False):
        printed = group[group.source == "published"].psnr
        ours = group[group.source != "published"]
        runs_of = sorted(set(zip(ours.recipe, ours.budget, strict=True))) or [("", None)]
        for recipe, budget in runs_of:
            here = ours[(ours.recipe == recipe) & (ours.budget == budget)]
            row = {"networks": panel, "series": series, dial: f"{x:g}"}
            row["published"] = "–" if printed.empty else f"{printed.mean():.2f}"
            values = here[here.source == "record"].psnr
            row["record"], row["seeds"] = "–" if values.empty else f"{values.mean():.2f}", len(values) or "–"
            margin_of = margins(points[points.panel == panel], recipe, budget)
            half = margin_of(here.experiment.iloc[0], len(values)) if len(values) else math.inf
            row["record"] += f" ± {half:.2f}" if math.isfinite(half) else ""
            if fresh:
                values = here[here.source == "this run"].psnr
                row["this run"] = "–" if values.empty else f"{values.mean():.2f}"
            row["iterations of ours"] = "not run" if here.empty else f"{here.iterations.max():,} ({recipe})"
            rows.append(row)
    return pd.DataFrame(rows)


def depth_of(name: str) -> int:
    """Convolutions on the longest path of an experiment's network."""
    return get_experiment(name).make().depth
