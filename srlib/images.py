"""MATLAB's image functions, exactly: reading, luma, resizing, cropping, rounding.

Every published score in this field began as a MATLAB array, so the functions here follow MATLAB to the last bit: `imresize`
(bicubic with antialiasing), `rgb2ycbcr` (BT.601, studio range) and the rounding of `uint8()`. Images are numpy arrays, grey
`(H, W)` or colour `(H, W, 3)`: `uint8` in 0..255, or `float64` in 0..1 unless a docstring says otherwise.
"""

import warnings
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from numbers import Real
from pathlib import Path

import numpy as np
import scipy.sparse
from PIL import Image, ImageOps

from srlib.errors import InputError

# Formats that are read: of 8 bits, or of a depth that PIL shows. It cuts deep JPEG 2000 and AVIF, and runs EPS as a program.
FORMATS = ("PNG", "JPEG", "TIFF", "BMP", "DIB", "GIF", "WEBP", "PPM", "TGA", "PCX", "QOI")
SUFFIXES = (".bmp", ".dib", ".gif", ".jpeg", ".jpg", ".mpo", ".pbm", ".pcx", ".pgm", ".png", ".pnm", ".ppm", ".qoi", ".tga")
SUFFIXES += (".tif", ".tiff", ".webp")
FLOAT_RANGE = -0.3, 1.3  # of an image in 0..1 after bicubic interpolation: beyond it, the range was another
ERROR_TOP = 60  # grey levels at the end of the colour scale of all error maps

# BT.601 studio range. MATLAB scales the coefficients first; the products must be summed in this order to round ties alike.
LUMA = np.array([65.481, 128.553, 24.966]) * (1 / 255)
# The inverse of MATLAB's full RGB -> YCbCr matrix, for putting a super-resolved Y back into a colour image.
RGB_TO_YCBCR = np.array([[65.481, 128.553, 24.966], [-37.797, -74.203, 112.0], [112.0, -93.786, -18.214]])
YCBCR_OFFSET = np.array([16.0, 128.0, 128.0])


def read_image(path: str | Path) -> np.ndarray:
    """The pixels of an 8-bit grey or RGB image file, upright.

    Returns
    -------
    numpy.ndarray
        `uint8`, `(H, W)` for a grey file and `(H, W, 3)` for a colour one, 0..255. An orientation in EXIF is applied. A palette
        becomes RGB, and alpha that hides nothing is dropped: both keep every pixel.

    Raises
    ------
    InputError
        If the file is missing, damaged, or anything else, such as 16-bit, transparent or of several pages: scores are defined
        on 8-bit grey and RGB only, and a silent conversion would change them.
    """
    try:
        with warnings.catch_warnings(action="ignore"), Image.open(path, formats=FORMATS) as image:  # of decoders
            frames = 1 if image.format == "MPO" else getattr(image, "n_frames", 1)  # MPO: previews, or another camera's view
            deep = any(";16" in str(tile[3]) or (tile[0][:3] == "ppm" and tile[3][-1] > 255) for tile in image.tile)
            kind = {"1": "1-bit", "CMYK": "CMYK"}.get(image.mode, f"{image.mode}-mode")
            if frames > 1:
                kind = f"{frames}-page"
            elif image.mode.startswith("I") or deep:
                kind = "16-bit"  # PIL would drop the lower eight bits of 16-bit RGB without a word
            elif image.mode in ("L", "RGB", "P", "LA", "RGBA"):
                image.load()
                kind = ""
                with suppress(Exception):  # a picture is no worse for EXIF that cannot be read
                    ImageOps.exif_transpose(image, in_place=True)
                if image.has_transparency_data:
                    image = image.convert("LA" if image.mode[0] == "L" else "RGBA")
                    kind = "" if image.getextrema()[-1][0] == 255 else "transparent"
            if kind:
                raise InputError(f"{path} is a {kind} image, but 8-bit grey or RGB is wanted: convert it and try again.")
            return np.asarray(image.convert("L" if image.mode[0] == "L" else "RGB"))
    except (InputError, MemoryError):
        raise
    except FileNotFoundError:
        raise InputError(f"{path} does not exist: give the path of an image file.") from None
    except IsADirectoryError:
        raise InputError(f"{path} is a folder: give the path of an image file.") from None
    except Exception as error:  # decoders fail on damaged files in every way there is
        raise InputError(f"{path} cannot be read as an image ({error}): the file may be damaged; replace it.") from None


