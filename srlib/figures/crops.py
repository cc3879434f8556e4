"""Crops like the papers': the output of every method inside a rectangle of a test image, its error, and the image's scores.

A crop is a part of the method's output under a `Protocol`. A network runs on the rectangle and the pixels around it within its
`radius`, so the crop is exact and costs a fraction of the full image. Where the protocol resizes luma alone, chroma is bicubic,
as in the papers. The rectangles are in `srlib.figures.regions`.
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
from pandas.io.formats.style import Styler
from torch import nn

from srlib.figures.regions import Region, find, model_windows
from srlib.figures.style import show, table
from srlib.images import ERROR_TOP, imresize, modcrop, rgb_to_luma, rgb_to_ycbcr, round_uint8, to_float, ycbcr_to_rgb
from srlib.inference.enlarge import as_method
from srlib.models import macs_per_pixel, params
from srlib.protocol import PROTOCOLS, Protocol, Score
from srlib.records.methods import TrainedMethod, find_method

MAX_MULTIPLICATIONS = 1e11  # for a score that no record has: some seconds of a CPU core
FULL_WIDTH, TILE, GAP, TITLE = 220, 190, 10, 56  # widths of full image and crops, space between, height of titles; in dots


@dataclass(frozen=True)
class Scene:
    """A region and the images that a protocol makes of its test image: HR, LR and bicubic interpolation."""

    region: Region
    protocol: Protocol
    file: np.ndarray  # the image as it is on disk, `uint8`

    @cached_property
    def lr(self) -> np.ndarray:
        """The LR image, of the protocol's dtype and range."""
        return self.protocol.degrade(self.file, self.region.scale)

    @cached_property
    def ilr(self) -> np.ndarray:
        """The bicubic interpolation of the LR image."""
        return self.protocol.interpolate(self.lr, self.region.scale)

    @cached_property
    def hr(self) -> np.ndarray:
        """The HR image, cropped to a multiple of the scale: `(H, W, 3)`, `uint8`."""
        return _rgb(modcrop(self.file, self.region.scale))

    @cached_property
    def luma(self) -> np.ndarray:
        """The luma of the HR image under the protocol: `(H, W)`, grey levels."""
        return rgb_to_luma(self.protocol.reference(self.file, self.region.scale))

    @cached_property
    def chroma(self) -> np.ndarray:
        """Cb and Cr of the HR image, reduced and enlarged by bicubic interpolation: `(H, W, 2)`, 0..1."""
        small = imresize(rgb_to_ycbcr(to_float(self.hr))[..., 1:], 1 / self.region.scale, self.protocol.border)
        return imresize(small, self.region.scale, self.protocol.border)


def _rgb(image: np.ndarray) -> np.ndarray:
    """An image `(H, W)` or `(H, W, 3)` as three channels."""
    return image if image.ndim == 3 else np.repeat(image[..., None], 3, axis=2)


def scene(region: Region, protocol: str) -> Scene:
    """The scene of a region, or of its stand-in where the dataset is not at hand, under a protocol of `srlib.protocol`."""
    file, region = find(region)
    return Scene(region, PROTOCOLS[protocol], file)


def cut(scene: Scene, model: nn.Module | None) -> np.ndarray:
    """A network's output inside the rectangle: `(height, width)` luma or `(height, width, 3)` RGB, float in about 0..1.

    Notes
    -----
    Equal to the same rectangle of the full output, to float32's rounding: the pixels cut away lie beyond the network's
    `radius`, and where the rectangle is near the edge of the image, the edge is kept.
    """
    if model is None:
        return to_float(scene.ilr)[scene.region.window]
    lr, ilr, inner = model_windows(scene.region.window, scene.lr.shape[:2], model, scene.region.scale)
    return as_method(model)(scene.lr[lr], scene.ilr[ilr], scene.region.scale)[inner]


def score(scene: Scene, method: TrainedMethod) -> Score | None:
    """PSNR (dB) and SSIM of the full image: from the record, else computed; `None` if that would take too long."""
    region, protocol = scene.region, scene.protocol
    if method.record is not None:
        known = method.record.score_of(region.dataset, region.scale, region.image, protocol.name)
        if known is not None:
            return known
    if method.model is None:
        return protocol.score(scene.file, scene.ilr, region.scale, ("psnr", "ssim"))
    multiplications = macs_per_pixel(lambda: deepcopy(method.model), region.scale) * scene.luma.size
    if multiplications > MAX_MULTIPLICATIONS and next(method.model.parameters()).device.type == "cpu":
        return None
    return protocol.evaluate(scene.file, region.scale, as_method(method.model), ("psnr", "ssim"))


