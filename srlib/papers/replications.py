"""Scores of others who trained the papers' networks or baselines, each with its source (`replications.csv`).

One row is ours, and is marked so: the released VDSR, scored as one of those sources scores.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd

from srlib.images import imresize, modcrop, rgb_to_luma, shave
from srlib.metrics import psnr
from srlib.papers.published import FOLDER, PAPERS, Claim, claims
from srlib.protocol import SCALES, Upscaler

TRAINED = "trained"  # by somebody
SCORING = "scoring"  # shows how somebody scores
UNROUNDED = "unrounded"  # scored as by `unrounded`; '' for other or unknown scoring


@dataclass(frozen=True)
class Replication:
    """One network, trained and scored by somebody."""

    paper: str  # or 'baselines'
    network: str  # the name of ours that is closest to it
    method: str  # the repository's name
    kind: str  # TRAINED or SCORING
    scoring: str  # UNROUNDED, or ''
    dataset: str
    metric: str
    scores: dict[int, float]  # by scale; only those that the source states
    source: str
    note: str  # what differs from the paper

    def printed(self, scale: int) -> Claim | None:
        """The claim of the first of the four papers that prints a score of this network at `scale`; `None` without any."""
        for paper in PAPERS:
            for claim in claims(paper):
                cell = (claim.experiment, claim.dataset, claim.scale, claim.metric)
                if cell == (self.network, self.dataset, scale, self.metric) and claim.kind in ("measured", "quoted"):
                    return claim
        return None

    def difference(self, scale: int) -> float:
        """Their score minus the printed one, in the metric's unit; NaN where either is missing."""
        claim = self.printed(scale)
        return claim.gap(self.scores[scale]) if claim and scale in self.scores else math.nan


@lru_cache
def replications(paper: str) -> tuple[Replication, ...]:
    """The replications of one paper's networks, or of the `baselines`."""
    table = pd.read_csv(FOLDER / "replications.csv", dtype=str, keep_default_na=False)
    rows = []
    for row in table[table.paper == paper].to_dict("records"):
        scores = {scale: row.pop(f"x{scale}") for scale in SCALES}
        rows.append(Replication(**row, scores={scale: float(value) for scale, value in scores.items() if value}))
    return tuple(rows)


def unrounded(hr: np.ndarray, scale: int, method: Upscaler | None = None) -> float:
    """PSNR (dB) as the public `twtygqyy/pytorch-vdsr` computes it: of luma that is rounded nowhere.

    Parameters
    ----------
    hr : numpy.ndarray
        The original, `uint8`, RGB, of shape (H, W, 3). As there, it is cropped for each smaller scale, too.
    scale : int
        2, 3 or 4.
    method : callable, optional
        `method(lr, ilr, scale) -> sr` on luma in 0..1; bicubic if omitted.

    Returns
    -------
    float
        In dB.
    """
    for smaller in range(min(SCALES), scale + 1):
        hr = modcrop(hr, smaller)
    luma = rgb_to_luma(hr.astype(np.float64))
    lr = imresize(luma / 255, 1 / scale)
    ilr = imresize(lr, scale)
    sr = ilr if method is None else method(lr, ilr, scale)
    return psnr(shave(luma, scale), shave(255 * np.clip(sr, 0, 1), scale))
