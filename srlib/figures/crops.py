"""Crops like the papers': a rectangle of a test image as every method makes it, its error, and the whole image's scores.

A crop is the method's output under a `Protocol`, cut out: the low-resolution image is the scored one, and a network sees the
rectangle and as much around it as its `radius`, so the cut is exact and costs a fraction of the whole. Where the protocol
resizes luma alone, chroma is bicubic, as in the papers. The rectangles are in `srlib.figures.regions`.
"""

from collections.abc import Iterable
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import nn

from srlib.figures.regions import Region, context_window, find
from srlib.images import ERROR_TOP, imresize, modcrop, rgb_to_luma, rgb_to_ycbcr, round_uint8, to_float, ycbcr_to_rgb
from srlib.inference.enlarge import as_method
from srlib.models import macs_per_pixel, params
from srlib.protocol import PROTOCOLS, Protocol, Score
from srlib.records.methods import TrainedMethod, find_method

MOST_WORK = 1e11  # multiplications that a missing score may cost: some seconds of a CPU core
WHOLE, TILE, GAP, TITLE = 220, 190, 10, 56  # widths of image and crops, space between, height of titles; in dots


@dataclass(frozen=True)
class Scene:
    """A region as a protocol sees it: the image of that scale, made small, and enlarged by bicubic."""

    region: Region
    protocol: Protocol
    file: np.ndarray  # the image as it is on disk, `uint8`

    @cached_property
    def lr(self) -> np.ndarray:
        """The LR image, as the protocol makes it."""
        return self.protocol.degrade(self.file, self.region.scale)

    @cached_property
    def ilr(self) -> np.ndarray:
        """Its bicubic interpolation."""
        return self.protocol.interpolate(self.lr, self.region.scale)

    @cached_property
    def hr(self) -> np.ndarray:
        """What is to be restored: `(H, W, 3)`, `uint8`, a multiple of the scale."""
        hr = modcrop(self.file, self.region.scale)
        return hr if hr.ndim == 3 else np.repeat(hr[..., None], 3, axis=2)

    @cached_property
    def luma(self) -> np.ndarray:
        """The luma that an output is compared with: `(H, W)`, grey levels."""
        return rgb_to_luma(self.protocol.reference(self.file, self.region.scale))

    @cached_property
    def chroma(self) -> np.ndarray:
        """Cb and Cr made small and enlarged by bicubic: `(H, W, 2)`, 0..1."""
        small = imresize(rgb_to_ycbcr(to_float(self.hr))[..., 1:], 1 / self.region.scale, self.protocol.border)
        return imresize(small, self.region.scale, self.protocol.border)


def scene(region: Region, protocol: str) -> Scene:
    """A region, or its stand-in, under a protocol of `srlib.protocol`."""
    file, region = find(region)
    return Scene(region, PROTOCOLS[protocol], file)


def cut(scene: Scene, model: nn.Module | None) -> np.ndarray:
    """A network's output inside the rectangle: `(height, width)` luma or `(height, width, 3)` RGB, float in about 0..1.

    Notes
    -----
    Equal to the same rectangle of the whole output, to float32's rounding: what is cut away lies beyond the network's `radius`,
    and where the rectangle is near the edge of the image, the edge is kept.
    """
    if model is None:
        return to_float(scene.ilr)[scene.region.window]
    lr, ilr, inner = context_window(scene.region.window, scene.lr.shape[:2], model, scene.region.scale)
    return as_method(model)(scene.lr[lr], scene.ilr[ilr], scene.region.scale)[inner]


def score(scene: Scene, method: TrainedMethod) -> Score | None:
    """The whole image's PSNR and SSIM: from the record, else computed; `None` if that would take too long."""
    region, protocol = scene.region, scene.protocol
    if method.record is not None:
        s = method.record.scores
        s = s[(s.dataset == region.dataset) & (s.scale == region.scale) & (s.image == region.image)]
        s = s[s.protocol == protocol.name].dropna(subset=["psnr", "ssim"])
        if len(s):
            return Score(s.psnr.iloc[0], s.ssim.iloc[0], s.ifc.iloc[0])
    if method.model is None:
        return protocol.score(scene.file, scene.ilr, region.scale, ("psnr", "ssim"))
    work = macs_per_pixel(lambda: deepcopy(method.model), region.scale) * scene.luma.size
    if work > MOST_WORK and next(method.model.parameters()).device.type == "cpu":
        return None
    return protocol.evaluate(scene.file, region.scale, as_method(method.model), ("psnr", "ssim"))


