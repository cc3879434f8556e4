"""One look for every figure and table of the book.

Colour-blind-safe colours (seaborn's `colorblind`), a method's colour the same everywhere, published points hollow and ours
filled, units on the axes, legible at half width.
"""

import base64
from collections.abc import Iterable, Iterator
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

    Columns `panel` (the title of the axes), `series` (the name in the legend), and one for each axis, named after its label, or
    `x` and `y` where the panels differ in it.
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


def label_points(axes: Axes, points: dict[str, tuple[float, float]], avoid: Iterable[tuple[float, float]] = ()) -> None:
    """Write names beside points: each to the right of its own or, where it would cover another, to the left, above or below.

    The limits of the axes must be set. `points` maps a name to (x, y); `avoid` are more places that no name may cover.
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


def table(frame: pd.DataFrame, caption: str) -> Styler:
    """A table in the book's look: a caption, no index, numbers to the right."""
    names = {name: name[-1] if isinstance(name, tuple) else name for name in frame.columns}
    texts = [column for column, name in names.items() if name in ("dataset", "image", "structure")]
    return (
        frame.style.hide(axis="index")
        .set_caption(caption)
        .set_table_attributes('class="dataframe srlib-table"')
        .set_properties(**{"text-align": "right"})
        .set_properties(subset=texts, **{"text-align": "left"})
        .format(na_rep="–", precision=4)
    )
