"""The command line: `python -m srlib COMMAND`.

Exit status: 0 well, 1 a check failed, 2 bad usage or input.
"""

import argparse
import io
import json
import math
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from srlib import __version__
from srlib.baselines import TEST_SETS
from srlib.checkpoint import load_weights, write_atomically
from srlib.datasets import DATASETS, at_hand, data_folder, fetch, first_at_hand, open_images
from srlib.errors import InputError
from srlib.images import SUFFIXES, imresize, read_image, round_uint8, to_float
from srlib.inference import as_method
from srlib.models import MODELS, params, params_total
from srlib.papers import EXPERIMENTS, get_experiment
from srlib.protocol import METRICS, PROTOCOLS, SCALES, Method, get_protocol
from srlib.records import add_scores, find_record, run, score_images
from srlib.verify import verify


def main(arguments: list[str] | None = None) -> int:
    """Parse the command line, run the command and return the exit status."""
    options = _parser().parse_args(arguments)
    try:
        return options.command(options) or 0
    except InputError as error:
        print(f"srlib: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader of our output has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def list_command(options: argparse.Namespace) -> None:
    """What there is: models, datasets, protocols, experiments."""
    models = [{"name": "bicubic", "params": 0, "params_total": 0, "depth": 0, "domain": "lr"}]
    for name in ("vdsr", *EXPERIMENTS):
        model = MODELS[name]() if name in MODELS else EXPERIMENTS[name].make()
        models.append(
            {"name": name, "params": params(model), "params_total": params_total(model)}
            | {"depth": model.depth, "domain": model.domain}
        )
    tables = {
        "models": models,
        "datasets": [
            {
                "name": d.name,
                "images": d.count,
                "at_hand": at_hand(d.name),
                "role": d.role,
                "licence": d.licence,
                "source": d.source,
            }
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
    name = options.data or _default_data()
    metrics = _metrics(options.metrics)
    protocol = get_protocol(options.protocol)
    method = _method(options.model, options.weights, options.scale)
    images = open_images(name)
    table = score_images(images, options.scale, protocol, method, metrics, progress=sys.stderr.isatty())[["image", *METRICS]]
    mean = {"image": "mean"} | {metric: table[metric].mean() for metric in METRICS}
    table = pd.concat([table, pd.DataFrame([mean])], ignore_index=True)
    if options.csv:
        write_atomically(options.csv, table.to_csv(index=False, lineterminator="\n"))
    if options.json:
        header = {"model": options.model, "data": images.name, "scale": options.scale, "protocol": protocol.name}
        rows = [{key: _finite(value) for key, value in row.items()} for row in table.to_dict("records")]
        print(json.dumps(header | {"images": rows[:-1], "mean": rows[-1]}, indent=1))
    elif not options.csv:
        print(table.to_string(index=False, float_format="{:.4f}".format))


def upscale_command(options: argparse.Namespace) -> None:
    """Super-resolve one image."""
    image = read_image(options.input)
    _check_output(options.output)
    method = _method(options.model, options.weights, options.scale)
    lr = to_float(image)
    sr = ilr = imresize(lr, options.scale)
    if method is not None:
        sr = method(lr, ilr, options.scale)
    _write_image(options.output, sr)


def degrade_command(options: argparse.Namespace) -> None:
    """Make the LR image that a protocol makes."""
    protocol = get_protocol(options.protocol)
    if Path(options.output).suffix != ".npy":
        _check_output(options.output)
    lr = protocol.degrade(read_image(options.input), options.scale)
    if Path(options.output).suffix == ".npy":
        buffer = io.BytesIO()
        np.save(buffer, lr)
        write_atomically(options.output, buffer.getvalue())
        return
    if lr.dtype != np.uint8:
        print(
            f"srlib: {protocol.name} does not round its LR image, this file does; write .npy to keep it exact", file=sys.stderr
        )
    _write_image(options.output, lr)


def train_command(options: argparse.Namespace) -> None:
    """Train an experiment, or go on training it, and score it when it is done."""
    experiment = get_experiment(options.experiment)
    scored = [open_images(name) for name in (options.score if options.score is not None else [_default_data()])]
    record = run(
        experiment,
        options.out,
        seed=options.seed,
        recipe=options.recipe,
        budget=options.budget,
        data=options.data,
        device=options.device,
        precision=options.precision,
        minutes=options.minutes,
    )
    info = record.info
    print(f"{record.folder}: {info['iterations_done']} of {info['iterations']} iterations in {info['seconds']} s")
    if not info["finished"]:
        print("Not finished: run the same command again to go on.")
        return
    scales = tuple(info["recipe"]["scales"])
    for images in scored:
        record = add_scores(record, images, scales, ("drrn",))
        for scale in scales:
            print(f"{images.name} x{scale}: {record.mean(images.name, scale, 'psnr', 'drrn'):.2f} dB under `drrn`")


def verify_command(options: argparse.Namespace) -> int:
    """The golden checks on this machine, with this data."""
    reference = options.reference or os.environ.get("SRLIB_REFERENCE")
    checks = []
    for check in verify(
        TEST_SETS if options.all else TEST_SETS[:2], Path(reference) if reference else None, options.vdsr_weights
    ):
        checks.append(check)
        if not options.json:
            state = {True: "ok     ", False: "FAILED ", None: "skipped"}[check.passed]
            print(f"{state} {check.name}: {check.detail}", flush=True)
    if options.json:
        print(json.dumps([vars(check) for check in checks], indent=1))
    return int(any(check.passed is False for check in checks))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m srlib", description="Four super-resolution papers, replicated number by number."
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, function: Any) -> argparse.ArgumentParser:
        description = function.__doc__.strip()
        added = commands.add_parser(name, help=description, description=description)
        added.set_defaults(command=function)
        return added

    add = command("list", list_command)
    add.add_argument("--json", action="store_true")

    add = command("fetch", fetch_command)
    add.add_argument("name", nargs="+", help=f"one of {', '.join(DATASETS)}")
    add.add_argument("--mirror", help="base URL of a server that holds <dataset>/<file> (default: SRLIB_MIRROR, or the source)")

    add = command("evaluate", evaluate_command)
    add.add_argument("model", help="bicubic, vdsr (with --weights), or an experiment: see `list`")
    add.add_argument("--data", help="dataset or folder (default: Set5, or Sample where it is not at hand)")
    add.add_argument("--scale", type=int, choices=SCALES, default=3)
    add.add_argument("--protocol", default="drrn", help=f"one of {', '.join(PROTOCOLS)} (default: drrn)")
    add.add_argument("--metrics", default=",".join(METRICS), help="some of psnr,ssim,ifc (IFC takes most of the time)")
    add.add_argument("--weights", type=Path, help=".safetensors, or VDSR's release as .npz")
    add.add_argument("--csv", type=Path, help="write the rows to this file")
    add.add_argument("--json", action="store_true")

    add = command("upscale", upscale_command)
    add.add_argument("input", type=Path)
    add.add_argument("output", type=Path)
    add.add_argument("--model", required=True, help="as for evaluate")
    add.add_argument("--scale", type=int, choices=SCALES, required=True)
    add.add_argument("--weights", type=Path, help=".safetensors, or VDSR's release as .npz")

    add = command("degrade", degrade_command)
    add.add_argument("input", type=Path)
    add.add_argument("output", type=Path, help="an image file, or .npy for the exact values")
    add.add_argument("--scale", type=int, choices=SCALES, required=True)
    add.add_argument("--protocol", default="drrn")

    add = command("train", train_command)
    add.add_argument("experiment", help="see `list`; narrow variants by name, such as drrn_b1u3_w16")
    add.add_argument("--budget", type=float, default=1.0, help="fraction of the recipe's iterations (default: 1)")
    add.add_argument("--recipe", default="fast", help="fast (default) or published")
    add.add_argument("--seed", type=int, default=0)
    add.add_argument("--device", default="auto", help="auto, cpu or cuda")
    add.add_argument("--precision", default="fp32", help="fp32 or bf16, of the convolutions in training; scores are fp32")
    add.add_argument("--minutes", type=float, help="stop cleanly after so long; run again to go on")
    add.add_argument("--data", help="train on this dataset or folder instead")
    add.add_argument("--out", type=Path, help="folder of records (default: results/)")
    add.add_argument("--score", nargs="*", help="datasets to score when done (default: Set5)")

    add = command("verify", verify_command)
    add.add_argument("--vdsr-weights", type=Path)
    add.add_argument("--reference", type=Path, help="folder of the MATLAB witnesses (default: SRLIB_REFERENCE)")
    add.add_argument("--all", action="store_true", help="score BSD100 and Urban100 too (minutes)")
    add.add_argument("--json", action="store_true")
    return parser


def _default_data() -> str:
    name = first_at_hand("Set5")
    if name == "Sample":
        print(f"srlib: Set5 is not in {data_folder()}, so the Sample images stand in for it", file=sys.stderr)
    return name


def _metrics(text: str) -> tuple[str, ...]:
    names = tuple(text.split(","))
    if unknown := [name for name in names if name not in METRICS]:
        raise InputError(f"Metric {unknown[0]!r} is unknown: choose some of {','.join(METRICS)}.")
    return names


def _method(name: str, weights: Path | None, scale: int) -> Method | None:
    """The method a user means: bicubic, a model with weights from a file, or an experiment with those of its record."""
    if name == "bicubic":
        return None
    model = MODELS[name]() if name in MODELS and name != "drrn" else None
    if weights is not None:
        return as_method(load_weights(model or get_experiment(name).make(), weights))
    if record := find_record(name):
        scales = record.info["recipe"]["scales"]
        if scale not in scales:
            raise InputError(f"{name} was trained for scale {', '.join(map(str, scales))}, not {scale}: choose one it knows.")
        return as_method(record.model())
    if model is None:
        get_experiment(name)  # raises, with the list of names
    raise InputError(f"There is no record of {name} in results/: train it, or give --weights FILE.")


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _check_output(path: Path) -> None:
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(f"{path} has no known image suffix: use one of {', '.join(SUFFIXES)}.")


def _write_image(path: Path, image: np.ndarray) -> None:
    buffer = io.BytesIO()
    pixels = image if image.dtype == np.uint8 else round_uint8(255 * image)
    Image.fromarray(pixels).save(buffer, Image.registered_extensions()[path.suffix.lower()])
    write_atomically(path, buffer.getvalue())


if __name__ == "__main__":
    sys.exit(main())
