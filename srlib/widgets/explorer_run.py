"""What the explorer does, without its controls: a request is run, and ends as a result, in an error or cancelled.

Every network sees the chosen region and as much around it as its `radius`, so that the region is exact, at a cost that does
not grow with the image. Scores are those of the region.
"""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn

from srlib.errors import InputError
from srlib.figures.crops import Scene
from srlib.figures.regions import Region, Window
from srlib.images import imresize, round_uint8, to_float, ycbcr_to_rgb
from srlib.inference.enlarge import as_method
from srlib.models import CONVOLUTIONS, macs_per_pixel, params
from srlib.protocol import Score, get_protocol
from srlib.records.methods import TrainedMethod, find_method
from srlib.widgets.explorer_choices import NAMES, QUEUE
from srlib.widgets.states import States, has_states, show_states
from srlib.widgets.viewer import Comparison, Output, compare

LEAST, MOST = 48, 384  # sides of a region: enough to be scored; and what every network holds in memory at once
TAPS = 4  # pixels of the small image at a cut that bicubic, down and up again, makes otherwise than in the whole
STATES = 96  # side of the square in the middle of the region whose states are shown


@dataclass(frozen=True, eq=False)
class Request:
    """An image, a region of what comes out, the methods, and how they run."""

    image: np.ndarray  # `(H, W)` or `(H, W, 3)`, `uint8`: the original, or what is to be enlarged if `itself`
    region: Region  # in pixels of the output; the dataset is '' where the image is of none
    methods: tuple[str, ...]  # experiments, as `find_method` takes them
    protocol: str = "drrn"
    self_ensemble: bool = False
    itself: bool = False  # enlarge the image itself: there is no original then, and no score
    states: bool = False
    device: str = "cpu"


@dataclass(frozen=True, eq=False)
class Made:
    """What one method made of the region, and what it took."""

    method: TrainedMethod
    pixels: np.ndarray  # `(side, side, 3)`, `uint8`
    score: Score | None  # of the region
    recorded: Score | None  # of the whole image, from the record
    seconds: float
    megabytes: float | None  # beyond what was in use before; `None` where it cannot be told


@dataclass(frozen=True, eq=False)
class Result:
    """What came out of a request."""

    request: Request
    made: tuple[Made, ...]
    hr: np.ndarray | None  # the region of the original
    missing: dict[str, str]  # method to reason
    states: tuple[States, ...] = ()  # of the middle of the region

    def comparison(self) -> Comparison:
        """The outputs in the viewer."""
        region = self.request.region
        outputs = [
            Output(
                m.method.label,
                m.pixels,
                psnr=m.score.psnr if m.score else None,
                ssim=m.score.ssim if m.score else None,
                params=params(m.method.model) if m.method.model else None,
                note=m.method.note,
            )
            for m in self.made
        ]
        return compare(outputs, self.hr, title=f"{region.image}, ×{region.scale}")

    def table(self) -> pd.DataFrame:
        """A row a method: scores of the region, the record's of the whole image, seconds and megabytes; `NaN` where none."""
        nothing = Score(np.nan, np.nan, np.nan)
        rows = [
            {
                "method": m.method.label,
                "note": m.method.note,
                "PSNR": (m.score or nothing).psnr,
                "SSIM": (m.score or nothing).ssim,
                "PSNR, whole image": (m.recorded or nothing).psnr,
                "SSIM, whole image": (m.recorded or nothing).ssim,
                "seconds": m.seconds,
                "MB": np.nan if m.megabytes is None else m.megabytes,
            }
            for m in self.made
        ]
        return pd.DataFrame(rows).dropna(axis="columns", how="all")

    def notes(self) -> str:
        """What the numbers are of, and what is missing; Markdown."""
        request = self.request
        lines = ["Seconds and MB are what the region took, with what a network must see around it."]
        if request.itself:
            lines.append("The image itself was enlarged: there is no original, and so no score.")
        else:
            lines.append(f"PSNR (dB) and SSIM are of this region, under the `{request.protocol}` protocol.")
        if request.region.dataset and not request.itself:
            lines.append("Those of the whole image are the record's, where it has them.")
        if request.states and not self.states:
            lines.append("No network here is recursive, so there are no states.")
        return "\n".join(lines + [f"{name}: {reason}." for name, reason in self.missing.items()])


