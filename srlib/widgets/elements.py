"""What the page elements of this project share: lossless pictures inside HTML, and the script that makes an element of them.

An element is plain HTML first: captioned pictures, which is what a browser without JavaScript, a printer or an untrusted
notebook shows. A script beside it finds the pictures and adds what is live. In a notebook the script travels with the output;
the book takes it out again and loads one file for all pages, so that a strict content-security policy holds.
"""

import base64
import io
from pathlib import Path

import numpy as np
from PIL import Image

from srlib.errors import InputError


def data_uri(pixels: np.ndarray) -> str:
    """A picture as a `data:` address, lossless.

    Parameters
    ----------
    pixels : numpy.ndarray
        `uint8`, `(H, W)` or `(H, W, 3)`.

    Returns
    -------
    str
        WebP, which is a quarter smaller than PNG and read by every browser since 2020.
    """
    if pixels.dtype != np.uint8 or pixels.ndim not in (2, 3):
        raise InputError(f"8-bit pixels are wanted, grey or RGB, but got {pixels.dtype} of shape {pixels.shape}.")
    file = io.BytesIO()
    # Of a lossless picture these two say only how hard to try: the last tenth of a percent takes fifty times as long.
    Image.fromarray(pixels).save(file, "WEBP", lossless=True, quality=75, method=4)
    return f"data:image/webp;base64,{base64.b64encode(file.getvalue()).decode()}"


def with_script(html: str, name: str) -> str:
    """HTML and, below it, one of the scripts that lie beside this module (`viewer.js`), for use in a notebook."""
    script = (Path(__file__).parent / name).read_text()
    return f'{html}\n<script data-srlib="{name}">\n{script}</script>'
