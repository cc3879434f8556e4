"""`compare`: one element in which outputs for one scene are swiped, zoomed, flicked through and subtracted from the original.

The same call serves JupyterLab, VS Code and the book: captioned lossless pictures as HTML, and `viewer.js`, which makes them
interactive. This module writes all numbers and colours; the script copies pixels only.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib
import numpy as np
from PIL import Image

from srlib.errors import InputError
from srlib.files import write_atomically
from srlib.images import ERROR_TOP, modcrop, read_image
from srlib.protocol import get_protocol
from srlib.widgets.elements import data_uri, with_script

if TYPE_CHECKING:
    from srlib.figures.crops import View

HR = "HR"  # label of the original among the outputs
ERROR_COLOURS = 61  # colours of the error map's scale, between which the script interpolates
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; font-family: system-ui, sans-serif; }}
body {{ margin: 1rem auto; max-width: 70rem; padding: 0 1rem; }}
figure {{ display: inline-block; margin: 0 1rem 1rem 0; vertical-align: top; }}
</style>
</head>
<body>
<main>
<h1>{title}</h1>
{content}
</main>
</body>
</html>
"""

Picture = np.ndarray | Image.Image | str | Path
Zoom = tuple[int, int, int, int]


@dataclass(frozen=True)
class Output:
    """The picture of one method, `(H, W)` or `(H, W, 3)` `uint8`, and its caption, without the numbers that are `None`."""

    label: str
    pixels: np.ndarray
    psnr: float | None = None
    ssim: float | None = None
    params: int | None = None
    note: str = ""


@dataclass(frozen=True)
class Comparison:
    """Pictures of one scene and the viewer's options; a notebook shows the viewer, a terminal one line."""

    outputs: tuple[Output, ...]  # the original first, where there is one
    has_hr: bool
    title: str
    zoom: Zoom
    first: str
    second: str

    @property
    def html(self) -> str:
        """The HTML element without its script: captioned pictures, as a page without JavaScript shows them."""
        data = {"title": self.title, "zoom": " ".join(map(str, self.zoom)), "first": self.first, "second": self.second}
        data["colour"] = "grey" if self.outputs[0].pixels.ndim == 2 else "rgb"
        if self.has_hr:
            colours = matplotlib.colormaps["magma"](np.linspace(0, 1, ERROR_COLOURS))
            hexes = "".join(matplotlib.colors.to_hex(colour)[1:] for colour in colours)
            data |= {"hr": HR, "error-top": str(ERROR_TOP), "error-colours": hexes}
        attributes = " ".join(f'data-{name}="{escape(value)}"' for name, value in data.items())
        return "\n".join([f"<srlib-compare {attributes}>", *map(self._figure, self.outputs), "</srlib-compare>"])

    def save(self, path: str | Path) -> None:
        """Write a page that needs no other file and no network, atomically."""
        title = self.title or f"{self.first} and {self.second}, compared"
        element = replace(self, title="").html  # the title is the page's heading
        write_atomically(path, PAGE.format(title=escape(title), content=with_script(element, "viewer.js")))

    def _figure(self, output: Output) -> str:
        height, width = output.pixels.shape[:2]
        alt = f"{self.title}: {output.label}" if self.title else output.label
        image = f'<img src="{data_uri(output.pixels)}" width="{width}" height="{height}" alt="{escape(alt)}">'
        caption = f"<figcaption>{self._caption(output)}</figcaption>"
        return f'<figure data-label="{escape(output.label)}">{image}{caption}</figure>'

    def _caption(self, output: Output) -> str:
        """Label, scores (the best in bold if there are several), parameters and note of an output, a line each; HTML."""
        numbers = []
        for metric, digits, unit in (("psnr", 2, " dB"), ("ssim", 4, "")):
            if (value := getattr(output, metric)) is not None:
                others = [getattr(o, metric) for o in self.outputs if getattr(o, metric) is not None]
                text = f"{value:.{digits}f}"
                best = len(others) > 1 and text == f"{max(others):.{digits}f}"
                numbers.append((f"<strong>{text}</strong>" if best else text) + unit)
        params = "" if output.params is None else f"{output.params:,} parameters"
        return "<br>".join(filter(None, [escape(output.label), " / ".join(numbers), params, escape(output.note)]))

    def __repr__(self) -> str:
        height, width = self.outputs[0].pixels.shape[:2]
        return f"Comparison of {', '.join(o.label for o in self.outputs)}: {width} x {height} pixels"

    def _repr_html_(self) -> str:
        return with_script(self.html, "viewer.js")


