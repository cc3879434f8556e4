"""Run an experiment: train it, write its record, score it."""

import argparse
import json
import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from srlib.datasets import ImageSet, first_available, is_available, open_images
from srlib.errors import InputError
from srlib.files import lock, write_atomically
from srlib.inference.enlarge import as_method
from srlib.models import VDSR
from srlib.papers import EXPERIMENTS, get_experiment
from srlib.protocol import METRICS, PROTOCOLS, SCALES, Upscaler, score_images
from srlib.records.record import Record, join_scores, record_folder, results_folder, write_record, write_scores
from srlib.training.checkpoint import digest, load_tensors, load_weights
from srlib.training.lineage import ancestors_of
from srlib.training.loop import DivergedError, snapshot_iterations, train
from srlib.training.patches import open_lr
from srlib.training.recipe import Experiment, snapshot_name
from srlib.training.validation import without_validation


def run_experiment(
    experiment: Experiment,
    root: Path | None = None,
    seed: int = 0,
    recipe: str = "fast",
    budget: float = 1.0,
    *,
    fit: float | None = None,
    start_from: Path | None = None,
    lr: Path | None = None,
    lr_name: str = "",
    **options: Any,
) -> Record:
    """Train an experiment and write its record, without scores.

    Parameters
    ----------
    experiment, seed, recipe, budget, fit, options
        As for `srlib.training.loop.train`.
    root : path, optional
        Folder of records (default: the committed ones).
    start_from : path, optional
        A finished record whose averaged weights this run begins from, with a schedule of its own.
    lr : path, optional
        Folder of LR images, in place of those that the protocol makes. The record says so, and is no evidence for a paper.
    lr_name : str
        Pattern of their names, as for `srlib.matching.match`.

    Returns
    -------
    Record
        Snapshots that were kept on the way have records, too, under names like `rlcsc_k25_epoch5`.

    Raises
    ------
    InputError
        As `srlib.training.train`; if the run cannot start from that record; if an LR image is missing; or if the folder holds
        another finished run.
    DivergedError
        If the loss does not stay finite; the record then has the key `diverged`.
    """
    line: list[dict[str, Any]] = []
    images = without_validation(open_images(options.get("data") or experiment.data))
    if start_from is not None:
        parent = Record(Path(start_from))
        line = ancestors_of(parent.info, experiment)
        parent.check()
        if parent.info["data_sha256"] != images.digest():
            parent_data = parent.info["data"]
            raise InputError(f"{start_from} was trained on {parent_data}, not on {images.name}: start from a record of that.")
        if "lr" in parent.info and lr is None:  # or this record would pass for one of the protocol's own
            raise InputError(f"{start_from} was trained on the LR images in {parent.info['lr']}: give --lr for this run, too.")
        options |= {"ancestors": line, "weights": parent.folder / "weights.safetensors"}
    source: dict[str, Any] = {"kind": "training"}
    if lr is not None:
        options["lr"] = open_lr(lr, images, experiment.recipe(recipe).scales, lr_name)
        source |= {"lr": str(lr)}
    lr_sha256 = options["lr"].sha256 if lr is not None else ""
    folder = record_folder(experiment, seed, recipe, budget, root, fit, line, lr_sha256)
    _check_kept(experiment, recipe, options.get("keep", ()))
    if (folder / "record.json").exists() and (record := Record(folder)).info["finished"]:
        requested = {"data_sha256": images.digest(), "precision": options.get("precision", "auto")}
        differing = {key: record.info[key] for key, value in requested.items() if value not in ("auto", record.info[key])}
        if differing:
            raise InputError(f"{folder} holds another finished run ({differing}): move it away or give another folder.")
        asked = snapshot_iterations(experiment.recipe(recipe), record.info["iterations"], options.get("keep", ()))
        if missing := ", ".join(sorted(asked.keys() - record.info.get("kept", {}).keys())):
            advice = "move it away or give another folder"
            raise InputError(f"{folder} is finished, and nothing was kept on its way at {missing}: {advice}.")
        _write_snapshots(record)  # a run may have been killed between its record and theirs
        return record
    try:
        info = train(experiment, folder, seed=seed, recipe=recipe, budget=budget, fit=fit, **options)
    except DivergedError as error:
        (folder / "weights.safetensors").unlink(missing_ok=True)  # of an earlier session, of no use now
        write_record(folder, source | error.info)
        raise
    record = write_record(folder, source | info)
    if info["finished"]:
        _write_snapshots(record)
    return record


