"""Fixtures: data and outside witnesses where they are at hand; elsewhere a skip with the reason, but in CI a failure."""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import skimage.data

from srlib.datasets import ImageSet, at_hand, open_images
from srlib.runs import runs


def pytest_addoption(parser):
    parser.addoption("--slow", action="store_true", help="run the slow tests, too")


def pytest_collection_modifyitems(config, items):
    if not config.getoption("--slow"):
        skip = pytest.mark.skip(reason="slow: run with --slow (CI does)")
        for item in items:
            if "slow" in item.keywords:
                item.add_marker(skip)


def absent(reason: str):
    """Skip for want of data; in CI, fail."""
    if os.environ.get("CI"):
        pytest.fail(f"CI must have this: {reason}")
    pytest.skip(reason)


@pytest.fixture(scope="session", autouse=True)
def prepared_images(tmp_path_factory):
    """What training prepares goes to a folder of the tests' own."""
    os.environ["SRLIB_CACHE"] = str(tmp_path_factory.mktemp("prepared"))


@pytest.fixture
def dataset():
    """A function that opens a dataset by name, or skips."""

    def open_or_skip(name: str) -> ImageSet:
        if not at_hand(name):
            absent(f"{name} is not at hand: set SRLIB_DATA, or run python -m srlib fetch {name}")
        return open_images(name)

    return open_or_skip


def _folder(variable: str, what: str) -> Path:
    value = os.environ.get(variable)
    if not value or not Path(value).is_dir():
        absent(f"{what} are not at hand: set {variable} to their folder")
    return Path(value)


@pytest.fixture
def reference() -> Path:
    """Folder of MATLAB's images and scores and of VDSR's released weights."""
    return _folder("SRLIB_REFERENCE", "the outside witnesses")


@pytest.fixture
def papers() -> Path:
    """Folder of the papers' texts."""
    return _folder("SRLIB_PAPERS", "the papers' texts")


@pytest.fixture
def photo() -> np.ndarray:
    """A natural colour image, (150, 171, 3) uint8: part of scikit-image's cat."""
    return skimage.data.chelsea()[60:210, 90:261]


@pytest.fixture
def results(tmp_path, monkeypatch) -> Iterator[Path]:
    """An empty folder of records that stands in for results/."""
    monkeypatch.setenv("SRLIB_RESULTS", str(tmp_path / "results"))
    runs.cache_clear()
    yield tmp_path / "results"
    runs.cache_clear()