@dataclass(frozen=True)
class Crop:
    """One method's output inside a region: pixels `(height, width, 3)` `uint8`, error of luma in grey levels, scores, size."""

    label: str
    note: str
    pixels: np.ndarray
    error: np.ndarray
    score: Score | None
    params: int | None = None  # the papers' count; `None` for bicubic interpolation


def crop(scene: Scene, method: TrainedMethod) -> Crop:
    """The output of a method inside a region, and its error against the HR image."""
    sr, window = cut(scene, method.model), scene.region.window
    error = np.abs(rgb_to_luma(round_uint8(255 * sr)) - scene.luma[window])
    if sr.ndim == 2 and scene.file.ndim == 3:
        sr = ycbcr_to_rgb(np.dstack([sr, scene.chroma[window]]))
    size = params(method.model) if method.model else None
    return Crop(method.label, method.note, round_uint8(255 * _rgb(sr)), error, score(scene, method), size)


@dataclass(frozen=True)
class View:
    """One figure: a region, the outputs of the methods that were run on it, and the missing methods with the reason."""

    scene: Scene
    crops: tuple[Crop, ...]
    missing: dict[str, str]

    @property
    def narrow(self) -> "View":
        """The view of the region's `inner` rectangle alone, which figures and tables show."""
        region = self.scene.region
        if region.inner is None:
            return self
        top, left, height, width = region.inner
        inside = slice(top, top + height), slice(left, left + width)
        region = replace(region, top=region.top + top, left=region.left + left, height=height, width=width, inner=None)
        crops = tuple(replace(c, pixels=c.pixels[inside], error=c.error[inside]) for c in self.crops)
        return replace(self, scene=replace(self.scene, region=region), crops=crops)


def view(region: Region, methods: dict[str, str], protocol: str, device: str = "cpu") -> View:
    """The outputs of several methods inside a region, or its stand-in where the dataset is not at hand.

    Parameters
    ----------
    region : Region
        `grow_to_square` makes it wide enough for the viewer.
    methods : dict
        Label to experiment, in the order of the figure; see `find_method`.
    protocol : str
        Name of the protocol of `srlib.protocol` that makes the LR image and the scores.
    device : str
        'cpu' or 'cuda'.
    """
    view_scene = scene(region, protocol)
    results = {label: find_method(label, experiment, region.scale, device) for label, experiment in methods.items()}
    missing = {label: reason for label, reason in results.items() if isinstance(reason, str)}
    return View(view_scene, tuple(crop(view_scene, m) for m in results.values() if isinstance(m, TrainedMethod)), missing)