@dataclass(frozen=True)
class Crop:
    """What a method makes of a region: pixels `(height, width, 3)` `uint8`, error of luma in grey levels, scores, size."""

    label: str
    note: str
    pixels: np.ndarray
    error: np.ndarray
    score: Score | None
    params: int | None = None  # the papers' count; `None` for what is no network


def crop(scene: Scene, method: TrainedMethod) -> Crop:
    """Run a method on a region and compare it with the original."""
    sr, window = cut(scene, method.model), scene.region.window
    luma = rgb_to_luma(round_uint8(255 * sr))
    if sr.ndim == 2 and scene.file.ndim == 3:
        sr = ycbcr_to_rgb(np.dstack([sr, scene.chroma[window]]))
    pixels = round_uint8(255 * (sr if sr.ndim == 3 else np.repeat(sr[..., None], 3, axis=2)))
    error, size = np.abs(luma - scene.luma[window]), params(method.model) if method.model else None
    return Crop(method.label, method.note, pixels, error, score(scene, method), size)


@dataclass(frozen=True)
class View:
    """One figure: a region, the methods that were run on it, and those that were not, with the reason."""

    scene: Scene
    crops: tuple[Crop, ...]
    missing: dict[str, str]

    @property
    def narrow(self) -> "View":
        """The same of the region's `inner` alone, which is what figures and tables show of a wider cut."""
        region = self.scene.region
        if region.inner is None:
            return self
        top, left, height, width = region.inner
        inside = slice(top, top + height), slice(left, left + width)
        region = replace(region, top=region.top + top, left=region.left + left, height=height, width=width, inner=None)
        crops = tuple(replace(c, pixels=c.pixels[inside], error=c.error[inside]) for c in self.crops)
        return replace(self, scene=replace(self.scene, region=region), crops=crops)


def view(region: Region, methods: dict[str, str], protocol: str, device: str = "cpu") -> View:
    """Run every method on a region.

    Parameters
    ----------
    region : Region
        Its stand-in is taken where the dataset is not at hand. `around` makes it wide enough for the viewer.
    methods : dict
        Label to experiment, in the order of the figure; see `find_method`.
    protocol : str
        How the image is made small and scored, for all methods alike.
    device : str
        'cpu' or 'cuda'.
    """
    place = scene(region, protocol)
    found = {label: find_method(label, experiment, region.scale, device) for label, experiment in methods.items()}
    missing = {label: method for label, method in found.items() if isinstance(method, str)}
    return View(place, tuple(crop(place, m) for m in found.values() if isinstance(m, TrainedMethod)), missing)


