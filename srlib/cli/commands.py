"""The commands of `python -m srlib`: each takes the parsed options and returns the exit status, None for 0."""

import argparse
import json
import os
import sys
from functools import partial
from pathlib import Path

import pandas as pd
import torch

from srlib.cli.scoring import default_data, json_value, report_failures, scorable, score_record
from srlib.datasets import DATASETS, data_folder, fetch, is_available, open_images
from srlib.errors import InputError
from srlib.ledger.rows import counts, ledger, rows_frame
from srlib.ledger.verify import verify
from srlib.models import MODELS, meta_model, params, params_total
from srlib.papers import EXPERIMENTS, PAPERS, get_experiment
from srlib.protocol import PROTOCOLS
from srlib.records.merge import merge
from srlib.records.plan import FLAGSHIPS, cycles, queue
from srlib.records.queue import LISTS, MOST, run_queue
from srlib.records.record import results_folder
from srlib.records.run import TEST_SETS, run_experiment, snapshots


def list_command(options: argparse.Namespace) -> None:
    """List models, datasets, protocols and experiments."""
    models = [{"name": "bicubic", "params": 0, "params_total": 0, "depth": 0, "receptive_field": 0, "domain": "lr"}]
    for name in dict.fromkeys((*MODELS, *EXPERIMENTS)):
        model = meta_model(MODELS[name] if name in MODELS else EXPERIMENTS[name].make)
        models.append(
            {"name": name, "params": params(model), "params_total": params_total(model), "depth": model.depth}
            | {"receptive_field": 2 * model.radius + 1, "domain": model.domain}
        )
    tables = {
        "models": models,
        "datasets": [
            {"name": d.name, "images": d.count, "available": is_available(d.name)}
            | {"role": d.role, "licence": d.licence, "source": d.source}
            for d in DATASETS.values()
        ],
        "protocols": [{"name": p.name, "used_for": p.used_for} for p in PROTOCOLS.values()],
        "experiments": [
            {"name": e.name, "paper": e.paper, "data": e.data, "recipes": [r.name for r in e.recipes]}
            for e in EXPERIMENTS.values()
        ],
    }
    if options.json:
        print(json.dumps(tables, indent=1))
        return
    for title, rows in tables.items():
        print(f"{title}\n{pd.DataFrame(rows).to_string(index=False)}\n")


def fetch_command(options: argparse.Namespace) -> None:
    """Download datasets, verified."""
    for name in options.name:
        folder = fetch(name, options.mirror)
        print(f"{name}: {len(open_images(name))} images in {folder}")


def ledger_command(options: argparse.Namespace) -> None:
    """Print the ledger: for every claim of the four papers the published number, ours, the gap and the verdict."""
    rows = ledger(options.paper or PAPERS)
    rows = [row for row in rows if options.verdict in (None, row.verdict) and options.kind in (None, row.kind)]
    if options.json:
        print(json.dumps([{key: json_value(value) for key, value in vars(row).items()} for row in rows], indent=1))
        return
    columns = ["id", "where", "experiment", "protocol", "published", "ours", "gap", "training_fraction", "verdict", "detail"]
    if rows:
        table = rows_frame(rows)[columns].astype(object)
        table = table.where(table.notna(), "–")
        print(table.to_string(index=False, max_colwidth=40, float_format="{:.6g}".format))
    print(", ".join(f"{number} {verdict}" for verdict, number in counts(rows).most_common()) or "There is no such claim.")


def verify_command(options: argparse.Namespace) -> int:
    """Run the golden checks on this machine, with its data."""
    for path in (options.reference, options.vdsr_weights):
        if path is not None and not path.exists():
            raise InputError(f"{path} does not exist.")
    reference = options.reference or os.environ.get("SRLIB_REFERENCE")
    sets, checks = TEST_SETS if options.all else TEST_SETS[:2], []
    for check in verify(sets, Path(reference) if reference else None, options.vdsr_weights):
        checks.append(check)
        if not options.json:
            state = {True: "ok     ", False: "FAILED ", None: "skipped"}[check.passed]
            print(f"{state} {check.name}: {check.detail}", flush=True)
    if options.json:
        print(json.dumps([vars(check) for check in checks], indent=1))
    return int(any(check.passed is False for check in checks))


