"""The commands of `python -m srlib`: each takes the parsed options and returns the exit status, None for 0."""

import argparse
import io
import json
import math
import os
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from PIL import Image
from tqdm import tqdm

from srlib.datasets import DATASETS, ImageSet, data_folder, fetch, first_available, is_available, open_images
from srlib.errors import InputError
from srlib.files import check_output, write_atomically
from srlib.images import SUFFIXES, imresize, read_image, rgb_to_luma, round_uint8
from srlib.inference.enlarge import as_method, enlarge
from srlib.inference.onnx import export_onnx
from srlib.inference.pictures import READ, WRITTEN, open_picture
from srlib.inference.tiling import to_tensor
from srlib.ledger.rows import counts, ledger, rows_frame
from srlib.ledger.verify import verify
from srlib.metrics import IFC_MIN_SIDE
from srlib.models import MODELS, meta_model, params, params_total
from srlib.papers import EXPERIMENTS, PAPERS, get_experiment
from srlib.protocol import METRICS, PROTOCOLS, Upscaler, get_protocol, score_images
from srlib.records.merge import merge
from srlib.records.plan import FLAGSHIPS, cycles, queue
from srlib.records.queue import LISTS, run_queue
from srlib.records.record import Record, load_model, results_folder
from srlib.records.run import TEST_SETS, add_scores, run_experiment, snapshots

READABLE = {*WRITTEN, *(f".{kind.lower()}" for kind in READ)}  # suffixes of the files in a folder that are enlarged


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
            {"name": d.name, "images": d.count, "at_hand": is_available(d.name)}
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


def evaluate_command(options: argparse.Namespace) -> None:
    """Score a model on a dataset or a folder."""
    to_file = options.csv is not None and str(options.csv) != "-"
    if to_file:
        check_output(options.csv)
    name = options.data or default_data()
    metrics = parse_metrics(options.metrics)
    protocol = get_protocol(options.protocol)
    method = _method(options)
    images = open_images(name)
    table = score_images(images, options.scale, protocol, method, metrics, progress=sys.stderr.isatty())[["image", *METRICS]]
    table.loc[len(table)] = {"image": "mean"} | table[[*METRICS]].mean().to_dict()
    csv = table.to_csv(index=False, lineterminator="\n")
    if to_file:
        write_atomically(options.csv, csv)
    elif options.csv:
        print(csv, end="")
    if options.json:
        header = {"model": options.model, "data": images.name, "scale": options.scale, "protocol": protocol.name}
        rows = [{key: _finite(value) for key, value in row.items()} for row in table.to_dict("records")]
        print(json.dumps(header | {"images": rows[:-1], "mean": rows[-1]}, indent=1))
    elif not options.csv:
        print(table.to_string(index=False, float_format="{:.4f}".format))


def upscale_command(options: argparse.Namespace) -> int:
    """Super-resolve one picture, several, or a folder of them."""
    *sources, target = options.paths
    if not sources:
        raise InputError(f"Only {target} is given: give a picture (or more, or a folder), and where to write.")
    verbose = sys.stderr.isatty()
    method = _method(options, tile=options.tile, self_ensemble=options.self_ensemble, progress=verbose)
    jobs, failures = _jobs(sources, target), []
    with tqdm(jobs, unit="file", disable=len(jobs) == 1 or not verbose) as bar:
        for source, path in bar:
            bar.set_description(source.name)
            try:
                picture = open_picture(source)
                picture.check_writable(path, options.scale)
                enlarge(picture, method, options.scale).save(path)
            except InputError as error:
                failures.append(error)
    for failure in failures:
        print(f"srlib: {failure}", file=sys.stderr)
    return 2 if failures else 0


def _jobs(sources: Sequence[Path], target: Path) -> list[tuple[Path, Path]]:
    """Pairs of input and output files."""
    files, several = list(sources), len(sources) > 1 or sources[0].is_dir()
    if len(files) == 1 and several:
        files = sorted(p for p in sources[0].iterdir() if p.suffix.lower() in READABLE and not p.name.startswith("."))
        if not files:
            raise InputError(f"{sources[0]} holds no picture: give a folder with some, or a file.")
    if several and (target.is_file() or (not target.exists() and target.suffix.lower() in WRITTEN)):
        raise InputError(f"{target} cannot take {len(files)} pictures: give a folder.")
    paths = [target]
    if several or target.is_dir():
        paths = [target / (file.name if file.suffix.lower() in WRITTEN else f"{file.stem}.png") for file in files]
    inputs, outputs = ([os.path.realpath(path) for path in group] for group in (files, paths))
    for path in outputs:
        if path in inputs:
            raise InputError(f"{path} would be replaced by an enlarged picture: write elsewhere.")
        if outputs.count(path) > 1:
            raise InputError(f"{path} would be written twice: rename one of the pictures, or enlarge them apart.")
    return list(zip(files, paths, strict=True))


