"""Structure figures as in the papers, drawn from traced models (`srlib.graphs.tracing`).

Operations of the longest path stand in a line, the trunk; what leaves it and comes back runs beside it. A box is a layer and ⊕
adds element by element. Convolutions are numbered by their weight tensor: one number and one colour is one tensor, white a
tensor that is used once. Light blue is supervised. Purple is the identity from the network's input, grey any other. In a
recursion a bold line leads back, with the number of recursions; after the first, what it brings replaces what enters.
"""

from dataclasses import dataclass, field
from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import Affine2D

from srlib.errors import InputError
from srlib.graphs.draw_recurrence import _FONT, _INK, _THIN, Point, _arrow, _canvas, _shade
from srlib.graphs.structure import Structure

_CLEAR = 0.15  # free on every side of a text's point


class Pen:
    """Draws lines, boxes and circles in units along and across the trunk, and keeps their extent.

    If it is `vertical`, along is down and across to the right; otherwise along is to the right and across up. `low` and `high`
    are the corners of what was drawn, (x, y); `shift` moves it all over the sheet.
    """

    def __init__(self, axes: Axes, vertical: bool) -> None:
        self.axes, self.vertical, self.shift = axes, vertical, Affine2D()
        self.low, self.high = np.full(2, np.inf), np.full(2, -np.inf)
        self.look = {"transform": self.shift + axes.transData}

    def at(self, along: float, across: float, margin: Point = (0, 0)) -> np.ndarray:
        """The place before the shift; `margin` is to its sides, in the sheet's own directions."""
        point = np.array([across, -along] if self.vertical else [along, across])
        self.low, self.high = np.minimum(self.low, point - margin), np.maximum(self.high, point + margin)
        return point

    def line(self, points: list[Point], colour: object, stop: float = 0, width: float = 1.2) -> None:
        """Straight pieces through points, with an arrow's head that stops short of the last."""
        path, look = [self.at(*point) for point in points], self.look | {"linewidth": width}
        if len(path) > 2:
            self.axes.plot(*np.transpose(path[:-1]), color=colour, zorder=2, solid_joinstyle="round", **look)
        _arrow(self.axes, path[-2:], colour, (0, stop), **(_THIN | look))

    def dot(self, point: Point, colour: object, radius: float = 0.05, **look: object) -> None:
        """A filled circle."""
        look = {"facecolor": colour, "edgecolor": colour, "zorder": 3} | self.look | look
        self.axes.add_patch(plt.Circle(self.at(*point, (radius, radius)), radius, **look))

    def box(self, point: Point, long: float, wide: float, colour: object) -> None:
        """A rectangle about a point, so long along and so wide across."""
        size = np.array([wide, long] if self.vertical else [long, wide])
        look = {"facecolor": colour, "edgecolor": _INK, "linewidth": 1, "zorder": 3} | self.look
        self.axes.add_patch(plt.Rectangle(self.at(*point, size / 2) - size / 2, *size, **look))

    def text(self, point: Point, text: str, colour: object = _INK, **look: object) -> None:
        """Text about a point."""
        look = {"ha": "center", "va": "center_baseline", "fontsize": _FONT - 2} | self.look | look
        self.axes.text(*self.at(*point, (_CLEAR, _CLEAR)), text, color=colour, zorder=4, **look)

    def frame(self, start: Point, end: Point, colour: object, text: str) -> None:
        """A dashed rectangle between two corners, with text above its upper left corner."""
        a, b = self.at(*start), self.at(*end)
        corner, size = np.minimum(a, b), np.abs(b - a)
        self.high[1] += 0.25 * bool(text)
        look = {"facecolor": "none", "edgecolor": colour, "linestyle": (0, (4, 2)), "linewidth": 1.5, "zorder": 1} | self.look
        self.axes.add_patch(plt.Rectangle(corner, *size, **look))
        look = {"ha": "left", "va": "bottom", "fontsize": _FONT - 3, "color": _shade(colour, -0.2)} | self.look
        self.axes.text(corner[0] + 0.04, corner[1] + size[1] + 0.03, text, **look)