def train_command(options: argparse.Namespace) -> None:
    """Train an experiment, or resume its training, and score it when it is finished."""
    experiment = get_experiment(options.experiment)
    scales = experiment.recipe(options.recipe).scales
    test_sets = [scorable(name, scales) for name in (options.score if options.score is not None else [default_data()])]
    data, out = options.data, options.out
    if data is None and not is_available(experiment.data):
        data, out = "SampleTrain", out or results_folder() / "runs"  # never among the records that the book shows
        print(f"srlib: {experiment.data} is not in {data_folder()}, so SampleTrain stands in for it", file=sys.stderr)
    if options.name and not options.lr:
        raise InputError("--name says how LR pictures are called: give --lr, too.")
    if options.lr or options.data not in (None, *DATASETS):
        out = out or results_folder() / "runs"  # no evidence for a paper either
    names = ("seed", "recipe", "budget", "fit", "start_from", "keep", "device", "precision", "deterministic", "minutes", "lr")
    if options.threads is not None:
        if not 1 <= options.threads <= MOST:
            raise InputError(f"{options.threads} threads are out of range: give 1 to {MOST}.")
        torch.set_num_threads(options.threads)
    settings = {name: getattr(options, name) for name in names}
    record = run_experiment(experiment, out, data=data, lr_name=options.name or "", **settings)
    info = record.info
    print(f"{record.folder}: {info['iterations_done']} of {info['iterations']} iterations in {info['seconds']} s")
    if not info["finished"]:
        print("Not finished: run the same command again to go on.")
        return
    for trained in (record, *snapshots(record).values()):
        for images in test_sets:
            score_record(trained, images, scales, experiment.protocols)


def queue_command(options: argparse.Namespace) -> None:
    """Print the runs to train next and the command for the first."""
    if options.number < 1:
        raise InputError(f"number {options.number} is no number of runs: give 1 or more.")
    rows = queue(options.device, options.all)
    if options.json:
        print(json.dumps(rows, indent=1))
        return
    if not rows:
        print("Nothing is left that can be trained with the data at hand: see queue --all.")
        return
    table = pd.DataFrame(rows if options.all else rows[: options.number])
    table["done"] = table["done"].map("{:.0%}".format)
    columns = ["group", "experiment", "seed", "budget", "iterations", "state", "done"]
    print(table[columns if options.all else [*columns[:-2], columns[-1]]].to_string(index=False))
    if not options.all:
        cycle_counts = ", ".join(f"{f.experiment} {len(cycles(f.experiment, (None,)))}" for f in FLAGSHIPS)
        print(f"\nFlagships, trained in cycles by `work --list flagships`, and cycles done: {cycle_counts}")
    next_row = next((row for row in rows if row["state"] in ("started", "next")), None)
    if next_row:
        print(f"\nNext: {next_row['command']}\n      {next_row['fills']}")
    print(f"{len(rows)} runs {'in all' if options.all else 'to do'}")


def work_command(options: argparse.Namespace) -> None:
    """Train in the background for some minutes: runs of the lists, most valuable first, several side by side."""
    settings = {name: getattr(options, name) for name in ("jobs", "threads", "device", "group")}
    settings |= {"lists": options.list or LISTS, "report": partial(print, flush=True)}
    if not run_queue(options.minutes, options.out or results_folder(), **settings):
        print("Nothing is left that can be trained with the data at hand in this time: see queue --all.")


def merge_command(options: argparse.Namespace) -> int:
    """Merge records from another machine into the committed ones."""
    failures: list[str] = []
    for folder in options.folder:
        try:
            print("\n".join(merge(folder, failures)))
        except InputError as error:
            failures.append(str(error))
    return report_failures(failures)