def crop_figure(view: View) -> Figure:
    """The full image with its rectangle, and the crops of all methods at equal size, with the error of luma below each.

    Titles give PSNR (dB) and SSIM of the full image, the best in bold. Every pixel of a crop is a square of dots.
    """
    view = view.narrow
    region, hr, crops = view.scene.region, view.scene.hr, view.crops
    zoom = max(1, TILE // region.width)
    wide, high = zoom * region.width, zoom * region.height
    tiles = [Crop("HR", "the original", hr[region.window], np.empty(0), None), *crops]
    rows = -(-len(tiles) // 4)
    columns = -(-len(tiles) // rows)
    pitch = TITLE + 2 * high + 2 * GAP
    full_height = round(FULL_WIDTH * hr.shape[0] / hr.shape[1])
    size = (FULL_WIDTH + columns * (wide + GAP), max(rows * pitch, TITLE + full_height))
    figure = plt.figure(figsize=np.divide(size, plt.rcParams["figure.dpi"]))

    def place(x: int, y: int, width: int, height: int) -> Axes:
        """Axes, from the top left corner, in dots."""
        return figure.add_axes((x / size[0], 1 - (y + height) / size[1], width / size[0], height / size[1]))

    def image(axes: Axes, pixels: np.ndarray, **options: Any) -> Axes:
        """A picture without frame that fills its axes."""
        axes.imshow(pixels, aspect="auto", **options)
        axes.set_axis_off()
        return axes

    axes = image(place(0, TITLE, FULL_WIDTH, full_height), hr)
    axes.set_title(f"{region.image}\n{region.dataset}, ×{region.scale}", fontsize=10)
    corner = (region.left - 0.5, region.top - 0.5)
    for colour, width in (("white", 3.5), ("red", 1.5)):
        axes.add_patch(Rectangle(corner, region.width, region.height, fill=False, edgecolor=colour, linewidth=width))
    scores = [c.score for c in crops if c.score]
    best = [max(s[k] for s in scores) if len(scores) > 1 else np.inf for k in (0, 1)]
    for k, tile in enumerate(tiles):
        x, y = FULL_WIDTH + GAP + k % columns * (wide + GAP), TITLE + k // columns * pitch
        axes = image(place(x, y, wide, high), tile.pixels, interpolation="nearest")
        titles = [("" if k == 0 else _numbers(tile.score, best), 9), (tile.note, 8), (tile.label, 9.5)]  # lowest line first
        for line, (text, points) in enumerate(title for title in titles if title[0]):
            position = {"xycoords": "axes fraction", "textcoords": "offset points", "ha": "center"}
            axes.annotate(text, (0.5, 1), (0, 3 + 11.5 * line), fontsize=points, **position)
        if k:
            look = {"interpolation": "nearest", "cmap": "magma", "vmin": 0, "vmax": ERROR_TOP}
            errors = image(place(x, y + high + GAP // 2, wide, high), tile.error, **look)
    if crops:
        box = place(FULL_WIDTH + 2 * GAP, TITLE + high + 3 * GAP, wide - 2 * GAP, GAP)
        bar = figure.colorbar(errors.images[0], cax=box, orientation="horizontal", extend="max")
        bar.set_label("error of luma\n(grey levels)", fontsize=9)
        bar.ax.tick_params(labelsize=8)
    return figure


def show_crops(view: View, name: str, source: str) -> None:
    """Show the `crop_figure` of a view under its name in the book; `source` is the figure of the paper, for the caption."""
    caption = (
        f"{source} regenerated. Whole image with our rectangle, and the rectangle as each method makes it, above its error. "
        "Titles: PSNR and SSIM of the whole image."
    )
    alt = (
        "At the left the whole image with a red rectangle; at the right that rectangle enlarged: the original, then one crop "
        "for each method, titled with its name, PSNR and SSIM, each above the map of its error."
    )
    show(crop_figure(view), name, pd.DataFrame(), caption=caption, alt=alt)


def scores_table(views: Iterable[View]) -> pd.DataFrame:
    """PSNR (dB) and SSIM of the full image, NaN where it was not scored, and error inside the rectangle, by image and method.

    The error is the root mean square error of luma, in grey levels.
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


def styled_scores(numbers: pd.DataFrame, protocol: str) -> Styler:
    """A `scores_table` in the book's look."""
    caption = f"Whole image: PSNR (dB) and SSIM under the {protocol} protocol. Rectangle: error of luma (grey levels)"
    formats = {"PSNR": "{:.2f}", "SSIM": "{:.4f}", "error in the rectangle": "{:.1f}"}
    return table(numbers, caption).format(formats, na_rep="–")


def least_errors(numbers: pd.DataFrame) -> str:
    """The method of smallest error in the rectangle for each image of a `scores_table`, beside bicubic; Markdown."""
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
    """PSNR and SSIM for a title, in bold where they are the best."""
    if score is None:
        return "not scored"
    texts = [f"{score.psnr:.2f}", f"{score.ssim:.4f}"]
    best_texts = f"{best[0]:.2f}", f"{best[1]:.4f}"
    psnr, ssim = (f"$\\mathbf{{{text}}}$" if text == top else text for text, top in zip(texts, best_texts, strict=True))
    return f"{psnr} dB / {ssim}"


def describe(view: View) -> str:
    """The text under a figure: place and reason of the rectangle, and the missing methods; Markdown."""
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


def pattern_period(luma: np.ndarray) -> float:
    """The period of a picture's strongest frequency, in pixels; `luma` is `(H, W)`."""
    taper = np.outer(*(np.hanning(side) for side in luma.shape))
    spectrum = np.abs(np.fft.fft2((luma - luma.mean()) * taper, (256, 256)))
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(256), np.fft.fftfreq(256)))
    return 1 / frequency.flat[spectrum.argmax()]


def describe_period(view: View) -> str:
    """The period of the original's pattern inside the rectangle, and whether the LR image can hold it; Markdown."""
    scene = view.narrow.scene
    if scene.region.dataset == "Sample":
        return "Not measured: a photograph stands in."
    period = pattern_period(scene.luma[scene.region.window])
    period_lr = period / scene.region.scale
    comparison = "less than" if period_lr < 2 else "at least"
    return (
        f"In the rectangle of `{scene.region.image}` the period is **{period:.1f} pixels**, "
        f"{period_lr:.1f} of the small image: {comparison} the two that hold a pattern."
    )
