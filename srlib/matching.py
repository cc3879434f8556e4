"""Which file belongs to which image: the names of results and of low-resolution pictures, as tools write them.

For the original `baby.png` a result is `baby.png`, `babyx3.png`, `baby_x3_SR.png` or `baby-mine.png` at scale 3, but not
`babyx2.png`, which is of another scale, nor `baby_LR.png`, nor `baby2.png`. A pattern such as `{name}_x{scale}_mine` leaves no
choice.
"""

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from unicodedata import normalize

from srlib.errors import InputError
from srlib.images import SUFFIXES

ORIGINAL = re.compile(r"[ _.-](gt|hr|srf_\d_hr)$")  # ends of an original's own name
# What tells a scale, or another picture, in what follows the name: x3, 3x, scale3, SRF_3, and numbers that stand alone.
SCALE = re.compile(r"(?:x|×|scale[ _-]?|srf_)(\d+)|(\d+)x(?!\d)|(?:^|(?<=[ _.-]))(\d+)%?(?=$|[ _.-])")
RESULT, LR = frozenset({"gt", "hr", "lr"}), frozenset({"gt", "hr", "sr"})  # words that such a file's name does not hold


@dataclass(frozen=True)
class Matches:
    """Files by the name of the image that they belong to; a sentence for each image without one; and the other files."""

    files: dict[str, Path]
    faults: dict[str, str]
    missing: tuple[str, ...]  # of the faults, the images that have no file at all
    others: tuple[Path, ...]


def match(names: Iterable[str], folder: str | Path, scale: int, pattern: str = "", without: frozenset[str] = RESULT) -> Matches:
    """The file of a folder for each image, by its name.

    Parameters
    ----------
    names : iterable of str
        Names of the images, each once.
    folder : path
        Holds image files; those in sub-folders do not count.
    scale : int
        Files whose name tells another scale are left out.
    pattern : str
        Name of a file, with or without suffix, where `{name}` and `{scale}` stand for the image's name and the scale. By
        default it is the image's name, alone or followed by `x3`, a blank or one of `_-.` and anything else.
    without : set of str
        Words that a file's name does not hold: `RESULT` or `LR`.

    Raises
    ------
    InputError
        If the folder is none or holds no image, or the pattern has no `{name}` or another field.
    """
    names, files = tuple(names), images_in(folder)
    if pattern:
        stems = {name: _fill(pattern, name, scale) for name in names}
        candidates = {name: [f for f in files if stem in (_key(f.stem), _key(f.name))] for name, stem in stems.items()}
    else:
        key = _key if len({_key(name) for name in names}) == len(names) else partial(normalize, "NFC")  # Cat and cat are two
        bases = {ORIGINAL.sub("", key(name)): name for name in names}
        if len(bases) < len(names):
            bases = {key(name): name for name in names}
        candidates = defaultdict(list, {name: [] for name in names})
        for file in files:
            stem = key(file.stem)
            tails = {base: stem[len(base) :].lower() for base in bases if stem.startswith(base)}
            fitting = [base for base, tail in tails.items() if _is_tail(tail, scale, without)]
            fitting += [base for base in bases if base == key(file.name)]  # of two files of one stem, the name has its suffix
            if fitting:
                candidates[bases[max(fitting, key=len)]].append(file)
        for name, found in candidates.items():  # of an original's whole name, as baby_GT.png, only where there is no better one
            candidates[name] = [file for file in found if not ORIGINAL.search(_key(file.stem))] or found
    faults = {}
    for name, found in candidates.items():
        if len(found) > 1:
            several = ", ".join(file.name for file in found)
            faults[name] = (
                f"{name} has {len(found)} files in {folder} ({several}): give a pattern such as '{{name}}_x{{scale}}'."
            )
        elif not found:
            faults[name] = (
                f"{name} has no file in {folder} for scale {scale}: see its names, or give a pattern such as '{{name}}_x3'."
            )
    chosen = {name: found[0] for name, found in candidates.items() if len(found) == 1}
    used = {file for found in candidates.values() for file in found}
    missing = tuple(name for name, found in candidates.items() if not found)
    return Matches(chosen, faults, missing, tuple(file for file in files if file not in used))


def images_in(folder: str | Path) -> list[Path]:
    """The image files of a folder by name, without hidden ones and sub-folders; an `InputError` if there is none."""
    folder = Path(folder)
    try:
        if folder.is_file():
            raise InputError(f"{folder} is a file: give the folder that holds it.")
        if not folder.is_dir():
            raise InputError(f"{folder} does not exist: give a folder of images.")
        files = sorted(p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES and p.name[0] != "." and not p.is_dir())
    except OSError as error:
        raise InputError(f"{folder} cannot be read ({error.strerror}): give a folder of images.") from None
    if not files:
        raise InputError(f"{folder} holds no image ({', '.join(SUFFIXES)}): give a folder of images.")
    return files


def base_name(stem: str, scale: int) -> str | None:
    """The name of the original of an LR file: its own without `x3` and the words around it; None if it tells another scale."""
    pattern = r"(?:^|[ _.-])(?:(\d+)x|x(\d+)|srf_(\d+))(?=$|[ _.-])|x(\d)(?=$|[ _.-])"
    found = max(re.finditer(pattern, stem.lower()), key=lambda m: m.end(), default=None)
    if found and int(next(filter(None, found.groups()))) != scale:
        return None
    stem = stem[: found.start()] if found and found.start() else stem
    return re.sub(r"[ _.-]lr$", "", stem, flags=re.IGNORECASE)


def _key(name: str) -> str:
    """The name as it is compared: files from a Mac have their accents apart, and cases differ between systems."""
    return normalize("NFC", name).casefold()


def _is_tail(tail: str, scale: int, without: frozenset[str]) -> bool:
    """Whether what follows the name of an image may follow it; the end of the original's own name, such as `_GT`, may."""
    tail = re.sub(rf"^{ORIGINAL.pattern.removesuffix('$')}(?=$|[ _.-]|x\d)", "", tail)
    if tail and tail[0] not in " _.-" and not re.match(r"x\d", tail):
        return False
    scales = [int(next(filter(None, groups))) for groups in SCALE.findall(tail)]
    return set(scales) <= {scale} and without.isdisjoint(re.split(r"[ _.-]+", tail))


def _fill(pattern: str, name: str, scale: int) -> str:
    try:
        if "{name}" in pattern:
            return _key(pattern.format(name=name, scale=scale))
    except (KeyError, IndexError, ValueError, AttributeError):
        pass
    raise InputError(
        f"{pattern!r} is no pattern of names: give one with {{name}} and, if wanted, {{scale}}, such as '{{name}}_x{{scale}}'."
    )
