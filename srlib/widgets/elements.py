"""Lossless pictures inside HTML, and the scripts that make interactive page elements of them.

An element is plain HTML first: captioned pictures, as a browser without JavaScript, a printer or an untrusted notebook shows
them. A script beside it finds the pictures and adds the controls. In a notebook the script is part of the output; the book
removes it and loads one file for all pages, so that a strict content-security policy holds.
"""

import base64
import io
from pathlib import Path

import numpy as np
from PIL import Image


def data_uri(pixels: np.ndarray) -> str:
    """The `data:` address of a picture, `uint8`, `(H, W)` or `(H, W, 3)`.

    It is lossless WebP, which is a quarter smaller than PNG and read by every browser since 2020.
    """
    file = io.BytesIO()
    # Quality and method of lossless WebP are effort alone: the last tenth of a percent would take fifty times as long.
    Image.fromarray(pixels).save(file, "WEBP", lossless=True, quality=75, method=4)
    return f"data:image/webp;base64,{base64.b64encode(file.getvalue()).decode()}"


def with_script(html: str, name: str) -> str:
    """HTML followed by one of the scripts beside this module, such as `viewer.js`, for use in a notebook."""
    script = Path(__file__).with_name(name).read_text()
    return f'{html}\n<script data-srlib="{name}">\n{script}</script>'
