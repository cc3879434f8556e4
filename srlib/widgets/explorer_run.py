"""The explorer without its controls: a request is run, and ends as a result, in an error or cancelled.

Every network runs on the chosen region and the pixels around it within its `radius`, so the output inside the region is exact,
at a cost that does not grow with the image. Scores are of the region alone.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import torch
from torch import nn

from srlib.errors import InputError
from srlib.figures.crops import Scene
from srlib.figures.regions import Region, model_windows
from srlib.images import imresize, read_image, round_uint8, to_float, ycbcr_to_rgb
from srlib.inference.enlarge import as_method
from srlib.inference.tiling import Window, scaled
from srlib.models import CONVOLUTIONS, macs_per_pixel, params
from srlib.protocol import Score, get_protocol
from srlib.records.methods import TrainedMethod, find_method
from srlib.widgets.explorer_choices import NAMES, QUEUE
from srlib.widgets.states import States, has_states, show_states
from srlib.widgets.viewer import Comparison, Output, compare

MIN_SIDE, MAX_SIDE = 48, 384  # of a region: large enough for SSIM, and small enough for one tile of every network
TAPS = 4  # LR pixels at a cut whose bicubic values differ from those of the full image, after reducing and enlarging
STATES = 96  # side of the square in the middle of the region whose states are shown
NO_SCORE = Score(np.nan, np.nan, np.nan)
Progress = Callable[[str, float], None]


@dataclass(frozen=True, eq=False)
class Request:
    """An image, a region of the output, the methods, and their options."""

    image: np.ndarray  # `(H, W)` or `(H, W, 3)`, `uint8`: the HR image, or the LR image if `itself`
    region: Region  # in pixels of the output; the dataset is '' for an image that is in none
    methods: tuple[str, ...]  # experiments, as `find_method` takes them
    protocol: str = "drrn"
    self_ensemble: bool = False
    itself: bool = False  # whether the image itself is enlarged: there is no HR image then, and no score
    states: bool = False
    device: str = "cpu"
    finished: Mapping[str, Path] = field(default_factory=dict)  # label to the file of a finished result; none if `itself`


@dataclass(frozen=True, eq=False)
class MethodResult:
    """The output of one method inside the region, its scores, time and memory."""

    method: TrainedMethod
    pixels: np.ndarray  # `(side, side, 3)`, `uint8`
    score: Score | None  # of the region
    full_score: Score | None  # of the full image, from the record or the file of a finished result
    seconds: float = np.nan
    megabytes: float = np.nan  # beyond the memory in use before; NaN for bicubic interpolation


@dataclass(frozen=True, eq=False)
class Result:
    """The outputs of all methods of a request."""

    request: Request
    results: tuple[MethodResult, ...]
    hr: np.ndarray | None  # the region of the original, `(side, side, 3)`, `uint8`
    missing: dict[str, str]  # method to reason
    states: tuple[States, ...]  # of the middle of the region

    def comparison(self) -> Comparison:
        """The viewer with the outputs of all methods and, where there is one, the HR image."""
        region, outputs = self.request.region, []
        for r in self.results:
            size = params(r.method.model) if r.method.model else None
            outputs.append(Output(r.method.label, r.pixels, *(r.score or ())[:2], params=size, note=r.method.note))
        return compare(outputs, self.hr, title=f"{region.image}, ×{region.scale}")

    def table(self) -> pd.DataFrame:
        """Scores of the region, scores of the full image where they are known, seconds and MB, a row for each method.

        A value that is unknown is NaN, and a column without any value is left out.
        """
        names = ["method", "note", "PSNR", "SSIM", "PSNR, whole image", "SSIM, whole image", "seconds", "MB"]
        rows = []
        for r in self.results:
            scores = *(r.score or NO_SCORE)[:2], *(r.full_score or NO_SCORE)[:2]
            rows.append((r.method.label, r.method.note, *scores, r.seconds, r.megabytes))
        return pd.DataFrame(rows, columns=names).dropna(axis="columns", how="all")

    def notes(self) -> str:
        """Meaning of the numbers, and the missing methods with the reason; Markdown."""
        request = self.request
        lines = ["Seconds and MB are what the region took, with what a network must see around it."]
        if request.itself:
            lines.append("The image itself was enlarged: there is no original, and so no score.")
        else:
            lines.append(f"PSNR (dB) and SSIM are of this region, under the `{request.protocol}` protocol.")
            if request.region.dataset:
                lines.append("Those of the whole image are of the record or the finished result, where there is one.")
        if request.states and not self.states:
            lines.append("No network here is recursive, so there are no states.")
        return "\n".join(lines + [f"{name}: {reason.rstrip('.')}." for name, reason in self.missing.items()])


def run_request(request: Request, progress: Progress = lambda name, fraction: None) -> Result:
    """The outputs of all methods of a request.

    Parameters
    ----------
    request : Request
        Image, region, methods and options.
    progress : callable
        Called after every layer with the name of the running method and the fraction of all multiplications done, 0 to 1. What
        it raises ends the run.

    Raises
    ------
    InputError
        If the region does not lie in the image or is too small or too large, a name is unknown, or there is no output at all.
    """
    _check(request)
    region = request.region
    searches = {name: find_method(NAMES.get(name, name), name, region.scale, request.device) for name in request.methods}
    methods = [m for m in searches.values() if isinstance(m, TrainedMethod)]
    missing = {name: QUEUE if m == "no record yet" else m for name, m in searches.items() if isinstance(m, str)}
    recursive = [m for m in methods if request.states and m.model is not None and has_states(m.model)]
    total = sum(_multiplications(request, m.model) for m in methods if m.model is not None)
    done = 0.0

    def step(name: str, multiplications: float) -> None:
        nonlocal done
        done += multiplications
        progress(name, min(1.0, done / total))

    results = [_run(request, m, step) for m in methods]
    for label, path in request.finished.items():
        try:
            results.append(_read(request, label, path))
        except InputError as error:
            missing[label] = str(error)
    if missing and not results:
        raise InputError("; ".join(missing.values()))
    states = tuple(_states(request, m, step) for m in recursive)
    hr = None if request.itself else Scene(region, get_protocol(request.protocol), request.image).hr[region.window]
    return Result(request, tuple(results), hr, missing, states)


def _check(request: Request) -> None:
    """An `InputError` if the region does not lie in the output, is too small or too large, or the protocol is unknown."""
    region = request.region
    get_protocol(request.protocol)
    sides = (("high", region.top, region.height), ("wide", region.left, region.width))
    for (name, start, side), size in zip(sides, request.image.shape[:2], strict=True):
        size = size * region.scale if request.itself else size // region.scale * region.scale
        if not MIN_SIDE <= side <= MAX_SIDE or side % region.scale:
            raise InputError(
                f"The region is {side} pixels {name}: {MIN_SIDE} to {MAX_SIDE} are wanted, a multiple of {region.scale}."
            )
        if start < 0 or start + side > size:
            raise InputError(
                f"The region ends at pixel {start + side}, but the image is {size} pixels {name}: move it or make it smaller."
            )


def _inputs(request: Request, model: nn.Module | None) -> tuple[np.ndarray, np.ndarray, Window, Scene | None]:
    """The inputs of a network, `None` for bicubic interpolation, for its exact output inside the region.

    These are LR image and interpolation, cut to what the radius needs; the region inside the latter; and the scene of this part
    of the image, `None` if the image itself is enlarged.
    """
    region, scale = request.region, request.region.scale
    zoom = 1 if request.itself else scale  # pixels of the request's image in one of the LR image
    height, width = (n // zoom for n in request.image.shape[:2])
    lr, _, inner = model_windows(region.window, (height, width), model, scale, margin=TAPS)
    part = request.image[scaled(lr, zoom)]
    if request.itself:
        return to_float(part), imresize(to_float(part), scale), inner, None
    scene = Scene(replace(region, top=inner[0].start, left=inner[1].start), get_protocol(request.protocol), part)
    return scene.lr, scene.ilr, inner, scene


def _multiplications(request: Request, model: nn.Module) -> float:
    ilr = _inputs(request, model)[1]
    passes = 8 if request.self_ensemble else 1
    return macs_per_pixel(lambda: deepcopy(model), request.region.scale) * ilr.shape[0] * ilr.shape[1] * passes


def _run(request: Request, method: TrainedMethod, step: Progress) -> MethodResult:
    if request.device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    began, memory_before, memory = time.perf_counter(), _memory(request.device), []
    lr, ilr, inner, scene = _inputs(request, method.model)
    sr = to_float(ilr)
    if method.model is not None:

        def after_layer(multiplications: float) -> None:
            memory.append(_memory(request.device))
            step(method.label, multiplications)

        with _every_layer(method.model, after_layer):
            # One tile: the inputs of a region fit in memory, and so the multiplications are known beforehand.
            sr = as_method(method.model, tile=10**6, self_ensemble=request.self_ensemble)(lr, ilr, request.region.scale)
    seconds = time.perf_counter() - began
    megabytes = max(memory) - memory_before if memory else np.nan
    pixels, score = _shown(scene, sr[inner], inner)
    return MethodResult(method, pixels, score, _record_score(request, method), seconds, megabytes)


def _read(request: Request, label: str, path: Path) -> MethodResult:
    """A finished result; an `InputError` if it cannot be read, or has another size than the original or other colours."""
    sr, region = read_image(path), request.region
    try:
        full_score = get_protocol(request.protocol).score(request.image, sr, region.scale, ("psnr", "ssim"))
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    *_, inner, scene = _inputs(request, None)
    pixels, score = _shown(scene, to_float(sr[region.window]), inner)
    return MethodResult(TrainedMethod(label, None, None, "finished result"), pixels, score, full_score)


def _shown(scene: Scene | None, sr: np.ndarray, inner: Window) -> tuple[np.ndarray, Score | None]:
    """The pixels of an output in the region, `(side, side, 3)` `uint8`, and their score: none where there is no scene."""
    score = None
    if scene is not None:
        options = {"metrics": ("psnr", "ssim"), "known_range": True}  # a finished result has been checked as a whole
        score = scene.protocol.score(scene.file[inner], np.clip(sr, 0, 1), scene.region.scale, **options)
        if sr.ndim == 2 and scene.file.ndim == 3:  # luma was resized: chroma is bicubic, as in the papers
            sr = ycbcr_to_rgb(np.dstack([sr, scene.chroma[inner]]))
    return round_uint8(255 * (sr if sr.ndim == 3 else np.repeat(sr[..., None], 3, axis=2))), score


def _record_score(request: Request, method: TrainedMethod) -> Score | None:
    """The scores of the full image in the record; `None` for an image or a self-ensemble that no record has."""
    if method.record is None or request.itself or (method.model is not None and request.self_ensemble):
        return None
    region = request.region
    return method.record.score_of(region.dataset, region.scale, region.image, request.protocol)


@contextmanager
def _every_layer(model: nn.Module, step: Callable[[float], None]) -> Iterator[None]:
    """Call `step` after each convolution with the number of its multiplications."""

    def note(conv: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        maps = inputs[0] if isinstance(conv, nn.ConvTranspose2d) else output
        step(maps.shape[-2] * maps.shape[-1] * conv.weight.numel())

    hooks = [m.register_forward_hook(note) for m in model.modules() if isinstance(m, CONVOLUTIONS)]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _memory(device: str) -> float:
    """Memory in use, in MB: on a GPU the peak for tensors, else of this process."""
    return (torch.cuda.max_memory_allocated() if device == "cuda" else psutil.Process().memory_info().rss) / 1e6


def _states(request: Request, method: TrainedMethod, step: Progress) -> States:
    """The states of a network in a square in the middle of the region."""
    region = request.region
    side = min(STATES, region.height, region.width) // region.scale * region.scale
    top, left = region.top + (region.height - side) // 2, region.left + (region.width - side) // 2
    square = replace(request, region=replace(region, top=top, left=left, height=side, width=side))
    lr, ilr, inner, scene = _inputs(square, method.model)
    hr = None if scene is None else scene.hr
    with _every_layer(method.model, lambda multiplications: step(f"states of {method.label}", 0)):
        return show_states(method.model, lr, ilr, region.scale, window=inner, hr=hr, label=method.label)
