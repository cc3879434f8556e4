"""The commands that score: `evaluate` and `score`, and what they share."""

import argparse
import json
import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image
from torch import nn

from srlib.datasets import DATASETS, ImageSet, data_folder, first_available, open_images
from srlib.errors import InputError
from srlib.files import check_output, write_atomically
from srlib.inference.enlarge import as_method
from srlib.matching import LR, RESULT, base_name, match
from srlib.metrics import IFC_MIN_SIDE, SSIM_WINDOW
from srlib.papers import get_experiment
from srlib.protocol import METRICS, check_metrics, get_protocol, score_images
from srlib.records.record import Record, load_model
from srlib.records.run import add_scores


@dataclass(frozen=True)
class _Run:
    """What is scored: how it is called in the outputs, options of `score_images`, and what failed."""

    header: dict[str, Any]
    arguments: dict[str, Any]
    failures: list[str]


def evaluate_command(options: argparse.Namespace) -> int:
    """Score a model, or finished results of any method, on a dataset or a folder."""
    _check_evaluate(options)
    protocol, metrics = get_protocol(options.protocol), parse_metrics(options.metrics)
    images = open_data(options.data or default_data())
    if images.name not in DATASETS:
        note_sub_folders(images.name)
        if len(suffixes := sorted({path.suffix.lower() for path in images.paths})) > 1:
            kinds = ", ".join(suffixes)
            print(f"srlib: {images.name} holds pictures of several kinds, and all are scored: {kinds}", file=sys.stderr)
    read = [*images.paths, *([options.weights] if options.weights else [])]
    runs = [_results(images, folder, options) for folder in options.results or ()]
    runs = runs or [_model(images, options, read)]
    read += [path for run in runs for key in ("results", "lr") for path in (run.arguments.get(key) or {}).values()]
    if options.csv and str(options.csv) != "-":
        csv = check_output(options.csv, inputs=read)
        if options.save and csv in {check_output(options.save / f"{image}.png") for image in images.names}:
            raise InputError(f"{options.csv} is the name of a picture that --save writes: give another name.")
    if options.save:
        try:
            options.save.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"{options.save} cannot be made ({error.strerror}): give another folder.") from None
    tables = []
    for run in runs:
        settings = {"metrics": metrics, "progress": sys.stderr.isatty(), "failures": run.failures}
        tables.append(score_images(images, options.scale, protocol, **run.arguments, **settings))
    return _report(runs, tables, len(images), options)


def _header(images: ImageSet, options: argparse.Namespace) -> dict[str, Any]:
    return {"data": images.name, "scale": options.scale, "protocol": options.protocol}


def _results(images: ImageSet, folder: Path, options: argparse.Namespace) -> _Run:
    failures: list[str] = []
    results: dict[str, Path] = {}
    try:
        results = _matched(images, folder, options, failures)
    except InputError as error:  # of one folder; there may be others
        failures.append(str(error))
    return _Run({"results": str(folder)} | _header(images, options), {"results": results}, failures)


def _model(images: ImageSet, options: argparse.Namespace, read: Sequence[Path]) -> _Run:
    failures: list[str] = []
    model, header = model_of(options), {"model": options.model} | _header(images, options)
    arguments: dict[str, Any] = {"method": None if model is None else as_method(model)}
    if options.lr:
        arguments["lr"] = _matched(images, options.lr, options, failures, LR)
        header["lr"] = str(options.lr)
        print(f"srlib: the LR images are of {options.lr}: these scores are not {options.protocol}'s own", file=sys.stderr)
    if options.save:
        arguments["keep"] = _saver(options.save, images, [*read, *arguments.get("lr", {}).values()], failures)
    return _Run(header, arguments, failures)


