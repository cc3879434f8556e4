"""One look for every figure and table of the book.

Colour-blind-safe colours (seaborn's `colorblind`), a method's colour the same everywhere, published points hollow and ours
filled, units on the axes, legible at half width.
"""

import base64
from collections.abc import Iterable, Iterator, Sequence
from itertools import product

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from IPython.display import HTML, Markdown, display
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.container import BarContainer
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox
from pandas.io.formats.style import Styler

from srlib.papers import Claim

_PALETTE = sns.color_palette("colorblind")
COLOURS = {"bicubic": _PALETTE[7], "vdsr": _PALETTE[0], "drrn": _PALETTE[3], "dsrn": _PALETTE[2], "rlcsc": _PALETTE[1]}
COLOURS |= {"drn": _PALETTE[4]}


def use_style() -> None:
    """Set matplotlib's defaults for the book."""
    sns.set_theme(context="notebook", style="whitegrid", palette="colorblind")
    plt.rcParams |= {
        "figure.figsize": (7.5, 4.0),
        "figure.dpi": 110,
        "savefig.bbox": "tight",
        "axes.titlesize": "medium",
        "grid.linewidth": 0.6,
        "svg.hashsalt": "srlib",  # the same figure gives the same file
    }


def show(figure: Figure, name: str, data: pd.DataFrame | None = None, *, caption: str, alt: str) -> None:
    """Show a figure and, below it, its caption and a link to its numbers as a CSV file.

    Parameters
    ----------
    figure : Figure
        Closed when it has been shown.
    name : str
        The figure's name in the book, and its file's without the ending.
    data : pandas.DataFrame, optional
        The numbers; default: what is drawn, `plotted(figure)`. A figure without any gets no link.
    caption, alt : str
        What is shown, in Markdown; and what is seen, for those who cannot see it. The book numbers the figure and sets both.
    """
    display(figure, metadata={"figure": {"name": name, "caption": caption, "alt": alt}})
    plt.close(figure)
    display(Markdown(caption), metadata={"caption": True})
    frame = plotted(figure) if data is None else data
    if len(frame):
        display(HTML(f'<p class="srlib-data">{download(frame, f"{name}.csv", "Data of this figure (CSV)")}</p>'))


def download(frame: pd.DataFrame, name: str, text: str = "Download as CSV") -> str:
    """A link that holds a frame as a CSV file of that name, without a server; HTML."""
    content = base64.b64encode(frame.to_csv(index=False).encode()).decode()
    return f'<a class="srlib-download" download="{name}" href="data:text/csv;base64,{content}">{text}</a>'


def plotted(figure: Figure) -> pd.DataFrame:
    """The numbers of a figure's lines, points and bars: those with a name in the legend, or all where none has one.

    Returns
    -------
    pandas.DataFrame
        Columns `panel` (the title of the axes), `series` (the name in the legend), and a column for each axis, named after its
        label, or `x` and `y` where the panels differ in it.
    """
    drawn = [(axes, *series) for axes in figure.axes for series in _series(axes)]
    named = [item for item in drawn if not item[1].startswith("_")]
    labels = [{getattr(axes, f"get_{c}label")() for axes, *_ in drawn} for c in "xy"]
    x, y = (names.pop() or c if len(names) == 1 else c for names, c in zip(labels, "xy", strict=True))
    parts = [
        pd.DataFrame({"panel": axes.get_title() or axes.get_ylabel(), "series": label.strip("_"), x: across, y: up})
        for axes, label, across, up in named or drawn
    ]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["panel", "series", x, y])


def _series(axes: Axes) -> Iterator[tuple[str, Iterable, Iterable]]:
    """Legend, places and heights of all that is drawn at places of the data; a name that begins with `_` is in no legend."""
    for line in axes.lines:
        across, up = line.get_data(orig=True)
        if line.get_transform() == axes.transData:
            yield line.get_label(), across, up
        elif line.get_transform() == axes.get_yaxis_transform("grid"):  # one height, at every place
            yield line.get_label(), [np.nan], up[:1]
    for points in axes.collections:
        if isinstance(points, PathCollection):
            yield points.get_label(), *np.asarray(points.get_offsets()).T
    ticks = axes.get_xticks(), [label.get_text() for label in axes.get_xticklabels()]
    for bars in axes.containers:
        if isinstance(bars, BarContainer):
            middles = np.array([bar.get_x() + bar.get_width() / 2 for bar in bars])
            nearest = np.abs(middles[:, None] - ticks[0]).argmin(1)
            yield bars.get_label(), [ticks[1][k] for k in nearest], [bar.get_height() for bar in bars]


