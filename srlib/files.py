"""Atomic writes of files, and locks of folders."""

import fcntl
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from srlib.errors import InputError


def check_output(path: str | Path, inputs: Iterable[str | Path] = ()) -> Path:
    """The target of an output path, links resolved.

    Parameters
    ----------
    path : path
        Where a file is to be written.
    inputs : iterable of path
        Files that are read, and so must stay.

    Raises
    ------
    InputError
        If the path is a folder, a device, below a file, too long, or one of the inputs, through links, too.
    """
    try:
        target = Path(os.path.realpath(path))
        is_other = target.exists() and not target.is_file()
        parent = next(folder for folder in target.parents if folder.exists())
        is_input = target.exists() and any(Path(file).exists() and target.samefile(file) for file in inputs)
    except (OSError, ValueError) as error:  # a name that is too long, a folder that may not be read, a zero byte
        reason = getattr(error, "strerror", "") or error
        raise InputError(f"{path} cannot be written ({reason}): give another name.") from None
    if is_other:
        raise InputError(f"{path} is not a file: give the name of a file to write.")
    if not parent.is_dir():
        raise InputError(f"{path} cannot be written: {parent} is not a folder.")
    if is_input:
        raise InputError(f"{path} is read here, and would be replaced: write elsewhere.")
    return target


def write_atomically(path: str | Path, content: bytes | str | Callable[[BinaryIO], object]) -> None:
    """Write a file under a temporary name, flush it to the disk and rename it: readers see the full old or new content.

    Parameters
    ----------
    path : path
        Its folder is made.
    content : bytes, str or callable
        The content, or a function that writes it to the open file. Text is UTF-8.

    Raises
    ------
    InputError
        If the file cannot be written; an older file stays as it was.
    """
    target = check_output(path)
    temporary = target.with_name(f".{uuid4().hex}.tmp")  # short, where the name itself is as long as a name may be
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            if callable(content):
                content(file)
            else:  # names of files may hold bytes that are no text
                file.write(content.encode(errors="backslashreplace") if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    except OSError as error:
        raise InputError(f"{path} cannot be written ({error.strerror or error}): make room, or write elsewhere.") from None
    finally:
        with suppress(OSError):  # never over the error that matters
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
        raise InputError(f"{folder} cannot be written ({error.strerror}).") from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise InputError(
                f"{folder} is in use by another process, which trains or scores: wait for it, or give another folder."
            ) from None
        yield
