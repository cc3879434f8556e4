"""Bicubic interpolation and the released VDSR: published and ours, and what the protocol alone changes."""

from collections.abc import Iterable, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from IPython.display import Markdown, display
from matplotlib.figure import Figure
from pandas.io.formats.style import Styler

from srlib.figures.style import COLOURS, table
from srlib.papers import Claim, claims
from srlib.protocol import METRICS, SCALES

Cells = Sequence[tuple[Claim, float | None]]  # claims, each with our number


def score_means(scores: pd.DataFrame) -> pd.DataFrame:
    """Means over images: a row for each protocol, dataset and scale, a column for each metric."""
    return scores.groupby(["protocol", "dataset", "scale"])[list(METRICS)].mean()


def bicubic_cells(paper: str, means: pd.DataFrame) -> Cells:
    """The bicubic numbers that a paper prints but those of Manga109, each with ours of `score_means`, `None` without scores."""
    printed = [c for c in claims(paper) if c.experiment == "bicubic" and c.dataset != "Manga109"]
    keys = [(c.protocol, c.dataset, c.scale) for c in printed]
    return [(c, float(means.loc[key, c.metric]) if key in means.index else None) for c, key in zip(printed, keys, strict=True)]


def vdsr_cells(means: pd.DataFrame) -> Cells:
    """What DRRN's Table 2 prints for VDSR, each number with ours of `score_means` under `vdsr`; other sets are left out."""
    printed = [c for c in claims("drrn") if c.experiment == "vdsr" and c.where == "Table 2"]
    keys = [("vdsr", c.dataset, c.scale) for c in printed]
    return [(c, float(means.loc[key, c.metric])) for c, key in zip(printed, keys, strict=True) if key in means.index]


def show_comparison(cells: Cells, title: str, caption: str) -> None:
    """Show how many numbers are equal to the printed digit, the table of published and ours, and the notes on the others."""
    alike = {claim.id: claim.printed_alike(value) for claim, value in cells if value is not None}
    display(Markdown(f"**{title}: {sum(alike.values())} of {len(alike)} numbers equal to the printed digit.**"))
    display(_comparison(cells, caption))
    different = [claim for claim, _ in cells if not alike.get(claim.id, True)]
    lines = [f"* {c.dataset} ×{c.scale} {c.metric.upper()}, printed {c.value}: {c.note or 'not explained'}." for c in different]
    if lines:
        display(Markdown("\n".join(lines)))


def _comparison(cells: Cells, caption: str) -> Styler:
    """A table like the papers': a row per dataset and scale, and for each metric published, ours and the difference Δ.

    Ours is shown with a digit more than printed; `≠` marks one that does not round to the printed number.
    """
    rows: dict[tuple[str, str], dict[tuple[str, str], str]] = {}
    for claim, value in cells:
        scale, metric = f"×{claim.scale}", claim.metric.upper()
        row = rows.setdefault((claim.dataset, scale), {("", "dataset"): claim.dataset, ("", "scale"): scale})
        row |= {(metric, "published"): claim.value, (metric, "ours"): "–", (metric, "Δ"): "–"}
        if value is not None:
            mark, more = ("", 1) if claim.printed_alike(value) else ("≠ ", 2)
            digits = len(claim.value.partition(".")[2]) + more
            row |= {(metric, "ours"): f"{mark}{value:.{digits}f}", (metric, "Δ"): f"{claim.gap(value):+.{digits}f}"}
    frame = pd.DataFrame(rows.values())
    frame.columns = pd.MultiIndex.from_tuples(frame.columns)
    return table(frame, caption)


def count_equal_bicubic(paper: str, other: str) -> tuple[int, int]:
    """How many bicubic numbers of one paper another prints as well, and how many there are."""
    printed, others = (
        {(c.dataset, c.scale, c.metric): c.value for c in claims(name) if c.experiment == "bicubic"} for name in (paper, other)
    )
    return sum(others[key] == value for key, value in printed.items()), len(printed)


def protocol_shift_figure(shift: pd.DataFrame, datasets: Iterable[str]) -> Figure:
    """What another protocol does to PSNR (left) and IFC (right) of bicubic: bars over the test sets, grouped by scale.

    `shift` is the difference of the means under `lapsrn` and `drrn`, by dataset and scale; `datasets` are in the axis's order.
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


def largest_shifts(scores: pd.DataFrame, dataset: str, scale: int) -> pd.DataFrame:
    """The four images whose PSNR changes most from protocol `drrn` to `lapsrn`: a column for each protocol, and the difference.

    `scores` are by image, with the columns of `scores.csv`.
    """
    one_set = scores[(scores.dataset == dataset) & (scores.scale == scale)]
    psnr = one_set.pivot(index="image", columns="protocol", values="psnr")
    psnr["lapsrn - drrn"] = psnr["lapsrn"] - psnr["drrn"]
    return psnr.sort_values("lapsrn - drrn", key=abs, ascending=False).head(4).reset_index()


def witness_figure(cells: Cells, means: pd.DataFrame) -> Figure:
    """The released VDSR: our PSNR minus the published one by test set and scale, a marker for each protocol.

    `cells` are from `vdsr_cells`, `means` from `score_means`, under `vdsr` and `drrn`.
    """
    figure, ax = plt.subplots(figsize=(7.5, 3.2), layout="constrained")
    ax.axhline(0, color="0.4", linewidth=1)
    for protocol, marker in (("vdsr", "o"), ("drrn", "D")):
        gaps = {
            f"{claim.dataset}\n×{claim.scale}": claim.gap(means.loc[(protocol, claim.dataset, claim.scale), "psnr"])
            for claim, _ in cells
            if claim.metric == "psnr" and (protocol, claim.dataset, claim.scale) in means.index
        }
        ax.plot(list(gaps), list(gaps.values()), marker, color=COLOURS[protocol], label=protocol, linestyle="none")
    ax.set_ylabel("ours - published (dB)")
    ax.tick_params(axis="x", labelsize="small")
    ax.legend(title="protocol")
    return figure
