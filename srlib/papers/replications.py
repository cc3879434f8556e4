"""What others report who trained the papers' networks or baselines, each number with its source (`replications.csv`).

None of it is ours, but for one row that is marked so: the released VDSR, scored as one of those sources scores.
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
UNROUNDED = "unrounded"  # scored as `unrounded` does; '' where that is another way, or unknown


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
        """What the first of the four papers that has it prints for this network."""
        for paper in PAPERS:
            for claim in claims(paper):
                place = (claim.experiment, claim.dataset, claim.scale, claim.metric)
                if place == (self.network, self.dataset, scale, self.metric) and claim.kind in ("measured", "quoted"):
                    return claim
        return None

    def difference(self, scale: int) -> float:
        """Theirs minus the printed number; NaN where one of the two is wanting."""
        claim = self.printed(scale)
        return claim.gap(self.scores[scale]) if claim and scale in self.scores else math.nan


@lru_cache
def replications(paper: str) -> tuple[Replication, ...]:
    """Those of one paper's networks, or of the `baselines`."""
    table = pd.read_csv(FOLDER / "replications.csv", dtype=str, keep_default_na=False)
    found = []
    for row in table[table.paper == paper].to_dict("records"):
        scores = {scale: row.pop(f"x{scale}") for scale in SCALES}
        found.append(Replication(**row, scores={scale: float(value) for scale, value in scores.items() if value}))
    return tuple(found)


def unrounded(hr: np.ndarray, scale: int, method: Upscaler | None = None) -> float:
    """PSNR as the public `twtygqyy/pytorch-vdsr` scores: of luma that is rounded nowhere.

    Parameters
    ----------
    hr : numpy.ndarray
        The original, `uint8`, RGB. As there, it is cropped for each smaller scale, too.
    scale : int
        2, 3 or 4.
    method : callable, optional
        `method(lr, ilr, scale) -> sr`; bicubic if omitted.
    """
    for smaller in range(min(SCALES), scale + 1):
        hr = modcrop(hr, smaller)
    luma = rgb_to_luma(hr.astype(np.float64))
    lr = imresize(luma / 255, 1 / scale)
    ilr = imresize(lr, scale)
    sr = ilr if method is None else method(lr, ilr, scale)
    return psnr(shave(luma, scale), shave(255 * np.clip(sr, 0, 1), scale))
