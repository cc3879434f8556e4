"""Bicubic interpolation and the released VDSR: published and ours, and what the protocol alone changes."""

from collections.abc import Iterable, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from IPython.display import Markdown, display
from matplotlib.figure import Figure

from srlib.figures.style import COLOURS, comparison, notes
from srlib.papers import Claim, claims
from srlib.protocol import METRICS, SCALES

Cells = Sequence[tuple[Claim, float | None]]  # claims, each with our number
_MARKERS = {"vdsr": "o", "drrn": "D"}


def score_means(scores: pd.DataFrame) -> pd.DataFrame:
    """Means over images: a row for each protocol, dataset and scale, a column for each metric."""
    return scores.groupby(["protocol", "dataset", "scale"])[list(METRICS)].mean()


def bicubic_cells(paper: str, means: pd.DataFrame) -> Cells:
    """The bicubic numbers that a paper prints but those of Manga109, each with ours under its protocol, `None` without scores.

    Parameters
    ----------
    paper : str
        Short name.
    means : pandas.DataFrame
        From `score_means`.
    """
    printed = [c for c in claims(paper) if c.experiment == "bicubic" and c.dataset != "Manga109"]
    keys = [(c.protocol, c.dataset, c.scale) for c in printed]
    return [(c, float(means.loc[key, c.metric]) if key in means.index else None) for c, key in zip(printed, keys, strict=True)]


def vdsr_cells(means: pd.DataFrame) -> Cells:
    """What DRRN's Table 2 prints for VDSR, each number with ours under the `vdsr` protocol; sets without scores are left out.

    Parameters
    ----------
    means : pandas.DataFrame
        From `score_means`, of the released weights.
    """
    printed = [c for c in claims("drrn") if c.experiment == "vdsr" and c.where == "Table 2"]
    keys = [("vdsr", c.dataset, c.scale) for c in printed]
    return [(c, float(means.loc[key, c.metric])) for c, key in zip(printed, keys, strict=True) if key in means.index]


def show_comparison(cells: Cells, title: str, caption: str) -> None:
    """Show how many numbers are equal to the printed digit, the table of published and ours, and the notes on the others."""
    equal = [claim.printed_alike(value) for claim, value in cells if value is not None]
    display(Markdown(f"**{title}: {sum(equal)} of {len(equal)} numbers equal to the printed digit.**"))
    display(comparison(cells, caption))
    if text := notes(cells):
        display(Markdown(text))


def count_equal_bicubic(paper: str, other: str) -> tuple[int, int]:
    """How many bicubic numbers of one paper another prints as well, and how many there are."""
    printed, others = (
        {(c.dataset, c.scale, c.metric): c.value for c in claims(name) if c.experiment == "bicubic"} for name in (paper, other)
    )
    return sum(others[key] == value for key, value in printed.items()), len(printed)


def protocol_shift_figure(shift: pd.DataFrame, datasets: Iterable[str]) -> Figure:
    """What another protocol does to PSNR (left) and IFC (right) of bicubic: bars over the test sets, grouped by scale.

    Parameters
    ----------
    shift : pandas.DataFrame
        Difference of the means under `lapsrn` and `drrn`, by dataset and scale.
    datasets : iterable of str
        Test sets in the order of the axis.
    """
    datasets = list(datasets)
    figure, axes = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
    for ax, metric, unit in zip(axes, ("psnr", "ifc"), ("PSNR (dB)", "IFC (bits per pixel)"), strict=True):
        for k, scale in enumerate(SCALES):
            heights = [shift.loc[(name, scale), metric] for name in datasets]
            left = np.arange(len(datasets)) + 0.27 * (k - 1)
            ax.bar(left, heights, 0.25, label=f"×{scale}", color=plt.cm.cividis(k / 2.5))
        ax.set_xticks(range(len(datasets)), datasets)
        ax.set_title(f"Change of {unit}, drrn to lapsrn")
    axes[0].legend(title="scale")
    return figure


def largest_shifts(scores: pd.DataFrame, dataset: str, scale: int, images: int = 4) -> pd.DataFrame:
    """The images whose PSNR changes most from protocol `drrn` to `lapsrn`: a column for each protocol, and the difference.

    Parameters
    ----------
    scores : pandas.DataFrame
        By image, with the columns of `scores.csv`.
    dataset, scale
        Which scores.
    images : int
        Rows of the table.
    """
    one_set = scores[(scores.dataset == dataset) & (scores.scale == scale)]
    psnr = one_set.pivot(index="image", columns="protocol", values="psnr")
    psnr["lapsrn - drrn"] = psnr["lapsrn"] - psnr["drrn"]
    order = psnr["lapsrn - drrn"].abs().sort_values(ascending=False).index
    return psnr.loc[order[:images]].reset_index()


def witness_figure(cells: Cells, means: pd.DataFrame) -> Figure:
    """The released VDSR: our PSNR minus the published one by test set and scale, a marker for each protocol.

    Parameters
    ----------
    cells : sequence of (Claim, float)
        From `vdsr_cells`.
    means : pandas.DataFrame
        From `score_means`, under `vdsr` and `drrn`.
    """
    figure, ax = plt.subplots(figsize=(7.5, 3.2), layout="constrained")
    ax.axhline(0, color="0.4", linewidth=1)
    psnr_claims = [claim for claim, _ in cells if claim.metric == "psnr"]
    for protocol, marker in _MARKERS.items():
        gaps = {
            f"{claim.dataset}\n×{claim.scale}": claim.gap(means.loc[(protocol, claim.dataset, claim.scale), "psnr"])
            for claim in psnr_claims
            if (protocol, claim.dataset, claim.scale) in means.index
        }
        ax.plot(list(gaps), list(gaps.values()), marker, color=COLOURS[protocol], label=protocol, linestyle="none")
    ax.set_ylabel("ours - published (dB)")
    ax.tick_params(axis="x", labelsize="small")
    ax.legend(title="protocol")
    return figure