_PALETTE = sns.color_palette("colorblind")
UNIT, LAYER, BLOCK = _PALETTE[2], _PALETTE[0], _PALETTE[3]  # frames: residual unit, recursive layer, recursive block
_GLOBAL, _SKIP = _PALETTE[4], "0.4"  # identities: from the network's input, any other
_FILL = {"convolution": "white", "module": _shade(_PALETTE[1], 0.75)}
_FILL |= dict.fromkeys(("output", "arithmetic"), _shade(_PALETTE[9], 0.55))  # supervised
_SHARED = [_shade(_PALETTE[k], 0.6) for k in (2, 3, 0, 8, 6, 1)]
_GAP, _LANE, _CIRCLE = 0.34, 0.32, 0.17  # between boxes; between lines side by side; the radius of ⊕
_INCHES = 0.62  # a unit on paper


@dataclass(frozen=True)
class Frame:
    """A dashed box around operations."""

    operations: tuple[int, ...]  # their numbers; at least one of them stands on the trunk
    colour: object  # `UNIT`, `LAYER`, `BLOCK` or any other
    text: str = ""  # at its corner
    lanes: int = 0  # skips that it encloses, too


@dataclass(frozen=True)
class Drawing:
    """A structure and how it is shown."""

    structure: Structure  # a traced model, simplified or not, folded or not
    title: str = ""
    texts: dict[int, str] = field(default_factory=dict)  # number of an operation to its text, where `usual_text` will not do
    frames: tuple[Frame, ...] = ()
    vertical: bool = False  # whether the trunk runs down instead of to the right
    notes: dict[int, str] = field(default_factory=dict)  # number of an operation to a small text under its box


def usual_text(structure: Structure, i: int) -> str:
    """What an operation is called: `conv 2` has the second weight tensor; a raised u is a layer that each recursion has."""
    o = structure.operations[i]
    known = {"batch_norm": "BN", "relu": "ReLU", "elu": "ELU", "prelu": "PReLU", "cat": "concat", "mul": "× $w_t$"}
    known |= {"slice": f"{o.channels} ch.", "input": "$x$", "output": "$y$", "addition": "+" if len(o.inputs) == 2 else "Σ"}
    if o.kind == "convolution":
        return f"conv {list(structure.weights()).index(o.weight) + 1}"
    return known.get(o.kind, known.get(o.name, o.kind)) + "$^u$" * o.per_step


