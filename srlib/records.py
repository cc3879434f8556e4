"""Records: our numbers and how they came to be.

A record is a folder, `results/<paper>/<experiment>/seed<k>/` for a whole `fast` run, `seed<k>_<recipe>_<budget>/` for another.
After `--fit` it has `fit<minutes>` in place of the budget, and `_from_<hash>` at the end if it starts from another record:

* `record.json`: experiment, recipe, seed, budget, hardware, commit, versions and hashes;
* `scores.csv`: one row per image, scale and protocol (means are computed, never stored);
* `curve.csv`, `weights.safetensors`: what training left, for a trained model.
"""

import json
import os
import re
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from torch import nn
from tqdm import tqdm

from srlib.checkpoint import load_tensors, load_weights, write_atomically
from srlib.datasets import ImageSet, open_images
from srlib.errors import InputError
from srlib.experiment import EVIDENCE, Experiment, snapshot_name
from srlib.inference import as_method
from srlib.lineage import ancestors_of, pixels_seen
from srlib.models import MODELS, make_model
from srlib.papers import EXPERIMENTS, PAPERS, get_experiment, published_run
from srlib.protocol import METRICS, PROTOCOLS, SCALES, Method, Protocol
from srlib.provenance import ROOT, commit, environment
from srlib.training import DivergedError, train
from srlib.validation import held_out

COLUMNS = ["dataset", "scale", "image", "protocol", "psnr", "ssim", "ifc"]


def results_folder() -> Path:
    """`SRLIB_RESULTS`, or `results` of this checkout; of the working directory where srlib is installed without one."""
    here = ROOT if (ROOT / "pyproject.toml").exists() else Path.cwd()
    return Path(os.environ.get("SRLIB_RESULTS") or here / "results")


@dataclass(frozen=True)
class Record:
    """One record on disk; its parts are read, and checked, when they are asked for."""

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
        return pd.read_csv(path, dtype={"image": str})

    @cached_property
    def curve(self) -> pd.DataFrame:
        """The training curve: iteration, lr, loss, psnr on the validation pool."""
        return pd.read_csv(self.folder / "curve.csv")

    @cached_property
    def by_image(self) -> dict[tuple[str, int, str, str], pd.Series]:
        """Scores by image, and all by (dataset, scale, protocol, metric), where every image has a finite one."""
        try:
            sets = self.scores.set_index("image").sort_index().groupby(["dataset", "scale", "protocol"])
            tables = {(*key, metric): part[metric].astype(float) for key, part in sets for metric in METRICS}
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"{self.folder / 'scores.csv'} is damaged ({error}): restore it from version control.") from None
        return {cell: values for cell, values in tables.items() if np.isfinite(values).all()}

    @cached_property
    def means(self) -> dict[tuple[str, int, str, str], float]:
        """Mean over a dataset's images by (dataset, scale, protocol, metric), where every image has the score."""
        return {cell: float(values.mean()) for cell, values in self.by_image.items()}

    def mean(self, dataset: str, scale: int, metric: str, protocol: str) -> float | None:
        """Mean over a dataset's images; `None` if it was not scored so."""
        return self.means.get((dataset, scale, protocol, metric))

    def check(self) -> None:
        """An `InputError` if the weights are not those of the record."""
        path = self.folder / "weights.safetensors"
        _, metadata = load_tensors(path)
        if metadata["sha256"] != self.info.get("weights_sha256"):
            raise InputError(f"{path} is not the file its record describes: restore it from version control.")

    def model(self) -> nn.Module:
        """The trained network; an `InputError` if the weights are not those of the record."""
        self.check()
        model = make_model(self.info["model"], self.info["arguments"])
        return load_weights(model, self.folder / "weights.safetensors", self.info["experiment"])


def find_records(root: Path | None = None) -> list[Record]:
    """All whole records below `root` (default: the committed ones), in the order of the papers."""
    return [record for record in _records(root) if not _fault(record.folder, _stamp(record.folder))]


def trainings() -> list[Record]:
    """The committed records of trainings, each training once: what was kept on its way is left out."""
    return [r for r in find_records() if r.info["kind"] == "training" and "snapshot_of" not in r.info]


def damaged_records(root: Path | None = None) -> dict[str, str]:
    """What `find_records` leaves out: folder to what is wrong with it."""
    return {str(r.folder): fault for r in _records(root) if (fault := _fault(r.folder, _stamp(r.folder)))}


def _records(root: Path | None) -> list[Record]:
    root = root or results_folder()
    folders = sorted(path.parent for path in root.glob("*/*/*/record.json") if path.relative_to(root).parts[0] != "runs")
    order = {paper: k for k, paper in enumerate(("baselines", *PAPERS))}
    return [Record(f) for f in sorted(folders, key=lambda f: (order.get(f.parts[-3], 9), f))]


