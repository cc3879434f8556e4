"""Datasets: a registry with the source and the SHA-256 of every image, and their download.

Images lie in one folder per dataset under `SRLIB_DATA` (default: the user's cache). Every file of the registry
(`datasets.json`: repository, commit, path, SHA-256) is checked each time it is read, so a damaged file is named, never used.
Any other folder of images is a dataset too. `Sample`, the photographs inside the scikit-image wheel, stands in where no
dataset is at hand: the code runs on it, and no published number is reproduced.
"""

import hashlib
import json
import os
import tempfile
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import skimage
from tqdm import tqdm

from srlib.errors import InputError
from srlib.images import SUFFIXES, read_image
from srlib.matching import images_in

DIV2K_URL = "https://data.vision.ee.ethz.ch/cvl/DIV2K/"
MANIFEST = "manifest.json"  # in the folder of an unpacked archive: file name to SHA-256


@dataclass(frozen=True)
class Dataset:
    """One entry of the registry: `files` by name with SHA-256 and size (bytes), or an archive at `url`, or `parts`."""

    name: str
    count: int
    role: str
    licence: str
    source: str  # as text
    url: str = ""  # the folder that holds the files, or the archive
    files: dict[str, tuple[str, int]] = field(default_factory=dict, repr=False)
    sha256: str = ""  # of the archive
    parts: tuple[str, ...] = ()  # names of the datasets that make it up
    folder: Path | None = None  # if not below SRLIB_DATA


_RESEARCH = "research use; not redistributed here"


def _github(name: str, role: str, licence: str = _RESEARCH) -> Dataset:
    repository, commit, path, files = (_REGISTRY[name][key] for key in ("repository", "commit", "path", "files"))
    url = f"https://raw.githubusercontent.com/{repository}/{commit}/{path}/"
    return Dataset(name, len(files), role, licence, f"github.com/{repository} at {commit[:7]}, {path}", url, files)


def _div2k(name: str, count: int, role: str, part: str, sha256: str) -> Dataset:
    return Dataset(name, count, role, "academic research", DIV2K_URL, f"{DIV2K_URL}DIV2K_{part}_HR.zip", sha256=sha256)


def _sample(name: str, role: str, *files: str) -> Dataset:
    source, licence = "the scikit-image wheel", "as scikit-image distributes them (CC0, public domain, CC BY)"
    folder = Path(skimage.__file__).parent / "data"
    return Dataset(name, len(files), role, licence, source, files=dict.fromkeys(files, ("", 0)), folder=folder)


def _join(name: str, role: str, source: str, *parts: str) -> Dataset:
    return Dataset(name, sum(len(_REGISTRY[part]["files"]) for part in parts), role, _BSDS, source, parts=parts)


_REGISTRY = json.loads((Path(__file__).parent / "datasets.json").read_text())
_BSDS = "non-commercial research and education (Berkeley)"

DATASETS: dict[str, Dataset] = {
    dataset.name: dataset
    for dataset in (
        _github("Set5", "test"),
        _github("Set14", "test; bridge is grey"),
        _github("BSD100", "test", _BSDS),
        _github("Urban100", "test, full size"),
        Dataset("Manga109", 109, "test", "on request from manga109.org; not redistributable", "bring your own"),
        _github("T91", "training"),
        _github("BSDS200", "training", _BSDS),
        _join("T291", "training", "T91 and BSDS200", "T91", "BSDS200"),
        _join("T91+BSDS200+BSDS500_test", "training; stands in for DIV2K", "its three parts", "T91", "BSDS200", "BSDS500_test"),
        _div2k("DIV2K", 800, "training", "train", "9d0b9c463f6e35b6c62cc6a930ee2224f670b34c1df841a57670f9acf0f6c335"),
        _div2k("DIV2K_valid", 100, "test", "valid", "20dd31fd84d777bc1cf5d6b7654a3f569c0aec74458ae094122ad1d0489900fc"),
        _github("BSDS500_test", "validation pool, held out from training and test", _BSDS),
        _sample("Sample", "stand-in for a test set", "astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg"),
        _sample("SampleTrain", "stand-in for a training set", "motorcycle_left.png", "hubble_deep_field.jpg", "ihc.png"),
    )
}


