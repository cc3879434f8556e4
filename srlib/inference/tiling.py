"""Running a network on an image of any size: in tiles that overlap by the network's radius, in bounded memory.

The input of a tile is `radius` pixels wider than its output on every side, or ends at the edge of the image. So the result does
not depend on the tile, and the memory does not depend on the image, which is read and returned piece by piece.
"""

import ctypes
import math
import os
from collections.abc import Callable
from contextlib import suppress
from itertools import pairwise, product
from pathlib import Path

import numpy as np
import torch
from torch import nn
from tqdm import tqdm

from srlib.errors import InputError
from srlib.images import RGB_TO_YCBCR
from srlib.models import CONVOLUTIONS

MEMORY = 0.45e9  # bytes of activations that a tile may take; the allocator loses about as much again to fragments
LAYERS_ALIVE = 2.5  # inputs and outputs of a layer in memory at once, skips and scratch included: measured
PIXEL = 120  # bytes that an output pixel takes outside the network, in float64, while it is interpolated
LUMA = RGB_TO_YCBCR[0]
LUMA_TO_RGB = 255 / 219  # change of R, G and B by a unit of studio-range luma
Window = tuple[slice, slice]  # rows, columns
Read = Callable[[Window], np.ndarray]  # gives an image inside a window
Write = Callable[[Window, np.ndarray], None]  # takes one


