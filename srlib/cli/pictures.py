"""The commands that make pictures: `upscale`, `degrade` and `export`."""

import argparse
import io
import os
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from stat import S_ISDIR, S_ISREG

import numpy as np
from PIL import Image
from tqdm import tqdm

from srlib.cli.scoring import model_of, note_sub_folders, report_failures
from srlib.datasets import open_images
from srlib.errors import InputError
from srlib.files import check_output, write_atomically
from srlib.images import SUFFIXES, imresize, read_image, rgb_to_luma, round_uint8
from srlib.inference.enlarge import enlarge
from srlib.inference.onnx import export_onnx
from srlib.inference.pictures import WRITTEN, open_picture
from srlib.inference.tiling import to_tensor
from srlib.matching import ORIGINAL, base_name, images_in
from srlib.protocol import get_protocol
from srlib.records.record import load_model

LOSSLESS = {".png": "PNG", ".tif": "TIFF", ".tiff": "TIFF", ".bmp": "BMP"}  # formats of LR images; others change pixels
Job = tuple[Path, list[Path]]  # a picture, and the files that are made of it


def upscale_command(options: argparse.Namespace) -> int:
    """Super-resolve pictures and folders of them, with their sub-folders."""
    *sources, target = options.paths
    if options.tile is not None and options.tile < 1:
        raise InputError(f"A tile of {options.tile} pixels cannot be: give 1 or more, or leave --tile out.")
    if options.lr:
        if sources:
            raise InputError("Give pictures, or those of a benchmark with --lr FOLDER: one of the two.")
        sources = _of_scale(options.lr, target, options.scale)

    def names(below: Path) -> list[Path]:
        stem = base_name(below.stem, options.scale) if options.lr else below.stem
        own = below.suffix if below.suffix.lower() in WRITTEN else ".png"
        return [below.with_name(stem + (f".{options.format}" if options.format else own))]

    failures: list[object] = []
    to_folder = bool(options.lr or options.format)
    jobs = _plan(sources, target, names, to_folder, failures, [options.weights] if options.weights else [])
    if options.skip_existing:
        missing = [(source, paths) for source, paths in jobs if not all(map(_status, paths))]
        if len(missing) < len(jobs):
            print(f"srlib: {len(jobs) - len(missing)} of {len(jobs)} pictures are there already, left out", file=sys.stderr)
        jobs = missing
    model = model_of(options)
    settings = {"tile": options.tile, "self_ensemble": options.self_ensemble, "progress": sys.stderr.isatty()}

    def work(source: Path, paths: list[Path]) -> None:
        picture = open_picture(source)
        picture.check_writable(paths[0], options.scale)
        enlarge(picture, model, options.scale, **settings).save(paths[0])

    return _work_on_each(jobs, work, failures, "; the same command with --skip-existing goes on")


def _of_scale(folder: Path, target: Path, scale: int) -> list[Path]:
    """The LR pictures of a folder, without those whose names tell another scale."""
    _check_apart(folder, target)
    files = images_in(folder)
    fitting = [file for file in files if base_name(file.stem, scale)]
    if not fitting:
        raise InputError(f"{folder} holds pictures of other scales than {scale} only: give another --scale.")
    if others := ", ".join(file.name for file in files if file not in fitting):
        print(f"srlib: {folder} has files of another scale than {scale}, left out: {others}", file=sys.stderr)
    note_sub_folders(folder)
    return fitting


def degrade_command(options: argparse.Namespace) -> int:
    """Make the LR images that a protocol makes of pictures and folders of them, with their sub-folders."""
    protocol, scales = get_protocol(options.protocol), sorted({*options.scale})
    *sources, target = options.paths

    def names(below: Path) -> list[Path]:
        name = re.sub(ORIGINAL.pattern, "", below.stem, flags=re.IGNORECASE) or below.stem
        return [below.with_name(f"{name}x{scale}.{options.format or 'png'}") for scale in scales]

    failures: list[object] = []
    jobs = _plan(sources, target, names, bool(options.format or len(scales) > 1), failures)
    suffixes = {path.suffix.lower() for _, paths in jobs for path in paths}
    if not suffixes <= {*LOSSLESS, ".npy"}:
        raise InputError(f"{target} has another suffix than {', '.join(LOSSLESS)} or .npy, which keep the LR image: use one.")
    if not protocol.lr_uint8 and suffixes - {".npy"}:
        note = "does not round its LR images, these files do; .npy, for NumPy, keeps them exact"
        note = f"reduces luma, so that the files are grey, and {note}" if protocol.colour == "luma" else note
        print(f"srlib: {protocol.name} {note}", file=sys.stderr)

    def work(source: Path, paths: list[Path]) -> None:
        hr = read_image(source)
        for scale, path in zip(scales, paths, strict=True):
            try:
                lr = protocol.degrade(hr, scale)
            except InputError as error:
                raise InputError(f"{source}: {error}") from None
            file = io.BytesIO()  # PIL writes to a file of the system by itself, and may miss that the disk is full
            if path.suffix.lower() == ".npy":
                np.save(file, lr)
            else:
                Image.fromarray(lr if protocol.lr_uint8 else round_uint8(255 * lr)).save(file, LOSSLESS[path.suffix.lower()])
            write_atomically(path, file.getvalue())

    return _work_on_each(jobs, work, failures)


