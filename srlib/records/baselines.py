"""What needs no training of ours: bicubic interpolation, a black image, and VDSR with its released weights.

    python -m srlib.records.baselines [--vdsr-weights FILE.npz]

scores them on every test set at hand and writes `results/baselines/`. Bicubic proves the protocols; VDSR proves them for a
learned network.
"""

import argparse
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from srlib.datasets import is_available, open_images
from srlib.inference.enlarge import as_method
from srlib.models import VDSR
from srlib.protocol import METRICS, PROTOCOLS, SCALES, Upscaler, score_images
from srlib.records.record import Record, results_folder, write_record
from srlib.training.checkpoint import digest, load_weights

TEST_SETS = ("Set5", "Set14", "BSD100", "Urban100")
# The protocols behind the published rows, and the metrics that each is known to give.
BICUBIC_PROTOCOLS = {"vdsr": ("psnr", "ssim"), "drrn": METRICS, "lapsrn": METRICS}
VDSR_PROTOCOLS = {"vdsr": ("psnr", "ssim")}


def score_bicubic(sets: Iterable[str], progress: bool = True) -> pd.DataFrame:
    """Bicubic at all scales in the three protocols behind the published rows; the columns of `scores.csv`."""
    return _score(sets, BICUBIC_PROTOCOLS, None, progress)


def score_vdsr(
    weights: str | Path, sets: Iterable[str], protocols: dict[str, tuple[str, ...]] = VDSR_PROTOCOLS, progress: bool = True
) -> pd.DataFrame:
    """The released VDSR network at all scales, in the protocol of its own paper unless others are given."""
    return _score(sets, protocols, as_method(load_weights(VDSR(), weights)), progress)


def score_black(sets: Iterable[str]) -> pd.DataFrame:
    """An all-black image at all scales: what a dead network without residual learning scores (RL-CSC, Table 3)."""
    return _score(sets, {"drrn": ("psnr", "ssim")}, lambda lr, ilr, scale: np.zeros_like(ilr), progress=False)


def _score(sets: Iterable[str], protocols: dict[str, tuple[str, ...]], method: Upscaler | None, progress: bool) -> pd.DataFrame:
    tables = [
        score_images(open_images(name), scale, PROTOCOLS[protocol], method, metrics, progress)
        for name in sets
        for scale in SCALES
        for protocol, metrics in protocols.items()
    ]
    return pd.concat(tables, ignore_index=True)


def write_baseline(name: str, scores: pd.DataFrame, **info: str) -> Record:
    """Write a baseline's record with the digests of the datasets that it was scored on."""
    data = {dataset: open_images(dataset).digest() for dataset in scores.dataset.unique()}
    info = {"kind": "evaluation", "experiment": name, "data_sha256": data} | info
    return write_record(results_folder() / "baselines" / name / "seed0", info, scores)


if __name__ == "__main__":
    parser = argparse.ArgumentParser("python -m srlib.records.baselines", description=__doc__.splitlines()[0])
    parser.add_argument("--vdsr-weights", type=Path, help="score VDSR instead of bicubic, with its released weights (.npz)")
    options = parser.parse_args()
    sets = [name for name in TEST_SETS if is_available(name)]
    if not options.vdsr_weights:
        print(write_baseline("bicubic", score_bicubic(sets)).folder)
        print(write_baseline("black", score_black(sets)).folder)
    else:
        weights = digest(load_weights(VDSR(), options.vdsr_weights).state_dict())
        scores = score_vdsr(
            options.vdsr_weights, [n for n in sets if n in ("Set5", "Set14")], VDSR_PROTOCOLS | {"drrn": METRICS}
        )
        for name in sets:  # the large ones take an hour on a CPU: what is done is kept
            if name not in set(scores.dataset):
                scores = pd.concat([scores, score_vdsr(options.vdsr_weights, [name])], ignore_index=True)
            print(write_baseline("vdsr_official", scores, weights_sha256=weights).folder)