def _check_kept(experiment: Experiment, recipe: str, keep: Sequence[int]) -> None:
    """Refuse snapshots whose name is an experiment with a schedule of its own, such as `drn_x3_epoch100`."""
    unit = "epoch" if experiment.recipe(recipe).epochs else "iteration"
    for number in keep:
        name = snapshot_name(re.sub(r"_w\d+$", "", experiment.name), f"{unit}{number}")
        if name in EXPERIMENTS:
            raise InputError(f"{unit} {number} cannot be kept: {name} is an experiment of its own; choose another {unit}.")


def snapshots(record: Record) -> dict[str, Record]:
    """The records of a training's snapshots by label: 'epoch5', or 'iteration500'."""
    root, name = record.folder.parents[1], record.info["experiment"]
    return {label: Record(root / snapshot_name(name, label) / record.folder.name) for label in record.info.get("kept", {})}


def _write_snapshots(record: Record) -> None:
    """Write a record for each epoch or iteration whose weights were kept."""
    for label, snapshot in snapshots(record).items():
        folder, iteration = snapshot.folder, record.info["kept"][label]
        weights = record.folder / f"weights_{label}.safetensors"
        if not weights.exists():  # its record is written already
            continue
        sha256 = load_tensors(weights)[1]["sha256"]
        curve = record.curve[record.curve["iteration"] <= iteration]
        write_atomically(folder / "curve.csv", curve.to_csv(index=False, float_format="%.6g", lineterminator="\n"))
        write_atomically(folder / "weights.safetensors", weights.read_bytes())
        info = {key: value for key, value in record.info.items() if key not in ("kept", "sessions")}
        info |= {"experiment": folder.parent.name, "iterations_done": iteration, "weights_sha256": sha256}
        write_atomically(folder / "record.json", json.dumps(info | {"snapshot_of": record.info["experiment"]}, indent=1) + "\n")
        weights.unlink()


def add_scores(
    record: Record,
    images: ImageSet,
    scales: Sequence[int],
    protocols: Sequence[str],
    metrics: Sequence[str] = METRICS,
    **options: Any,
) -> Record:
    """Score a trained record on a dataset where it has no scores yet; returns the record with all scores.

    Scores of a folder are of its pictures as they were: `record.json` keeps their digest under `scored`, and where it differs
    they are dropped and computed anew. (Of most datasets the registry knows the files, which never change.)
    """
    with lock(record.folder):  # two processes would each write the scores without the other's
        record = Record(record.folder)  # as it is now: the caller's may have been read before others were added
        scores, info = record.scores, record.info
        if not all(images.sha256) and (sha256 := images.digest()) != info.get("scored", {}).get(images.name):
            if (scores.dataset == images.name).any():
                print(f"srlib: {images.name} may hold other pictures than were scored: all are scored anew", file=sys.stderr)
            scores = scores[scores.dataset != images.name]
            write_scores(record.folder, scores)
            info |= {"scored": info.get("scored", {}) | {images.name: sha256}}
            write_atomically(record.folder / "record.json", json.dumps(info, indent=1) + "\n")
        method = as_method(record.model())
        for scale in scales:
            for name in protocols:
                cell = scores[(scores.dataset == images.name) & (scores.scale == scale) & (scores.protocol == name)]
                if missing := tuple(m for m in metrics if cell[m].count() < len(images)):
                    scores = join_scores(scores, score_images(images, scale, PROTOCOLS[name], method, missing, **options))
                    write_scores(record.folder, scores)  # at once: the next set may take hours
    return Record(record.folder)


@dataclass(frozen=True)
class Rerun:
    """The records of fresh runs, and the set on which they were scored."""

    records: tuple[Record, ...]
    test_set: str
    stand_in: bool  # whether training or test data are other than the experiments', so that the numbers stand apart

    def table(self) -> pd.DataFrame:
        """Table of a row for each run and scale, with PSNR (dB) and SSIM under the experiment's first protocol."""
        rows = []
        for record in self.records:
            experiment = get_experiment(record.info["experiment"])
            protocol = experiment.protocols[0]
            for scale in record.info["recipe"]["scales"]:
                row = {"experiment": experiment.name, "dataset": self.test_set, "scale": scale, "protocol": protocol}
                row |= {"iterations": record.info["iterations_done"], "seconds": round(record.info["seconds"])}
                row |= {metric: record.mean(self.test_set, scale, metric, protocol) for metric in ("psnr", "ssim")}
                rows.append(row)
        return pd.DataFrame(rows)


