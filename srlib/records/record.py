"""Records: our numbers and their provenance.

A record is a folder, `results/<paper>/<experiment>/seed<k>/` for a whole `fast` run, `seed<k>_<recipe>_<budget>/` for another.
After `--fit` it has `fit<minutes>` in place of the budget, and at the end `_from_<hash>` if it starts from another record, and
`_lr<hash>` if LR images were given:

* `record.json`: experiment, recipe, seed, budget, hardware, commit, versions and hashes;
* `scores.csv`: one row per image, scale and protocol (means are computed, never stored);
* `curve.csv`, `weights.safetensors`: what training left, for a trained model.
"""

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from torch import nn

from srlib.errors import InputError
from srlib.files import write_atomically
from srlib.models import MODELS, make_model
from srlib.papers import EXPERIMENTS, PAPERS, get_experiment, published_run
from srlib.protocol import COLUMNS, METRICS, SCALES, Score
from srlib.records.provenance import ROOT, commit, environment
from srlib.training.checkpoint import load_tensors, load_weights
from srlib.training.recipe import EVIDENCE, Experiment


def results_folder() -> Path:
    """The folder of records: `SRLIB_RESULTS`, or `results` of this checkout, or of the working directory without a checkout."""
    base = ROOT if (ROOT / "pyproject.toml").exists() else Path.cwd()
    return Path(os.environ.get("SRLIB_RESULTS") or base / "results")


@dataclass(frozen=True)
class Record:
    """One record on disk; its files are read, and checked, at first use."""

    folder: Path

    @cached_property
    def info(self) -> dict[str, Any]:
        """The content of `record.json`."""
        path = self.folder / "record.json"
        try:
            info = json.loads(path.read_text())
            _ = info["experiment"], info["commit"], info["kind"]  # what every record has
            return info
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(f"{path} is missing or damaged ({error}): restore it from version control.") from None

    @cached_property
    def scores(self) -> pd.DataFrame:
        """Per-image scores; empty if none were computed."""
        path = self.folder / "scores.csv"
        if not path.exists():
            return pd.DataFrame(columns=COLUMNS)
        try:
            return pd.read_csv(path, dtype={"image": str}, usecols=COLUMNS)[COLUMNS]
        except (OSError, ValueError) as error:
            raise InputError(f"{path} is damaged ({error}): restore it from version control.") from None

    @cached_property
    def curve(self) -> pd.DataFrame:
        """The training curve: iteration, lr, loss, and PSNR (dB) on the validation images."""
        return pd.read_csv(self.folder / "curve.csv")

    @cached_property
    def by_image(self) -> dict[tuple[str, int, str, str], pd.Series]:
        """Series of scores, indexed by image, by (dataset, scale, protocol, metric), where every image has a finite score."""
        try:
            sets = self.scores.set_index("image").sort_index().groupby(["dataset", "scale", "protocol"])
            tables = {(*key, metric): part[metric].astype(float) for key, part in sets for metric in METRICS}
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"{self.folder / 'scores.csv'} is damaged ({error}): restore it from version control.") from None
        return {cell: values for cell, values in tables.items() if np.isfinite(values).all()}

    @cached_property
    def means(self) -> dict[tuple[str, int, str, str], float]:
        """Mean score over a dataset's images by (dataset, scale, protocol, metric), where every image has a finite score."""
        return {cell: float(values.mean()) for cell, values in self.by_image.items()}

    def mean(self, dataset: str, scale: int, metric: str, protocol: str) -> float | None:
        """Mean score over a dataset's images, in the metric's unit; `None` without a score of every image."""
        return self.means.get((dataset, scale, protocol, metric))

    def score_of(self, dataset: str, scale: int, image: str, protocol: str) -> Score | None:
        """Scores of one image; `None` without its PSNR and SSIM."""
        s = self.scores
        s = s[(s.dataset == dataset) & (s.scale == scale) & (s.image == image) & (s.protocol == protocol)]
        s = s.dropna(subset=["psnr", "ssim"])
        return Score(*s[list(METRICS)].iloc[0]) if len(s) else None

    def check(self) -> None:
        """Raise an `InputError` if the weights are not those of the record."""
        path = self.folder / "weights.safetensors"
        if load_tensors(path)[1]["sha256"] != self.info.get("weights_sha256"):
            raise InputError(f"{path} is not the file its record describes: restore it from version control.")

    def model(self) -> nn.Module:
        """The trained network; raises an `InputError` if the weights are not those of the record."""
        self.check()
        model = make_model(self.info["model"], self.info["arguments"])
        return load_weights(model, self.folder / "weights.safetensors", self.info["experiment"])


def find_records(root: Path | None = None) -> list[Record]:
    """All undamaged records below `root` (default: the committed ones), in the order of the papers.

    A training on given LR images is no evidence for a paper, which made its own: it is left out.
    """
    records = [record for record, fault in _faults(root or results_folder()).items() if not fault]
    return [record for record in records if "lr" not in record.info]


def trainings() -> list[Record]:
    """The committed records of trainings, without snapshots that were kept on the way."""
    return [r for r in find_records() if r.info["kind"] == "training" and "snapshot_of" not in r.info]


def damaged_records() -> dict[str, str]:
    """The committed records that `find_records` leaves out: from folder to error message."""
    return {str(record.folder): fault for record, fault in _faults(results_folder()).items() if fault}