def export_command(options: argparse.Namespace) -> None:
    """Write a network as ONNX, checked against torch on a photograph."""
    if options.model == "bicubic":
        raise InputError("Bicubic interpolation is no network: there is nothing to export.")
    model = load_model(options.model, options.scale, options.weights)
    if options.output.suffix != ".onnx":
        raise InputError(f"{options.output} has another suffix than .onnx: give a name that ends in it.")
    hr = open_images("Sample").read(0)[:192, :240]
    hr = hr if model.colour == "rgb" or hr.ndim == 2 else rgb_to_luma(hr)
    lr = imresize(hr / 255, 1 / options.scale)
    difference = export_onnx(model, options.output, *(to_tensor(x) for x in (lr, imresize(lr, options.scale))))
    print(f"{options.output}: ONNX Runtime and torch differ by {255 * difference:.1e} grey levels at most")


def degrade_command(options: argparse.Namespace) -> None:
    """Make the LR image that a protocol makes."""
    protocol, path = get_protocol(options.protocol), options.output
    if path.suffix.lower() in (".jpg", ".jpeg"):
        raise InputError(f"{path}: JPEG would change the LR image; write .png, or .npy for the exact values.")
    exact, suffix = path.suffix == ".npy", path.suffix.lower()
    if not exact and suffix not in SUFFIXES:
        raise InputError(f"{path} has no known image suffix: use one of {', '.join(SUFFIXES)}.")
    check_output(path)
    lr, buffer = protocol.degrade(read_image(options.input), options.scale), io.BytesIO()
    if exact:
        np.save(buffer, lr)
    else:
        if lr.dtype != np.uint8:
            print(f"srlib: {protocol.name} does not round its LR image, this file does; .npy keeps it exact", file=sys.stderr)
            lr = round_uint8(255 * lr)
        Image.fromarray(lr).save(buffer, Image.registered_extensions()[suffix])
    write_atomically(path, buffer.getvalue())


def ledger_command(options: argparse.Namespace) -> None:
    """Print the ledger: for every claim of the four papers the published number, ours, the gap and the verdict."""
    rows = ledger(options.paper or PAPERS)
    rows = [row for row in rows if options.verdict in (None, row.verdict) and options.kind in (None, row.kind)]
    if options.json:
        print(json.dumps([{key: _finite(value) for key, value in vars(row).items()} for row in rows], indent=1))
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


def default_data() -> str:
    """The name of the default test set: Set5, or else Sample, with a note on standard error."""
    name = first_available("Set5")
    if name == "Sample":
        print(f"srlib: Set5 is not in {data_folder()}, so the Sample images stand in for it", file=sys.stderr)
    return name


def parse_metrics(text: str) -> tuple[str, ...]:
    """The metrics in an option such as `psnr,ssim`."""
    names = tuple(text.split(","))
    if unknown := [name for name in names if name not in METRICS]:
        raise InputError(f"Metric {unknown[0]!r} is unknown: choose some of {','.join(METRICS)}.")
    return names


def _method(options: argparse.Namespace, **settings: Any) -> Upscaler | None:
    if options.model == "bicubic":
        return None
    return as_method(load_model(options.model, options.scale, options.weights), **settings)


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def train_command(options: argparse.Namespace) -> None:
    """Train an experiment, or resume its training, and score it when it is finished."""
    experiment = get_experiment(options.experiment)
    scales = experiment.recipe(options.recipe).scales
    test_sets = [_scorable(name, scales) for name in (options.score if options.score is not None else [default_data()])]
    data, out = options.data, options.out
    if data is None and not is_available(experiment.data):
        data, out = "SampleTrain", out or results_folder() / "runs"  # never among the records that the book shows
        print(f"srlib: {experiment.data} is not in {data_folder()}, so SampleTrain stands in for it", file=sys.stderr)
    names = ("seed", "recipe", "budget", "fit", "start_from", "keep", "device", "precision", "deterministic", "minutes")
    if options.threads:
        torch.set_num_threads(options.threads)
    record = run_experiment(experiment, out, data=data, **{name: getattr(options, name) for name in names})
    info = record.info
    print(f"{record.folder}: {info['iterations_done']} of {info['iterations']} iterations in {info['seconds']} s")
    if not info["finished"]:
        print("Not finished: run the same command again to go on.")
        return
    for trained in (record, *snapshots(record).values()):
        for images in test_sets:
            _score(trained, images, scales, experiment.protocols)


def score_command(options: argparse.Namespace) -> None:
    """Score finished trainings on datasets and add the scores to their records."""
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
            _score(record, _scorable(name, scales), scales, tuple(options.protocol or experiment.protocols), metrics)


def queue_command(options: argparse.Namespace) -> None:
    """Print the runs to train next and the command for the first."""
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


def merge_command(options: argparse.Namespace) -> None:
    """Merge records from another machine into the committed ones."""
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


def _scorable(name: str, scales: tuple[int, ...]) -> ImageSet:
    """The images of a set; refused, before training, if one is too small to be scored after it."""
    images = open_images(name)
    for index, (_, image) in enumerate(images):
        side = min(n - n % scale - 2 * scale for n in image.shape[:2] for scale in scales)
        if side < IFC_MIN_SIDE:
            raise InputError(f"{images.paths[index]} is too small to be scored: its sides must exceed {IFC_MIN_SIDE} pixels.")
    return images
