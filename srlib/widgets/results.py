"""Finished results of any method, in folders: which of their files are of one image."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from srlib.datasets import open_images
from srlib.errors import InputError
from srlib.matching import match


def as_folders(results: Any) -> dict[str, str | Path]:
    """Folders by label; the label of a lone folder is its name. An `InputError` for anything else."""
    for folder in results.values() if isinstance(results, Mapping) else [results]:
        if not isinstance(folder, str | Path):
            raise InputError(f"A {type(folder).__name__} is no folder of results: give a path, or labels and paths in a dict.")
    if isinstance(results, Mapping):
        return {str(label): folder for label, folder in results.items()}
    return {Path(results).name or Path(results).resolve().name or "results": results}  # '.' and '/' have no name


def find_image(
    folders: Mapping[str, str | Path], originals: str | Path | None, image: str | None, scale: int | None, name: str = ""
) -> tuple[dict[str, Path], Any, str]:
    """The files of one image in folders of results, and its original.

    Parameters
    ----------
    folders : mapping
        Label to folder; perhaps none.
    originals : path, optional
        A folder of originals, or the name of a dataset.
    image : str, optional
        Name of the image; default: the first of the originals that has a file in every folder.
    scale : int, optional
        Of the results; wanted where there are folders.
    name : str
        Pattern of the results' names; see `srlib.matching.match`.

    Returns
    -------
    files : dict
        Label to file.
    original : numpy.ndarray or None
        `uint8`, `(H, W)` or `(H, W, 3)`; None without `originals`.
    image : str
        Name of the image.

    Raises
    ------
    InputError
        If an image or a file is not there, or cannot be told.
    """
    images = None if originals is None else open_images(originals)
    image = None if image is None else str(image)
    names = (image,) if images is None else images.names
    if image is None and not (images and folders):
        raise InputError("Which picture of the folder is meant cannot be told: name it, such as image='baby'.")
    if image is not None and image not in names:
        raise InputError(f"{images.name} has no image {image!r}: choose one of {', '.join(names)}.")
    if folders and scale is None:
        raise InputError("Names of results are matched for one scale: say which, such as scale=3.")
    matches = [match(names, folder, scale, str(name)) for folder in folders.values()]
    if image is None:
        image = next((n for n in names if all(n in m.files for m in matches)), None)
        if image is None:
            reason = next(m.faults[names[0]] for m in matches if names[0] in m.faults)
            raise InputError(f"No picture has a file in every folder; {reason}")
    for m in matches:
        if image in m.faults:
            raise InputError(m.faults[image])
    files = {label: m.files[image] for label, m in zip(folders, matches, strict=True)}
    return files, images and images.read(names.index(image)), image
