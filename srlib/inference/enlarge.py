"""Enlarging pictures by a trained network, of any kind and size.

`super_resolve` takes a picture of any kind and returns the same kind; `as_method` makes a network a method that a protocol can
score. Both call `srlib.inference.tiling.run_network`. All is computed in fp32: half precision costs up to 0.16 dB.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from torch import nn
from tqdm import tqdm

from srlib.errors import InputError
from srlib.images import imresize_window, to_float
from srlib.inference.pictures import Picture, open_picture, to_samples
from srlib.inference.tiling import Window, cut, run_network
from srlib.protocol import Upscaler, check_scale

TILE = 1024  # side of the tiles of bicubic interpolation


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
        If the picture cannot be read, the scale or the tile is out of range, or the network gives NaN.
    """
    picture = source if isinstance(source, Picture) else open_picture(source)
    return enlarge(picture, model, scale, tile=tile, self_ensemble=self_ensemble, progress=progress).as_given()


def enlarge(
    picture: Picture,
    model: nn.Module | None,
    scale: int,
    *,
    tile: int | None = None,
    self_ensemble: bool = False,
    progress: bool = False,
) -> Picture:
    """The picture enlarged by a network, or by bicubic interpolation if `None`; transparency always by bicubic.

    Options and errors are those of `super_resolve`. Beside the two pictures this takes the memory of a tile.
    """
    check_scale(scale)
    height, width, channels = picture.samples.shape
    size, colours = (height, width), slice(0, 3) if channels > 2 else 0
    samples = np.empty((scale * height, scale * width, channels), picture.samples.dtype)

    def lr(window: Window) -> np.ndarray:
        return picture.read(window)[..., colours]

    def ilr(window: Window) -> np.ndarray:
        return imresize_window(lr, size, scale, window)

    def write(window: Window, piece: np.ndarray) -> None:
        if not np.isfinite(piece).all():
            raise InputError(f"{picture.name}: the network gives NaN or infinite pixels: give it other weights.")
        samples[..., colours][window] = to_samples(piece, samples.dtype)

    def write_alpha(window: Window) -> None:
        alpha = imresize_window(lambda part: picture.read(part)[..., -1], size, scale, window)
        samples[..., -1][window] = to_samples(alpha, samples.dtype)

    if model is None:
        _for_each_tile(lambda window: write(window, ilr(window)), samples.shape[:2], tile, progress)
    else:
        options = {"tile": tile, "self_ensemble": self_ensemble, "progress": progress}
        run_network(model, lr, ilr, write, size, scale, **options)
    if channels in (2, 4):
        _for_each_tile(write_alpha, samples.shape[:2])
    return replace(picture, samples=samples)


def as_method(model: nn.Module, *, tile: int | None = None, self_ensemble: bool = False, progress: bool = False) -> Upscaler:
    """A network as `method(lr, ilr, scale)` for `Protocol.evaluate`, clipped to 0..1; options as for `super_resolve`."""
    options = {"tile": tile, "self_ensemble": self_ensemble, "progress": progress}

    def method(lr: np.ndarray, ilr: np.ndarray, scale: int) -> np.ndarray:
        lr, ilr = to_float(lr), to_float(ilr)
        sr = np.empty(ilr.shape)
        run_network(model, lr.__getitem__, ilr.__getitem__, sr.__setitem__, lr.shape[:2], scale, **options)
        return np.clip(sr, 0, 1, out=sr)

    return method


def _for_each_tile(
    do: Callable[[Window], None], size: tuple[int, int], tile: int | None = None, progress: bool = False
) -> None:
    """Interpolate an image of some size tile by tile."""
    if tile is not None and tile < 1:
        raise InputError(f"A tile of {tile} pixels cannot be: give 1 or more, or leave the tile out.")
    tiles = cut((slice(0, size[0]), slice(0, size[1])), tile or TILE)
    for window in tqdm(tiles, desc="tiles", leave=False, disable=not progress or len(tiles) == 1):
        do(window)
