"""Protocols: the degradation of a high-resolution image to the low-resolution input, and the scoring of the result.

If a score differs from the paper's, the reason is nearly always another protocol. Each protocol of the four papers is an object
with three functions: `degrade` makes the LR image, `interpolate` the bicubic image, `score` the numbers. A fourth, `evaluate`,
chains them for any method.

====================  ==============================================================================================
`drrn`                luma first, LR not rounded, scored on rounded Y. DRRN's released code; IFC of DRRN and RL-CSC
`vdsr`                as `drrn`, bicubic clipped to the studio range. Bicubic and VDSR as the papers cite them
`lapsrn`              RGB, LR not rounded, MATLAB's built-in SSIM, IFC of luma in 0..1. DSRN's Table 1
`rgb_floaty`          8-bit RGB, scored on unrounded Y. EDSR-lineage scripts; probably DRN's own rows (unproven)
`selfexsr`            8-bit RGB LR files of the older MATLAB. SelfExSR's released tables
`div2k_rgb`           8-bit RGB, scored on RGB, scale + 6 pixels shaved. DSRN's Table 2 (NTIRE 2017)
====================  ==============================================================================================
"""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
from tqdm import tqdm

if TYPE_CHECKING:
    from srlib.datasets import ImageSet
from srlib.errors import InputError
from srlib.images import (
    check_pixels,
    imresize,
    modcrop,
    read_image,
    refuse_other_range,
    rgb_to_luma,
    round_uint8,
    shave,
    to_float,
)
from srlib.metrics import ifc, psnr, ssim

SCALES = (2, 3, 4)
METRICS = ("psnr", "ssim", "ifc")


class Score(NamedTuple):
    """Scores of one image: PSNR in dB, SSIM, IFC in bits per pixel; NaN for a metric that was not computed."""

    psnr: float
    ssim: float
    ifc: float


# A method takes (lr, ilr, scale) and returns the SR image, float in 0..1 or uint8, of ilr's size and colour.
Upscaler = Callable[[np.ndarray, np.ndarray, int], np.ndarray]


def check_scale(scale: int) -> None:
    """Refuse a scale that is not 2, 3 or 4."""
    if not isinstance(scale, Integral) or scale not in SCALES:
        raise InputError(f"Scale {scale} is not defined by the papers: choose 2, 3 or 4.")


