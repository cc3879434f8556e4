"""`compare`: one element in which outputs for one scene are swiped, zoomed, flicked through and subtracted from the original.

The same call serves JupyterLab, VS Code and the book: captioned lossless pictures as HTML, and `viewer.js`, which makes them
interactive. This module writes all numbers and colours; the script copies pixels only.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from html import escape
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib
import numpy as np
from PIL import Image

from srlib.errors import InputError
from srlib.files import check_output, write_atomically
from srlib.images import ERROR_TOP, check_pixels, modcrop, read_image, rgb_to_luma, round_uint8
from srlib.protocol import Protocol, get_protocol
from srlib.widgets.elements import data_uri, with_script

if TYPE_CHECKING:
    from srlib.figures.crops import View

HR = "HR"  # label of the original among the outputs
MAX_SIDE = 16383  # pixels that WebP can hold
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
        """Write a page that needs no other file and no network, atomically; an `InputError` if it is not called `.html`."""
        if check_output(path).suffix.lower() not in (".html", ".htm"):  # where a link leads, too: it may be a picture
            raise InputError(f"{path} is not the name of a page: give one that ends in .html.")
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
    outputs: "View | Iterable[Output] | Mapping[str, Picture] | str | Path",
    hr: Picture | None = None,
    *,
    scale: int | None = None,
    protocol: str | None = None,
    image: str | None = None,
    name: str = "",
    title: str = "",
    zoom: Zoom | None = None,
    first: str | None = None,
    second: str | None = None,
) -> Comparison:
    """A viewer of outputs for one scene.

    Parameters
    ----------
    outputs : mapping, path, View, or iterable of Output
        Label to picture, or to a folder of finished results; the path of one, whose name is the label; a view of
        `srlib.figures.crops`, from which original, scores, title and rectangle are taken; or outputs. A picture is the path of
        a file or a PIL image, of 8 bits, grey or RGB, turned upright; or an array `(H, W)` or `(H, W, 3)`, `uint8` or floats
        in 0..1, which are rounded to 8 bits.
    hr : picture or path, optional
        The original, or where it is to be found: a folder or the name of a dataset. Without it there is no error map. With
        `scale`, it is cropped to a multiple of the scale if the outputs have another size.
    scale, protocol : int and str, optional
        With both and `hr`, outputs without scores get PSNR (dB) and SSIM under this protocol of `srlib.protocol`.
    image : str, optional
        Which picture of the folders is shown; default the first of `hr` that has a result in each.
    name : str
        Pattern of the results' names, such as `{name}_x{scale}_mine`; default: as tools write them (`srlib.matching.match`).
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
        If there is no output, one is no such picture or has another size, or a label or an image is unknown or there twice.

    Notes
    -----
    Grey and colour are as in `Protocol.score`: of a grey original, three equal channels are grey; of a colour original, a grey
    output is its luma, and then the luma of every picture is shown.
    """
    if scale is not None and not (isinstance(scale, Integral) and scale > 0):
        raise InputError(f"scale is {scale!r}, but a whole number such as 3 is wanted.")
    if hasattr(outputs, "scene"):  # a View, whose module is not imported to compare files
        region, crops = outputs.scene.region, outputs.crops
        hr = outputs.scene.hr[region.window] if hr is None else hr
        title = title or f"{region.image} ({region.dataset}), ×{region.scale}, protocol {outputs.scene.protocol.name}"
        zoom = zoom or region.inner
        outputs = [Output(c.label, c.pixels, *(c.score[:2] if c.score else ()), params=c.params, note=c.note) for c in crops]
    else:
        outputs, hr, image = _find(_labelled(outputs), hr, image, scale, name)
        parts = (image, scale and f"×{scale}", protocol and f"protocol {protocol}")
        title = title or (", ".join(filter(None, parts)) if image else "")
    if not outputs:
        raise InputError("There is nothing to compare: give at least one output.")
    pictures = outputs = [replace(output, pixels=_pixels(output.label, output.pixels)) for output in outputs]
    if hr is not None:
        hr = _pixels(HR, hr)
        if scale and hr.shape[:2] != outputs[0].pixels.shape[:2]:
            hr = modcrop(hr, scale)
        pictures = [Output(HR, hr, note="the original"), *outputs]
    labels, (height, width) = [picture.label for picture in pictures], pictures[0].pixels.shape[:2]
    for picture in pictures:
        if picture.pixels.shape[:2] != (height, width):
            size = f"{picture.pixels.shape[1]} x {picture.pixels.shape[0]}"
            raise InputError(
                f"{picture.label!r} has {size} pixels, but {labels[0]!r} has {width} x {height}: give pictures of one size"
                + (", or the scale, which crops the original." if hr is not None and scale is None else ".")
            )
        if labels.count(picture.label) > 1:
            raise InputError(f"The label {picture.label!r} is there twice: give each output its own.")
    if max(height, width) > MAX_SIDE:
        raise InputError(f"Pictures of {width} x {height} pixels cannot be shown: cut them to {MAX_SIDE} a side or less.")
    first, second = first or outputs[0].label, second or (outputs[-1].label if len(outputs) > 1 else labels[0])
    for label in (first, second):
        if label not in labels:
            raise InputError(f"No output is called {label!r}: choose one of {', '.join(labels)}.")
    if protocol is not None:
        if hr is None or scale is None:
            raise InputError(f"To score under {protocol!r}, hr and scale are wanted, too: give both, or leave protocol out.")
        pictures = [pictures[0], *(_scored(output, hr, scale, get_protocol(protocol)) for output in outputs)]
    return Comparison(_alike(pictures, hr), hr is not None, str(title), _zoom(zoom, (height, width)), first, second)


def _labelled(outputs: Any) -> list[Output]:
    """Outputs whose pixels are pictures of any kind, or folders."""
    if isinstance(outputs, str | Path):
        from srlib.widgets.results import as_folders

        outputs = as_folders(outputs)
    if isinstance(outputs, Mapping):
        return [Output(str(label), picture) for label, picture in outputs.items()]
    listed = list(outputs) if isinstance(outputs, Iterable) and not isinstance(outputs, np.ndarray) else [None]
    if not all(isinstance(output, Output) for output in listed):
        raise InputError(
            f"A {type(outputs).__name__} has no labels: give labels and pictures in a dict, such as {{'mine': 'sr.png'}}."
        )
    return listed


def _find(
    outputs: list[Output], hr: Picture | None, image: str | None, scale: int | None, name: str
) -> tuple[list[Output], Picture | None, str | None]:
    """The outputs with files in place of folders, the original, and the name of the image if folders have told one."""
    places = {output.label: output.pixels for output in outputs if _kind(output.pixels) in ("folder", "nothing")}
    originals = hr if _kind(hr) in ("folder", "nothing") else None
    if outputs and (places or originals is not None):
        from srlib.datasets import DATASETS  # here, so that comparing files loads no more than it needs
        from srlib.widgets.results import find_image

        if str(originals) in DATASETS or "folder" in map(_kind, (*places.values(), originals)):
            files, found, image = find_image(places, originals, image, scale, name)
            outputs = [replace(output, pixels=files.get(output.label, output.pixels)) for output in outputs]
            return outputs, hr if originals is None else found, image
    if image is not None:
        raise InputError(f"image={image!r} names a picture in folders, but there is none here: leave it out, or give one.")
    return outputs, hr, None


def _kind(place: Any) -> str:
    """'file', 'folder', or 'nothing' for a path where there is none; 'picture' for what is no path."""
    if not isinstance(place, str | Path):
        return "picture"
    try:
        return "folder" if Path(place).is_dir() else "file" if Path(place).exists() else "nothing"
    except OSError:  # a name that is too long
        return "nothing"


def _pixels(label: str, picture: Picture) -> np.ndarray:
    """The pixels of a picture, upright, `uint8`, `(H, W)` or `(H, W, 3)`; an `InputError` for any that would lose something."""
    if isinstance(picture, str | Path):
        return read_image(picture)
    if isinstance(picture, Image.Image):
        from srlib.inference.pictures import open_picture

        if picture.mode not in ("L", "RGB", "P", "LA", "RGBA"):
            raise InputError(
                f"{label!r} is a PIL image of mode {picture.mode}, but 8-bit grey or RGB is wanted: convert it and try again."
            )
        try:
            opened = open_picture(picture)
        except InputError as error:
            raise InputError(f"{label}: {error}") from None
        if opened.alpha is not None and opened.alpha.min() < 1:
            raise InputError(f"{label!r} is transparent, but 8-bit grey or RGB is wanted: convert it and try again.")
        return round_uint8(255 * opened.pixels)
    check_pixels(picture, repr(label))
    return picture if picture.dtype == np.uint8 else round_uint8(255 * picture.astype(np.float64))


def _scored(output: Output, hr: np.ndarray, scale: int, protocol: Protocol) -> Output:
    """The output with PSNR and SSIM; as it is, if it has them."""
    if output.psnr is not None:
        return output
    try:
        score = protocol.score(hr, output.pixels, scale, ("psnr", "ssim"))
    except InputError as error:
        raise InputError(f"{output.label}: {error}") from None
    return replace(output, psnr=score.psnr, ssim=score.ssim)


def _alike(pictures: list[Output], hr: np.ndarray | None) -> tuple[Output, ...]:
    """The pictures as they are shown side by side, all grey or all RGB, each as `Protocol.score` takes it."""
    if hr is not None and hr.ndim == 2:
        equal = [p.pixels.ndim == 3 and np.ptp(p.pixels, axis=2).max() == 0 for p in pictures]
        pictures = [replace(p, pixels=p.pixels[..., 0]) if e else p for p, e in zip(pictures, equal, strict=True)]
    kinds = {picture.pixels.ndim for picture in pictures}
    if kinds == {2, 3} and hr is not None and hr.ndim == 3:
        pictures = [replace(p, pixels=round_uint8(rgb_to_luma(p.pixels))) for p in pictures]
        return (replace(pictures[0], note="the original's luma"), *pictures[1:])
    if kinds == {2, 3}:
        grey = [p.pixels.ndim == 2 for p in pictures]
        pictures = [replace(p, pixels=np.dstack([p.pixels] * 3)) if g else p for p, g in zip(pictures, grey, strict=True)]
    return tuple(pictures)


def _zoom(zoom: Zoom | None, shape: tuple[int, ...]) -> Zoom:
    """The rectangle, if it lies inside; default a third of the shorter side, 12 to 60 pixels, in the middle."""
    if zoom is None:
        side = min(max(12, min(60, min(shape[:2]) // 3)), *shape[:2])
        return (shape[0] - side) // 2, (shape[1] - side) // 2, side, side
    if isinstance(zoom, Sequence) and len(zoom) == 4 and all(isinstance(n, Integral) for n in zoom):
        top, left, height, width = map(int, zoom)
        if min(top, left) >= 0 and min(height, width) > 0 and top + height <= shape[0] and left + width <= shape[1]:
            return top, left, height, width
    raise InputError(f"zoom {zoom} does not lie in {shape[0]} x {shape[1]} pixels: give top, left, height and width inside.")