def run_request(
    request: Request,
    progress: Callable[[str, float], None] = lambda name, share: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Result:
    """Run every method of a request.

    Parameters
    ----------
    request : Request
        What is wanted.
    progress : callable
        Told the method at work, and the share of the multiplications that are done, 0 to 1; after every layer.
    cancelled : callable
        Asked after every layer whether to stop.

    Raises
    ------
    InputError
        If the region does not lie in the image or is too small or too large, or a name is unknown.
    concurrent.futures.CancelledError
        As soon as `cancelled` says so; nothing is left behind.
    """
    _check(request)
    scale = request.region.scale
    found = {name: find_method(NAMES.get(name, name), name, scale, request.device) for name in request.methods}
    methods = [m for m in found.values() if isinstance(m, TrainedMethod)]
    missing = {name: QUEUE if m == "no record yet" else m for name, m in found.items() if isinstance(m, str)}
    shown = [m for m in methods if request.states and m.model is not None and has_states(m.model)]
    whole = sum(_work(request, m) for m in methods) or 1
    done = 0.0

    def step(name: str, multiplications: float) -> None:
        nonlocal done
        done += multiplications
        progress(name, min(1.0, done / whole))
        if cancelled():
            raise CancelledError

    made = tuple(_make(request, m, step) for m in methods)
    states = tuple(_states(request, m, step) for m in shown)
    hr = None if request.itself else request.image[request.region.window]
    return Result(request, made, hr, missing, states)


def _check(request: Request) -> None:
    region = request.region
    factor = region.scale if request.itself else 1
    get_protocol(request.protocol)
    for name, start, side, size in zip(
        ("high", "wide"), (region.top, region.left), (region.height, region.width), request.image.shape, strict=False
    ):
        size = size * factor // region.scale * region.scale
        if not LEAST <= side <= MOST or side % region.scale:
            raise InputError(f"The region is {side} pixels {name}: {LEAST} to {MOST} are wanted, a multiple of {region.scale}.")
        if start < 0 or start + side > size:
            raise InputError(
                f"The region ends at pixel {start + side}, but the image is {size} pixels {name}: move it or make it smaller."
            )


@dataclass(frozen=True, eq=False)
class _Place:
    """What a network is given: the small image, its interpolation, and where in the latter the region lies."""

    lr: np.ndarray
    ilr: np.ndarray
    inner: Window
    scene: Scene | None


def _place(request: Request, model: nn.Module | None) -> _Place:
    """The part of the image that decides what a network makes of the region."""
    region, scale = request.region, request.region.scale
    step = 1 if request.itself else scale  # pixels of the given image in one of the small image
    radius = 0 if model is None else -(-model.radius // scale) if model.domain == "ilr" else model.radius
    lr = [
        slice(max(0, s.start // scale - radius - TAPS), min(n // step, -(-s.stop // scale) + radius + TAPS))
        for s, n in zip(region.window, request.image.shape, strict=False)
    ]
    part = request.image[tuple(slice(step * s.start, step * s.stop) for s in lr)]
    top, left = (s.start - scale * o.start for s, o in zip(region.window, lr, strict=True))
    inner = replace(region, top=top, left=left)
    if request.itself:
        return _Place(to_float(part), imresize(to_float(part), scale), inner.window, None)
    scene = Scene(inner, get_protocol(request.protocol), part)
    return _Place(scene.lr, scene.ilr, inner.window, scene)


def _work(request: Request, method: TrainedMethod) -> float:
    if method.model is None:
        return 0
    pixels = np.prod(_place(request, method.model).ilr.shape[:2]) * (8 if request.self_ensemble else 1)
    return macs_per_pixel(lambda: deepcopy(method.model).cpu(), request.region.scale) * pixels


def _make(request: Request, method: TrainedMethod, step: Callable[[str, float], None]) -> Made:
    began, place = time.perf_counter(), _place(request, method.model)
    sr, memory = to_float(place.ilr), []
    if method.model is not None:
        if request.device == "cuda":
            torch.cuda.reset_peak_memory_stats()

        def after_layer(multiplications: float) -> None:
            memory.append(_memory(request.device))
            step(method.label, multiplications)

        # One tile: what a region needs fits, and so the work is known beforehand.
        options = {"tile": 10**6, "self_ensemble": request.self_ensemble}
        before = _memory(request.device)
        with _every_layer(method.model, after_layer):
            sr = as_method(method.model, **options)(place.lr, place.ilr, request.region.scale)
    megabytes = max(memory) - before if memory and before is not None else None
    seconds, sr, scene = time.perf_counter() - began, sr[place.inner], place.scene
    score = None
    if scene is not None:
        score = scene.protocol.score(scene.file[place.inner], sr, request.region.scale, ("psnr", "ssim"))
    if scene is not None and sr.ndim == 2 and scene.file.ndim == 3:  # luma was resized: chroma is bicubic, as in the papers
        sr = ycbcr_to_rgb(np.dstack([sr, scene.chroma[place.inner]]))
    pixels = round_uint8(255 * (sr if sr.ndim == 3 else np.repeat(sr[..., None], 3, axis=2)))
    return Made(method, pixels, score, _recorded(request, method), seconds, megabytes)


def _recorded(request: Request, method: TrainedMethod) -> Score | None:
    """The whole image's scores in the record, which are without self-ensemble."""
    if method.record is None or request.itself or (method.model is not None and request.self_ensemble):
        return None
    s, region = method.record.scores, request.region
    s = s[(s.dataset == region.dataset) & (s.image == region.image) & (s.scale == region.scale)]
    s = s[s.protocol == request.protocol].dropna(subset=["psnr", "ssim"])
    return Score(s.psnr.iloc[0], s.ssim.iloc[0], s.ifc.iloc[0]) if len(s) else None


@contextmanager
def _every_layer(model: nn.Module, step: Callable[[float], Any]) -> Iterator[None]:
    """Call `step` with the multiplications of each convolution when it is done."""

    def note(conv: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        places = inputs[0] if isinstance(conv, nn.ConvTranspose2d) else output
        step(places.shape[-2] * places.shape[-1] * conv.weight.numel())

    hooks = [m.register_forward_hook(note) for m in model.modules() if isinstance(m, CONVOLUTIONS)]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _memory(device: str) -> float | None:
    """Megabytes in use: on a GPU the most so far, for tensors; else of this process, `None` without psutil."""
    if device == "cuda":
        return torch.cuda.max_memory_allocated() / 1e6
    try:
        import psutil  # comes with Jupyter
    except ImportError:
        return None
    return psutil.Process().memory_info().rss / 1e6


def _states(request: Request, method: TrainedMethod, step: Callable[[str, float], None]) -> States:
    """The states of a network in the middle of the region."""
    region = request.region
    side = min(STATES, region.height, region.width) // region.scale * region.scale
    top, left = region.top + (region.height - side) // 2, region.left + (region.width - side) // 2
    place = _place(replace(request, region=replace(region, top=top, left=left, height=side, width=side)), method.model)
    hr = None if place.scene is None else place.scene.hr
    with _every_layer(method.model, lambda work: step(f"states of {method.label}", 0)):
        return show_states(method.model, place.lr, place.ilr, region.scale, window=place.inner, hr=hr, label=method.label)