def export_command(options: argparse.Namespace) -> None:
    """Write a network as ONNX, checked against torch on a photograph."""
    if options.model == "bicubic":
        raise InputError("Bicubic interpolation is no network: there is nothing to export.")
    target = check_output(options.output, inputs=[options.weights] if options.weights else [])
    if target.suffix != ".onnx":
        raise InputError(f"{target} has another suffix than .onnx: give a name that ends in it.")
    model = load_model(options.model, options.scale, options.weights)
    hr = open_images("Sample").read(0)[:192, :240]
    hr = hr if model.colour == "rgb" or hr.ndim == 2 else rgb_to_luma(hr)
    lr = imresize(hr / 255, 1 / options.scale)
    difference = export_onnx(model, options.output, *(to_tensor(x) for x in (lr, imresize(lr, options.scale))))
    print(f"{options.output}: ONNX Runtime and torch differ by {255 * difference:.1e} grey levels at most")


def _plan(
    sources: Sequence[Path],
    target: Path,
    names: Callable[[Path], list[Path]],
    to_folder: bool,
    failures: list[object],
    read: Iterable[Path] = (),
) -> list[Job]:
    """The pictures of files and folders with their outputs; none replaces what is read, and two of one name are failures.

    One picture becomes the file `target`, unless `to_folder` is set or the target is a folder. Of several, and of a folder's,
    `names` gives the outputs below the target, from the picture's own path below its folder.
    """
    if not sources:
        raise InputError(f"Only {target} is given: give a picture (or more, or a folder), and where to write.")
    if to_folder or len(sources) > 1 or _is_folder(sources[0]) or _is_folder(target):
        status = _status(target)
        if S_ISREG(status.st_mode) if status else target.suffix.lower() in (*SUFFIXES, ".npy"):
            raise InputError(f"{target} is the name of a file, but what is to be made wants a folder: give one.")
        found = dict.fromkeys(_find(sources, target, failures))  # a file that is given twice is one picture
        jobs = [(file, [target / name for name in names(below)]) for file, below in found]
    else:
        jobs = [(sources[0], [target])]
    kept = {_identity(path) for path in (*read, *(source for source, _ in jobs))} - {None}
    makers = Counter(os.path.realpath(path) for _, paths in jobs for path in paths)
    planned = []
    for source, paths in jobs:
        if replaced := [path for path in paths if _identity(path) in kept]:
            raise InputError(f"{replaced[0]} is read here, and would be replaced: write elsewhere.")
        if twice := [path for path in paths if makers[os.path.realpath(path)] > 1]:
            failures.append(f"{source}: {twice[0]} would be written of another picture, too: rename one of them.")
        else:
            planned.append((source, paths))
    return planned


def _find(sources: Sequence[Path], target: Path, failures: list[object]) -> list[tuple[Path, Path]]:
    """Picture files, and those of folders and sub-folders, each with its path below its folder.

    Left out are hidden files and folders, linked folders and the target; with a note, files of other kinds.
    """
    found: list[tuple[Path, Path]] = []
    for source in sources:
        if not _is_folder(source):
            found.append((source, Path(source.name)))
            continue
        _check_apart(source, target)
        before, others, errors = len(found), set(), []
        for folder, folders, files in os.walk(source, onerror=errors.append):
            seen = [Path(folder, name) for name in sorted(folders) if name[0] != "."]
            others |= {f"{path.name} (a link to a folder)" for path in seen if path.is_symlink()}
            folders[:] = [path.name for path in seen if os.path.realpath(path) != os.path.realpath(target)]
            for path in (Path(folder, name) for name in sorted(files) if name[0] != "."):
                status = _status(path)  # none of a link that leads nowhere, which is a failure later
                if path.suffix.lower() not in SUFFIXES:
                    others.add(path.suffix.lower() or "without a suffix")
                elif status and not S_ISREG(status.st_mode):
                    others.add(f"{path.name} (no file)")  # a pipe, which would be waited for
                else:
                    found.append((path, path.relative_to(source)))
        if others:
            print(f"srlib: {source} has files of other kinds, left out: {', '.join(sorted(others))}", file=sys.stderr)
        if len(found) == before and not errors:
            failures.append(f"{source} holds no picture: give a folder with some, or a file.")
        failures += [f"{error.filename} cannot be read ({error.strerror}): see its permissions." for error in errors]
    return found


def _check_apart(folder: Path, target: Path) -> None:
    """Refuse to write into a folder that is read."""
    if os.path.realpath(folder) == os.path.realpath(target):
        raise InputError(f"{target} is read here, and its pictures would be mixed with new ones: write into another folder.")


def _status(path: Path) -> os.stat_result | None:
    """What the system knows of a file, through links; None if there is none, or its name is too long."""
    with suppress(OSError):
        return path.stat()
    return None


def _identity(path: Path) -> tuple[int, int] | None:
    """Device and number of a file, which all its links share; None if there is none."""
    status = _status(path)
    return (status.st_dev, status.st_ino) if status else None


def _is_folder(path: Path) -> bool:
    status = _status(path)
    return status is not None and S_ISDIR(status.st_mode)


def _work_on_each(jobs: list[Job], work: Callable[[Path, list[Path]], None], failures: list[object], advice: str = "") -> int:
    """Work on each picture; one that fails does not end the rest, and is listed at the end. The exit status."""
    done = 0
    try:
        with tqdm(jobs, unit="file", disable=len(jobs) < 2 or not sys.stderr.isatty()) as bar:
            for source, paths in bar:
                bar.set_description(source.name)
                try:
                    work(source, paths)
                    done += 1
                except InputError as error:
                    failures.append(error)
                except MemoryError:
                    failures.append(f"{source} needs more memory than there is: cut it into parts.")
    except KeyboardInterrupt:
        report_failures(failures)
        raise KeyboardInterrupt(f"stopped: {done} of {len(jobs)} are done{advice}" if len(jobs) > 1 else "") from None
    return report_failures(failures)