def rerun(
    names: Iterable[str],
    notebook: str,
    *,
    seed: int = 0,
    budget: float = 1.0,
    device: str = "auto",
    data: str = "",
    runs: str = "",
) -> Rerun:
    """Train experiments one after the other and score each; a killed run goes on where it stopped.

    Parameters
    ----------
    names : iterable of str
        Experiments, narrow ones such as `rlcsc_k15_w16` included.
    notebook : str
        Name of the notebook: records go below `results/runs/<notebook>/`, never among the committed ones.
    seed, budget, device
        As for `srlib.training.loop.train`; the recipe is `fast`.
    data : str
        Training set or folder in place of the experiment's own.
    runs : str
        Another folder for the records.

    Returns
    -------
    Rerun
    """
    experiments = [get_experiment(name) for name in names]
    test_set = first_available("Set5")
    records, stand_in = [], test_set != "Set5"
    for experiment in experiments:
        training_set = data or first_available(experiment.data, "T91", otherwise="SampleTrain")
        stand_in |= training_set != experiment.data
        root = Path(runs) if runs else results_folder() / "runs" / notebook / f"{Path(training_set).name}_budget{budget:g}"
        record = run_experiment(experiment, root, seed, budget=budget, data=training_set, device=device)
        info = record.info
        record = add_scores(record, open_images(test_set), info["recipe"]["scales"], experiment.protocols, progress=False)
        records.append(record)
        print(f"{experiment.name}: {info['iterations_done']} iterations on {info['data']} in {info['seconds']:.0f} s")
    if stand_in:
        print(f"Scored on {test_set}. Training or test data are not the experiments': these numbers stand apart.")
    return Rerun(tuple(records), test_set, stand_in)


TEST_SETS = ("Set5", "Set14", "BSD100", "Urban100")
# The protocols behind the published rows, and the metrics that each is known to give.
BICUBIC_PROTOCOLS = {"vdsr": ("psnr", "ssim"), "drrn": METRICS, "lapsrn": METRICS}
VDSR_PROTOCOLS = {"vdsr": ("psnr", "ssim")}


def score_bicubic(sets: Iterable[str], progress: bool = True) -> pd.DataFrame:
    """Scores of bicubic interpolation at all scales, in the three protocols of the published rows; columns of `scores.csv`."""
    return _score(sets, BICUBIC_PROTOCOLS, None, progress)


def score_vdsr(
    weights: str | Path, sets: Iterable[str], protocols: dict[str, tuple[str, ...]] = VDSR_PROTOCOLS, progress: bool = True
) -> pd.DataFrame:
    """Scores of the released VDSR at all scales, by default in the protocol of its own paper; columns of `scores.csv`."""
    return _score(sets, protocols, as_method(load_weights(VDSR(), weights)), progress)


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
    parser = argparse.ArgumentParser("python -m srlib.records.run", description=__doc__.splitlines()[0])
    parser.add_argument("--vdsr-weights", type=Path, help="score VDSR instead of bicubic, with its released weights (.npz)")
    options = parser.parse_args()
    sets = [name for name in TEST_SETS if is_available(name)]
    if not options.vdsr_weights:
        print(write_baseline("bicubic", score_bicubic(sets)).folder)
        # A black image: what a dead network without residual learning makes (RL-CSC, Table 3).
        black = _score(sets, {"drrn": ("psnr", "ssim")}, lambda lr, ilr, scale: np.zeros_like(ilr), progress=False)
        print(write_baseline("black", black).folder)
    else:
        weights = digest(load_weights(VDSR(), options.vdsr_weights).state_dict())
        small_sets = [name for name in sets if name in ("Set5", "Set14")]
        scores = score_vdsr(options.vdsr_weights, small_sets, VDSR_PROTOCOLS | {"drrn": METRICS})
        for name in sets:  # the large ones take an hour on a CPU, so each is written at once
            if name not in set(scores.dataset):
                scores = pd.concat([scores, score_vdsr(options.vdsr_weights, [name])], ignore_index=True)
            print(write_baseline("vdsr_official", scores, weights_sha256=weights).folder)
