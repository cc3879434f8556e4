"""One dial turned: the figures in which a paper varies depth, recursions or components, and the runs of ours beside them.

Networks of the papers' size and narrow ones have panels of their own, as their levels differ. Runs of different budgets are
never joined by a line. A mean of ours has the 95 % interval that the scatter of seeds leaves.
"""

import math
from collections.abc import Iterable, Mapping

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from srlib.ledger.comparisons import ci_half_width, like_depth, pooled_std
from srlib.papers import full_size_name, get_experiment, width_of
from srlib.records.run import Rerun
from srlib.records.scores import runs

COLUMNS = ["panel", "source", "series", "x", "psnr", "seed", "budget", "iterations", "recipe", "experiment"]
PAPER_SIZE = "the paper's size"


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
        Where PSNR is taken; that of the runs of this notebook, `fresh`, is on their own test set.

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
    groups = (group for name in runs().names() for group in runs().groups(name).values())
    records = [("record", record, dataset, "") for group in groups for record in group]
    if fresh:
        other_data = f", {fresh.test_set}, this run's data" if fresh.stand_in else ""
        records += [("this run", record, fresh.test_set, other_data) for record in fresh.records]
    for (series, x), full_size in experiments.items():
        for source, record, test_set, other_data in records:
            name, psnr = record.info["experiment"], record.mean(test_set, scale, "psnr", protocol)
            if full_size_name(name) == full_size and psnr is not None:
                panel = (f"{width_of(name)} filters" if width_of(name) else PAPER_SIZE) + other_data
                training = (record.info[key] for key in ("seed", "budget", "iterations_done"))
                points.append((panel, source, series, x, psnr, *training, record.info["recipe"]["name"], name))
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

    `points` are from `sweep`; `ticks` are all values that the dial takes in the paper; `colours` maps each series to its
    colour, in the order of the legend. `xlabel`, the dial's name and unit, and `place`, test set and scale, name the axes.
    """
    panels, ticks, order = points.panel.unique(), sorted(set(ticks)), list(colours)
    edge = 0.08 * (ticks[-1] - ticks[0])
    figure, axes_of = plt.subplots(1, len(panels), figsize=(4.6 * len(panels), 3.8), layout="constrained", squeeze=False)
    for axes, panel in zip(axes_of[0], panels, strict=True):
        in_panel = points[points.panel == panel]
        lengths = {f", {count:,} iterations" for count in in_panel[in_panel.source != "published"].iterations}
        alike = len(lengths) == 1
        axes.set(title=panel + "".join(lengths if alike else ()), xlabel=xlabel, ylabel=f"PSNR on {place} (dB)", xticks=ticks)
        for (source, series, recipe, budget), group in in_panel.groupby(["source", "series", "recipe", "budget"], sort=False):
            look = {"color": colours[series], "markersize": 8, "marker": "D" if source == "this run" else "o", "label": series}
            if source == "published":
                look |= {"markerfacecolor": "none", "markeredgewidth": 2}
            else:
                look["label"] += ", this run" if source == "this run" else ""
                look["label"] += f", {recipe}" if recipe != "fast" else ""
                look["label"] += "" if alike else f", {group.iterations.max():,} iterations"
            aside = edge * 0.25 * (order.index(series) - (len(order) - 1) / 2) if source == "record" else 0  # seen side by side
            means = group.groupby("x").agg(psnr=("psnr", "mean"), seeds=("psnr", "size"), experiment=("experiment", "first"))
            axes.plot(means.index + aside, means.psnr, "-" if len(means) > 1 else "none", **look)
            if source == "record":
                half = [_half_width(in_panel, name, n, recipe, budget) for _, n, name in means.itertuples(index=False)]
                if all(map(math.isfinite, half)):
                    bars = {"fmt": "none", "ecolor": colours[series], "elinewidth": 1, "capsize": 3, "alpha": 0.6}
                    axes.errorbar(means.index + aside, means.psnr, half, **bars)
                axes.plot(group.x + aside, group.psnr, "_", color=colours[series], markersize=9)  # single seeds as ticks
        axes.set_xlim(ticks[0] - edge, ticks[-1] + edge)
        axes.margins(y=0.15)
        low, high = axes.get_ylim()
        room = max(0.1 - (high - low) / 2, 0)  # no panel shows less than 0.2 dB
        axes.set_ylim(low - room, high + room)
        columns = 2 if alike or not lengths else 1
        axes.legend(fontsize="small", loc="upper center", bbox_to_anchor=(0.5, -0.24), ncols=columns, frameon=False)
    return figure


def _half_width(in_panel: pd.DataFrame, experiment: str, seeds: int, recipe: str, budget: float) -> float:
    """Half the 95 % interval (dB) of an experiment's mean over seeds.

    It is from the scatter of the records of one panel that were trained alike and are of like depth.
    """
    alike = in_panel[(in_panel.source == "record") & (in_panel.recipe == recipe) & (in_panel.budget == budget)]
    groups = alike.drop_duplicates(["experiment", "seed"]).groupby("experiment").psnr
    return ci_half_width([pooled_std(values for name, values in groups if like_depth(experiment, name))], [seeds])


def sweep_table(points: pd.DataFrame, dial: str) -> pd.DataFrame:
    """The points of a `sweep` as a table: a row for each series and value of the dial; ours as mean and 95 % interval."""
    rows = []
    for (panel, series, x), group in points.groupby(["panel", "series", "x"], sort=False):
        printed, ours = (group[(group.source == "published") == is_printed] for is_printed in (True, False))
        for (recipe, budget), runs_alike in list(ours.groupby(["recipe", "budget"])) or [(("", None), ours)]:
            record, this_run = (runs_alike[runs_alike.source == source] for source in ("record", "this run"))
            row = {"networks": panel, "series": series, dial: f"{x:g}", "published": _mean(printed), "record": _mean(record)}
            row["seeds"] = len(record) or "–"
            if len(record):
                in_panel = points[points.panel == panel]
                half = _half_width(in_panel, record.experiment.iloc[0], len(record), recipe, budget)
                row["record"] += f" ± {half:.2f}" if math.isfinite(half) else ""
            if "this run" in set(points.source):
                row["this run"] = _mean(this_run)
            row["iterations of ours"] = f"{runs_alike.iterations.max():,} ({recipe})" if len(ours) else "not run"
            rows.append(row)
    return pd.DataFrame(rows)


def _mean(points: pd.DataFrame) -> str:
    """The mean PSNR (dB) of some points."""
    return f"{points.psnr.mean():.2f}" if len(points) else "–"


def depth_of(name: str) -> int:
    """Convolutions on the longest path of an experiment's network."""
    return get_experiment(name).make().depth