def depth_contours(axes: Axes, depths: Sequence[int]) -> None:
    """Lines of equal depth d = (1 + 2U)B + 1 in the plane of U and B (DRRN, Figure 6)."""
    B = np.linspace(*axes.get_ylim(), 200)
    for d in depths:
        with np.errstate(divide="ignore"):
            U = ((d - 1) / B - 1) / 2
        axes.plot(U, B, color="0.6", linewidth=1, linestyle="--", zorder=0)
        x, y = (axes.transData - axes.transAxes).transform(np.column_stack([U, B])).T
        inside = np.flatnonzero((x > 0.22) & (x < 0.95) & (y > 0.05) & (y < 0.95))
        if inside.size:
            # away from the points
            k = inside[-1] if axes.get_yscale() == "linear" else inside[np.abs(y[inside] - 0.17).argmin()]
            text = f"d = {d}" if d == min(depths) else f"{d}"
            axes.annotate(text, (U[k], B[k]), color="0.35", fontsize="small", ha="center", va="center",
                          bbox={"facecolor": "white", "edgecolor": "none", "pad": 1, "alpha": 0.8})  # fmt: skip


def grid_figure(points: pd.DataFrame, titles: dict[str, str]) -> Figure:
    """DRRN's Figure 6: the grid of B and U, coloured by PSNR, one panel per group as their levels differ.

    Parameters
    ----------
    points : pandas.DataFrame
        Columns `panel`, `source` ('published', 'record' or 'this run'), `B`, `U`, `psnr` (dB).
    titles : dict
        Panel name to title, in order; a panel without points says so.
    """
    figure, axes_of = plt.subplots(1, len(titles), figsize=(4.7 * len(titles), 4.2), layout="constrained", squeeze=False)
    # marker, size, shift to the right, height of the label: published points are hollow, ours filled
    markers = {"published": ("s", 90, 0, -13), "record": ("o", 110, 0, -13), "this run": ("D", 60, 0.18, 13)}
    for axes, (panel, title) in zip(axes_of[0], titles.items(), strict=True):
        here = points[points.panel == panel]
        axes.set(title=title, xlabel="U (residual units a block)", ylabel="B (recursive blocks)")
        if here.empty:
            axes.text(0.5, 0.5, "no run yet", transform=axes.transAxes, ha="center", color="0.4")
            axes.set(xlim=(0, 5), ylim=(0, 5))
            continue
        wide = max(here.U.max(), here.B.max()) > 10
        if wide:
            axes.set(xscale="log", yscale="log", xlim=(0.7, 40), ylim=(0.7, 40))
            ticks = (1, 2, 3, 5, 10, 20)
            axes.set_xticks(ticks, ticks)
            axes.set_yticks(ticks, ticks)
            axes.minorticks_off()
        else:
            axes.set(xlim=(0.4, here.U.max() + 0.8), ylim=(0.4, here.B.max() + 1))
            axes.set_xticks(range(1, int(here.U.max()) + 1))
            axes.set_yticks(range(1, int(here.B.max()) + 1))
        depth_contours(axes, (10, 20, 30, 50) if wide else (10, 20, 30))
        colour = plt.Normalize(here.psnr.min(), max(here.psnr.max(), here.psnr.min() + 0.01))
        for source, group in here.groupby("source", sort=False):
            marker, size, shift, label_at = markers[source]
            x = group.U * (1 + shift) if wide else group.U + shift
            colours = plt.cm.viridis(colour(group.psnr))
            fill = {"facecolors": "none", "edgecolors": colours, "linewidths": 3} if source == "published" else {"c": colours}
            axes.scatter(x, group.B, marker=marker, s=size, label=source, **fill)
            for u, point in zip(x, group.itertuples(), strict=True):
                where = {"textcoords": "offset points", "ha": "center", "va": "center", "size": "small"}
                place = (0, -label_at if wide and point.B != 3 else label_at)
                if wide and source == "this run":
                    place = (0, -13)
                elif wide and point.B == 3 and point.U < 8:  # Figure 6's row and column stand close on this scale
                    place, where = (2, 5), where | {"ha": "left", "va": "bottom", "rotation": 45}
                elif wide and point.U == 3:
                    place, where["ha"] = (-9, 0) if point.B < 3 else (2, 18), "right"
                axes.annotate(f"{point.psnr:.2f}", (u, point.B), place, **where)
        figure.colorbar(plt.cm.ScalarMappable(colour, "viridis"), ax=axes, label="PSNR at ×3 (dB)")
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=3, frameon=False)
    return figure