@dataclass(frozen=True)
class Protocol:
    """A protocol of degradation and scoring; see the module's table and the book's chapter on protocols."""

    name: str
    used_for: str
    colour: str  # of the resized image: 'luma' (the rounded Y of an RGB file) or 'rgb'
    border: str  # of imresize: 'symmetric' or 'replicate'
    grey_as_rgb: bool = False  # whether a grey file is made RGB (and so squeezed into 16..235 when Y is taken) or is Y itself
    lr_uint8: bool = False  # whether LR (and so bicubic) is a rounded 8-bit image
    clip_ilr: bool = False  # bicubic clipped to [16, 235] / 255
    score_on: str = "Y8"  # compared values, of the image rounded to 8 bits: rounded luma 'Y8', luma 'Y', 'Y/255', or 'rgb'
    ssim_border: str = "valid"
    extra_shave: int = 0  # beyond the scale
    ifc_variant: "Protocol | None" = None  # protocol of IFC, if it differs from that of PSNR and SSIM

    def reference(self, hr: np.ndarray, scale: int) -> np.ndarray:
        """The HR image under this protocol: cropped to a multiple of the scale, luma or RGB, `uint8`.

        Parameters
        ----------
        hr : numpy.ndarray
            `uint8`, `(H, W)` or `(H, W, 3)`.
        scale : int
            2, 3 or 4.
        """
        check_scale(scale)
        return modcrop(self._converted(hr, "The original"), scale)

    def _converted(self, image: np.ndarray, name: str) -> np.ndarray:
        """The luma or RGB image, `uint8`, of a file."""
        check_pixels(image, name, floats=False)
        if self.colour == "luma":
            return round_uint8(rgb_to_luma(image))
        return np.repeat(image[..., None], 3, axis=2) if image.ndim == 2 and self.grey_as_rgb else image

    def degrade(self, hr: np.ndarray, scale: int) -> np.ndarray:
        """The LR image: `uint8` if the protocol stores it in 8 bits, else `float64` in about 0..1, not rounded."""
        reference = self.reference(hr, scale)
        return imresize(reference if self.lr_uint8 else to_float(reference), 1 / scale, self.border)

    def take_lr(self, lr: np.ndarray, hr: np.ndarray, scale: int) -> np.ndarray:
        """An LR image from elsewhere, `uint8`, `(h, w)` or `(h, w, 3)`, as `degrade`'s: of its colour, dtype and range.

        Raises
        ------
        InputError
            If its size times the scale is not that of the cropped original, or one of the two is grey and the other is not; but
            where the protocol reduces luma, a grey LR image of a colour original is its luma.
        """
        reference = self.reference(hr, scale)
        check_pixels(lr, "The LR image", floats=False)
        lr = _grey_if(hr.ndim == 2, lr)
        if lr.ndim > hr.ndim or (lr.ndim < hr.ndim and self.colour == "rgb"):
            kinds = ("grey", "RGB") if lr.ndim == 2 else ("RGB", "grey")
            raise InputError(f"The LR image is {kinds[0]}, but the original is {kinds[1]}: give two of one kind.")
        if (size := tuple(scale * n for n in lr.shape[:2])) != reference.shape[:2]:
            wanted = f"{reference.shape[1]} x {reference.shape[0]}"
            raise InputError(
                f"The LR image gives {size[1]} x {size[0]} pixels at scale {scale}, but the cropped original has {wanted}."
            )
        if lr.ndim < hr.ndim:
            refuse_other_range(round_uint8(255 * self.degrade(hr, scale)), lr, "LR image", luma=True)
        lr = self._converted(lr, "The LR image")
        return lr if self.lr_uint8 else to_float(lr)

    def interpolate(self, lr: np.ndarray, scale: int) -> np.ndarray:
        """The bicubic image (ILR), of the dtype and range of the LR image; also the input of the ILR networks."""
        ilr = imresize(lr, scale, self.border)
        return np.clip(ilr, 16 / 255, 235 / 255) if self.clip_ilr else ilr

    def score(
        self, hr: np.ndarray, sr: np.ndarray, scale: int, metrics: Sequence[str] = METRICS, *, known_range: bool = False
    ) -> Score:
        """Scores of a super-resolved image.

        Parameters
        ----------
        hr : numpy.ndarray
            The original `uint8` image, grey or RGB, uncropped.
        sr : numpy.ndarray
            The result, `float` in 0..1 or `uint8`: RGB `(H, W, 3)`, or `(H, W)`, which is grey where the original is, and luma
            of a colour original where the protocol compares luma. Three equal channels are one, unless the original has them.
        scale : int
            2, 3 or 4; as many pixels (and `extra_shave`) are removed from every side.
        metrics : sequence of str
            Some of 'psnr', 'ssim', 'ifc'; IFC takes most of the time.
        known_range : bool
            Whether `sr` is known to have the range of this protocol's own images. If not, that is looked at.

        Raises
        ------
        InputError
            If a metric is unknown, or the result has another size than the cropped original, another dtype or range, other
            colours, or pixels that are not finite.
        """
        metrics = check_metrics(metrics)
        reference = self.reference(hr, scale)
        check_pixels(sr, "The result")
        if sr.shape[:2] != reference.shape[:2]:
            sizes = [f"{image.shape[1]} x {image.shape[0]}" for image in (sr, reference)]
            raise InputError(
                f"The result has {sizes[0]} pixels, but the original, cropped to a multiple of {scale}, {sizes[1]}."
            )
        sr = _grey_if(hr.ndim == 2 or (not known_range and _has_colour(hr) and sr.min() < sr.max()), sr)
        if sr.ndim == 2 and not known_range and (hr.ndim == 2 or reference.ndim == 2):
            refuse_other_range(hr[: len(sr), : sr.shape[1]] if hr.ndim == 2 else reference, sr, "result", luma=hr.ndim == 3)
        if sr.ndim == 2 and hr.ndim == 2 and self.grey_as_rgb:
            sr = np.repeat(sr[..., None], 3, axis=2)
        if sr.ndim == 2 and reference.ndim == 3:
            raise InputError(f"The result is grey, but the original has colour under {self.name!r}: give an RGB result.")
        if sr.ndim == 3 and hr.ndim == 2 and not self.grey_as_rgb:
            raise InputError(f"The result has colour, but the original is grey under {self.name!r}: give a grey result.")
        x, y = (self._comparable(image, scale) for image in (reference, sr))
        channels = [(x[..., c], y[..., c]) for c in range(x.shape[2])] if x.ndim == 3 else [(x, y)]
        score = Score(
            psnr(x, y) if "psnr" in metrics else np.nan,
            float(np.mean([ssim(a, b, self.ssim_border) for a, b in channels])) if "ssim" in metrics else np.nan,
            ifc(rgb_to_luma(x), rgb_to_luma(y)) if "ifc" in metrics and self.ifc_variant is None else np.nan,
        )
        if "ifc" in metrics and self.ifc_variant is not None:
            score = score._replace(ifc=self.ifc_variant.score(hr, sr, scale, ("ifc",), known_range=known_range).ifc)
        return score

    def _comparable(self, image: np.ndarray, scale: int) -> np.ndarray:
        """The compared values of an image: rounded, converted and shaved; on 0..255 except for 'Y/255'."""
        image = image if image.dtype == np.uint8 else round_uint8(255 * image.astype(np.float64, copy=False))
        if self.score_on != "rgb":
            image = rgb_to_luma(image)
        if self.score_on == "Y8":
            image = round_uint8(image)
        if self.score_on == "Y/255":
            image = image / 255
        return shave(image, scale + self.extra_shave)

    def evaluate(
        self,
        hr: np.ndarray,
        scale: int,
        method: Upscaler | None = None,
        metrics: Sequence[str] = METRICS,
        *,
        lr: np.ndarray | None = None,
        keep: Callable[[np.ndarray], object] | None = None,
    ) -> Score:
        """Scores of a method on one image: `hr` is degraded, the method run on the LR image, and the result scored.

        Parameters
        ----------
        hr : numpy.ndarray
            `uint8`, grey or RGB.
        scale : int
            2, 3 or 4.
        method : callable, optional
            `method(lr, ilr, scale) -> sr`; bicubic if omitted.
        metrics : sequence of str
            As for `score`.
        lr : numpy.ndarray, optional
            `uint8`, an LR image from elsewhere in the place of `degrade`'s. The scores are then not the protocol's own.
        keep : callable, optional
            Called with the result in 8 bits, as it is scored.
        """
        metrics, others = check_metrics(metrics), tuple(m for m in metrics if m != "ifc")
        if self.ifc_variant is not None and "ifc" in metrics:
            score = Score(np.nan, np.nan, np.nan)
            if others or keep:
                score = self.evaluate(hr, scale, method, others, lr=lr, keep=keep)
            return score._replace(ifc=self.ifc_variant.evaluate(hr, scale, method, ("ifc",), lr=lr).ifc)
        lr = self.degrade(hr, scale) if lr is None else self.take_lr(lr, hr, scale)
        ilr = self.interpolate(lr, scale)
        sr = ilr if method is None else method(lr, ilr, scale)
        score = self.score(hr, sr, scale, metrics, known_range=True)
        if keep:
            keep(sr if sr.dtype == np.uint8 else round_uint8(255 * sr.astype(np.float64, copy=False)))
        return score


