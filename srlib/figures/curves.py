"""Learning curves: PSNR on held-out images by iteration, of committed records; never on a test set."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from srlib.figures.sweeps import PAPER_SIZE
from srlib.ledger.comparisons import full_size_name, width_of
from srlib.models import MODELS
from srlib.records.scores import runs

COLUMNS = ["panel", "series", "seed", "budget", "iteration", "psnr"]


def curves(experiments: Mapping[str, str]) -> pd.DataFrame:
    """The curves of some experiments of the papers and of their narrow forms.

    Parameters
    ----------
    experiments : mapping
        Series to the name of the paper's experiment.

    Returns
    -------
    pandas.DataFrame
        Columns `panel` (the paper's size, so many filters, 'for a CPU'), `series`, `seed`, `budget`, `iteration`, `psnr` (dB).
    """
    parts, series_of = [pd.DataFrame(columns=COLUMNS)], {name: series for series, name in experiments.items()}
    for name in (name for name in runs().names() if full_size_name(name) in series_of):
        for (_, budget, *_), records in runs().groups(name).items():
            for record in (record for record in records if (record.folder / "curve.csv").exists()):
                curve = record.curve.dropna(subset="psnr")[["iteration", "psnr"]]
                panel = PAPER_SIZE if name in MODELS else f"{width_of(name)} filters" if width_of(name) else "for a CPU"
                known = {
                    "panel": panel,
                    "series": series_of[full_size_name(name)],
                    "seed": record.info["seed"],
                    "budget": budget,
                }
                parts.append(curve.assign(**known)[COLUMNS])
    return pd.concat([part for part in parts if len(part)] or parts, ignore_index=True)


def curve_figure(found: pd.DataFrame, colours: Mapping[str, object]) -> Figure:
    """A panel for each size of network; thick the mean of a series at one budget, thin its seeds.

    Parameters
    ----------
    found : pandas.DataFrame
        From `curves`.
    colours : mapping
        Series to colour, in the order of the legend.
    """
    panels = list(dict.fromkeys(found.panel)) or ["no record yet"]
    figure, axes_of = plt.subplots(
        1, len(panels), figsize=(max(7.5, 4.6 * len(panels)), 4.0), layout="constrained", squeeze=False
    )
    for axes, panel in zip(axes_of[0], panels, strict=True):
        here = found[found.panel == panel]
        for series in (series for series in colours if series in set(here.series)):
            for _, group in here[here.series == series].groupby("budget"):
                mean = group.groupby("iteration").psnr.mean()
                axes.plot(
                    mean.index,
                    mean,
                    color=colours[series],
                    linewidth=2,
                    label=f"{series}, {group.iteration.max():,} iterations",
                )
                if group.seed.nunique() > 1:
                    for _, single in group.groupby("seed"):
                        axes.plot(single.iteration, single.psnr, color=colours[series], linewidth=0.7, alpha=0.5)
        axes.set(title=panel, xlabel="iterations", ylabel="PSNR on held-out images (dB)")
        if len(here):
            low = here.groupby(["series", "seed", "budget"]).psnr.nth(min(2, here.iteration.nunique() - 1)).min()
            axes.set_ylim(low - 0.1, here.psnr.max() + 0.1)  # the first steps would flatten all that is of interest
            axes.legend(fontsize="small", loc="lower right")
    return figure