def _stamp(folder: Path) -> tuple[tuple[str, int, int], ...]:
    """Changes whenever a file of a record does."""
    names = sorted(path for path in folder.iterdir() if not path.name.startswith("."))  # a file being written may vanish
    files = [(path.name, path.stat()) for path in names]
    return tuple((name, stat.st_mtime_ns, stat.st_size) for name, stat in files)


@lru_cache(4096)
def _fault(folder: Path, stamp: tuple) -> str:
    """What is wrong with a record as it was at `stamp`; empty if nothing is."""
    record = Record(folder)
    try:
        _ = record.means, get_experiment(record.info["experiment"]) if record.info["kind"] == "training" else None
        if (folder / "weights.safetensors").exists():
            record.check()
    except InputError as error:
        return str(error)
    return ""


def find_record(experiment: str, root: Path | None = None) -> Record | None:
    """The record of an experiment, of those that did not diverge: trial recipes last, then the longest, then the first seed."""
    records = [r for r in find_records(root) if r.folder.parts[-2] == experiment and "diverged" not in r.info]
    trial = {r.folder: r.info.get("recipe", {}).get("name", "") not in EVIDENCE for r in records}
    return min(records, key=lambda r: (trial[r.folder], -share(r), r.info.get("seed", 0)), default=None)


def share(record: Record) -> float:
    """Pixels of all training patches seen, ancestors' included, as a fraction of the published run's; 1 without training."""
    if record.info["kind"] != "training":
        return 1.0
    run = published_run(record.info["experiment"])
    return pixels_seen(record.info) / (run.iterations * run.batch * run.patch**2)


def trained_model(name: str, scale: int, weights: Path | None = None) -> nn.Module:
    """A network with its weights.

    Parameters
    ----------
    name : str
        An experiment, or a model of `srlib.models.MODELS`.
    scale : int
        At which it is to be used.
    weights : path, optional
        A file of them; those of the experiment's record if omitted.

    Raises
    ------
    InputError
        If the name is unknown, the scale another, or the weights are missing, damaged or of another network.
    """
    experiment = get_experiment(name) if name not in MODELS or name in EXPERIMENTS else None
    model = experiment.make() if experiment else MODELS[name]()
    known = getattr(model, "scale", None)
    scales = (known,) if known else experiment.recipes[0].scales if experiment else SCALES
    if scale not in scales:
        raise InputError(f"{name} is trained for scale {', '.join(map(str, scales))}, not {scale}: choose one it knows.")
    if weights is not None:
        return load_weights(model, weights, name)
    record = find_record(name)
    if record is None and (faults := [why for folder, why in damaged_records().items() if Path(folder).parts[-2] == name]):
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
) -> Path:
    """Where a record belongs: runs of different lengths and lines stand side by side."""
    length = f"{budget:g}" if fit is None else f"fit{fit:g}"
    name = f"seed{seed}" if (recipe, length) == ("fast", "1") else f"seed{seed}_{recipe}_{length}"
    if ancestors:
        name += f"_from_{ancestors[-1]['weights_sha256'][:8]}"
    return (root or results_folder()) / experiment.paper / experiment.name / name