@torch.no_grad()  # not inference_mode: the weights are laid out anew and must stay trainable
def run_network(
    model: nn.Module,
    lr: Read,
    ilr: Read,
    write: Write,
    size: tuple[int, int],
    scale: int,
    *,
    tile: int | None = None,
    self_ensemble: bool = False,
    progress: bool = False,
) -> None:
    """Run a network on an image, piece by piece.

    Parameters
    ----------
    model : torch.nn.Module
        One of `srlib.models`, on any device.
    lr, ilr : callable
        `read(window)` gives the LR image, or its interpolation, inside a window: float, `(h, w)` or `(h, w, 3)`, 0..1.
    write : callable
        `write(window, piece)` takes the output inside a window: `float64`, with the channels of the image, about 0..1, not
        clipped. Each pixel is written once.
    size : (int, int)
        Height and width of the LR image.
    scale, tile, self_ensemble
        As for `super_resolve`.
    progress : bool
        Show a bar with the time left, if there are several tiles.

    Raises
    ------
    InputError
        If the network is for another scale, or the tile smaller than its radius.

    Notes
    -----
    For RGB images a luma network gets the luma of the images, and chroma stays bicubic, as in the papers: the change of luma is
    added to R, G and B. An RGB network gets a grey image as three equal channels, and the mean of its output is taken.
    """
    if scale != (model.scale or scale):
        raise InputError(f"This network enlarges {model.scale} times, not {scale}: choose the one for ×{scale}.")
    zoom = 1 if model.domain == "ilr" else scale  # output pixels per pixel of the network's (first) input
    if tile is not None and tile < (overlap := max(1, zoom * model.radius)):
        raise InputError(
            f"A tile of {tile} pixels is smaller than the overlap of {overlap} that this network needs on every side: give at "
            f"least {overlap}, or leave the tile out."
        )
    training = model.training
    model = model.eval().to(memory_format=torch.channels_last)
    size = tuple(n * scale // zoom for n in size)  # of the network's (first) input
    sides = [max(radius, int(math.sqrt(MEMORY / cost)) - 2 * radius) for radius, cost in _costs(model)]
    inners = cut((slice(0, size[0]), slice(0, size[1])), sides[0] if tile is None else max(1, tile // zoom))
    run = _run_ensemble if self_ensemble else _run

    def run_tile(inner: Window) -> None:  # a function, so that nothing of a tile is in memory when the next begins
        window, domain = context_window(inner, model.radius, size), model.domain.split("+")
        images = (lr(window) if "lr" in domain else None, ilr(scaled(window, zoom)) if "ilr" in domain else None)
        grey = next(x.ndim for x in images if x is not None) == 2

        def write_part(part: Window, sr: np.ndarray) -> None:
            place, sr = scaled(_moved(part, window), zoom), sr.astype(np.float64)
            if grey:
                sr = sr.mean(axis=2)
            elif model.colour == "luma":
                bicubic = ilr(place) if images[1] is None else images[1][scaled(part, zoom)]
                sr = bicubic + LUMA_TO_RGB * (sr - _channels(bicubic, model)[..., None])
            write(place, sr)

        run(model, *(_channels(x, model) for x in images), within(inner, window), zoom, sides[-1], write_part)

    floor = _resident()
    try:
        for inner in tqdm(inners, desc="tiles", leave=False, disable=not progress or len(inners) == 1):
            run_tile(inner)
            floor = _trim(floor)
    finally:
        model.train(training)


def _channels(image: np.ndarray | None, model: nn.Module) -> np.ndarray | None:
    """The image with the channels of a network: its luma, or a grey image three times."""
    if image is None or image.ndim == (3 if model.colour == "rgb" else 2):
        return image
    return np.repeat(image[..., None], 3, axis=2) if image.ndim == 2 else image @ LUMA / 255 + 16 / 255


def _run(
    model: nn.Module, lr: np.ndarray | None, ilr: np.ndarray | None, inner: Window, zoom: int, side: int, write: Write
) -> None:
    """Run a network on its input and write the output inside a window of it: in parts of at most `side`, if it has two parts.

    Windows are those of the input; what is written is `(h, w, C)`, `float32`.
    """
    device = next(model.parameters()).device
    lr, ilr = (None if x is None else to_tensor(x).to(device) for x in (lr, ilr))
    if model.reconstruct_radius is None:
        write(inner, _to_array(model.predict(lr, ilr)[..., *scaled(inner, zoom)]))
        return
    features = model.features(lr)
    for part in cut(inner, side):  # enlarged features take most of the memory and have a small radius
        window = context_window(part, model.reconstruct_radius, features.shape[-2:])
        inside = scaled(within(part, window), zoom)
        write(part, _to_array(model.reconstruct(features[..., *window])[..., *inside]))


def _run_ensemble(
    model: nn.Module, lr: np.ndarray | None, ilr: np.ndarray | None, inner: Window, zoom: int, side: int, write: Write
) -> None:
    """As `_run`, but the average over the eight symmetries of the square."""
    size = (ilr if lr is None else lr).shape[:2]
    total = np.zeros((*(zoom * (s.stop - s.start) for s in inner), model.channels), np.float32)

    def run_turned(k: int) -> None:
        turned_inner, turned_total = _turned_window(inner, size, k), _turned(total, k)

        def add(part: Window, sr: np.ndarray) -> None:
            turned_total[scaled(within(part, turned_inner), zoom)] += sr  # a view of the total

        _run(model, *(None if x is None else _turned(x, k) for x in (lr, ilr)), turned_inner, zoom, side, add)

    for k in range(8):
        run_turned(k)
    total /= 8
    for part in cut(inner, side):
        write(part, total[scaled(within(part, inner), zoom)])


def cut(area: Window, side: int) -> list[Window]:
    """The tiles of an area, all of about one size and at most `side` pixels a side."""
    cuts = []
    for s in area:
        count = -(-(s.stop - s.start) // side)
        edges = [s.start + (s.stop - s.start) * k // count for k in range(count + 1)]
        cuts.append([slice(*pair) for pair in pairwise(edges)])
    return list(product(*cuts))


def _trim(floor: int) -> int:
    """Give back the memory that the allocator has kept since there were `floor` bytes, if it is much; the memory in use then.

    Only in the process of a command is it much: see `srlib.cli.memory`. What is kept is fragments that no layer of the next
    tile may fit in. It costs page faults, so it is not done after every tile.
    """
    if _resident() - floor < 1.5 * MEMORY or not hasattr(libc := ctypes.CDLL(None), "malloc_trim"):
        return floor
    libc.malloc_trim(0)
    return _resident()


def _resident() -> int:
    """Bytes of memory in use by this process; 0 where the system does not tell."""
    with suppress(OSError):
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return 0


def _costs(model: nn.Module) -> list[tuple[int, float]]:
    """Radius and memory (bytes per input pixel) of the network; of each part of a network in two parts."""
    side, scale, sizes = 8, (model.scale or 1), []
    pixel = PIXEL * (1 if model.domain == "ilr" else scale**2)

    def note(conv: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        sizes.append(LAYERS_ALIVE * 4 * (inputs[0].numel() + output.numel()) / side**2)

    hooks = [m.register_forward_hook(note) for m in model.modules() if isinstance(m, CONVOLUTIONS)]
    lr, ilr = (torch.zeros(1, model.channels, n, n, device=next(model.parameters()).device) for n in (side, scale * side))
    if model.reconstruct_radius is None:
        model.predict(lr, ilr)
        costs = [(model.radius, max(pixel, *sizes))]
    else:
        features = model.features(lr)
        costs = [(model.radius, max(pixel / 5, *sizes))]  # only the sum of an ensemble is as large as the output
        sizes.clear()
        model.reconstruct(features)
        costs.append((model.reconstruct_radius, max(pixel, *sizes)))
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


def _moved(window: Window, outer: Window) -> Window:
    """The rows and columns, in the image, of a window inside an outer one."""
    return tuple(slice(w.start + o.start, w.stop + o.start) for w, o in zip(window, outer, strict=True))


def scaled(window: Window, factor: int) -> Window:
    """The rows and columns of a window in an image enlarged `factor` times."""
    return tuple(slice(factor * w.start, factor * w.stop) for w in window)


def to_tensor(image: np.ndarray) -> torch.Tensor:
    """An image `(H, W)` or `(H, W, C)` as a tensor `(1, C, H, W)`, `float32`."""
    image = image[..., None] if image.ndim == 2 else image
    return torch.from_numpy(np.ascontiguousarray(image, np.float32)).permute(2, 0, 1)[None]


def _to_array(image: torch.Tensor) -> np.ndarray:
    return image[0].permute(1, 2, 0).cpu().numpy()


def _turned(image: np.ndarray, k: int) -> np.ndarray:
    """An image under one of the eight symmetries of the square, numbered 0 to 7: a view."""
    return np.rot90(image[:, ::-1] if k & 4 else image, k & 3)


def _turned_window(window: Window, size: tuple[int, int], k: int) -> Window:
    """Where a window of an image of some size lies when the image is turned."""
    rows, columns = window
    if k & 4:
        columns = slice(size[1] - columns.stop, size[1] - columns.start)
    for _ in range(k & 3):
        rows, columns, size = slice(size[1] - columns.stop, size[1] - columns.start), rows, size[::-1]
    return rows, columns