def label_points(axes: Axes, points: dict[str, tuple[float, float]], avoid: Iterable[tuple[float, float]] = ()) -> None:
    """Write names beside points: each to the right of its own or, where it would cover another, to the left, above or below.

    Parameters
    ----------
    axes : Axes
        With its limits set.
    points : dict
        Name to (x, y).
    avoid : iterable of (x, y)
        More places that no name may cover.
    """
    axes.figure.draw_without_rendering()  # the layout, and so the places, are final
    frame, near = axes.get_window_extent(), 6.0  # pixels around a point
    taken = [Bbox.from_bounds(x - near, y - near, 2 * near, 2 * near)
             for x, y in map(axes.transData.transform, [*points.values(), *avoid])]  # fmt: skip
    heights = sorted(range(-24, 25, 3), key=lambda up: (abs(up), -up))
    for name, point in sorted(points.items(), key=lambda item: item[1][1]):
        text = axes.annotate(name, point, (8, 0), textcoords="offset points", va="center", size="small")
        for up, (ha, aside) in product(heights, (("left", 8), ("right", -8), ("center", 0))):
            text.set(ha=ha, position=(aside, up))
            box = text.get_window_extent()
            if frame.x0 < box.x0 and box.x1 < frame.x1 and not any(box.overlaps(other) for other in taken):
                break
        else:  # no room
            text.set(ha="left", position=(8, 0))
        taken.append(text.get_window_extent())


def comparison(cells: Iterable[tuple[Claim, float | None]], caption: str) -> Styler:
    """A table like the papers': a row per dataset and scale, and for each metric published, ours and the difference Δ.

    Parameters
    ----------
    cells : iterable of (Claim, float or None)
        Our number for each claim, `None` where it is not at hand. Ours is shown with a digit more than printed; `≠` marks one
        that does not round to the printed number.
    caption : str
        Shown above the table.
    """
    rows: dict[tuple[str, str], dict[tuple[str, str], str]] = {}
    for claim, value in cells:
        row = rows.setdefault((claim.dataset, f"×{claim.scale}"), {})
        row["", "dataset"], row["", "scale"] = claim.dataset, f"×{claim.scale}"
        differs = value is not None and not claim.printed_alike(value)
        digits = len(claim.value.partition(".")[2]) + (2 if differs else 1)
        row[claim.metric.upper(), "published"] = claim.value
        row[claim.metric.upper(), "ours"] = "–" if value is None else f"{'≠ ' * differs}{value:.{digits}f}"
        row[claim.metric.upper(), "Δ"] = "–" if value is None else f"{claim.gap(value):+.{digits}f}"
    frame = pd.DataFrame(rows.values())
    frame.columns = pd.MultiIndex.from_tuples(frame.columns)
    return table(frame, caption)


def notes(cells: Iterable[tuple[Claim, float | None]]) -> str:
    """What is known about the numbers that do not come out as printed: a Markdown list."""
    return "\n".join(
        f"* {c.dataset} ×{c.scale} {c.metric.upper()}, printed {c.value}: {c.note or 'not explained'}."
        for c, value in cells
        if value is not None and not c.printed_alike(value)
    )


def table(frame: pd.DataFrame, caption: str) -> Styler:
    """A table in the book's look: a caption, no index, numbers to the right."""
    texts = [
        name for name in frame.columns if (name[-1] if isinstance(name, tuple) else name) in ("dataset", "image", "structure")
    ]
    return (
        frame.style.hide(axis="index")
        .set_caption(caption)
        .set_table_attributes('class="dataframe srlib-table"')
        .set_properties(**{"text-align": "right"})
        .set_properties(subset=texts, **{"text-align": "left"})
        .format(na_rep="–", precision=4)
    )