@dataclass(frozen=True)
class ImageSet:
    """Image files at hand: iterates over `(name, image)`, `uint8`, grey or RGB, each checked when it is read."""

    name: str
    paths: tuple[Path, ...]
    sha256: tuple[str, ...]  # expected digests; '' where none is known

    def __len__(self) -> int:
        return len(self.paths)

    def __iter__(self) -> Iterator[tuple[str, np.ndarray]]:
        return ((self.name_of(k), self.read(k)) for k in range(len(self)))

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names of the images in tables, each once: the stems of their files.

        The registry's datasets have them without the source's suffix. Of a stem that is there twice, is another's full name, or
        is `mean`, as the last row of a table, it is the full name.
        """
        stems = [path.stem for path in self.paths]
        if self.name in DATASETS:
            return tuple(stem.removesuffix("_GT").removesuffix("_SRF_4_HR") for stem in stems)
        taken = Counter([*stems, *(path.name for path in self.paths if path.name != path.stem), "mean"])
        return tuple(stem if taken[stem] == 1 else path.name for stem, path in zip(stems, self.paths, strict=True))

    def name_of(self, index: int) -> str:
        """Name of an image in tables: one of `names`."""
        return self.names[index]

    def read(self, index: int) -> np.ndarray:
        """An image, `uint8`, `(H, W)` or `(H, W, 3)`; an `InputError` if its bytes are not the registry's."""
        path, expected = self.paths[index], self.sha256[index]
        if expected and (sha256 := _digest(path)) != expected:
            raise InputError(
                f"{path} is damaged: its SHA-256 begins with {sha256[:12]}, the registry's with {expected[:12]}; "
                f"delete it and run: python -m srlib fetch {self.name}"
            )
        return read_image(path)

    def digest(self) -> str:
        """SHA-256 over the names and digests of all files, for the record."""
        lines = (f"{path.name} {sha256 or _digest(path)}\n" for path, sha256 in zip(self.paths, self.sha256, strict=True))
        return hashlib.sha256("".join(lines).encode()).hexdigest()


def data_folder() -> Path:
    """Folder of the datasets: `SRLIB_DATA`, or `~/.cache/srlib`."""
    return Path(os.environ.get("SRLIB_DATA") or "~/.cache/srlib").expanduser()


def get_dataset(name: str) -> Dataset:
    """The registry's entry called `name`, or an `InputError` that lists them."""
    if name not in DATASETS:
        raise InputError(f"Dataset {name!r} is unknown: choose one of {', '.join(DATASETS)}, or give a folder of images.")
    return DATASETS[name]


def open_images(name_or_folder: str | Path) -> ImageSet:
    """The images of a dataset of the registry, by name, or of any folder.

    Raises
    ------
    InputError
        If files are missing (the message says how to get them), or a folder holds no image.
    """
    if not isinstance(name_or_folder, str | Path):
        raise InputError(f"A {type(name_or_folder).__name__} is no dataset: give a name, or the path of a folder.")
    name = str(name_or_folder)
    if name not in DATASETS or isinstance(name_or_folder, Path):
        if not Path(name).exists():
            known = ", ".join(DATASETS)
            raise InputError(f"{name!r} is neither a dataset nor a folder that exists: choose {known}, or give a folder.")
        name = f"./{name}" if name in DATASETS else name  # a path: its images must not pass for the dataset's
        paths = tuple(images_in(name))
        return ImageSet(name, paths, ("",) * len(paths))

    dataset = get_dataset(name)
    if dataset.parts:
        parts = [open_images(part) for part in dataset.parts]
        return ImageSet(dataset.name, sum((p.paths for p in parts), ()), sum((p.sha256 for p in parts), ()))
    folder = _folder(dataset)
    digests = {file: sha256 for file, (sha256, _) in sorted(dataset.files.items())} or _images_in(folder)
    count = sum((folder / file).exists() for file in digests)
    if not count == len(digests) == dataset.count:
        advice = f"it is on request from its authors (manga109.org); put the {dataset.count} images there."
        if dataset.url:
            advice = f"run python -m srlib fetch {name}, or set SRLIB_DATA to the folder that holds it."
        raise InputError(f"{name} is not complete in {folder} ({count} of {dataset.count} images): {advice}")
    return ImageSet(name, tuple(folder / file for file in digests), tuple(digests.values()))


def is_available(name: str) -> bool:
    """Whether all files of a dataset exist (their content is checked when they are read)."""
    try:
        open_images(name)
    except InputError:
        return False
    return True


def first_available(*names: str, otherwise: str = "Sample") -> str:
    """Name of the first dataset that is available, else `otherwise`: the default of notebooks and tests."""
    return next((name for name in names if is_available(name)), otherwise)


