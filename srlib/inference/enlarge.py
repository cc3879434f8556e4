"""Enlarging pictures by a trained network, of any kind and size.

`super_resolve` takes a picture of any kind and returns the same kind; `as_method` makes a network a method that a protocol can
score. Both call `srlib.inference.tiling.run_network`. All is computed in fp32: half precision costs up to 0.16 dB.
"""

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from torch import nn

from srlib.errors import InputError
from srlib.images import RGB_TO_YCBCR, imresize, to_float
from srlib.inference.pictures import Picture, open_picture
from srlib.inference.tiling import run_network
from srlib.protocol import Upscaler, check_scale

LUMA = RGB_TO_YCBCR[0]
LUMA_TO_RGB = 255 / 219  # change of R, G and B by a unit of studio-range luma


def super_resolve(
    source: str | Path | Image.Image | np.ndarray | Picture,
    model: nn.Module | None,
    scale: int,
    *,
    tile: int | None = None,
    self_ensemble: bool = False,
    progress: bool = False,
) -> Any:
    """The picture enlarged by a network, or by bicubic interpolation.

    Parameters
    ----------
    source : path, PIL image, numpy.ndarray or Picture
        Grey, RGB, with or without transparency, palette; 8 or 16 bits, or float in 0..1. See `srlib.inference.pictures`.
    model : torch.nn.Module, optional
        One of `srlib.models`; bicubic if `None`. A luma network enlarges luma, and bicubic interpolation chroma, as in the
        papers.
    scale : int
        2, 3 or 4.
    tile : int, optional
        Side of a tile in output pixels; chosen for the memory if omitted. The result does not depend on it.
    self_ensemble : bool
        Average over the eight turned and mirrored versions of the picture: eight times the work, usually a little better.
    progress : bool
        Show a bar with the time left.

    Returns
    -------
    numpy.ndarray, PIL image or srlib.inference.pictures.Picture
        An array of the same dtype for an array, a PIL image for a PIL image, and a `Picture` for a path; its `save` writes it
        with colour profile and metadata.

    Raises
    ------
    InputError
        If the picture cannot be read, or the scale or the tile is out of range.
    """
    picture = source if isinstance(source, Picture) else open_picture(source)
    method = as_method(model, tile=tile, self_ensemble=self_ensemble, progress=progress) if model is not None else None
    return enlarge(picture, method, scale).as_given()


def enlarge(picture: Picture, method: Upscaler | None, scale: int) -> Picture:
    """The picture enlarged by a method, or by bicubic interpolation if `None`; transparency always by bicubic."""
    check_scale(scale)
    ilr = imresize(picture.pixels, scale)
    sr = ilr if method is None else method(picture.pixels, ilr, scale)
    return picture.with_pixels(sr, None if picture.alpha is None else imresize(picture.alpha, scale))


def as_method(model: nn.Module, *, tile: int | None = None, self_ensemble: bool = False, progress: bool = False) -> Upscaler:
    """A network as `method(lr, ilr, scale)` for `Protocol.evaluate`; options as for `super_resolve`.

    Notes
    -----
    For RGB images a luma network gets the luma of the images, and chroma stays bicubic, as in the papers: the change of luma is
    added to R, G and B. An RGB network gets a grey image as three equal channels, and the mean of its output is taken.
    """
    options = {"tile": tile, "self_ensemble": self_ensemble, "progress": progress}

    def method(lr: np.ndarray, ilr: np.ndarray, scale: int) -> np.ndarray:
        if scale != (model.scale or scale):
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
