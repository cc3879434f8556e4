"""What the explorer offers: images of the test sets or of one's own, a region on them, and the networks that have a record."""

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

SHOWN = 320  # width of the small picture, in dots
NAMES = {"bicubic": "Bicubic", "vdsr_official": "VDSR (released)"}  # of what is no experiment of ours
QUEUE = "no record yet: `python -m srlib queue` says how to train one"


def test_sets() -> list[str]:
    """The test sets at hand; the photographs of `Sample` always are."""
    return [name for name, entry in DATASETS.items() if (entry.role[:4] == "test" and is_available(name)) or name == "Sample"]


def image_names(dataset: str) -> list[str]:
    """The images of a set."""
    images = open_images(dataset)
    return [images.name_of(k) for k in range(len(images))]


@lru_cache(2)
def read_chosen(dataset: str, name: str) -> np.ndarray:
    """An image of a set: `uint8`, `(H, W)` or `(H, W, 3)`."""
    return open_images(dataset).read(image_names(dataset).index(name))


@lru_cache(2)
def read_upload(name: str, content: bytes) -> np.ndarray:
    """An uploaded picture.

    Parameters
    ----------
    name : str
        As the file was called.
    content : bytes
        What is in it.

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
    """A JPEG, light enough to be sent again with every move of the region; nothing is compared on it."""
    image = Image.fromarray(np.frombuffer(pixels, np.uint8).reshape(shape))
    image.thumbnail((2 * SHOWN, 4 * SHOWN))
    file = io.BytesIO()
    image.save(file, "JPEG", quality=85)
    return f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode()}"


def small_picture(image: np.ndarray, name: str, size: tuple[int, int], top: int, left: int, side: int) -> str:
    """The image made small, with the region drawn on it; `explorer.js` lets it be dragged.

    Parameters
    ----------
    image : numpy.ndarray
        `uint8`, `(H, W)` or `(H, W, 3)`.
    name : str
        For those who cannot see it.
    size : tuple of int
        Height and width that the region is measured in.
    top, left, side : int
        The region.

    Returns
    -------
    str
        HTML.
    """
    what = f"{name}, with the region {top} pixels from the top and {left} from the left, {side} pixels a side"
    box = f'x="{left}" y="{top}" width="{side}" height="{side}" fill="none" vector-effect="non-scaling-stroke"'
    return f"""\
<div class="srlib-pick" style="position: relative; max-width: {SHOWN}px; touch-action: none; cursor: move">
<img src="{_thumbnail(image.tobytes(), image.shape)}" alt="{escape(what)}" draggable="false"
 style="display: block; width: 100%">
<svg viewBox="0 0 {size[1]} {size[0]}" preserveAspectRatio="none" aria-hidden="true"
 style="position: absolute; inset: 0; width: 100%; height: 100%">
<rect {box} stroke="white" stroke-width="5"/><rect {box} stroke="#c00" stroke-width="2"/></svg></div>"""


def offers(scale: int) -> list[str]:
    """What can run at a scale: bicubic, the released VDSR, and the experiments whose record has weights, in that order."""
    names = dict.fromkeys(r.folder.parts[-2] for r in find_records() if (r.folder / "weights.safetensors").exists())
    records = {name: find_record(name) for name in names}
    released = [] if isinstance(find_method("VDSR", "vdsr_official", scale), str) else ["vdsr_official"]
    trained = [name for name, r in records.items() if scale in r.info.get("recipe", {}).get("scales", ())]
    return ["bicubic", *released, *trained]


def leading(scale: int) -> list[str]:
    """Of each paper the network whose training went furthest, of those that `offers` gives."""
    records = [find_record(name) for name in offers(scale) if name not in NAMES]
    papers = dict.fromkeys(record.folder.parts[-3] for record in records)
    best = [max((r for r in records if r.folder.parts[-3] == paper), key=training_fraction) for paper in papers]
    return [record.folder.parts[-2] for record in best]


def not_offered(scale: int) -> str:
    """The other networks of a scale, and what is to be done about them; HTML."""
    released, offered = find_method("VDSR", "vdsr_official", scale), offers(scale)
    absent = [e.name for e in EXPERIMENTS.values() if scale in e.recipes[0].scales and e.name not in offered]
    notes = [f"VDSR (released): {released}."] if isinstance(released, str) else []
    notes += [f"<details><summary>{len(absent)} more: {QUEUE}</summary>{', '.join(absent)}</details>"] if absent else []
    parts = "".join(f"<div>{note}</div>" for note in notes).split("`")
    return "".join(f"<code>{part}</code>" if k % 2 else part for k, part in enumerate(parts))