def fetch(name: str, mirror: str | None = None) -> Path:
    """Download the missing or damaged files of a dataset and verify them.

    Parameters
    ----------
    name : str
        A dataset of the registry.
    mirror : str, optional
        Base URL of a server that holds the files as `SRLIB_DATA` does, `<mirror>/<dataset>/<file>`; default: the environment's
        `SRLIB_MIRROR`, else the dataset's source.

    Returns
    -------
    pathlib.Path
        Folder of the dataset.

    Raises
    ------
    InputError
        If a file cannot be fetched or written, or the dataset has no public source.

    Notes
    -----
    Each file is written under a temporary name, verified and then renamed, so an interrupted download leaves only whole files
    and goes on where it stopped. A complete folder needs no network.
    """
    dataset = get_dataset(name)
    for part in dataset.parts:
        fetch(part, mirror)
    if dataset.parts or dataset.folder:
        return _folder(dataset)
    folder, archive = _folder(dataset), dataset.url.rpartition("/")[2]  # '' where the address is that of a folder
    mirror = mirror or os.environ.get("SRLIB_MIRROR")
    url = f"{mirror.rstrip('/')}/{name}/{archive}" if mirror else dataset.url
    if not dataset.url:
        open_images(name)  # raises, if its files are not there
    elif dataset.files:
        missing = {file: entry for file, entry in dataset.files.items() if _digest(folder / file) != entry[0]}
        with tqdm(total=sum(size for _, size in missing.values()), unit="B", unit_scale=True, desc=name) as bar:
            for file, (sha256, size) in sorted(missing.items()):
                _download(url + file, sha256, folder / file)
                bar.update(size)
    elif len(_images_in(folder)) != dataset.count:
        if folder.exists():
            raise InputError(f"{folder} exists, but does not hold {dataset.count} images: move it away, then fetch again.")
        _download(url, dataset.sha256, folder.parent / archive, progress=True)
        _unpack(folder.parent / archive, folder)
    return folder


def _folder(dataset: Dataset) -> Path:
    return dataset.folder or data_folder() / dataset.name


def _digest(path: Path) -> str:
    """SHA-256 of a file, '' if there is none."""
    if not path.exists():
        return ""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _download(url: str, sha256: str, path: Path, progress: bool = False) -> None:
    try:
        import pooch  # not at the top: training alone needs no download
    except ImportError:
        raise InputError("Downloading needs the package pooch: pip install pooch, or copy the files by hand.") from None
    pooch.get_logger().setLevel("ERROR")  # its messages and the bar would mix
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        downloader = pooch.HTTPDownloader(progressbar=progress, timeout=60)
        store = pooch.create(path.parent, "", registry={path.name: sha256}, urls={path.name: url}, retry_if_failed=2)
        store.fetch(path.name, downloader=downloader)
    except PermissionError as error:
        raise InputError(f"{path.parent} cannot be written to ({error}): set SRLIB_DATA to a folder of yours.") from None
    except (OSError, ValueError) as error:  # requests' errors are OSErrors; pooch raises ValueError on a wrong digest
        reason = "the server sent other bytes than the registry expects" if isinstance(error, ValueError) else str(error)
        raise InputError(f"{url} could not be fetched ({reason}): try again, or give another --mirror.") from None


def _images_in(folder: Path) -> dict[str, str]:
    """File names of the images of an unpacked archive, with their digests; '' if the user unpacked it."""
    manifest = folder / MANIFEST
    if manifest.exists():
        return json.loads(manifest.read_text())
    return dict.fromkeys(sorted(path.name for path in folder.glob("*") if path.suffix.lower() in SUFFIXES), "")


def _unpack(archive: Path, folder: Path) -> None:
    """Unpack the images of a verified archive to a temporary folder, rename the folder, and delete the archive."""
    with tempfile.TemporaryDirectory(dir=folder.parent) as temporary, zipfile.ZipFile(archive) as source:
        target = Path(temporary) / folder.name
        target.mkdir()
        members, digests = [m for m in source.namelist() if Path(m).suffix.lower() in SUFFIXES], {}
        for member in tqdm(members, desc=f"unpacking {folder.name}"):
            path = target / Path(member).name
            path.write_bytes(source.read(member))
            digests[path.name] = _digest(path)
        (target / MANIFEST).write_text(json.dumps(dict(sorted(digests.items())), indent=1) + "\n")
        target.rename(folder)
    archive.unlink()
