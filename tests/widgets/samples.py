"""Small elements of each kind with their pictures, pages that hold them, and what a browser draws, for tests of widgets."""

import base64
import io
import shutil
from pathlib import Path
from typing import NamedTuple

import numpy as np
import skimage.data
from PIL import Image

from srlib.images import imresize, round_uint8
from srlib.widgets import elements
from srlib.widgets.states import States
from srlib.widgets.viewer import Comparison, Output, compare

HEAD = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Elements</title><link rel="icon" href="data:,">
<meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark">"""
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True, "device_scale_factor": 3}


class Sample(NamedTuple):
    """An element and what is to be seen of it, all pictures `(H, W, 3)`."""

    element: Comparison | States
    pictures: list[np.ndarray]  # in the HTML, in order
    canvases: list[np.ndarray]  # what the small pictures show at first, from the first on
    line: str  # in a terminal


def sample_comparison() -> Sample:
    """Two enlargements of a cat of 144 x 168 pixels."""
    hr = skimage.data.chelsea()[60:204, 90:258]
    pictures = [hr, *(imresize(imresize(hr, 1 / k), k) for k in (2, 4))]
    outputs = [Output("half", pictures[1], 30.0, 0.9, 1234567, "a <note>"), Output("quarter & more", pictures[2], 25.0, 0.95)]
    shown = compare(outputs, hr, title="A cat", zoom=(10, 20, 30, 40))
    line = "Comparison of HR, half, quarter & more: 168 x 144 pixels"
    return Sample(shown, pictures, [picture[10:40, 20:60] for picture in pictures], line)


def sample_states() -> Sample:
    """Three steps of 20 x 24 pixels, with a label that HTML would misread."""
    rng = np.random.default_rng(0)
    hr = rng.integers(16, 236, (20, 24)).astype(np.uint8)
    predictions = tuple(np.clip(hr / 255 + noise * rng.normal(size=hr.shape), 0, 1) for noise in (0.2, 0.1, 0.05))
    energies = tuple(scale * rng.random((20, 24)) for scale in (0.1, 1.0, 10.0))
    bicubic, output = hr / 255 + 0.25 * rng.normal(size=hr.shape), np.mean(predictions, 0)
    shown = States('A "net" <1> & co', energies, predictions, bicubic, output, "the mean of all steps", hr)
    greys = [bicubic]
    for y, e in zip(predictions, energies, strict=True):
        greys += [y, e / np.quantile(e, 0.995)]
    pictures = [np.dstack([round_uint8(255 * x)] * 3) for x in (*greys, output, hr / 255)]
    line = 'A "net" <1> & co: 3 steps, 20 x 24 pixels; PSNR (dB) from bicubic on: '
    return Sample(shown, pictures, [pictures[5], pictures[8]], line)


def write_page(folder: Path, *parts: Comparison | States, script: str = '<script src="{}" defer></script>') -> str:
    """A page of elements with the scripts as files beside it, as in the book; its address."""
    names = ("viewer.js", "states.js")
    for name in names:
        shutil.copy(Path(elements.__file__).with_name(name), folder)
    scripts, body = "".join(script.format(name) for name in names), "".join(part.html for part in parts)
    (folder / "index.html").write_text(f"{HEAD}{scripts}<body><main><h1>Elements</h1>{body}</main>")
    return (folder / "index.html").as_uri()


def opened(file: bytes) -> np.ndarray:
    """The pixels of a picture's file, `(H, W, 3)`."""
    return np.asarray(Image.open(io.BytesIO(file)).convert("RGB"))


def drawn(canvases) -> list[np.ndarray]:
    """The pixels of the canvases that a locator finds."""
    addresses = canvases.evaluate_all("all => all.map((canvas) => canvas.toDataURL())")
    return [opened(base64.b64decode(address.split(",")[1])) for address in addresses]


def seen(page, locator) -> np.ndarray:
    """What the screen shows at a place, which the browser moves to whole pixels."""
    locator.scroll_into_view_if_needed()
    box, screen = locator.bounding_box(), opened(page.screenshot())
    x, y, width, height = (round(box[name]) for name in ("x", "y", "width", "height"))
    return screen[y : y + height, x : x + width]