def compare(
    outputs: "View | Iterable[Output] | Mapping[str, Picture]",
    hr: Picture | None = None,
    *,
    scale: int | None = None,
    protocol: str | None = None,
    title: str = "",
    zoom: Zoom | None = None,
    first: str | None = None,
    second: str | None = None,
) -> Comparison:
    """A viewer of outputs for one scene.

    Parameters
    ----------
    outputs : View, iterable of Output, or mapping
        A view of `srlib.figures.crops`, from which original, scores, title and rectangle are taken; outputs; or label to
        picture: an array `(H, W)` or `(H, W, 3)` `uint8`, a PIL image of mode L or RGB, or the path of a file.
    hr : picture, optional
        The original. Without it there is no error map. With `scale`, it is cropped to a multiple of the scale if the outputs
        have another size.
    scale, protocol : int and str, optional
        With both and `hr`, outputs without scores get PSNR (dB) and SSIM under this protocol of `srlib.protocol`.
    title : str
        Name of the scene: a heading above the pictures.
    zoom : tuple of int, optional
        Top, left, height and width, in pixels, of the rectangle that is magnified at first; default the middle.
    first, second : str, optional
        Labels at the left and the right of the swipe; default the first output and the last. The original is `'HR'`.

    Returns
    -------
    Comparison
        The viewer; `save` writes it as a page.

    Raises
    ------
    InputError
        If there is no output, pictures differ in size or colours or are not 8 bit, or a label is unknown or there twice.
    """
    if hasattr(outputs, "scene"):  # a View, whose module is not imported to compare files
        region, crops = outputs.scene.region, outputs.crops
        hr = outputs.scene.hr[region.window] if hr is None else hr
        title = title or f"{region.image} ({region.dataset}), ×{region.scale}, protocol {outputs.scene.protocol.name}"
        zoom = zoom or region.inner
        outputs = [Output(c.label, c.pixels, *(c.score[:2] if c.score else ()), params=c.params, note=c.note) for c in crops]
    elif isinstance(outputs, Mapping):
        outputs = [Output(str(label), picture) for label, picture in outputs.items()]
    pictures = outputs = [replace(output, pixels=_pixels(output.label, output.pixels)) for output in outputs]
    if not outputs:
        raise InputError("There is nothing to compare: give at least one output.")
    if hr is not None:
        hr = _pixels(HR, hr)
        if scale and hr.shape != outputs[0].pixels.shape:
            hr = modcrop(hr, scale)
        pictures = [Output(HR, hr, note="the original"), *outputs]
    labels, shape = [picture.label for picture in pictures], pictures[0].pixels.shape
    for picture in pictures:
        if picture.pixels.shape != shape:
            sizes = f"{picture.label!r} is {picture.pixels.shape}, but {labels[0]!r} {shape}"
            raise InputError(f"{sizes}: give pictures of one size, all grey or all RGB.")
        if labels.count(picture.label) > 1:
            raise InputError(f"The label {picture.label!r} is there twice: give each output its own.")
    first, second = first or outputs[0].label, second or (outputs[-1].label if len(outputs) > 1 else labels[0])
    for label in (first, second):
        if label not in labels:
            raise InputError(f"No output is called {label!r}: choose one of {', '.join(labels)}.")
    if protocol is not None:
        if hr is None or scale is None:
            raise InputError(f"To score under {protocol!r}, hr and scale are wanted, too: give both, or leave protocol out.")
        rules = get_protocol(protocol)
        for k, output in enumerate(outputs, 1):
            if output.psnr is None:
                score = rules.score(hr, output.pixels, scale, ("psnr", "ssim"))
                pictures[k] = replace(output, psnr=score.psnr, ssim=score.ssim)
    return Comparison(tuple(pictures), hr is not None, title, _zoom(zoom, shape), first, second)


def _pixels(label: str, picture: Picture) -> np.ndarray:
    """The pixels of a picture, `uint8`, `(H, W)` or `(H, W, 3)`; an `InputError` for any other."""
    if isinstance(picture, str | Path):
        return read_image(picture)
    if isinstance(picture, Image.Image) and picture.mode not in ("L", "RGB"):
        raise InputError(f"{label!r} is an image of mode {picture.mode}, but L or RGB is wanted: use .convert('RGB').")
    pixels = np.asarray(picture)
    if pixels.dtype != np.uint8 or not (pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] == 3)) or not pixels.size:
        raise InputError(
            f"{label!r} is {pixels.dtype} of shape {pixels.shape}, but uint8 of (H, W) or (H, W, 3) is wanted: "
            "use srlib.images.round_uint8(255 * x) for floats in 0..1."
        )
    return pixels


def _zoom(zoom: Zoom | None, shape: tuple[int, ...]) -> Zoom:
    """The rectangle, if it lies inside; default a third of the shorter side, 12 to 60 pixels, in the middle."""
    if zoom is None:
        side = min(max(12, min(60, min(shape[:2]) // 3)), *shape[:2])
        return (shape[0] - side) // 2, (shape[1] - side) // 2, side, side
    if len(zoom) == 4:
        top, left, height, width = map(int, zoom)
        if min(top, left) >= 0 and min(height, width) > 0 and top + height <= shape[0] and left + width <= shape[1]:
            return top, left, height, width
    raise InputError(f"zoom {zoom} does not lie in {shape[0]} x {shape[1]} pixels: give top, left, height and width inside.")
