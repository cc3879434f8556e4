"""Enlarging files: one, several or a folder of them; each output is written atomically."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import nn
from tqdm import tqdm

from srlib.errors import InputError
from srlib.inference.enlarge import as_method, enlarge
from srlib.inference.pictures import READ, WRITTEN, open_picture

SUFFIXES = {*WRITTEN, *(f".{kind.lower()}" for kind in READ)}  # of the files in a folder that are enlarged


def upscale(sources: Sequence[Path], target: Path, model: nn.Module | None, scale: int, **options: Any) -> list[str]:
    """Enlarge files.

    Parameters
    ----------
    sources : sequence of path
        One file, several, or one folder with pictures.
    target : path
        A file for one file; for more, a folder, where each keeps its name (but becomes `.png` if its format cannot be written).
    model, scale
        As for `srlib.inference.enlarge.super_resolve`.
    options
        As for `srlib.inference.enlarge.as_method`.

    Returns
    -------
    list of str
        An error message for each file that failed, if there are several; a single file raises.

    Raises
    ------
    InputError
        If there is no picture, or an output would replace its input or another output.
    """
    jobs = _jobs(sources, target)
    method = None if model is None else as_method(model, progress=sys.stderr.isatty(), **options)
    failures: list[str] = []
    with tqdm(jobs, unit="file", disable=len(jobs) == 1 or not sys.stderr.isatty()) as bar:
        for source, path in bar:
            bar.set_description(source.name)
            try:
                picture = open_picture(source)
                picture.check_writable(path, scale)
                enlarge(picture, method, scale).save(path)
            except InputError as error:
                if len(jobs) == 1:
                    raise
                failures.append(str(error))
    return failures


def _jobs(sources: Sequence[Path], target: Path) -> list[tuple[Path, Path]]:
    """Pairs of input and output files."""
    if len(sources) == 1 and not sources[0].is_dir():
        if target.is_dir():
            return _distinct([(sources[0], _inside(target, sources[0]))])
        return _distinct([(sources[0], target)])
    files = list(sources)
    if len(sources) == 1:
        files = sorted(p for p in sources[0].iterdir() if p.suffix.lower() in SUFFIXES and not p.name.startswith("."))
        if not files:
            raise InputError(f"{sources[0]} holds no picture: give a folder with some, or a file.")
    if target.is_file() or (not target.exists() and target.suffix.lower() in WRITTEN):
        raise InputError(f"{target} cannot take {len(files)} pictures: give a folder.")
    return _distinct([(file, _inside(target, file)) for file in files])


def _inside(folder: Path, source: Path) -> Path:
    return folder / (source.name if source.suffix.lower() in WRITTEN else f"{source.stem}.png")


def _distinct(jobs: list[tuple[Path, Path]]) -> list[tuple[Path, Path]]:
    inputs, outputs = ([os.path.realpath(job[k]) for job in jobs] for k in (0, 1))
    for source, path in zip(inputs, outputs, strict=True):
        if path in inputs:
            raise InputError(f"{source} would be replaced by an enlarged picture: write elsewhere.")
        if outputs.count(path) > 1:
            raise InputError(f"{path} would be written twice: rename one of the pictures, or enlarge them apart.")
    return jobs
