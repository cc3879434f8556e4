"""Running a network on an image of any size: tiles that overlap by the network's own radius, and memory that stays.

A tile sees `radius` pixels more than it gives on every side, and where it meets the edge of the image, the edge; so the tiled
image is the whole one, whatever the tile, in memory that the tile bounds.
"""

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import numpy as np
import torch
from torch import nn
from tqdm import tqdm

from srlib.errors import InputError
from srlib.inference.onnx import Forward
from srlib.models import CONVOLUTIONS, channels, run

MEMORY = 0.45e9  # bytes of activations that a tile may take; the allocator loses about as much again to fragments
LAYERS_ALIVE = 2.5  # inputs and outputs of a layer that are held at once, skips and scratch included: measured
Window = tuple[slice, slice]


@torch.no_grad()  # not inference_mode: the weights are laid out anew and must stay trainable
def run_network(
    model: nn.Module,
    lr: np.ndarray,
    ilr: np.ndarray | None,
    scale: int,
    *,
    tile: int | None = None,
    self_ensemble: bool = False,
    precision: str = "fp32",
    forward: Forward | None = None,
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
    scale, tile, self_ensemble, precision
        As for `super_resolve`.
    forward : callable, optional
        The same network compiled by `srlib.inference.onnx`, to run in its place.
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
    autocast = torch.autocast(device.type, torch.bfloat16) if precision == "bf16" else nullcontext()
    turns = range(8 if self_ensemble else 1)
    total = torch.zeros(1)
    try:
        with autocast:
            for turn in turns:
                turned = [None if x is None else _turn(x, turn) for x in images]
                title = "" if not progress else f"turn {turn + 1} of 8" if self_ensemble else "tiles"
                total = total + _turn_back(_run_tiles(model, *turned, scale, tile, forward, title), turn)
    finally:
        model.train(training)
    return (total / len(turns))[0].permute(1, 2, 0).double().numpy()


def _run_tiles(
    model: nn.Module,
    lr: torch.Tensor,
    ilr: torch.Tensor | None,
    scale: int,
    tile: int | None,
    forward: Forward | None,
    title: str,
) -> torch.Tensor:
    """The network's output for a whole image `(1, C, scale H, scale W)`, on the CPU in fp32; a title shows a bar."""
    first = ilr if model.domain == "ilr" else lr
    zoom = 1 if model.domain == "ilr" else scale  # output pixels per pixel of the network's (first) input
    size = height, width = tuple(first.shape[-2:])
    costs = _activation_bytes(model)
    if tile is None:
        sides = _tile_sides(size, model.radius, MEMORY / (costs[0] if forward is None else sum(costs)))
    else:
        sides = [_evenly(n, _checked(tile, zoom * model.radius) // zoom) for n in size]
    rows = int(MEMORY / 2 / max(1, costs[1]) / sides[1]) or 1  # enlarged at a time
    sr = torch.zeros(1, channels(model), zoom * height, zoom * width)
    corners = [(top, left) for top in range(0, height, sides[0]) for left in range(0, width, sides[1])]
    for top, left in tqdm(corners, desc=title, leave=False, disable=not title or len(corners) == 1):
        core = (slice(top, min(top + sides[0], height)), slice(left, min(left + sides[1], width)))
        seen = _window(core, sides, model.radius, size)
        parts = [None if x is None else x[..., *_zoom(seen, x.shape[-1] // width)] for x in (lr, ilr)]
        if forward is None and hasattr(model, "features"):
            features = model.features(parts[0])
            for strip in _strips(core, rows):  # enlarged features take most of the memory and need little around them
                kept = _window(strip, [strip[0].stop - strip[0].start, sides[1]], model.reconstruct_radius, size)
                out = model.reconstruct(features[..., *_within(kept, seen)])
                sr[..., *_zoom(strip, zoom)] = out[..., *_zoom(_within(strip, kept), zoom)].float().cpu()
            del features, out
            continue
        out = forward(*parts) if forward is not None else run(model, *parts)
        sr[..., *_zoom(core, zoom)] = out[..., *_zoom(_within(core, seen), zoom)].float().cpu()
        del out
    return sr


def _checked(tile: int, overlap: int) -> int:
    if tile < overlap:
        raise InputError(
            f"A tile of {tile} pixels is smaller than the overlap of {overlap} that this network needs on every side: give at "
            f"least {overlap}, or leave the tile out."
        )
    return tile


def _tile_sides(size: tuple[int, int], radius: int, most: float) -> list[int]:
    """Sides of the tiles that see `most` pixels each and together the fewest; no smaller than the overlap."""
    (height, width), best, sides = size, float("inf"), [_evenly(n, radius) for n in size]
    for down in range(1, -(-height // radius) + 1):
        rows = -(-height // down)
        seen = min(rows + 2 * radius, height)
        columns = width if seen * width <= most else _evenly(width, max(int(most / seen) - 2 * radius, radius))
        window = seen * min(columns + 2 * radius, width)
        if window <= most and (total := down * -(-width // columns) * window) < best:
            best, sides = total, [rows, columns]
    return sides


def _evenly(length: int, most: int) -> int:
    """The length of the fewest parts of at most so many pixels, all alike."""
    return -(-length // -(-length // most))


def _activation_bytes(model: nn.Module) -> tuple[float, float]:
    """Memory per pixel of what a network sees, and of enlarging its features where that is done apart; counted on a patch."""
    side, scale, sizes = 8, getattr(model, "scale", 1), []

    def note(conv: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        sizes.append(4 * (inputs[0].numel() + output.numel()) / side**2)

    hooks = [m.register_forward_hook(note) for m in model.modules() if isinstance(m, CONVOLUTIONS)]
    device = next(model.parameters()).device
    lr = torch.zeros(1, channels(model), side, side, device=device)
    if hasattr(model, "features"):
        features = model.features(lr)
        seen, sizes = max(sizes), []
        model.reconstruct(features)
        kept = max(sizes)
    else:
        ilr = torch.zeros(1, 1, scale * side, scale * side, device=device)
        run(model, ilr if model.domain == "ilr" else lr, ilr)
        seen, kept = max(sizes), 0
    for hook in hooks:
        hook.remove()
    return LAYERS_ALIVE * seen, LAYERS_ALIVE * kept


def _window(core: Window, sides: list[int], border: int, size: tuple[int, int]) -> Window:
    """The core and `border` pixels around it, moved into the image: all windows are alike, so that memory is used again."""
    windows = []
    for part, side, n in zip(core, sides, size, strict=True):
        length = min(side + 2 * border, n)
        start = min(max(0, part.start - border), n - length)
        windows.append(slice(start, start + length))
    return windows[0], windows[1]


def _strips(core: Window, rows: int) -> list[Window]:
    """The core in strips of at most so many rows."""
    return [(slice(top, min(top + rows, core[0].stop)), core[1]) for top in range(core[0].start, core[0].stop, rows)]


def _within(window: Window, outer: Window) -> Window:
    rows, columns = (slice(w.start - o.start, w.stop - o.start) for w, o in zip(window, outer, strict=True))
    return rows, columns


def _zoom(window: Window, factor: int) -> Window:
    rows, columns = (slice(factor * w.start, factor * w.stop) for w in window)
    return rows, columns


def to_tensor(image: np.ndarray) -> torch.Tensor:
    """`(H, W)` or `(H, W, C)` to `(1, C, H, W)`, `float32`."""
    image = image[..., None] if image.ndim == 2 else image
    return torch.from_numpy(np.ascontiguousarray(image, np.float32)).permute(2, 0, 1)[None]


def _turn(image: torch.Tensor, turn: int) -> torch.Tensor:
    """One of the eight symmetries of the square."""
    image = image.flip(-1) if turn & 4 else image
    return image.rot90(turn & 3, (-2, -1))


def _turn_back(image: torch.Tensor, turn: int) -> torch.Tensor:
    image = image.rot90(-(turn & 3), (-2, -1))
    return image.flip(-1) if turn & 4 else image


@contextmanager
def steady_memory() -> Iterator[None]:
    """Keep freed memory for the next layer while networks run, and give it back at the end.

    glibc maps every block above 32 MiB anew and unmaps it when it is freed, so each layer of a large image pays for the page
    faults of its output: a third of the time. Elsewhere than under glibc this does nothing. It changes the whole process, and
    glibc's own thresholds do not adapt any more afterwards: so the commands use it, and the library never does by itself.
    """
    libc = ctypes.CDLL(None)
    if not (hasattr(libc, "mallopt") and hasattr(libc, "malloc_trim")):
        yield
        return
    trim_threshold, top_pad, mmap_max = -1, -2, -4  # names of <malloc.h>
    libc.mallopt(mmap_max, 0)
    libc.mallopt(trim_threshold, 2**31 - 1)
    libc.mallopt(top_pad, 16 * 2**20)
    _fill_small_bins(libc)
    try:
        yield
    finally:
        libc.mallopt(mmap_max, 65_536)  # the defaults of the manual
        libc.mallopt(trim_threshold, 128 * 1024)
        libc.mallopt(top_pad, 128 * 1024)
        libc.malloc_trim(0)


def _fill_small_bins(libc: ctypes.CDLL) -> None:
    """Fill the thread's cache of small blocks (seven of each size).

    An aligned block is cut out of a larger one, and the cuttings, some 100 bytes at most, are freed. Those that the cache takes
    up are never joined to the block again when it is freed, which is then too small for the next of its own size.
    """
    libc.malloc.restype, libc.malloc.argtypes, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p]
    blocks = [libc.malloc(size) for size in range(8, 200, 16) for _ in range(7)]
    for block in blocks:
        libc.free(block)
