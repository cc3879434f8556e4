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
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
from tqdm import tqdm

if TYPE_CHECKING:
    from srlib.datasets import ImageSet
from srlib.errors import InputError
from srlib.images import imresize, modcrop, rgb_to_luma, round_uint8, shave, to_float
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
    if scale not in SCALES:
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
        if hr.dtype != np.uint8 or hr.ndim not in (2, 3) or (hr.ndim == 3 and hr.shape[2] != 3):
            raise InputError(f"An 8-bit grey or RGB image is wanted, but got {hr.dtype} of shape {hr.shape}.")
        if self.colour == "luma":
            hr = round_uint8(rgb_to_luma(hr))
        elif hr.ndim == 2 and self.grey_as_rgb:
            hr = np.repeat(hr[..., None], 3, axis=2)
        return modcrop(hr, scale)

    def degrade(self, hr: np.ndarray, scale: int) -> np.ndarray:
        """The LR image: `uint8` if the protocol stores it in 8 bits, else `float64` in about 0..1, not rounded."""
        reference = self.reference(hr, scale)
        return imresize(reference if self.lr_uint8 else to_float(reference), 1 / scale, self.border)

    def interpolate(self, lr: np.ndarray, scale: int) -> np.ndarray:
        """The bicubic image (ILR), of the dtype and range of the LR image; also the input of the ILR networks."""
        ilr = imresize(lr, scale, self.border)
        return np.clip(ilr, 16 / 255, 235 / 255) if self.clip_ilr else ilr

    def score(self, hr: np.ndarray, sr: np.ndarray, scale: int, metrics: tuple[str, ...] = METRICS) -> Score:
        """Scores of a super-resolved image.

        Parameters
        ----------
        hr : numpy.ndarray
            The original `uint8` image, grey or RGB, uncropped.
        sr : numpy.ndarray
            The result, `float` in 0..1 or `uint8`; luma `(H, W)` or RGB `(H, W, 3)` as `interpolate` returns it.
        scale : int
            2, 3 or 4; as many pixels (and `extra_shave`) are removed from every side.
        metrics : tuple of str
            Some of 'psnr', 'ssim', 'ifc'; IFC takes most of the time.

        Raises
        ------
        InputError
            If the result has another shape than the cropped original, or pixels that are not finite.
        """
        x, y = (self._comparable(image, scale) for image in (self.reference(hr, scale), sr))
        if x.shape != y.shape:
            raise InputError(f"The result is {sr.shape}, but the cropped original {self.reference(hr, scale).shape}.")
        channels = [(x[..., c], y[..., c]) for c in range(x.shape[2])] if x.ndim == 3 else [(x, y)]
        return Score(
            psnr(x, y) if "psnr" in metrics else np.nan,
            float(np.mean([ssim(a, b, self.ssim_border) for a, b in channels])) if "ssim" in metrics else np.nan,
            ifc(rgb_to_luma(x), rgb_to_luma(y)) if "ifc" in metrics else np.nan,
        )

    def _comparable(self, image: np.ndarray, scale: int) -> np.ndarray:
        """The compared values of an image: rounded, converted and shaved; on 0..255 except for 'Y/255'."""
        if not np.isfinite(image).all():
            raise InputError("The result holds NaN or infinite pixels: it cannot be scored.")
        image = image if image.dtype == np.uint8 else round_uint8(255 * image)
        if self.score_on != "rgb":
            image = rgb_to_luma(image)
        if self.score_on == "Y8":
            image = round_uint8(image)
        if self.score_on == "Y/255":
            image = image / 255
        return shave(image, scale + self.extra_shave)

    def evaluate(self, hr: np.ndarray, scale: int, method: Upscaler | None = None, metrics: tuple[str, ...] = METRICS) -> Score:
        """Scores of a method on one image: `hr` is degraded, the method run on the LR image, and the result scored.

        Parameters
        ----------
        hr : numpy.ndarray
            `uint8`, grey or RGB.
        scale : int
            2, 3 or 4.
        method : callable, optional
            `method(lr, ilr, scale) -> sr`; bicubic if omitted.
        metrics : tuple of str
            As for `score`.
        """
        if self.ifc_variant is not None and "ifc" in metrics:
            others = tuple(m for m in metrics if m != "ifc")
            score = self.evaluate(hr, scale, method, others) if others else Score(np.nan, np.nan, np.nan)
            return score._replace(ifc=self.ifc_variant.evaluate(hr, scale, method, ("ifc",)).ifc)
        lr = self.degrade(hr, scale)
        ilr = self.interpolate(lr, scale)
        sr = ilr if method is None else method(lr, ilr, scale)
        return self.score(hr, sr, scale, metrics)


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
    if name not in PROTOCOLS:
        raise InputError(f"Protocol {name!r} is unknown: choose one of {', '.join(PROTOCOLS)}.")
    return PROTOCOLS[name]


COLUMNS = ["dataset", "scale", "image", "protocol", "psnr", "ssim", "ifc"]


def score_images(
    images: "ImageSet",
    scale: int,
    protocol: Protocol,
    method: Upscaler | None = None,
    metrics: tuple[str, ...] = METRICS,
    progress: bool = True,
) -> pd.DataFrame:
    """Scores of a method on every image of a dataset.

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
    metrics : tuple of str
        Some of 'psnr', 'ssim', 'ifc'; the other columns are NaN.
    progress : bool
        Show a progress bar.

    Returns
    -------
    pandas.DataFrame
        A row for each image, with the columns `COLUMNS` of `scores.csv`.

    Raises
    ------
    InputError
        If an image or the method's output cannot be scored; the message names the file.
    """

    def row(index: int) -> list[Any]:
        name, image = images.name_of(index), images.read(index)
        try:
            return [images.name, scale, name, protocol.name, *protocol.evaluate(image, scale, method, metrics)]
        except InputError as error:
            raise InputError(f"{images.paths[index]}: {error}") from None

    with ThreadPoolExecutor(1 if method else os.cpu_count()) as pool:
        title = f"{images.name} x{scale} {protocol.name}"
        rows = list(tqdm(pool.map(row, range(len(images))), total=len(images), desc=title, leave=False, disable=not progress))
    return pd.DataFrame(rows, columns=COLUMNS)
