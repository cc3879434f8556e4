"""Drawings and equations of recurrent graphs, from the very objects that are computed (`srlib.graphs.recurrence`).

As in DSRN's Figures 1 and 2: a circle is a state, an arrow a transition function with its name and colour, a black square a
delay by one step. A white square with a 0 goes back to s^0 at every step; a dashed arrow is the zero function. In an unrolled
graph equal colours share their convolutions, and a function of one step alone carries the step's number.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.bezier import BezierSegment
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch
from matplotlib.path import Path
from torch import nn

from srlib.graphs.recurrence import FIRST, Link, Recurrence, convolutions
from srlib.models import CONVOLUTIONS
from srlib.models.dsrn import Residual

_PALETTE = sns.color_palette("colorblind")
_INK, _GREY = "0.15", "0.5"
_COLOURS = defaultdict(lambda: _PALETTE[3])  # of links
_COLOURS |= {"f_recurrent": _PALETTE[0], "f_lr": _PALETTE[0], "f_hr": _PALETTE[1], "f_up": _PALETTE[4], "f_down": _PALETTE[2]}
_COLOURS |= {"f_output": _INK, "f_input": _PALETTE[5], "skip": _GREY}
_RADIUS = 0.33
_FONT = 12
_THIN = {"linewidth": 1.2, "mutation_scale": 9}
Point = tuple[float, float]


def _tex(name: str, time: str = "") -> str:
    """The LaTeX of `s_h` or `f_up`, with a superscript."""
    letter, _, index = name.partition("_")
    index = index if letter == "s" else rf"\mathrm{{{index}}}"
    return letter + (f"_{{{index}}}" if _ else "") + (f"^{{{time}}}" if time else "")


def equations(recurrence: Recurrence) -> str:
    """The system in LaTeX, as in Eqs. 1 and 2, read off the graph: an `aligned` block for a display formula."""
    when = {0: "t", 1: "t-1", FIRST: "0"}
    lines = []
    for name in (*(state.name for state in recurrence.states), "y"):
        terms = []
        for link in recurrence.links:
            if link.target == name:
                value = _tex(link.source, when[link.delay])
                if link.f and not isinstance(link.f[0], nn.Identity):
                    value = f"{_tex(link.name, 't' if _own_convolutions(link) else '')}({value})"
                terms.append(value if link.f else rf"\underbrace{{{_tex(link.name)}({value})}}_{{=0}}")
        right = " + ".join(terms)
        normalise = next((state.normalise for state in recurrence.states if state.name == name), ())
        right = rf"\mathrm{{PReLU}}^{{t}}\bigl({right}\bigr)" if len(normalise) else right
        lines.append(rf"{_tex(name, 't')} &= {right}")
    combine = recurrence.combine if isinstance(recurrence.combine, str) else "weights"
    total = {"last": "y^{T}", "mean": r"\frac{1}{T} \sum_{t=1}^{T} y^{t}", "weights": r"\sum_{t=1}^{T} w_t\, y^{t}"}[combine]
    lines.append(rf"\hat{{y}} &= {total}")
    return r"\begin{aligned}" + r" \\ ".join(lines) + r"\end{aligned}"


def _own_convolutions(link: Link) -> bool:
    """Whether each step has convolutions of its own."""
    layers = [[module for module in f.modules() if isinstance(module, CONVOLUTIONS)] for f in (link.f[0], link.f[-1])]
    return layers[0] != layers[1]


def _shade(colour: object, share: float) -> tuple[float, ...]:
    """A colour made lighter (towards 1) or darker (towards -1)."""
    rgb = np.array(to_rgb(colour))
    return tuple(rgb + (1 - rgb) * share if share > 0 else rgb * (1 + share))


def _canvas(axes: Axes | None, width: float, height: float) -> Axes:
    if axes is None:
        _, axes = plt.subplots(figsize=(width, height), layout="constrained")
    axes.set_aspect("equal")
    axes.axis("off")
    return axes


def _node(axes: Axes, centre: Point, text: str) -> None:
    axes.add_patch(plt.Circle(centre, _RADIUS, facecolor="white", edgecolor=_INK, linewidth=1.5, zorder=3))
    size = _FONT - 2 * ("t-1" in text)
    axes.text(*centre, f"${text}$", ha="center", va="center_baseline", fontsize=size, zorder=4)


def _box(axes: Axes, centre: Point, text: str, width: float = 0.8, colour: object = "white") -> None:
    x, y = centre
    look = {"facecolor": colour, "edgecolor": _INK, "linewidth": 1, "zorder": 3}
    axes.add_patch(plt.Rectangle((x - width / 2, y - 0.25), width, 0.5, **look))
    ink = "white" if sum(to_rgb(colour)) < 1.9 else _INK
    axes.text(x, y, text, ha="center", va="center_baseline", fontsize=_FONT - 2, color=ink, zorder=4)


def _arrow(axes: Axes, points: list[Point], colour: object, ends: Point = (_RADIUS, _RADIUS), **look: object) -> np.ndarray:
    """A Bézier curve (2, 3 or 4 points) between the rims of two nodes; returns its middle."""
    points = [np.asarray(p, float) for p in points]
    curve = [None, Path.LINETO, Path.CURVE3, Path.CURVE4][len(points) - 1]
    for end, inner, gap in ((0, 1, ends[0]), (-1, -2, ends[1])):
        towards = points[inner] - points[end]
        points[end] = points[end] + gap * towards / np.linalg.norm(towards)
    look = {"arrowstyle": "-|>", "linewidth": 2, "mutation_scale": 14, "shrinkA": 0, "shrinkB": 1} | look
    path = Path(points, [Path.MOVETO, *[curve] * (len(points) - 1)])
    axes.add_patch(FancyArrowPatch(path=path, color=colour, zorder=2, **look))
    return BezierSegment(points)(0.5)


def _label(axes: Axes, at_point: np.ndarray, shift: Point, text: str, colour: object) -> None:
    """Text beside a point, on the side to which it is shifted."""
    ha = "left" if shift[0] > 0 else "right" if shift[0] < 0 else "center"
    va = "bottom" if shift[1] > 0 else "top" if shift[1] < 0 else "center"
    on_line = {"facecolor": "white", "edgecolor": "none", "pad": 1.5} if shift == (0, 0) else None
    axes.text(*(at_point + shift), text, ha=ha, va=va, fontsize=_FONT, color=_shade(colour, -0.2), bbox=on_line)


def draw_folded(recurrence: Recurrence, axes: Axes | None = None) -> Figure:
    """The graph with its cycles, as in Figures 1(a) and 2(a): input x below, output y on top, states between."""
    names = ["y", *(state.name for state in recurrence.states), "x"]
    axes = _canvas(axes, 3.2, 1.15 * len(names))
    places = {name: np.array([0.0, 1.5 * (len(names) - 1 - k)]) for k, name in enumerate(names)}
    for name, place in places.items():
        _node(axes, place, _tex(name))
    pairs = {(link.source, link.target) for link in recurrence.links}
    loops: dict[str, int] = {}
    for link in recurrence.links:
        start, end, colour = places[link.source], places[link.target], _COLOURS[link.name]
        text = f"${_tex(link.name)}$" if link.name.startswith("f_") else link.name
        if link.source == link.target:
            side = 1 - 2 * loops.get(link.source, 0)  # the first loop to the right, the next to the left
            loops[link.source] = loops.get(link.source, 0) + 1
            out, up = np.array([1.3 * side, 0]), np.array([0, 1.0])
            middle = _arrow(axes, [start, start + out + up, start + out - up, end], colour)
            shift = (0.2 * side, 0)
        else:
            bend = 0.55 if (link.target, link.source) in pairs else 0  # to the left of the arrow's direction
            left = bend * np.array([-(end - start)[1], (end - start)[0]]) / np.linalg.norm(end - start)
            look = {} if link.f else {"linestyle": (0, (3, 2)), "linewidth": 1.5}
            middle = _arrow(axes, [start, (start + end) / 2 + left, end], colour if link.f else _GREY, **look)
            shift = (-0.14, 0) if left[0] < 0 else (0.18, 0)
        if link.delay:
            face = "white" if link.delay == FIRST else "black"
            axes.add_patch(plt.Rectangle(middle - 0.12, 0.24, 0.24, facecolor=face, edgecolor="black", linewidth=1.2, zorder=5))
            if link.delay == FIRST:
                axes.text(*middle, "0", ha="center", va="center_baseline", fontsize=_FONT - 3, zorder=6)
        _label(axes, middle, shift, text if link.f else text[:-1] + " = 0$", colour if link.f else _GREY)
    axes.set(xlim=(-1.6, 2.1), ylim=(-0.5, 1.5 * (len(names) - 1) + 0.5))
    return axes.figure


def draw_unrolled(recurrence: Recurrence, T: int = 3, axes: Axes | None = None) -> Figure:
    """The graph over T steps, as in Figures 1(b) and 2(b): a row a state, HR above LR, time to the right."""
    recurrence = replace(recurrence, T=T)  # refuses a length that it does not have
    names = ["y", *(state.name for state in recurrence.states)]
    last = isinstance(recurrence.combine, str) and recurrence.combine == "last"
    input_ = any(link.source == "x" and link.f for link in recurrence.links)
    skips = any(link.name == "skip" for link in recurrence.links)
    dx, dy = 1.9, 1.5
    rows = {name: dy * (len(names) - 1 - k) for k, name in enumerate([*names, "x"])}
    bottom = -dy - 0.4 if input_ else -0.75 - 0.4 * T if skips else -0.6
    top = rows["y"] + (0.5 if last else 1.1)
    axes = _canvas(axes, 1.15 * (T + 2.2), 0.95 * (top - bottom))
    starts = {state.name: state.start for state in recurrence.states if state.start is not None}
    there: set[tuple[str, int]] = set()

    def place(name: str, t: int) -> np.ndarray:
        if (name, t) not in there:
            there.add((name, t))
            _node(axes, (dx * t, rows[name]), _tex(name, str(t)))
        return np.array([dx * t, rows[name]])

    for name, start in starts.items():
        _box(axes, (-dx, rows[name]), "image", 0.85)
        middle = _arrow(axes, [(-dx, rows[name]), place(name, 0)], _GREY, (0.43, _RADIUS))
        _label(axes, middle, (0, 0.1), f"{convolutions(start)} conv", _GREY)
    for t in range(1, T + 1):
        for link in recurrence.links:
            then = t if link.delay == 0 else t - 1 if link.delay == 1 else 0
            if not link.f or (then == 0 and link.source not in {"x", *starts}) or (link.target == "y" and last and t < T):
                continue
            own = _own_convolutions(link)
            colour = _shade(_COLOURS[link.name], 0.8 * (t - 1) / max(T - 1, 1) - 0.45) if own else _COLOURS[link.name]
            start, end = place(link.source, then), place(link.target, t)
            text = f"${_tex(link.name, str(t) if own else '')}$" if link.name.startswith("f_") else link.name
            low = len(names) > 2 and link.source == names[-1]  # f_down's name lies above
            points, shift = [start, end], (0, -0.07 if low else 0.07)
            if link.name == "skip":  # an arc below, the longer the deeper
                below = np.array([0, 0.55 + 0.5 * (t - then)])
                points, shift = [start, start - below, end - below, end], (0, 0)
            elif start[0] == end[0]:
                shift = (-0.08, 0)
            elif start[1] != end[1]:
                shift = (-0.06, -0.06)
            _label(axes, _arrow(axes, points, colour), shift, text, colour)
    if not last:
        y, right = rows["y"], dx * T + 1.25
        for t in range(1, T + 1):
            _arrow(axes, [(dx * t, y), (dx * t, y + 0.7)], _INK, (_RADIUS, 0), arrowstyle="-", linewidth=1.5)
        _arrow(axes, [(dx, y + 0.7), (right - 0.2, y + 0.7)], _INK, (0, 0.2), linewidth=1.5)
        axes.text(right - 0.3, y + 0.7, r"$\hat{y}$", ha="left", va="center", fontsize=_FONT + 1)
        how = "mean (Eq. 5)" if isinstance(recurrence.combine, str) else "weighted sum"
        axes.text(dx * (T + 1) / 2, y + 0.78, how, ha="center", va="bottom", fontsize=_FONT - 1, color=_INK)
    axes.set(xlim=(-dx - 0.6, dx * T + (0.6 if last else 1.3)), ylim=(bottom, top))
    return axes.figure


def draw_folded_and_unrolled(recurrences: Mapping[str, Recurrence], T: int = 3, height: float = 3.2) -> Figure:
    """Graphs by title, below one another: left with their cycles, right over T steps, as in Figures 1 and 2.

    An empty title is none. The height is that of a row, in inches.
    """
    size, rows = (9.2, height * len(recurrences)), len(recurrences)
    figure, axes = plt.subplots(rows, 2, figsize=size, width_ratios=[3.7, 9.5], layout="constrained", squeeze=False)
    for (left, right), (title, recurrence) in zip(axes, recurrences.items(), strict=True):
        draw_folded(recurrence, axes=left)
        draw_unrolled(recurrence, T, axes=right)
        left.set_title(title, loc="left", fontweight="bold")
    return figure


def draw_functions(rows: dict[str, tuple[Recurrence, str]]) -> Figure:
    """What transition functions are made of, layer by layer, as in Figures 1(c) to (e) and beside 2(b).

    A row has a title, a recurrence and the name of one of its links. Its convolutions are numbered and tinted apart; `^t` marks
    a layer that each step has for itself.
    """
    axes = _canvas(None, 8.2, 0.95 * len(rows))
    height, ends = 1.5, []
    for k, (title, (recurrence, name)) in enumerate(rows.items()):
        link = next(link for link in recurrence.links if link.name == name)
        y = -height * k
        axes.text(-0.6, y, title, ha="right", va="center", fontsize=_FONT)
        _node(axes, (0, y), _tex(link.source, "t-1" if link.delay else "t"))
        x, half = 0.0, _RADIUS  # where the chain ends, and half the width of what is there
        for text, colour in _layers(link):
            width = 0.9 if len(text) < 7 else 1.5
            ahead = x + half + 0.3 + width / 2
            _arrow(axes, [(x, y), (ahead, y)], _INK, (half, width / 2), **_THIN)
            _box(axes, (ahead, y), text, width, colour)
            x, half = ahead, width / 2
        skips = [other.delay for other in recurrence.links if other.name == "skip" and other.target == link.target]
        if skips or isinstance(link.f[0], Residual):
            ahead = x + half + 0.5
            _arrow(axes, [(x, y), (ahead, y)], _INK, (half, 0.17), **_THIN)
            axes.add_patch(plt.Circle((ahead, y), 0.17, facecolor="white", edgecolor=_INK, linewidth=1.2, zorder=3))
            axes.text(ahead, y, "+", ha="center", va="center_baseline", fontsize=_FONT, zorder=4)
            over = [(0, y), (0, y + 0.8), (ahead, y + 0.8), (ahead, y)]  # from the function's own input
            if FIRST in skips:
                over = [(ahead - 1.1, y + 0.8), (ahead, y + 0.8), (ahead, y)]
                _node(axes, over[0], _tex(link.target, "0"))
            _arrow(axes, over, _GREY, (_RADIUS, 0.17), **_THIN)
            x, half = ahead, 0.17
        ends.append(x + half + 0.7)
        _arrow(axes, [(x, y), (ends[-1], y)], _INK, (half, _RADIUS), **_THIN)
        _node(axes, (ends[-1], y), _tex(link.target, "t"))
    axes.set(xlim=(-1.9, max(ends) + 0.5), ylim=(-height * (len(rows) - 1) - 0.5, 1.2))
    return axes.figure


def _layers(link: Link) -> list[tuple[str, object]]:
    """The layers of a function in order: a text and a colour for each; convolutions are lighter than their function."""

    def leaves(f: nn.Module) -> list[nn.Module]:
        inner = [f.conv_1, nn.ReLU(), f.conv_2] if isinstance(f, Residual) else f.modules()
        return [module for module in inner if not list(module.children())]

    layers, number = [], 0
    for layer, later in zip(leaves(link.f[0]), leaves(link.f[-1]), strict=True):
        text, colour = {nn.ReLU: "ReLU", nn.BatchNorm2d: "BN"}.get(type(layer)), "white"
        if isinstance(layer, CONVOLUTIONS):
            number, colour, stride = number + 1, _shade(_COLOURS[link.name], 0.45 + 0.3 * number), layer.stride[0]
            text = f"Conv {number}" if stride == 1 else f"Conv ↓{stride}"
            text = f"Deconv ↑{stride}" if isinstance(layer, nn.ConvTranspose2d) else text
        own = later is not layer and list(layer.parameters())
        layers.append((f"{text}$^t$" if own else text, colour))
    return layers
