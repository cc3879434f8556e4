"""Files that are written whole or not at all, and folders that belong to one process."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from srlib.errors import InputError


def check_output(path: str | Path) -> Path:
    """The file that a path leads to, links followed; an `InputError` if it is a folder, a device, or below a file."""
    target = Path(os.path.realpath(path))
    if target.exists() and not target.is_file():
        raise InputError(f"{path} is not a file: give the name of a file to write.")
    parent = next(folder for folder in target.parents if folder.exists())
    if not parent.is_dir():
        raise InputError(f"{path} cannot be written: {parent} is not a folder.")
    return target


def write_atomically(path: str | Path, content: bytes | str) -> None:
    """Write a file under a temporary name, flush it to the disk and rename it: readers see the old or the new one, whole.

    Raises
    ------
    InputError
        If the file cannot be written; what was there before stays.
    """
    target = check_output(path)
    temporary = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    except OSError as error:
        raise InputError(f"{path} cannot be written ({error}).") from None
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def lock(folder: str | Path) -> Iterator[None]:
    """Hold a folder against other processes; the system lets go of it when the process ends, however it ends.

    Raises
    ------
    InputError
        If another process holds it, or it cannot be written.
    """
    path = check_output(Path(folder) / ".lock")  # it stays: whoever removed it could remove another's
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a")
    except OSError as error:
        raise InputError(f"{folder} cannot be written ({error}).") from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise InputError(f"{folder} is being trained by another process: wait for it, or give another folder.") from None
        yield