class _Layout:
    """Where the operations of a drawing stand, and how the lines between them run."""

    def __init__(self, drawing: Drawing) -> None:
        self.s = s = drawing.structure
        self.texts = {i: drawing.texts.get(i, usual_text(s, i)) for i in range(len(s.operations))}
        path = s.longest()
        beside = [o.weight for i, o in enumerate(s.operations) if i not in path and o.kind == "convolution"]
        self.trunk = path[: next((k for k, i in enumerate(path) if s.operations[i].weight in beside), len(path))]
        self.next = dict(pairwise(self.trunk))
        self._sizes(drawing.vertical)
        self.along: dict[int, float] = {}
        self.across = dict.fromkeys(self.trunk, 0.0)
        leaving = {j for i, o in enumerate(s.operations) for j in o.inputs if j in self.trunk and self.next.get(j) != i}
        framed = [[i for i in self.trunk if i in frame.operations] for frame in drawing.frames]
        if not all(framed):
            raise InputError("A frame holds no operation of the trunk: choose some of the longest path.")
        first, last, self.ends = {i for _, i in s.back}, {i for i, _ in s.back}, {f[-1] for f in framed}
        end = 0.0
        for i in self.trunk:
            end += 0.26 * (i in first) + 0.1 * any(i == frame[0] for frame in framed)
            self.along[i] = end + self.long[i] / 2
            end += self.long[i] + _GAP + 0.14 * (i in leaving) + 0.26 * (i in last) + 0.1 * (i in self.ends)
        self.detours = set()  # what runs beside the trunk and comes back
        for i in (i for i in range(len(s.operations)) if i not in self.along):
            self._beside(i)
        self.lanes = self._lanes()

    def _sizes(self, vertical: bool) -> None:
        """The lengths along and widths across the trunk: a circle, a thin box, or one as wide as its text."""
        self.round = set(self.s.of_kind("addition"))
        self.thin = set(self.s.of_kind("normalisation", "activation"))
        # mathematics is set narrower than it is written
        letters = {i: (0.6 if "$" in text else 1) * len(text) for i, text in self.texts.items()}
        size = {i: float(np.clip(0.13 * n + 0.24, 0.55, 2)) for i, n in letters.items()}
        column = max(size[i] for i in self.trunk if i not in self.round)
        self.long, self.wide = {}, {}
        for i in letters:
            broad = (column if i in self.trunk else size[i], 0.5) if vertical else (0.5, size[i])
            thin = (column, 0.34) if vertical else (0.74, 0.32)
            self.wide[i], self.long[i] = (2 * _CIRCLE, 2 * _CIRCLE) if i in self.round else thin if i in self.thin else broad
        self.half = max(self.wide[i] for i in self.trunk) / 2

    def _after(self, i: int) -> float:
        """Where a line may leave the trunk behind an operation."""
        return self.along[i] + self.long[i] / 2 + 0.18 + 0.08 * (i in self.ends)

    def _beside(self, i: int) -> None:
        """Place what is not on the trunk: inputs above it, detours below it, branches that do not return across it."""
        operations, inputs = self.s.operations, self.s.operations[i].inputs
        if not inputs:
            self.along[i], self.across[i] = self.along[self.trunk[0]], self.half + 0.55
        elif any(i in operations[j].inputs for j in self.trunk):  # level with the operation that follows the branching
            self.along[i], self.across[i] = self.along[self.next[inputs[0]]], -self.half - 0.7
            self.detours.add(i)
        else:
            before = max(inputs, key=lambda j: (self.across[j], self.along[j]))
            turn = len(operations[before].inputs) > 2  # after a sum of all branches along again
            self.along[i] = self._after(before) if before in self.trunk else self.along[before] + 0.9 * turn
            self.across[i] = self.across[before] + (0 if turn else (self.wide[before] + self.wide[i]) / 2 + 0.42)

    def _lanes(self) -> dict[int, float]:
        """For each operation whose value skips some of the trunk: how far out its line runs, short ones inside."""
        far = {}
        for k, i in enumerate(self.trunk):
            targets = [j for j in self.trunk[k + 2 :] if i in self.s.operations[j].inputs]
            if targets:
                far[i] = (self._after(i), self.along[targets[-1]])
        lanes: dict[int, float] = {}
        for i in sorted(far, key=lambda i: far[i][1] - far[i][0]):
            beside = [lanes[j] for j in lanes if far[j][0] < far[i][1] and far[i][0] < far[j][1]]
            lanes[i] = max(beside, default=self.half) + _LANE
        return lanes

    def route(self, j: int, i: int) -> tuple[list[Point], bool]:
        """The line from one operation to another, and whether it branches off the trunk."""
        start, leave, end = (self.along[j] + self.long[j] / 2, self.across[j]), self._after(j), (self.along[i], self.across[i])
        if j not in self.trunk:
            if i in self.trunk:  # a second input, or a detour that comes back
                return [start, (end[0], start[1]), end], False
            aside = (self.along[j], self.across[j] + self.wide[j] / 2)
            return ([start, end] if start[1] == end[1] else [aside, *([(aside[0], end[1])] * (aside[0] != end[0])), end]), False
        if i == self.next.get(j):
            return [start, end], False
        if i in self.trunk:
            return [(leave, 0), (leave, self.lanes[j]), (end[0], self.lanes[j]), end], True
        if i in self.detours or end[0] == leave:
            return ([start] if j == self.trunk[-1] else []) + [(leave, 0), *([(leave, end[1])] * (end[0] != leave)), end], True
        lane, above = end[1] - 0.42, end[0] - 0.34  # to a branch, from further up
        return [(leave, 0), (leave, lane), (above, lane), (above, end[1]), end], True


