"""The choices of the explorer: images of the test sets or uploaded ones, a region on them, and the networks with a record."""

import base64
import io
import tempfile
from functools import lru_cache
from html import escape
from pathlib import Path

import numpy as np
from PIL import Image

from srlib.datasets import DATASETS, is_available, open_images
from srlib.errors import InputError
from srlib.images import round_uint8
from srlib.inference.pictures import open_picture
from srlib.papers import EXPERIMENTS
from srlib.records.methods import find_method
from srlib.records.record import find_record, find_records, training_fraction

PREVIEW_WIDTH = 320  # of the small picture, in dots
NAMES = {"bicubic": "Bicubic", "vdsr_official": "VDSR (released)"}  # labels of the methods that are not experiments of ours
QUEUE = "no record yet: `python -m srlib queue` says how to train one"


def test_sets() -> list[str]:
    """Names of the test sets that are at hand, `Sample` included."""
    return [name for name, entry in DATASETS.items() if (entry.role[:4] == "test" and is_available(name)) or name == "Sample"]


def image_names(dataset: str) -> list[str]:
    """Names of the images of a dataset."""
    images = open_images(dataset)
    return [images.name_of(k) for k in range(len(images))]


@lru_cache(2)
def read_image_of(dataset: str, name: str) -> np.ndarray:
    """An image of a dataset: `uint8`, `(H, W)` or `(H, W, 3)`, 0..255."""
    return open_images(dataset).read(image_names(dataset).index(name))


@lru_cache(2)
def read_upload(name: str, content: bytes) -> np.ndarray:
    """The pixels of an uploaded picture.

    Parameters
    ----------
    name : str
        Name of the file.
    content : bytes
        Content of the file.

    Returns
    -------
    numpy.ndarray
        `uint8`, `(H, W)` or `(H, W, 3)`, upright; deeper pixels are rounded, and transparency is left out.

    Raises
    ------
    InputError
        If it is no picture that `srlib.inference.pictures` reads; the sentence names the file.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"upload{Path(name).suffix}"
        path.write_bytes(content)
        try:
            return round_uint8(255 * open_picture(path).pixels)
        except InputError as error:
            raise InputError(str(error).replace(str(path), name)) from None


@lru_cache(4)
def _thumbnail(pixels: bytes, shape: tuple[int, ...]) -> str:
    """A `data:` address of a small JPEG, light enough to be sent again with every move of the region."""
    image = Image.fromarray(np.frombuffer(pixels, np.uint8).reshape(shape))
    image.thumbnail((2 * PREVIEW_WIDTH, 4 * PREVIEW_WIDTH))
    file = io.BytesIO()
    image.save(file, "JPEG", quality=85)
    return f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode()}"


def small_picture(image: np.ndarray, name: str, size: tuple[int, int], top: int, left: int, side: int) -> str:
    """The preview of an image with the region drawn on it, which `explorer.js` makes draggable; HTML.

    Parameters
    ----------
    image : numpy.ndarray
        `uint8`, `(H, W)` or `(H, W, 3)`.
    name : str
        Name of the image, for the alternative text.
    size : tuple of int
        Height and width of the output, in pixels.
    top, left, side : int
        Corner and side of the region, in pixels of the output.

    Returns
    -------
    str
        HTML.
    """
    alt = f"{name}, with the region {top} pixels from the top and {left} from the left, {side} pixels a side"
    box = f'x="{left}" y="{top}" width="{side}" height="{side}" fill="none" vector-effect="non-scaling-stroke"'
    return f"""\
<div class="srlib-pick" style="position: relative; max-width: {PREVIEW_WIDTH}px; touch-action: none; cursor: move">
<img src="{_thumbnail(image.tobytes(), image.shape)}" alt="{escape(alt)}" draggable="false"
 style="display: block; width: 100%">
<svg viewBox="0 0 {size[1]} {size[0]}" preserveAspectRatio="none" aria-hidden="true"
 style="position: absolute; inset: 0; width: 100%; height: 100%">
<rect {box} stroke="white" stroke-width="5"/><rect {box} stroke="#c00" stroke-width="2"/></svg></div>"""


def available_methods(scale: int) -> list[str]:
    """Names of the methods of a scale: bicubic, the released VDSR, and the experiments whose record has weights."""
    names = dict.fromkeys(r.folder.parts[-2] for r in find_records() if (r.folder / "weights.safetensors").exists())
    records = {name: find_record(name) for name in names}
    released = [] if isinstance(find_method("VDSR", "vdsr_official", scale), str) else ["vdsr_official"]
    trained = [name for name, r in records.items() if scale in r.info.get("recipe", {}).get("scales", ())]
    return ["bicubic", *released, *trained]


def most_trained(scale: int) -> list[str]:
    """Names of the networks of `available_methods` with the largest training fraction, one for each paper."""
    records = [find_record(name) for name in available_methods(scale) if name not in NAMES]
    papers = dict.fromkeys(record.folder.parts[-3] for record in records)
    best = [max((r for r in records if r.folder.parts[-3] == paper), key=training_fraction) for paper in papers]
    return [record.folder.parts[-2] for record in best]


def missing_methods(scale: int) -> str:
    """The networks of a scale that are not in `available_methods`, and how to get them; HTML."""
    released, available = find_method("VDSR", "vdsr_official", scale), available_methods(scale)
    absent = [e.name for e in EXPERIMENTS.values() if scale in e.recipes[0].scales and e.name not in available]
    notes = [f"VDSR (released): {released}."] if isinstance(released, str) else []
    notes += [f"<details><summary>{len(absent)} more: {QUEUE}</summary>{', '.join(absent)}</details>"] if absent else []
    parts = "".join(f"<div>{note}</div>" for note in notes).split("`")
    return "".join(f"<code>{part}</code>" if k % 2 else part for k, part in enumerate(parts))