def _check_evaluate(options: argparse.Namespace) -> None:
    """Refuse options that exclude each other, and an output that cannot be written, before anything is computed."""
    if options.model and options.results:
        raise InputError(f"Both the model {options.model!r} and --results are given: leave one of them out.")
    if not (options.model or options.results):
        raise InputError("There is nothing to score: give a model, or finished pictures with --results FOLDER.")
    for option in ("weights", "lr", "save"):
        if options.results and getattr(options, option):
            raise InputError(f"--{option} is of a model, but --results scores what is finished: leave one of them out.")
    if options.json and str(options.csv) == "-":
        raise InputError("--json and --csv - write to one output: leave one of them out, or name a file.")
    if options.name and not (options.results or options.lr):
        raise InputError("--name says how results or LR pictures are called: give --results or --lr, too.")
    if options.csv and str(options.csv) != "-":
        check_output(options.csv)


def _saver(folder: Path, images: ImageSet, read: Sequence[Path], failures: list[str]) -> Callable[[str, np.ndarray], None]:
    """A function that writes a result to the folder; a disk that is full costs the picture, not its scores."""
    targets = {name: check_output(folder / f"{name}.png", inputs=read) for name in images.names}

    def save(name: str, sr: np.ndarray) -> None:
        try:
            write_atomically(targets[name], partial(Image.fromarray(sr).save, format="PNG"))
        except InputError as error:
            failures.append(str(error))

    return save


def _matched(
    images: ImageSet, folder: Path, options: argparse.Namespace, failures: list[str], without: frozenset[str] = RESULT
) -> dict[str, Path]:
    """The files of a folder by the image that they belong to; images without one are failures, other files a note."""
    matches = match(images.names, folder, options.scale, options.name or "", without)
    failures += [fault for name, fault in matches.faults.items() if name not in matches.missing]
    if matches.missing:
        names, first = ", ".join(matches.missing), matches.missing[0]
        advice = f"{first}.png or {first}x{options.scale}.png, or say how they are called with --name"
        failures.append(f"{folder} has no file at scale {options.scale} of {names}: call them {advice}.")
    others = [file for file in matches.others if base_name(file.stem, options.scale)]  # of other scales there may be many
    if others:
        print(f"srlib: {folder} has files of no image, left out: {', '.join(file.name for file in others)}", file=sys.stderr)
    note_sub_folders(folder)
    return matches.files


def note_sub_folders(folder: str | Path) -> None:
    """Say which sub-folders of a folder are left out."""
    names = sorted(path.name for path in Path(folder).iterdir() if path.is_dir() and path.name[0] != ".")
    if names:
        print(f"srlib: {folder} has sub-folders, left out: {', '.join(names)}", file=sys.stderr)


def _report(runs: list[_Run], tables: list[pd.DataFrame], count: int, options: argparse.Namespace) -> int:
    """Print or write the tables, each of up to `count` images and with a row of means; then what could not be scored."""
    parts, documents, failures = [], [], [failure for run in runs for failure in run.failures]
    metrics = parse_metrics(options.metrics)
    for run, scores in zip(runs, tables, strict=True):
        table, document = scores[["image", *METRICS]], run.header | {"images": [], "mean": None}
        if not scores.empty:
            for metric in metrics:
                if (scored := int(table[metric].count())) < count:
                    print(f"srlib: {metric} is the mean of {scored} of {count} images", file=sys.stderr)
            table.loc[len(table)] = {"image": "mean"} | table[[*METRICS]].mean().to_dict()
            rows = [{key: json_value(value) for key, value in row.items()} for row in table.to_dict("records")]
            document |= {"images": rows[:-1], "mean": rows[-1]}
        documents.append(document | ({"failures": run.failures} if run.failures else {}))
        extra = {key: run.header[key] for key in ("results", "lr") if key in run.header and (key == "lr" or len(runs) > 1)}
        parts.append(table.assign(**extra)[[*extra, *table.columns]])
    if options.json:
        print(json.dumps(documents[0] if len(runs) == 1 else documents, indent=1))
    table = pd.concat(parts, ignore_index=True)
    if not table.empty:
        csv = table.to_csv(index=False, lineterminator="\n")
        if str(options.csv) == "-":
            print(csv, end="")
        elif not options.json:
            shown = table.drop(columns=[metric for metric in METRICS if metric not in metrics])
            print(shown.to_string(index=False, float_format="{:.4f}".format))
        if options.csv and str(options.csv) != "-":
            try:
                write_atomically(options.csv, csv)
            except InputError as error:  # the disk may be full by now; the numbers are printed already
                failures.append(str(error))
    return report_failures(failures)