def _faults(root: Path) -> dict[Record, str]:
    """The error message of every record below `root`, empty for a good one, in the order of the papers."""
    order = {paper: k for k, paper in enumerate(("baselines", *PAPERS))}
    folders = [path.parent for path in root.glob("*/*/*/record.json") if path.relative_to(root).parts[0] != "runs"]
    faults = {}
    for folder in sorted(folders, key=lambda folder: (order.get(folder.parts[-3], 9), folder)):
        files = sorted(path for path in folder.iterdir() if not path.name.startswith("."))  # a file being written may vanish
        stats = [(path.name, path.stat()) for path in files]
        faults[Record(folder)] = _fault(folder, tuple((name, stat.st_mtime_ns, stat.st_size) for name, stat in stats))
    return faults


@lru_cache(4096)
def _fault(folder: Path, stamp: tuple) -> str:
    """The error message of a record, empty for a good one; with changed files it has another `stamp`, so it is checked anew."""
    record = Record(folder)
    try:
        _ = record.means, get_experiment(record.info["experiment"]) if record.info["kind"] == "training" else None
        if (folder / "weights.safetensors").exists():
            record.check()
    except InputError as error:
        return str(error)
    return ""


def find_record(experiment: str) -> Record | None:
    """The best undiverged record of an experiment: no trial recipe if possible, then the longest, then the first seed."""
    records = [r for r in find_records() if r.folder.parts[-2] == experiment and "diverged" not in r.info]
    trial = {r.folder: r.info.get("recipe", {}).get("name", "") not in EVIDENCE for r in records}
    return min(records, key=lambda r: (trial[r.folder], -training_fraction(r), r.info.get("seed", 0)), default=None)


def training_fraction(record: Record) -> float:
    """Pixels of all training patches seen, ancestors' included, over the published run's; 1 where nothing is trained."""
    if record.info["kind"] != "training":
        return 1.0
    run = published_run(record.info["experiment"])
    return pixels_seen(record.info) / (run.iterations * run.batch * run.patch**2)


def load_model(name: str, scale: int, weights: Path | None = None) -> nn.Module:
    """A network with its weights.

    Parameters
    ----------
    name : str
        An experiment, or a model of `srlib.models.MODELS`.
    scale : int
        The factor of enlargement that it is used for: 2, 3 or 4.
    weights : path, optional
        A file of weights; those of the experiment's record if omitted.

    Returns
    -------
    torch.nn.Module

    Raises
    ------
    InputError
        If the name is unknown, the scale another, or the weights are missing, damaged or of another network.
    """
    experiment = get_experiment(name) if name not in MODELS or name in EXPERIMENTS else None
    model = experiment.make() if experiment else MODELS[name]()
    scales = (model.scale,) if model.scale else experiment.recipes[0].scales if experiment else SCALES
    if scale not in scales:
        raise InputError(f"{name} is trained for scale {', '.join(map(str, scales))}, not {scale}: choose one it knows.")
    if weights is not None:
        return load_weights(model, weights, name)
    record = find_record(name)
    if record is None and (faults := [fault for folder, fault in damaged_records().items() if Path(folder).parts[-2] == name]):
        raise InputError(faults[0])
    if record is None or not (record.folder / "weights.safetensors").exists():
        raise InputError(f"There is no record of {name} with weights in results/: train it, or give --weights FILE.")
    if not record.info["finished"]:
        print(f"srlib: {record.folder} is not finished: its weights are those of an unfinished run", file=sys.stderr)
    return record.model()


def record_folder(
    experiment: Experiment,
    seed: int,
    recipe: str = "fast",
    budget: float = 1.0,
    root: Path | None = None,
    fit: float | None = None,
    ancestors: Sequence[dict[str, Any]] = (),
    lr_sha256: str = "",
) -> Path:
    """The folder of a record; its name tells seed, recipe, length, the record it started from, and given LR images."""
    length = f"{budget:g}" if fit is None else f"fit{fit:g}"
    name = f"seed{seed}" if (recipe, length) == ("fast", "1") else f"seed{seed}_{recipe}_{length}"
    if ancestors:
        name += f"_from_{ancestors[-1]['weights_sha256'][:8]}"
    if lr_sha256:
        name += f"_lr{lr_sha256[:8]}"
    return (root or results_folder()) / experiment.paper / experiment.name / name


def write_record(folder: Path, info: dict[str, Any], scores: pd.DataFrame | None = None) -> Record:
    """Write a record atomically, with commit, date (UTC) and versions of the libraries."""
    info = info | {"commit": commit(), "date": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"), "environment": environment()}
    if scores is not None:
        write_scores(folder, scores)
    write_atomically(folder / "record.json", json.dumps(info, indent=1) + "\n")
    return Record(folder)


def join_scores(scores: pd.DataFrame, others: pd.DataFrame) -> pd.DataFrame:
    """Two tables of scores joined, a row for an image; where both have a number, that of the first."""
    tables = [table for table in (scores, others) if not table.empty]
    return pd.concat(tables or [scores]).groupby(COLUMNS[:4], sort=False, as_index=False)[list(METRICS)].first()


def write_scores(folder: Path, scores: pd.DataFrame) -> None:
    """Write `scores.csv` atomically."""
    write_atomically(folder / "scores.csv", scores[COLUMNS].to_csv(index=False, float_format="%.8f", lineterminator="\n"))


def pixels_seen(info: dict[str, Any]) -> int:
    """Number of pixels of all patches that a record's network was trained on, those of its ancestors included."""
    pixels = info["iterations_done"] * info["recipe"]["batch"] * info["recipe"]["patch"] ** 2
    return pixels + sum(ancestor["pixels"] for ancestor in info.get("ancestors", []))