def crop_figure(view: View) -> Figure:
    """The whole image with its rectangle, and the crops at equal size, each pixel a square of dots; below each its error.

    Titles give PSNR (dB) and SSIM of the whole image, the best in bold.
    """
    view = view.narrow
    region, hr, crops = view.scene.region, view.scene.hr, view.crops
    zoom = max(1, TILE // region.width)
    wide, high = zoom * region.width, zoom * region.height
    tiles = [Crop("HR", "the original", hr[region.window], np.empty(0), None), *crops]
    rows = -(-len(tiles) // 4)
    columns = -(-len(tiles) // rows)
    pitch = TITLE + 2 * high + 2 * GAP
    whole = round(WHOLE * hr.shape[0] / hr.shape[1])
    size = (WHOLE + columns * (wide + GAP), max(rows * pitch, TITLE + whole))
    figure = plt.figure(figsize=np.divide(size, plt.rcParams["figure.dpi"]))

    def image(x: int, y: int, width: int, height: int, pixels: np.ndarray, **options: Any) -> Axes:
        """Axes without frame, from the top left corner, in dots."""
        box = x / size[0], 1 - (y + height) / size[1], width / size[0], height / size[1]
        axes = figure.add_axes(box)
        axes.imshow(pixels, aspect="auto", **options)
        axes.set_axis_off()
        return axes

    axes = image(0, TITLE, WHOLE, whole, hr)
    axes.set_title(f"{region.image}\n{region.dataset}, ×{region.scale}", fontsize=10)
    corner = (region.left - 0.5, region.top - 0.5)
    for colour, width in (("white", 3.5), ("red", 1.5)):
        axes.add_patch(Rectangle(corner, region.width, region.height, fill=False, edgecolor=colour, linewidth=width))
    scores = [c.score for c in crops if c.score]
    best = [max(s[k] for s in scores) if len(scores) > 1 else np.inf for k in (0, 1)]
    for k, tile in enumerate(tiles):
        x, y = WHOLE + GAP + k % columns * (wide + GAP), TITLE + k // columns * pitch
        axes = image(x, y, wide, high, tile.pixels, interpolation="nearest")
        text = [("" if k == 0 else _numbers(tile.score, best), 9), (tile.note, 8), (tile.label, 9.5)]  # from the lowest line
        for line, (words, points) in enumerate(entry for entry in text if entry[0]):
            place = {"xycoords": "axes fraction", "textcoords": "offset points", "ha": "center"}
            axes.annotate(words, (0.5, 1), (0, 3 + 11.5 * line), fontsize=points, **place)
        if k:
            errors = image(x, y + high + GAP // 2, wide, high, tile.error, interpolation="nearest", cmap="magma",
                           vmin=0, vmax=ERROR_TOP)  # fmt: skip
    if crops:
        box = (WHOLE + 2 * GAP) / size[0], 1 - (TITLE + high + 4 * GAP) / size[1], (wide - 2 * GAP) / size[0], GAP / size[1]
        bar = figure.colorbar(errors.images[0], cax=figure.add_axes(box), orientation="horizontal", extend="max")
        bar.set_label("error of luma\n(grey levels)", fontsize=9)
        bar.ax.tick_params(labelsize=8)
    return figure


def scores_table(views: Iterable[View]) -> pd.DataFrame:
    """The figures as numbers: a row per image and method, the whole image's scores and the error inside the rectangle.

    Returns
    -------
    pandas.DataFrame
        Columns `image`, `scale`, `method`, `note`, `PSNR` (dB), `SSIM`, and `error in the rectangle`: root of the mean square
        of luma, in grey levels. `NaN` where the image was not scored.
    """
    return pd.DataFrame(
        {
            "image": view.scene.region.image,
            "scale": f"×{view.scene.region.scale}",
            "method": c.label,
            "note": c.note,
            "PSNR": c.score.psnr if c.score else np.nan,
            "SSIM": c.score.ssim if c.score else np.nan,
            "error in the rectangle": float(np.sqrt(np.mean(c.error**2))),
        }
        for view in views
        for c in view.narrow.crops
    )


def least_errors(numbers: pd.DataFrame) -> str:
    """Of a `scores_table`, each image's method of smallest error in the rectangle, beside bicubic's; Markdown."""
    lines = []
    for (image, scale), group in numbers.groupby(["image", "scale"], sort=False):
        error = group["error in the rectangle"]
        least = f"**{group.method[error.idxmin()]}** has the smallest error, {error.min():.1f} grey levels"
        text = f"of the {len(group)} methods at hand {least}; bicubic interpolation has {error.iloc[0]:.1f}."
        if len(group) == 1:
            text = "no network is at hand, so there is nothing to compare bicubic interpolation with."
        lines.append(f"* `{image}` {scale}: {text}")
    return "\n".join(lines)


def _numbers(score: Score | None, best: list[float]) -> str:
    if score is None:
        return "not scored"
    numbers = [f"{value:.{digits}f}" for value, digits in ((score.psnr, 2), (score.ssim, 4))]
    bold = [f"{top:.{digits}f}" == number for top, digits, number in zip(best, (2, 4), numbers, strict=True)]
    psnr, ssim = (f"$\\mathbf{{{number}}}$" if b else number for number, b in zip(numbers, bold, strict=True))
    return f"{psnr} dB / {ssim}"


def describe(view: View) -> str:
    """What stands under a figure: where the rectangle is and why, and which methods are missing; Markdown."""
    region = view.narrow.scene.region
    lines = [f"The rectangle is ours: {region.height} × {region.width} pixels from row {region.top}, column {region.left} of "
             f"`{region.image}` ({region.dataset}). Why there: {region.why}."]  # fmt: skip
    if region.dataset == "Sample":
        lines += ["The paper's image is not at hand (see `SRLIB_DATA`): a photograph stands in; its numbers reproduce nothing."]
    reasons: dict[str, list[str]] = {}
    for label, reason in view.missing.items():
        reasons.setdefault(reason, []).append(label)
    lines += [f"{', '.join(labels)}: {reason}." for reason, labels in reasons.items()]
    if unscored := [c.label for c in view.crops if c.score is None]:
        lines.append(f"Not scored: {', '.join(unscored)}; no record has this image under this protocol.")
    return "\n".join(lines)
