"""From a trained network to an image: any picture, any size, exactly.

`super_resolve` takes a picture of any kind and hands back the same kind; `as_method` makes a network a method that a protocol
can score. Both end in `srlib.inference.tiling.run_network`.

Scores are always computed in fp32: half precision costs up to 0.16 dB. `precision="bf16"` is for looking, and `drift` measures
what it costs a checkpoint.
"""

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from torch import nn

from srlib.errors import InputError
from srlib.images import RGB_TO_YCBCR, imresize, to_float
from srlib.inference.onnx import openvino
from srlib.inference.pictures import Picture, open_picture
from srlib.inference.tiling import run_network
from srlib.protocol import PROTOCOLS, SCALES, Method

PRECISIONS = ("fp32", "bf16")
BACKENDS = ("torch", "openvino")
LUMA = RGB_TO_YCBCR[0]
LUMA_TO_RGB = 255 / 219  # what a step of studio-range luma is in each of R, G and B


def super_resolve(
    source: str | Path | Image.Image | np.ndarray | Picture,
    model: nn.Module | None,
    scale: int,
    *,
    tile: int | None = None,
    self_ensemble: bool = False,
    precision: str = "fp32",
    backend: str = "torch",
    progress: bool = False,
) -> Any:
    """Enlarge a picture.

    Parameters
    ----------
    source : path, PIL image, numpy.ndarray or Picture
        Grey, RGB, with or without transparency, palette; 8 or 16 bits, or float in 0..1. See `srlib.inference.pictures`.
    model : torch.nn.Module, optional
        One of `srlib.models`; bicubic if `None`. A luma network enlarges luma, and chroma by bicubic, as the papers do.
    scale : int
        2, 3 or 4.
    tile : int, optional
        Side of a tile in output pixels; chosen for the memory if omitted. The result does not depend on it.
    self_ensemble : bool
        Average over the eight turned and mirrored versions of the picture: eight times the work, usually a little better.
    precision : {'fp32', 'bf16'}
        Of the convolutions; bf16 is faster where the processor has it, and not exact (see `drift`).
    backend : {'torch', 'openvino'}
        What computes; OpenVINO is a little faster and an optional package.
    progress : bool
        Show a bar with the time left.

    Returns
    -------
    numpy.ndarray, PIL image or srlib.inference.pictures.Picture
        What was given: an array for an array, of its dtype; a PIL image for one; for a path a `Picture`, which `save`s itself
        with colour profile and metadata.

    Raises
    ------
    InputError
        If the picture, the scale, the tile or the precision is of no use; the sentence says what is wanted.
    """
    _check_scale(scale)
    picture = source if isinstance(source, Picture) else open_picture(source)
    options = {"tile": tile, "self_ensemble": self_ensemble, "precision": precision, "backend": backend, "progress": progress}
    method = as_method(model, **options) if model is not None else None
    return enlarge(picture, method, scale).as_given()


def enlarge(picture: Picture, method: Method | None, scale: int) -> Picture:
    """Enlarge a picture by a method, or by bicubic if `None`; transparency by bicubic in any case."""
    _check_scale(scale)
    ilr = imresize(picture.pixels, scale)
    sr = ilr if method is None else method(picture.pixels, ilr, scale)
    return picture.with_pixels(sr, None if picture.alpha is None else imresize(picture.alpha, scale))


def _check_scale(scale: int) -> None:
    if scale not in SCALES:
        raise InputError(f"Scale {scale} is not defined by the papers: choose 2, 3 or 4.")


def as_method(
    model: nn.Module,
    *,
    tile: int | None = None,
    self_ensemble: bool = False,
    precision: str = "fp32",
    backend: str = "torch",
    progress: bool = False,
) -> Method:
    """Wrap a network as `method(lr, ilr, scale)` for `Protocol.evaluate`; options as for `super_resolve`.

    Notes
    -----
    In RGB a luma network sees the luma of the images, and chroma stays bicubic, as the papers do: what the network adds to luma
    is added to R, G and B. An RGB network sees a grey image as three equal channels, and their mean is its answer.
    """
    if precision not in PRECISIONS:
        raise InputError(f"Precision {precision!r} is unknown: choose {' or '.join(PRECISIONS)}.")
    if backend not in BACKENDS:
        raise InputError(f"Backend {backend!r} is unknown: choose {' or '.join(BACKENDS)}.")
    forward = openvino(model, precision) if backend == "openvino" else None
    options = {"tile": tile, "self_ensemble": self_ensemble, "precision": precision, "forward": forward, "progress": progress}

    def method(lr: np.ndarray, ilr: np.ndarray, scale: int) -> np.ndarray:
        if scale != getattr(model, "scale", scale):
            raise InputError(f"This network enlarges {model.scale} times, not {scale}: choose the one for ×{scale}.")
        lr, ilr = to_float(lr), to_float(ilr)
        if model.colour == "rgb":
            rgb = lr if lr.ndim == 3 else np.repeat(lr[..., None], 3, axis=2)
            sr = run_network(model, rgb, None, scale, **options)
            return sr if lr.ndim == 3 else sr.mean(axis=2)
        if lr.ndim == 2:
            return run_network(model, lr, ilr, scale, **options)[..., 0]
        luma, lr = (rgb @ LUMA / 255 + 16 / 255 for rgb in (ilr, lr))
        return ilr + LUMA_TO_RGB * (run_network(model, lr, luma, scale, **options) - luma[..., None])

    return method


def drift(model: nn.Module, scale: int, images: list[np.ndarray], precision: str = "bf16") -> float:
    """What a precision does to a checkpoint's score: mean PSNR minus that of fp32, in dB, over `uint8` images."""
    protocol = PROTOCOLS["rgb_floaty" if model.colour == "rgb" else "drrn"]
    scores = [
        [protocol.evaluate(image, scale, as_method(model, precision=p), ("psnr",)).psnr for image in images]
        for p in (precision, "fp32")
    ]
    return float(np.mean(scores[0]) - np.mean(scores[1]))