def check_pixels(image: np.ndarray, name: str, floats: bool = True) -> None:
    """Refuse an array that is no 8-bit image, or where `floats` allows them, no float image in about 0..1.

    Parameters
    ----------
    image : numpy.ndarray
        `(H, W)` or `(H, W, 3)`, `uint8` or any float.
    name : str
        Its name in the message.
    floats : bool
        Whether floats are taken.

    Raises
    ------
    InputError
        For another type, dtype, shape or range, and for NaN and infinity.
    """
    wanted = "a numpy array (H, W) or (H, W, 3) of uint8" + (", or of floats in 0..1," if floats else "")
    if not isinstance(image, np.ndarray) or isinstance(image, np.ma.MaskedArray):
        raise InputError(f"{name} is a {type(image).__name__}, but {wanted} is wanted: convert it first.")
    if image.ndim not in (2, 3) or image.shape[2:] not in ((), (3,)) or not image.size:
        raise InputError(f"{name} is {image.dtype} of shape {image.shape}, but {wanted} is wanted: convert it first.")
    if image.dtype == np.uint8:
        return
    if not floats or image.dtype.kind != "f":
        raise InputError(f"{name} is {image.dtype} of shape {image.shape}, but {wanted} is wanted: convert it first.")
    low, high = float(image.min()), float(image.max())
    if not (np.isfinite(low) and np.isfinite(high)):
        raise InputError(f"{name} holds NaN or infinite pixels: it cannot be scored.")
    if low < FLOAT_RANGE[0] or high > FLOAT_RANGE[1]:
        raise InputError(f"{name} has floats from {low:g} to {high:g}, but 0..1 is wanted: scale it, or give uint8.")


