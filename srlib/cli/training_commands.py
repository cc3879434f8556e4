"""The commands about training: train, score, queue, work, merge."""

import argparse
import json
import sys
from functools import partial

import pandas as pd
import torch

from srlib.cli.commands import default_data, parse_metrics
from srlib.datasets import ImageSet, data_folder, is_available, open_images
from srlib.errors import InputError
from srlib.metrics import IFC_MIN_SIDE
from srlib.papers import get_experiment
from srlib.protocol import METRICS, get_protocol
from srlib.records.flagships import FLAGSHIPS, cycles
from srlib.records.merge import merge
from srlib.records.plan import queue
from srlib.records.queue import LISTS, run_queue
from srlib.records.record import Record, results_folder
from srlib.records.run import add_scores, run_experiment, snapshots

TRAINING_OPTIONS = (
    *("seed", "recipe", "budget", "fit", "start_from", "keep"),
    *("device", "precision", "deterministic", "minutes"),
)


def train_command(options: argparse.Namespace) -> None:
    """Train an experiment, or go on training it, and score it when it is done."""
    experiment = get_experiment(options.experiment)
    scales = experiment.recipe(options.recipe).scales
    scored = [open_images(name) for name in (options.score if options.score is not None else [default_data()])]
    for images in scored:
        _check_scorable(images, scales)
    data, out = options.data, options.out
    if data is None and not is_available(experiment.data):
        data, out = "SampleTrain", out or results_folder() / "runs"  # never among the records that the book shows
        print(f"srlib: {experiment.data} is not in {data_folder()}, so SampleTrain stands in for it", file=sys.stderr)
    how = {name: getattr(options, name) for name in TRAINING_OPTIONS}
    if options.threads:
        torch.set_num_threads(options.threads)
    record = run_experiment(experiment, out, data=data, **how)
    info = record.info
    print(f"{record.folder}: {info['iterations_done']} of {info['iterations']} iterations in {info['seconds']} s")
    if not info["finished"]:
        print("Not finished: run the same command again to go on.")
        return
    for each in (record, *snapshots(record).values()):
        for images in scored:
            _score(each, images, scales, experiment.protocols)


def score_command(options: argparse.Namespace) -> None:
    """Score finished trainings on datasets, adding to what their records hold."""
    metrics = parse_metrics(options.metrics)
    for folder in options.folder:
        record = Record(folder)
        experiment = get_experiment(record.info["experiment"])
        if not record.info.get("finished"):
            raise InputError(f"{folder} is not finished: its scores would be those of an unfinished run; go on training first.")
        for name in options.protocol or ():
            get_protocol(name)
        scales = tuple(record.info["recipe"]["scales"])
        for name in options.data or [default_data()]:
            images = open_images(name)
            _check_scorable(images, scales)
            _score(record, images, scales, tuple(options.protocol or experiment.protocols), metrics)


def queue_command(options: argparse.Namespace) -> None:
    """What to train next, why, and the command for it."""
    rows = queue(options.device, options.all)
    if options.json:
        print(json.dumps(rows, indent=1))
        return
    if not rows:
        print("Nothing is left that can be trained with the data at hand: see queue --all.")
        return
    shown = pd.DataFrame(rows if options.all else rows[: options.number])
    shown["done"] = [f"{done:.0%}" for done in shown["done"]]
    columns = ["group", "experiment", "seed", "budget", "iterations", "state", "done"]
    print(shown[columns if options.all else [*columns[:-2], columns[-1]]].to_string(index=False))
    if not options.all:
        done = ", ".join(f"{f.experiment} {len(cycles(f.experiment, (None,)))}" for f in FLAGSHIPS)
        print(f"\nFlagships, trained in cycles by `work --list flagships`, and cycles done: {done}")
    first = next((row for row in rows if row["state"] in ("started", "next")), None)
    if first:
        print(f"\nNext: {first['command']}\n      {first['fills']}")
    print(f"{len(rows)} runs {'in all' if options.all else 'to do'}")


def work_command(options: argparse.Namespace) -> None:
    """Train for so many minutes in the background: from the top of the lists, several runs side by side."""
    how = {name: getattr(options, name) for name in ("jobs", "threads", "device", "group")}
    lists = options.list or LISTS
    if not run_queue(options.minutes, options.out or results_folder(), lists=lists, report=partial(print, flush=True), **how):
        print("Nothing is left that can be trained with the data at hand in this time: see queue --all.")


def merge_command(options: argparse.Namespace) -> None:
    """Take in records that were made on another machine."""
    for folder in options.folder:
        print("\n".join(merge(folder)))


def _score(
    record: Record, images: ImageSet, scales: tuple[int, ...], protocols: tuple[str, ...], metrics: tuple[str, ...] = METRICS
) -> None:
    record = add_scores(record, images, scales, protocols, metrics)
    for scale in scales:
        for protocol in protocols:
            if (psnr := record.mean(images.name, scale, "psnr", protocol)) is not None:
                print(f"{images.name} x{scale}: {psnr:.2f} dB under `{protocol}`")


def _check_scorable(images: ImageSet, scales: tuple[int, ...]) -> None:
    """Refuse before training what could not be scored after it."""
    for index, (_, image) in enumerate(images):
        side = min(n - n % scale - 2 * scale for n in image.shape[:2] for scale in scales)
        if side < IFC_MIN_SIDE:
            raise InputError(f"{images.paths[index]} is too small to be scored: its sides must exceed {IFC_MIN_SIDE} pixels.")
