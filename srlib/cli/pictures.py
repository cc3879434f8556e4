"""The commands that make pictures: `upscale`, `degrade` and `export`."""

import argparse
import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from srlib.cli.scoring import method_of, report_failures
from srlib.datasets import open_images
from srlib.errors import InputError
from srlib.files import check_output, write_atomically
from srlib.images import SUFFIXES, imresize, read_image, rgb_to_luma, round_uint8
from srlib.inference.enlarge import enlarge
from srlib.inference.onnx import export_onnx
from srlib.inference.pictures import WRITTEN, open_picture
from srlib.inference.tiling import to_tensor
from srlib.protocol import get_protocol
from srlib.records.record import load_model


def upscale_command(options: argparse.Namespace) -> int:
    """Super-resolve one picture, several, or a folder of them."""
    *sources, target = options.paths
    if not sources:
        raise InputError(f"Only {target} is given: give a picture (or more, or a folder), and where to write.")
    verbose = sys.stderr.isatty()
    method = method_of(options, tile=options.tile, self_ensemble=options.self_ensemble, progress=verbose)
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
    return report_failures(failures)


def _jobs(sources: Sequence[Path], target: Path) -> list[tuple[Path, Path]]:
    """Pairs of input and output files."""
    files, several = list(sources), len(sources) > 1 or sources[0].is_dir()
    if len(files) == 1 and several:
        files = sorted(p for p in sources[0].iterdir() if p.suffix.lower() in SUFFIXES and not p.name.startswith("."))
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
