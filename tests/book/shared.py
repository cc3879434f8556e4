"""What several tests of the book use."""

import importlib.util
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import torch


def load_script(path: Path) -> ModuleType:
    """A script of the repository as a module."""
    specification = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@contextmanager
def one_thread() -> Iterator[None]:
    """torch on one thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def rows(text: str) -> list[dict[str, str]]:
    """The rows of a page's only Markdown table, from column to cell."""
    lines = [line.strip("|").split(" | ") for line in text.splitlines() if line.startswith("|")]
    head, _, *body = ([cell.strip() for cell in line] for line in lines)
    return [dict(zip(head, line, strict=True)) for line in body]


def until(value: Callable, what: str, seconds: float = 60) -> object:
    """What a function returns once that is not empty."""
    end = time.monotonic() + seconds
    while not (found := value()):
        assert time.monotonic() < end, f"{what} in {seconds} seconds"
        time.sleep(0.1)
    return found
