"""Run an experiment and keep what comes of it: train, write the record, score it."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from srlib.datasets import ImageSet, open_images
from srlib.errors import InputError
from srlib.files import write_atomically
from srlib.inference.enlarge import as_method
from srlib.papers import EXPERIMENTS
from srlib.protocol import METRICS, PROTOCOLS, score_images
from srlib.records.record import Record, join_scores, record_folder, write_record, write_scores
from srlib.training.checkpoint import load_tensors
from srlib.training.lineage import ancestors_of
from srlib.training.loop import DivergedError, train
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
    **options: Any,
) -> Record:
    """Train an experiment and write its record, without scores.

    Parameters
    ----------
    experiment, seed, recipe, budget, fit, options
        As for `srlib.training.loop.train`.
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
        data = without_validation(open_images(options.get("data") or experiment.data))
        if parent.info["data_sha256"] != data.digest():
            trained = parent.info["data"]
            raise InputError(f"{start_from} was trained on {trained}, not on {data.name}: start from a record of that.")
        options |= {"ancestors": line, "weights": parent.folder / "weights.safetensors"}
    folder = record_folder(experiment, seed, recipe, budget, root, fit, line)
    _check_kept(experiment, recipe, options.get("keep", ()))
    if (folder / "record.json").exists() and (record := Record(folder)).info["finished"]:
        data = without_validation(open_images(options.get("data") or experiment.data))
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