def check_metrics(metrics: Sequence[str]) -> tuple[str, ...]:
    """The metrics as a tuple; an `InputError` if one is unknown."""
    metrics = (metrics,) if isinstance(metrics, str) or not isinstance(metrics, Iterable) else tuple(metrics)
    if unknown := [metric for metric in metrics if metric not in METRICS]:
        raise InputError(f"Metric {unknown[0]!r} is unknown: choose some of {','.join(METRICS)}.")
    return metrics


def _grey_if(wanted: bool, image: np.ndarray) -> np.ndarray:
    """The image in one channel, if that is wanted and its three are equal."""
    return image[..., 0] if wanted and image.ndim == 3 and not _has_colour(image) else image


def _has_colour(image: np.ndarray) -> bool:
    return image.ndim == 3 and bool((image != image[..., :1]).any())


_DRRN = Protocol("drrn", "DRRN and RL-CSC: IFC, and the papers' own rows", "luma", "symmetric")
_LAPSRN_IFC = Protocol("lapsrn", "IFC of DSRN Table 1", "rgb", "symmetric", grey_as_rgb=True, score_on="Y/255")

PROTOCOLS: dict[str, Protocol] = {
    protocol.name: protocol
    for protocol in (
        _DRRN,
        replace(_DRRN, name="vdsr", used_for="bicubic and VDSR (PSNR, SSIM) in DRRN, RL-CSC and DRN", clip_ilr=True),
        replace(
            _LAPSRN_IFC,
            used_for="DSRN Table 1",
            border="replicate",
            score_on="Y8",
            ssim_border="replicate",
            ifc_variant=_LAPSRN_IFC,
        ),
        Protocol(
            "rgb_floaty",
            "EDSR-lineage scripts; probably DRN's own rows (unproven)",
            colour="rgb",
            border="symmetric",
            grey_as_rgb=True,
            lr_uint8=True,
            score_on="Y",
        ),
        Protocol("selfexsr", "SelfExSR's released tables", colour="rgb", border="replicate", lr_uint8=True),
        Protocol(
            "div2k_rgb",
            "DSRN Table 2 (NTIRE 2017)",
            colour="rgb",
            border="symmetric",
            grey_as_rgb=True,
            lr_uint8=True,
            score_on="rgb",
            extra_shave=6,
        ),
    )
}


