"""Running a network on an image of any size: tiles that overlap by the network's own radius, and memory that stays.

A tile sees `radius` pixels more than it gives on every side, and where it meets the edge of the image, the edge; so the tiled
image is the whole one, whatever the tile, in memory that the tile bounds.
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
LAYERS_ALIVE = 2.5  # inputs and outputs of a layer that are held at once, skips and scratch included: measured
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
    """Run a network on one image, tile by tile.

    Parameters
    ----------
    model : torch.nn.Module
        One of `srlib.models`, on any device.
    lr : numpy.ndarray
        `(H, W)` or `(H, W, 3)`, 0..1.
    ilr : numpy.ndarray, optional
        The interpolated luma `(scale H, scale W)`, 0..1, for a network that wants it.
    scale, tile, self_ensemble
        As for `super_resolve`.
    progress : bool
        Show a bar with the time left, if there are several tiles.

    Returns
    -------
    numpy.ndarray
        `(scale H, scale W, channels)`, `float64`, about 0..1, not clipped.
    """
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
    """The network's output for a whole image `(1, C, scale H, scale W)`, on the CPU; a title shows a bar."""
    first = ilr if model.domain == "ilr" else lr
    zoom = 1 if model.domain == "ilr" else scale  # output pixels per pixel of the network's (first) input
    size = height, width = tuple(first.shape[-2:])
    sides = [max(radius, int(math.sqrt(MEMORY / cost)) - 2 * radius) for radius, cost in _costs(model)]
    side = sides[0] if tile is None else _checked(tile, zoom * model.radius) // zoom
    sr = torch.zeros(1, model.channels, zoom * height, zoom * width)
    inners = _cut((slice(0, height), slice(0, width)), side)
    for inner in tqdm(inners, desc=title, leave=False, disable=not title or len(inners) == 1):
        window = context_window(inner, model.radius, size)
        parts = [None if x is None else x[..., *scaled(window, x.shape[-1] // width)] for x in (lr, ilr)]
        if not hasattr(model, "features"):
            sr[..., *scaled(inner, zoom)] = model.predict(*parts)[..., *scaled(within(inner, window), zoom)].cpu()
            continue
        features = model.features(parts[0])
        for part in _cut(inner, sides[1]):  # enlarged features take most of the memory and need little around them
            seen = context_window(part, model.reconstruct_radius, size)
            out = model.reconstruct(features[..., *within(seen, window)])
            sr[..., *scaled(part, zoom)] = out[..., *scaled(within(part, seen), zoom)].cpu()
    return sr


def _cut(area: Window, side: int) -> list[Window]:
    """An area in tiles of at most `side` pixels a side."""
    starts = [range(s.start, s.stop, side) for s in area]
    return [
        (slice(top, min(top + side, area[0].stop)), slice(left, min(left + side, area[1].stop)))
        for top, left in product(*starts)
    ]


def _checked(tile: int, overlap: int) -> int:
    if tile < overlap:
        raise InputError(
            f"A tile of {tile} pixels is smaller than the overlap of {overlap} that this network needs on every side: give at "
            f"least {overlap}, or leave the tile out."
        )
    return tile


def _costs(model: nn.Module) -> list[tuple[int, float]]:
    """Radius, and bytes per pixel of the input: of the network, and of enlarging its features where that is done apart."""
    side, scale, sizes = 8, (model.scale or 1), []

    def note(conv: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        sizes.append(LAYERS_ALIVE * 4 * (inputs[0].numel() + output.numel()) / side**2)

    hooks = [m.register_forward_hook(note) for m in model.modules() if isinstance(m, CONVOLUTIONS)]
    device = next(model.parameters()).device
    lr = torch.zeros(1, model.channels, side, side, device=device)
    ilr = torch.zeros(1, 1, scale * side, scale * side, device=device)
    if hasattr(model, "features"):
        features = model.features(lr)
        costs = [(model.radius, max(sizes))]
        sizes.clear()
        model.reconstruct(features)
        costs.append((model.reconstruct_radius, max(sizes)))
    else:
        model.predict(ilr if model.domain == "ilr" else lr, ilr)
        costs = [(model.radius, max(sizes))]
    for hook in hooks:
        hook.remove()
    return costs


def context_window(inner: Window, radius: int, size: tuple[int, int]) -> Window:
    """A window and the pixels around it that a network must see to compute it, as far as the image goes.

    Parameters
    ----------
    inner : (slice, slice)
        Rows and columns that are wanted.
    radius : int
        Of the network: see `srlib.models`.
    size : (int, int)
        Height and width of the image.
    """
    rows, columns = (slice(max(0, s.start - radius), min(s.stop + radius, n)) for s, n in zip(inner, size, strict=True))
    return rows, columns


def within(window: Window, outer: Window) -> Window:
    """A window as it lies in an outer one."""
    rows, columns = (slice(w.start - o.start, w.stop - o.start) for w, o in zip(window, outer, strict=True))
    return rows, columns


def scaled(window: Window, factor: int) -> Window:
    """The same window in an image `factor` times as large."""
    rows, columns = (slice(factor * w.start, factor * w.stop) for w in window)
    return rows, columns


def to_tensor(image: np.ndarray) -> torch.Tensor:
    """`(H, W)` or `(H, W, C)` to `(1, C, H, W)`, `float32`."""
    image = image[..., None] if image.ndim == 2 else image
    return torch.from_numpy(np.ascontiguousarray(image, np.float32)).permute(2, 0, 1)[None]


def _transform(image: torch.Tensor, k: int) -> torch.Tensor:
    """One of the eight symmetries of the square."""
    image = image.flip(-1) if k & 4 else image
    return image.rot90(k & 3, (-2, -1))


def _transform_back(image: torch.Tensor, k: int) -> torch.Tensor:
    image = image.rot90(-(k & 3), (-2, -1))
    return image.flip(-1) if k & 4 else image
