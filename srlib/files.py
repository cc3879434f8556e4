"""Atomic writes of files, and locks of folders."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from srlib.errors import InputError


def check_output(path: str | Path) -> Path:
    """The target of an output path, links resolved; an `InputError` if it is a folder, a device, or below a file."""
    target = Path(os.path.realpath(path))
    if target.exists() and not target.is_file():
        raise InputError(f"{path} is not a file: give the name of a file to write.")
    parent = next(folder for folder in target.parents if folder.exists())
    if not parent.is_dir():
        raise InputError(f"{path} cannot be written: {parent} is not a folder.")
    return target


def write_atomically(path: str | Path, content: bytes | str) -> None:
    """Write a file under a temporary name, flush it to the disk and rename it: readers see the full old or new content.

    Raises
    ------
    InputError
        If the file cannot be written; an older file stays as it was.
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
    """Lock a folder against other processes; the system removes the lock when the process ends, for whatever reason.

    Raises
    ------
    InputError
        If another process has locked it, or it cannot be written.
    """
    path = check_output(Path(folder) / ".lock")  # never deleted: a process could delete the lock of another
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