def report_failures(failures: Sequence[object]) -> int:
    """Print what failed, a line each; exit status 2 if there is any."""
    sys.stdout.flush()
    for failure in dict.fromkeys(map(str, failures)):
        print("srlib:", failure.replace("\n", "\\n"), file=sys.stderr)  # names of files may hold line breaks
    return 2 if failures else 0


def json_value(value: Any) -> Any:
    """A number as JSON can hold it: `null` for NaN and the text `Infinity`, which `float` reads."""
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value


def open_data(name: str) -> ImageSet:
    """The images of a dataset or a folder; with a note where both have the name, and the dataset is meant."""
    images = open_images(name)
    if name in DATASETS and Path(name).is_dir() and not images.paths[0].parent.samefile(name):
        print(f"srlib: {name} is the dataset here; for the folder of that name give ./{name}", file=sys.stderr)
    return images


def default_data() -> str:
    """The name of the default test set: Set5, or else Sample, with a note on standard error."""
    name = first_available("Set5")
    if name == "Sample":
        print(f"srlib: Set5 is not in {data_folder()}, so the Sample images stand in for it", file=sys.stderr)
    return name


def parse_metrics(text: str) -> tuple[str, ...]:
    """The metrics in an option such as `psnr,ssim`."""
    return check_metrics(text.split(","))


def model_of(options: argparse.Namespace) -> nn.Module | None:
    """The network that a command names, None for bicubic."""
    if options.model == "bicubic":
        if options.weights:
            raise InputError("Bicubic interpolation has no weights: leave --weights out, or name a network.")
        return None
    return load_model(options.model, options.scale, options.weights)


def score_command(options: argparse.Namespace) -> int:
    """Score finished trainings on datasets and add the scores to their records."""
    metrics, failures = parse_metrics(options.metrics), []
    for name in options.protocol or ():
        get_protocol(name)
    for folder in options.folder:
        for name in options.data or [default_data()]:
            try:
                record = Record(folder)
                experiment = get_experiment(record.info["experiment"])
                if not record.info.get("finished"):
                    reason = "its scores would be those of an unfinished run; go on training first"
                    raise InputError(f"{folder} is not finished: {reason}.")
                scales = tuple(record.info["recipe"]["scales"])
                protocols = tuple(options.protocol or experiment.protocols)
                score_record(record, scorable(name, scales, metrics), scales, protocols, metrics)
            except InputError as error:  # of one record or set; the others go on
                failures.append(error)
    return report_failures(failures)


def score_record(
    record: Record, images: ImageSet, scales: tuple[int, ...], protocols: tuple[str, ...], metrics: tuple[str, ...] = METRICS
) -> None:
    """Score a record on a set of images, and print the mean PSNR."""
    record = add_scores(record, images, scales, protocols, metrics, progress=sys.stderr.isatty())
    for scale in scales:
        for protocol in protocols:
            scores = record.scores
            psnr = scores[(scores.dataset == images.name) & (scores.scale == scale) & (scores.protocol == protocol)].psnr
            if psnr.notna().any():
                print(f"{images.name} x{scale}: {psnr.mean():.2f} dB under `{protocol}`")


def scorable(name: str, scales: tuple[int, ...], metrics: tuple[str, ...] = METRICS) -> ImageSet:
    """The images of a set; refused, before training, if one is too small to be scored after it."""
    images = open_data(name)
    minimum = IFC_MIN_SIDE if "ifc" in metrics else SSIM_WINDOW
    for index, (_, image) in enumerate(images):
        side = min(n - n % scale - 2 * scale for n in image.shape[:2] for scale in scales)
        if side < minimum:
            raise InputError(f"{images.paths[index]} is too small to be scored: its sides must exceed {minimum} pixels.")
    return images