def _paint(drawing: Drawing, layout: _Layout, pen: Pen) -> None:
    s, along, half = drawing.structure, layout.along, layout.half
    shared = [weight for weight, users in s.weights().items() if len(users) > 1 or users[0] in s.body]
    colours = {weight: _SHARED[k % len(_SHARED)] for k, weight in enumerate(shared)}
    for i, o in enumerate(s.operations):
        place, turned = (along[i], layout.across[i]), i in layout.thin and not drawing.vertical
        fill = "0.93" if o.kind == "output" and o.name else _FILL.get(o.kind, "0.93")  # a part's output is not supervised
        if i in layout.round:
            pen.dot(place, "white", _CIRCLE, edgecolor=_INK, linewidth=1.2)
        else:
            pen.box(place, layout.long[i], layout.wide[i], colours.get(o.weight, fill))
        look = {"rotation": 90, "va": "center"} if turned else {}
        pen.text(place, layout.texts[i], fontsize=_FONT if i in layout.round else _FONT - 2 - (i in layout.thin), **look)
        if i in drawing.notes:
            pen.text((place[0], place[1] - layout.wide[i] / 2 - 0.17), drawing.notes[i], "0.35", fontsize=_FONT - 4)
        for j in o.inputs:
            points, leaves = layout.route(j, i)
            skips = (leaves and (i in layout.trunk or i in layout.detours)) or (j not in layout.trunk and i in layout.trunk)
            whole = s.operations[j].kind == "input" and not s.operations[j].name and leaves
            colour = _GLOBAL if whole else _SKIP if skips else _INK
            straight = points[-1][1] == points[-2][1]  # along the trunk
            pen.line(points, colour, (layout.long[i] if straight else layout.wide[i]) / 2)
            if leaves and j != layout.trunk[-1]:
                pen.dot(points[0], colour)
    for j, i in s.back:
        lane, start, end = -half - 0.34, along[j] + layout.long[j] / 2 + 0.18, along[i] - layout.long[i] / 2 - 0.2
        pen.line([(start, 0), (start, lane), (end, lane), (end, 0)], _INK, width=2)
        pen.dot((start, 0), _INK)
        look = {"fontsize": _FONT, "fontweight": "bold", "ha": "right" if drawing.vertical else "center"}
        pen.text(((start + end) / 2, lane - (0.25 if drawing.vertical else 0.32)), f"× {s.times}", **look)
    for frame in drawing.frames:
        inside = [i for i in frame.operations if i in layout.trunk]
        pad, loop = 0.14 + 0.08 * (frame.lanes > 0), any(j in inside for j, _ in s.back)
        start = along[inside[0]] - layout.long[inside[0]] / 2 - max(pad, 0.32 * loop)
        end = along[inside[-1]] + layout.long[inside[-1]] / 2 + max(pad, 0.32 * loop)
        pen.frame((start, -half - max(pad, 0.47 * loop)), (end, half + 0.14 + _LANE * frame.lanes), frame.colour, frame.text)


def figure(*drawings: Drawing, stacked: bool = False) -> Figure:
    """All drawings to one measure and in order: beside one another, or, if `stacked`, below."""
    layouts = [_Layout(drawing) for drawing in drawings]
    axes = _canvas(None, 1, 1)
    corner, extent = np.zeros(2), np.zeros(2)
    for drawing, layout in zip(drawings, layouts, strict=True):
        _paint(drawing, layout, pen := Pen(axes, drawing.vertical))
        size = pen.high - pen.low + [0, 0.55 * bool(drawing.title)]
        pen.shift.translate(*(corner - [pen.low[0], pen.low[1] + size[1]]))
        middle = corner[0] if stacked or len(drawings) == 1 else corner[0] + size[0] / 2
        look = {"ha": "left" if middle == corner[0] else "center", "va": "top", "fontsize": _FONT, "fontweight": "bold"}
        axes.text(middle, corner[1], drawing.title, **look)
        extent = np.maximum(extent, [corner[0] + size[0], size[1] - corner[1]])
        corner = corner + ([0, -size[1] - 0.6] if stacked else [size[0] + 0.9, 0])
    axes.set(xlim=(-0.15, extent[0] + 0.15), ylim=(-extent[1] - 0.15, 0.15))
    axes.figure.set_size_inches((extent + 0.3) * _INCHES)
    return axes.figure


def unit_frames(structure: Structure) -> tuple[Frame, ...]:
    """A frame around each residual unit."""
    return tuple(Frame(unit, UNIT) for unit in structure.units())


def layer_frame(structure: Structure) -> Frame:
    """A frame around all uses of the first convolution that is used more than once: a recursive layer."""
    users = next((users for users in structure.weights().values() if len(users) > 1), None)
    if users is None:
        raise InputError("No convolution of this structure is used more than once: there is no recursive layer to frame.")
    return Frame(tuple(users), LAYER)


def block_frame(structure: Structure, module: str) -> Frame:
    """A frame around a recursive block, given by its path, and around the skips inside it."""
    return Frame(tuple(structure.within(module)), BLOCK, lanes=1)


def prediction_texts(structure: Structure) -> dict[int, str]:
    """The predictions that an ensemble weighs, as y_1, y_2 and so on: numbers of operations to their texts."""
    return {i: f"$y_{t}$" for t, i in enumerate(structure.of_kind("arithmetic"), start=1)}