def write_record(folder: Path, info: dict[str, Any], scores: pd.DataFrame | None = None) -> Record:
    """Write a record atomically, with where, when and with what it was made."""
    info = info | {"commit": commit(), "date": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"), "environment": environment()}
    if scores is not None:
        write_scores(folder, scores)
    write_atomically(folder / "record.json", json.dumps(info, indent=1) + "\n")
    return Record(folder)


def score_images(
    images: ImageSet,
    scale: int,
    protocol: Protocol,
    method: Method | None = None,
    metrics: tuple[str, ...] = METRICS,
    progress: bool = True,
) -> pd.DataFrame:
    """Score a method on every image of a set.

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
        Among 'psnr', 'ssim', 'ifc'; the others are NaN.

    Returns
    -------
    pandas.DataFrame
        The columns of `scores.csv`.
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


def run(
    experiment: Experiment,
    root: Path | None = None,
    seed: int = 0,
    recipe: str = "fast",
    budget: float = 1.0,
    *,
    fit: float | None = None,
    start_from: Path | None = None,
    **options: Any,
) -> Record:
    """Train an experiment and write its record, without scores.

    Parameters
    ----------
    experiment, seed, recipe, budget, fit, options
        As for `srlib.training.train`.
    root : path, optional
        Receives the record (default: the committed ones).
    start_from : path, optional
        A finished record whose averaged weights this run begins from, with a schedule of its own.

    Returns
    -------
    Record
        Of what was kept at epochs there are records, too, under names like `rlcsc_k25_epoch5`.

    Raises
    ------
    InputError
        As `srlib.training.train`, or if nothing can start from that record. A run that diverges leaves a record that says so.
    """
    line: list[dict[str, Any]] = []
    if start_from is not None:
        parent = Record(Path(start_from))
        line = ancestors_of(parent.info, experiment)
        parent.check()
        data = held_out(open_images(options.get("data") or experiment.data))
        if parent.info["data_sha256"] != data.digest():
            trained = parent.info["data"]
            raise InputError(f"{start_from} was trained on {trained}, not on {data.name}: start from a record of that.")
        options |= {"ancestors": line, "weights": parent.folder / "weights.safetensors"}
    folder = record_folder(experiment, seed, recipe, budget, root, fit, line)
    _check_kept(experiment, recipe, options.get("keep", ()))
    if (folder / "record.json").exists() and (record := Record(folder)).info["finished"]:
        data = held_out(open_images(options.get("data") or experiment.data))
        asked = {"data_sha256": data.digest(), "precision": options.get("precision", "auto")}
        was = {key: record.info[key] for key in asked if asked[key] not in ("auto", record.info[key])}
        if was:
            raise InputError(f"{folder} holds another finished run ({was}): move it away or give another folder.")
        if options.get("keep") and "kept" not in record.info:
            raise InputError(f"{folder} is finished, and nothing was kept on its way: move it away or give another folder.")
        _write_snapshots(record)  # a run may have been killed between its record and theirs
        return record
    try:
        info = train(experiment, folder, seed=seed, recipe=recipe, budget=budget, fit=fit, **options)
    except DivergedError as error:
        (folder / "weights.safetensors").unlink(missing_ok=True)  # of an earlier session, of no use now
        write_record(folder, {"kind": "training"} | error.info)
        raise
    if int(os.environ.get("RANK", 0)):  # of several processes the first one writes
        return Record(folder)
    record = write_record(folder, {"kind": "training"} | info)
    if info["finished"]:
        _write_snapshots(record)
    return record


def _check_kept(experiment: Experiment, recipe: str, keep: Sequence[int]) -> None:
    """Refuse what would be taken for an experiment of its own, such as `drn_x3_epoch100`, whose schedule is another."""
    unit = "epoch" if experiment.recipe(recipe).epochs else "iteration"
    for number in keep:
        name = snapshot_name(re.sub(r"_w\d+$", "", experiment.name), f"{unit}{number}")
        if name in EXPERIMENTS:
            raise InputError(f"{unit} {number} cannot be kept: {name} is an experiment of its own; choose another {unit}.")


def snapshots(record: Record) -> dict[str, Record]:
    """The records of what a training kept on its way, by label: 'epoch5', or 'iteration500'."""
    root, name = record.folder.parents[1], record.info["experiment"]
    return {label: Record(root / snapshot_name(name, label) / record.folder.name) for label in record.info.get("kept", {})}


def _write_snapshots(record: Record) -> None:
    """A record of its own for each epoch or iteration whose weights were kept."""
    for label, snapshot in snapshots(record).items():
        folder, iteration = snapshot.folder, record.info["kept"][label]
        kept = record.folder / f"weights_{label}.safetensors"
        if not kept.exists():  # it has become a record already
            continue
        sha256 = load_tensors(kept)[1]["sha256"]
        curve = record.curve[record.curve["iteration"] <= iteration]
        write_atomically(folder / "curve.csv", curve.to_csv(index=False, float_format="%.6g", lineterminator="\n"))
        write_atomically(folder / "weights.safetensors", kept.read_bytes())
        info = {key: value for key, value in record.info.items() if key not in ("kept", "sessions")}
        info |= {"experiment": folder.parent.name, "iterations_done": iteration, "weights_sha256": sha256}
        write_atomically(folder / "record.json", json.dumps(info | {"snapshot_of": record.info["experiment"]}, indent=1) + "\n")
        kept.unlink()


def add_scores(
    record: Record,
    images: ImageSet,
    scales: Sequence[int],
    protocols: Sequence[str],
    metrics: Sequence[str] = METRICS,
    **options: Any,
) -> Record:
    """Score a trained record on a dataset, where it has no scores yet."""
    record = Record(record.folder)  # its scores as they are now: the caller's may have been read before others were added
    method, scores = as_method(record.model()), record.scores
    for scale in scales:
        for name in protocols:
            if missing := tuple(m for m in metrics if record.mean(images.name, scale, m, name) is None):
                scores = join_scores(scores, score_images(images, scale, PROTOCOLS[name], method, missing, **options))
                write_scores(record.folder, scores)  # at once: the next set may take hours
    return Record(record.folder)


def join_scores(scores: pd.DataFrame, others: pd.DataFrame) -> pd.DataFrame:
    """Two tables of scores in one, a row for an image; where both have a number, the first's."""
    both = [table for table in (scores, others) if not table.empty]
    return pd.concat(both or [scores]).groupby(COLUMNS[:4], sort=False, as_index=False)[list(METRICS)].first()


def write_scores(folder: Path, scores: pd.DataFrame) -> None:
    """Write `scores.csv` atomically."""
    write_atomically(folder / "scores.csv", scores[COLUMNS].to_csv(index=False, float_format="%.8f", lineterminator="\n"))
