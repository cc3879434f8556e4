"""The pen of `draw_structure`: it draws along and across a line that runs to the right or down, and measures the drawing."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

from srlib.graphs.draw_recurrence import _FONT, _INK, _THIN, _arrow, _shade

_CLEAR = 0.15  # free on every side of a text's point
Point = tuple[float, float]  # (along, across)


class Pen:
    """Draws lines, boxes and circles from an origin on.

    Parameters
    ----------
    axes : matplotlib.axes.Axes or None
        Where; without axes nothing is drawn, and the extent alone is found.
    origin : numpy.ndarray
        The sheet's (x, y) of the point (0, 0).
    vertical : bool
        Whether along is down and across to the right; otherwise along is to the right and across up.

    Attributes
    ----------
    low, high : numpy.ndarray
        The extent of what was drawn, (x, y) from the origin.
    """

    def __init__(self, axes: Axes | None, origin: np.ndarray, vertical: bool) -> None:
        self.axes, self.origin, self.vertical = axes, origin, vertical
        self.low, self.high = np.full(2, np.inf), np.full(2, -np.inf)

    def at(self, along: float, across: float, margin: Point = (0, 0)) -> np.ndarray:
        """The place on the sheet; `margin` is to its sides, in the sheet's own directions."""
        point = np.array([across, -along] if self.vertical else [along, across])
        self.low, self.high = np.minimum(self.low, point - margin), np.maximum(self.high, point + margin)
        return point + self.origin

    def line(self, points: list[Point], colour: object, stop: float = 0, width: float = 1.2) -> None:
        """Straight pieces through points, with an arrow's head that stops short of the last."""
        path = [self.at(*point) for point in points]
        if self.axes is not None:
            if len(path) > 2:
                self.axes.plot(*np.transpose(path[:-1]), color=colour, linewidth=width, zorder=2, solid_joinstyle="round")
            _arrow(self.axes, path[-2:], colour, (0, stop), **(_THIN | {"linewidth": width}))

    def dot(self, point: Point, colour: object, radius: float = 0.05, **look: object) -> None:
        """A filled circle."""
        place = self.at(*point, (radius, radius))
        if self.axes is not None:
            self.axes.add_patch(plt.Circle(place, radius, **({"facecolor": colour, "edgecolor": colour, "zorder": 3} | look)))

    def box(self, point: Point, long: float, wide: float, colour: object) -> None:
        """A rectangle about a point, so long along and so wide across."""
        size = np.array([wide, long] if self.vertical else [long, wide])
        place = self.at(*point, tuple(size / 2))
        if self.axes is not None:
            self.axes.add_patch(plt.Rectangle(place - size / 2, *size, facecolor=colour, edgecolor=_INK, linewidth=1, zorder=3))

    def text(self, point: Point, text: str, colour: object = _INK, **look: object) -> None:
        """Text about a point."""
        place = self.at(*point, (_CLEAR, _CLEAR))
        if self.axes is not None:
            look = {"ha": "center", "va": "center_baseline", "fontsize": _FONT - 2} | look
            self.axes.text(*place, text, color=colour, zorder=4, **look)

    def frame(self, start: Point, end: Point, colour: object, text: str) -> None:
        """A dashed rectangle between two corners, with text above its upper left corner."""
        a, b = self.at(*start), self.at(*end)
        corner, size = np.minimum(a, b), np.abs(b - a)
        self.high[1] += 0.25 * bool(text)
        if self.axes is not None:
            look = {"facecolor": "none", "edgecolor": colour, "linestyle": (0, (4, 2)), "linewidth": 1.5, "zorder": 1}
            self.axes.add_patch(plt.Rectangle(corner, *size, **look))
            look = {"ha": "left", "va": "bottom", "fontsize": _FONT - 3, "color": _shade(colour, -0.2)}
            self.axes.text(corner[0] + 0.04, corner[1] + size[1] + 0.03, text, **look)