def refuse_other_range(reference: np.ndarray, image: np.ndarray, name: str, luma: bool) -> None:
    """Refuse a one-channel image in another range than the reference: grey of 0..255 for luma of 16..235, or luma for grey.

    Parameters
    ----------
    reference, image : numpy.ndarray
        `(H, W)`: `uint8`, and `uint8` or floats in 0..1. Means over 16 x 16 pixels, or less, are compared: a result keeps them.
    name : str
        The image's name in the message.
    luma : bool
        Whether the reference is luma.

    Raises
    ------
    InputError
        If these means, in level and in contrast, are nearer to those of the reference in the other range.
    """
    image = image if image.dtype == np.uint8 else 255 * image
    side = max(1, min(16, *(n // 4 for n in reference.shape)))
    rows, columns = (n // side for n in reference.shape)
    pair = (z[: side * rows, : side * columns].reshape(rows, side, columns, side) for z in (reference, image))
    x, y = (z.mean(axis=(1, 3)).ravel() for z in pair)
    if x.size < 9 or not (spread := np.var(x)):
        return
    gain, offset = (255 / 219, -16 * 255 / 219) if luma else (219 / 255, 16)
    slope = np.mean((x - x.mean()) * y) / spread
    if abs(slope - gain) < abs(slope - 1) and np.abs(y - gain * x - offset).mean() < np.abs(y - x).mean():
        ranges = ("grey of 0..255", "luma of 16..235") if luma else ("luma of 16..235", "grey of 0..255")
        raise InputError(f"The {name} is {ranges[0]}, but {ranges[1]} is wanted for this original: give it so, or in RGB.")


def round_uint8(x: np.ndarray) -> np.ndarray:
    """MATLAB's `uint8()`: rounded half up and saturated to 0..255 (numpy rounds half to even)."""
    return np.clip(np.floor(x + 0.5), 0, 255).astype(np.uint8)


def to_float(image: np.ndarray) -> np.ndarray:
    """`uint8` in 0..255 as `float64` in 0..1; floats unchanged."""
    return image / 255.0 if image.dtype == np.uint8 else image


def rgb_to_luma(rgb: np.ndarray) -> np.ndarray:
    """Luma: Y of BT.601 studio range, not rounded.

    Parameters
    ----------
    rgb : numpy.ndarray
        `(H, W, 3)`, 0..255, `uint8` or float. A grey `(H, W)` image is taken as luma already and returned as float.

    Returns
    -------
    numpy.ndarray
        `(H, W)`, `float64`, 16..235 for inputs in 0..255.

    Notes
    -----
    `round_uint8(rgb_to_luma(x))` equals MATLAB's `rgb2ycbcr` of a `uint8` image, ties included.
    """
    if rgb.ndim == 2:
        return rgb.astype(np.float64)
    if rgb.shape[2:] != (3,):
        raise InputError(f"The image has shape {rgb.shape}, but (H, W) or (H, W, 3) is wanted: leave alpha out, channels last.")
    red, green, blue = (rgb[..., c].astype(np.float64) for c in range(3))
    return ((red * LUMA[0] + green * LUMA[1]) + blue * LUMA[2]) + 16


def rgb_to_ycbcr(rgb: np.ndarray) -> np.ndarray:
    """RGB in 0..1 to YCbCr in 0..1 (`(H, W, 3)`, BT.601 studio range, not rounded)."""
    return (rgb @ RGB_TO_YCBCR.T + YCBCR_OFFSET) / 255


def ycbcr_to_rgb(ycbcr: np.ndarray) -> np.ndarray:
    """The exact inverse of `rgb_to_ycbcr`; values may leave 0..1 and are not clipped."""
    return (ycbcr * 255 - YCBCR_OFFSET) @ np.linalg.inv(RGB_TO_YCBCR).T


def modcrop(image: np.ndarray, scale: int) -> np.ndarray:
    """Crop height and width to multiples of `scale`, keeping the top left corner."""
    height, width = (n - n % scale for n in image.shape[:2])
    if not (height and width):
        raise InputError(f"An image of {image.shape[1]} x {image.shape[0]} pixels is too small for scale {scale}.")
    return image[:height, :width]


def shave(image: np.ndarray, border: int) -> np.ndarray:
    """Remove `border` pixels on every side."""
    if border < 0 or min(image.shape[:2]) <= 2 * border:
        size = f"An image of {image.shape[1]} x {image.shape[0]} pixels"
        advice = f"use an image of at least {2 * border + 1} pixels a side"
        raise InputError(f"{size} leaves nothing to score after {border} pixels are shaved from every side: {advice}.")
    return image[border : image.shape[0] - border, border : image.shape[1] - border]


def imresize(image: np.ndarray, scale: float, border: str = "symmetric") -> np.ndarray:
    """MATLAB's `imresize(image, scale, 'bicubic')`.

    Parameters
    ----------
    image : numpy.ndarray
        `(H, W)` or `(H, W, C)`. `uint8` gives `uint8`, rounded after each of the two passes as MATLAB does; any float gives
        `float64`, not clipped.
    scale : float
        Output size over input size: 3 enlarges threefold, 1/3 reduces with antialiasing.
    border : {'symmetric', 'replicate'}
        Continuation of the image beyond its edge: `symmetric` in current MATLAB, `replicate` in the older version that made
        SelfExSR's published files.

    Returns
    -------
    numpy.ndarray
        `(ceil(scale H), ceil(scale W))`, with as many channels as the image.

    Notes
    -----
    Keys' kernel with a = -0.5, stretched by 1/scale when reducing. Equal to MATLAB's own files bit for bit (`uint8`) and to
    2e-13 (double); the "bicubic" of torch and OpenCV is another kernel and differs by up to 1 dB.
    """
    if border not in ("symmetric", "replicate"):
        raise InputError(f"border {border!r} is unknown: choose 'symmetric' or 'replicate'.")
    if not isinstance(image, np.ndarray) or image.ndim not in (2, 3) or (image.dtype != np.uint8 and image.dtype.kind != "f"):
        kind = f"{image.dtype} of shape {image.shape}" if isinstance(image, np.ndarray) else f"a {type(image).__name__}"
        raise InputError(f"The image is {kind}, but uint8 or floats of (H, W) or (H, W, C) are wanted: convert it first.")
    if not isinstance(scale, Real) or not 1 / 64 <= scale <= 64 or not image.size:
        raise InputError(
            f"An image of shape {image.shape} and a scale of {scale} are none: give pixels, and a factor of 1/64 to 64."
        )
    rows, columns = (_resize_matrix(n, float(scale), border) for n in image.shape[:2])
    return _resize(image, rows, columns, round_uint8 if image.dtype == np.uint8 else np.asarray)


def imresize_window(
    read: Callable[[tuple[slice, slice]], np.ndarray], size: tuple[int, int], scale: float, window: tuple[slice, slice]
) -> np.ndarray:
    """The pixels of `imresize(image, scale)` inside a window, bit for bit, from those pixels of the image that they depend on.

    Parameters
    ----------
    read : callable
        `read(window)` gives the image, float, inside a window.
    size : (int, int)
        Height and width of the image.
    scale : float
        As for `imresize`.
    window : (slice, slice)
        Rows and columns of the result, each with a start and a stop.
    """
    weights = [_resize_matrix(n, float(scale), "symmetric")[s] for n, s in zip(size, window, strict=True)]
    needed = tuple(slice(w.indices.min(), w.indices.max() + 1) for w in weights)
    return _resize(read(needed), *(w[:, s] for w, s in zip(weights, needed, strict=True)), np.asarray)


def _resize(image: np.ndarray, rows: scipy.sparse.csr_matrix, columns: scipy.sparse.csr_matrix, finish: Callable) -> np.ndarray:
    x = image.astype(np.float64, copy=False).reshape(image.shape[0], -1)
    x = finish(rows @ x)  # (H', W C)
    x = np.swapaxes(x.reshape(rows.shape[0], *image.shape[1:]), 0, 1)  # (W, H', C)
    x = finish(columns @ x.reshape(image.shape[1], -1).astype(np.float64, copy=False))  # (W', H' C)
    x = x.reshape(columns.shape[0], rows.shape[0], *image.shape[2:])
    return np.ascontiguousarray(np.swapaxes(x, 0, 1))


@lru_cache(maxsize=256)
def _resize_matrix(size: int, scale: float, border: str) -> scipy.sparse.csr_matrix:
    """The bicubic weights of one dimension: sparse `(ceil(scale size), size)`."""
    size_out = int(np.ceil(scale * size))
    shrink = min(scale, 1.0)
    width = 4 / shrink
    x = np.arange(1, size_out + 1)
    u = x / scale + 0.5 * (1 - 1 / scale)  # centre of each output pixel in input pixels, counted from 1
    taps = np.floor(u - width / 2)[:, None] + np.arange(int(np.ceil(width)) + 2)
    weights = shrink * _cubic(shrink * (u[:, None] - taps))
    weights /= weights.sum(axis=1, keepdims=True)
    index = taps.astype(int) - 1
    if border == "replicate":
        index = np.clip(index, 0, size - 1)
    else:  # ... 2 1 | 1 2 ... n | n n-1 ...
        index %= 2 * size
        index = np.minimum(index, 2 * size - 1 - index)
    row = np.repeat(np.arange(size_out), taps.shape[1])
    return scipy.sparse.csr_matrix((weights.ravel(), (row, index.ravel())), shape=(size_out, size))


def _cubic(t: np.ndarray) -> np.ndarray:
    """Keys' cubic convolution kernel, a = -0.5."""
    t = np.abs(t)
    inner = (1.5 * t - 2.5) * t * t + 1
    outer = ((-0.5 * t + 2.5) * t - 4) * t + 2
    return np.where(t <= 1, inner, np.where(t <= 2, outer, 0.0))
