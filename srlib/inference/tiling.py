"""Running a network on an image of any size: in tiles that overlap by the network's radius, in bounded memory.

The input of a tile is `radius` pixels wider than its output on every side, or ends at the edge of the image. So the result does
not depend on the tile, and the memory does not depend on the image.
"""

import math
from itertools import product

import numpy as np
import torch
from torch import nn
from tqdm import tqdm

from srlib.errors import InputError
from srlib.models import CONVOLUTIONS

MEMORY = 0.45e9  # bytes of activations that a tile may take; the allocator loses about as much again to fragments
LAYERS_ALIVE = 2.5  # inputs and outputs of a layer in memory at once, skips and scratch included: measured
Window = tuple[slice, slice]  # rows, columns


@torch.no_grad()  # not inference_mode: the weights are laid out anew and must stay trainable
def run_network(
    model: nn.Module,
    lr: np.ndarray,
    ilr: np.ndarray | None,
    scale: int,
    *,
    tile: int | None = None,
    self_ensemble: bool = False,
    progress: bool = False,
) -> np.ndarray:
    """The output of a network for one image, computed tile by tile.

    Parameters
    ----------
    model : torch.nn.Module
        One of `srlib.models`, on any device.
    lr : numpy.ndarray
        `(H, W)` or `(H, W, 3)`, 0..1.
    ilr : numpy.ndarray, optional
        The interpolated luma `(scale H, scale W)`, 0..1; only for networks whose domain has it.
    scale, tile, self_ensemble
        As for `super_resolve`.
    progress : bool
        Show a bar with the time left, if there are several tiles.

    Returns
    -------
    numpy.ndarray
        `(scale H, scale W, channels)`, `float64`, about 0..1, not clipped.

    Raises
    ------
    InputError
        If the tile is smaller than the network's radius.
    """
    if tile is not None and tile < (overlap := model.radius * (1 if model.domain == "ilr" else scale)):
        raise InputError(
            f"A tile of {tile} pixels is smaller than the overlap of {overlap} that this network needs on every side: give at "
            f"least {overlap}, or leave the tile out."
        )
    device = next(model.parameters()).device
    training = model.training
    model = model.eval().to(memory_format=torch.channels_last)
    images = [None if x is None else to_tensor(x).to(device) for x in (lr, ilr)]
    transforms = range(8 if self_ensemble else 1)
    total = torch.zeros(1)
    try:
        for k in transforms:
            title = "" if not progress else f"transform {k + 1} of 8" if self_ensemble else "tiles"
            transformed = [None if x is None else _transform(x, k) for x in images]
            total = total + _transform_back(_run_tiles(model, *transformed, scale, tile, title), k)
    finally:
        model.train(training)
    return (total / len(transforms))[0].permute(1, 2, 0).double().numpy()


def _run_tiles(
    model: nn.Module, lr: torch.Tensor, ilr: torch.Tensor | None, scale: int, tile: int | None, title: str
) -> torch.Tensor:
    """The output of a network for a full image, `(1, C, scale H, scale W)`, on the CPU; with a title, a bar is shown."""
    zoom = 1 if model.domain == "ilr" else scale  # output pixels per pixel of the network's (first) input
    size = height, width = tuple((ilr if model.domain == "ilr" else lr).shape[-2:])
    sides = [max(radius, int(math.sqrt(MEMORY / cost)) - 2 * radius) for radius, cost in _costs(model)]
    sr = torch.zeros(1, model.channels, zoom * height, zoom * width)
    inners = _cut((slice(0, height), slice(0, width)), sides[0] if tile is None else tile // zoom)
    for inner in tqdm(inners, desc=title, leave=False, disable=not title or len(inners) == 1):
        window = context_window(inner, model.radius, size)
        parts = [None if x is None else x[..., *scaled(window, x.shape[-1] // width)] for x in (lr, ilr)]
        if model.reconstruct_radius is None:
            sr[..., *scaled(inner, zoom)] = model.predict(*parts)[..., *scaled(within(inner, window), zoom)].cpu()
            continue
        features = model.features(parts[0])
        for part in _cut(inner, sides[1]):  # enlarged features take most of the memory and have a small radius
            part_window = context_window(part, model.reconstruct_radius, size)
            out = model.reconstruct(features[..., *within(part_window, window)])
            sr[..., *scaled(part, zoom)] = out[..., *scaled(within(part, part_window), zoom)].cpu()
    return sr


def _cut(area: Window, side: int) -> list[Window]:
    """The tiles of an area, of at most `side` pixels a side."""
    rows, columns = ([slice(k, min(k + side, s.stop)) for k in range(s.start, s.stop, side)] for s in area)
    return list(product(rows, columns))


def _costs(model: nn.Module) -> list[tuple[int, float]]:
    """Radius and memory (bytes per input pixel) of the network; of each part of a network in two parts."""
    side, scale, sizes = 8, (model.scale or 1), []

    def note(conv: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        sizes.append(LAYERS_ALIVE * 4 * (inputs[0].numel() + output.numel()) / side**2)

    hooks = [m.register_forward_hook(note) for m in model.modules() if isinstance(m, CONVOLUTIONS)]
    lr, ilr = (torch.zeros(1, model.channels, n, n, device=next(model.parameters()).device) for n in (side, scale * side))
    if model.reconstruct_radius is None:
        model.predict(lr, ilr)
        costs = [(model.radius, max(sizes))]
    else:
        features = model.features(lr)
        costs = [(model.radius, max(sizes))]
        sizes.clear()
        model.reconstruct(features)
        costs.append((model.reconstruct_radius, max(sizes)))
    for hook in hooks:
        hook.remove()
    return costs


def context_window(inner: Window, radius: int, size: tuple[int, int]) -> Window:
    """The input window that a network needs for its exact output inside a window: wider by the radius, cut at the edges.

    Parameters
    ----------
    inner : (slice, slice)
        Rows and columns of the output window.
    radius : int
        Radius of the network, in pixels of the window: see `srlib.models`.
    size : (int, int)
        Height and width of the image.

    Returns
    -------
    (slice, slice)
        Rows and columns.
    """
    return tuple(slice(max(0, s.start - radius), min(s.stop + radius, n)) for s, n in zip(inner, size, strict=True))


def within(window: Window, outer: Window) -> Window:
    """The rows and columns of a window inside an outer one."""
    return tuple(slice(w.start - o.start, w.stop - o.start) for w, o in zip(window, outer, strict=True))


def scaled(window: Window, factor: int) -> Window:
    """The rows and columns of a window in an image enlarged `factor` times."""
    return tuple(slice(factor * w.start, factor * w.stop) for w in window)


def to_tensor(image: np.ndarray) -> torch.Tensor:
    """An image `(H, W)` or `(H, W, C)` as a tensor `(1, C, H, W)`, `float32`."""
    image = image[..., None] if image.ndim == 2 else image
    return torch.from_numpy(np.ascontiguousarray(image, np.float32)).permute(2, 0, 1)[None]


def _transform(image: torch.Tensor, k: int) -> torch.Tensor:
    """An image under one of the eight symmetries of the square, numbered 0 to 7."""
    image = image.flip(-1) if k & 4 else image
    return image.rot90(k & 3, (-2, -1))


def _transform_back(image: torch.Tensor, k: int) -> torch.Tensor:
    image = image.rot90(-(k & 3), (-2, -1))
    return image.flip(-1) if k & 4 else image