def get_protocol(name: str) -> Protocol:
    """The protocol called `name`, or an `InputError` that lists them."""
    if not isinstance(name, str) or name not in PROTOCOLS:
        raise InputError(f"Protocol {name!r} is unknown: choose one of {', '.join(PROTOCOLS)}.")
    return PROTOCOLS[name]


COLUMNS = ["dataset", "scale", "image", "protocol", "psnr", "ssim", "ifc"]


def score_images(
    images: "ImageSet",
    scale: int,
    protocol: Protocol,
    method: Upscaler | None = None,
    metrics: Sequence[str] = METRICS,
    progress: bool = True,
    *,
    results: Mapping[str, Path] | None = None,
    lr: Mapping[str, Path] | None = None,
    keep: Callable[[str, np.ndarray], object] | None = None,
    failures: list[str] | None = None,
) -> pd.DataFrame:
    """Scores of a method, or of finished results, on every image of a dataset.

    Parameters
    ----------
    images : ImageSet
        From `srlib.datasets.open_images`.
    scale : int
        2, 3 or 4.
    protocol : Protocol
        One of `PROTOCOLS`.
    method : callable, optional
        `method(lr, ilr, scale) -> sr`; bicubic if omitted, several images at once.
    metrics : sequence of str
        Some of 'psnr', 'ssim', 'ifc'; the other columns are NaN.
    progress : bool
        Show a progress bar.
    results : mapping, optional
        Name of an image to the file of a finished result, scored in place of a method's; images without one are left out.
    lr : mapping, optional
        Name of an image to the file of an LR image, in place of the protocol's own; images without one are left out.
    keep : callable, optional
        Called with the name and the result, 8 bits as it is scored, of every image.
    failures : list, optional
        Takes a message for each image or metric that could not be scored, and the others are. Without it the first is raised.

    Returns
    -------
    pandas.DataFrame
        A row for each image, with the columns `COLUMNS` of `scores.csv`.

    Raises
    ------
    InputError
        If an image or the method's output cannot be scored; the message names the file.
    """
    metrics = check_metrics(metrics)
    given = results if results is not None else lr
    indices = [k for k, name in enumerate(images.names) if given is None or name in given]

    def score(index: int, metrics: tuple[str, ...]) -> Score:
        name = images.name_of(index)
        path = images.paths[index] if given is None else given[name]
        try:
            hr = images.read(index)
            if results is not None:
                return protocol.score(hr, read_image(path), scale, metrics)
            options = {"lr": None if lr is None else read_image(path), "keep": keep and partial(keep, name)}
            return protocol.evaluate(hr, scale, method, metrics, **options)
        except InputError as error:
            raise InputError(str(error) if str(path) in str(error) else f"{path}: {error}") from None

    def row(index: int) -> tuple[list[Any], list[str]]:
        head, reasons = [images.name, scale, images.name_of(index), protocol.name], []
        try:
            return [*head, *score(index, metrics)], []
        except InputError:
            if failures is None:
                raise
        numbers = dict.fromkeys(METRICS, np.nan)  # each metric by itself: a picture may be too small for one of them
        for metric in metrics:
            try:
                numbers[metric] = getattr(score(index, (metric,)), metric)
            except InputError as error:
                reasons.append(str(error))
        return ([*head, *numbers.values()] if len(reasons) < len(metrics) else []), list(dict.fromkeys(reasons))

    with ThreadPoolExecutor(1 if method else os.cpu_count()) as pool:
        title = f"{images.name} x{scale} {protocol.name}"
        bar = tqdm(pool.map(row, indices), total=len(indices), desc=title, leave=False, disable=not progress)
        rows = []
        for scores, reasons in bar:
            rows += [scores] if scores else []
            if reasons:
                failures += reasons
    return pd.DataFrame(rows, columns=COLUMNS)
