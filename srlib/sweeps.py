"""One dial turned: the figures in which a paper varies depth, recursions or components, and the runs of ours beside them.

Networks of the papers' size and narrow ones have panels of their own, as their levels differ. Runs of different budgets are
never joined by a line.
"""

from collections.abc import Iterable, Mapping

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from srlib.papers import get_experiment
from srlib.rerun import Rerun
from srlib.runs import runs

COLUMNS = ["panel", "source", "series", "x", "psnr", "seed", "budget", "experiment"]
FULL = "the paper's size"
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
        `psnr` (dB), `seed`, `budget`, `experiment`.
    """
    points = [
        (FULL, "published", series, x, value, "", 1.0, experiments.get((series, x), ""))
        for (series, x), value in published.items()
    ]
    for (series, x), name in experiments.items():
        for narrow in runs().names():
            base, _, width = narrow.rpartition("_w")
            if narrow != name and base != name.removesuffix("_w128"):
                continue
            panel = FULL if narrow == name else f"{width} filters"
            for (_, budget, _), records in runs().groups(narrow).items():
                for record in records:
                    psnr = record.mean(dataset, scale, "psnr", protocol)
                    if psnr is not None:
                        points.append((panel, "record", series, x, psnr, record.info["seed"], budget, narrow))
        for record in fresh.records if fresh else ():
            spelt = record.info["experiment"]
            if spelt == name or spelt.rpartition("_w")[0] == name.removesuffix("_w128"):
                panel = FULL if spelt == name else f"{spelt.rpartition('_w')[2]} filters"
                panel += f", {fresh.test_set}, this run's data" if fresh.stand_in else ""
                psnr = record.mean(fresh.test_set, scale, "psnr", protocol)
                points.append((panel, "this run", series, x, psnr, record.info["seed"], record.info["budget"], spelt))
    return pd.DataFrame(points, columns=COLUMNS)


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
    panels, ticks = list(dict.fromkeys([FULL, *points.panel])), sorted(set(ticks))
    figure, axes_of = plt.subplots(1, len(panels), figsize=(4.6 * len(panels), 3.8), layout="constrained", squeeze=False)
    for axes, panel in zip(axes_of[0], panels, strict=True):
        here = points[points.panel == panel]
        axes.set(title=panel, xlabel=xlabel, ylabel=f"PSNR on {place} (dB)")
        if here.empty:
            axes.text(
                0.5, 0.5, "no value in the text,\nno run of ours yet", transform=axes.transAxes, ha="center", color="0.35"
            )
            axes.set(xticks=[], yticks=[])
            continue
        axes.set_xticks(ticks)
        for (source, series, budget), group in here.groupby(["source", "series", "budget"], sort=False):
            mean = group.groupby("x").psnr.mean()
            colour = colours[series]
            label = series if source == "published" else f"{series}: {source}, budget {budget:g}"
            hollow = {"markerfacecolor": "none", "markeredgewidth": 2} if source == "published" else {}
            line = "-" if len(mean) > 1 else "none"
            axes.plot(mean.index, mean, line, marker=_STYLES[source], color=colour, markersize=8, label=label, **hollow)
            if group.seed.nunique() > 1:  # single seeds as ticks
                axes.plot(group.x, group.psnr, "_", color=colour, markersize=9)
        edge = 0.08 * (ticks[-1] - ticks[0])
        middle, half = (here.psnr.max() + here.psnr.min()) / 2, max(0.65 * (here.psnr.max() - here.psnr.min()), 0.1)
        axes.set(xlim=(ticks[0] - edge, ticks[-1] + edge), ylim=(middle - half, middle + half))
        axes.legend(fontsize="small")
    return figure


def sweep_table(points: pd.DataFrame, dial: str) -> pd.DataFrame:
    """The same as a table: a row for each series and value of the dial; ours as mean and spread of the seeds.

    Parameters
    ----------
    points : pandas.DataFrame
        From `sweep`.
    dial : str
        Name of the dial.
    """
    rows = []
    for (panel, series, x), group in points.groupby(["panel", "series", "x"], sort=False):
        row = {"networks": panel, "series": series, dial: f"{x:g}"}
        for source in ("published", "record", *(["this run"] if "this run" in set(points.source) else [])):
            values = group[group.source == source].psnr
            row[source] = "–" if values.empty else f"{values.mean():.2f}"
            if len(values) > 1:
                row[source] += f" ({len(values)} seeds, spread {values.max() - values.min():.2f})"
        budgets = group[group.source != "published"].budget.unique()
        row["budget of ours"] = ", ".join(f"{b:g}" for b in sorted(budgets)) or "not attempted"
        rows.append(row)
    return pd.DataFrame(rows)


def depth_of(name: str) -> int:
    """Convolutions on the longest path of an experiment's network."""
    return get_experiment(name).make().depth
