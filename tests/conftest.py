"""Fixtures: data and outside witnesses where they are at hand; elsewhere a skip with the reason, but in CI a failure."""

import functools
import http.server
import os
import shutil
import threading
from collections.abc import Callable, Iterator
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
            if item.keywords.keys() & {"slow", "browser"}:
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


@pytest.fixture(scope="session")
def chromium():
    """Debian's Chromium, driven by Playwright."""
    playwright = pytest.importorskip("playwright.sync_api")
    path = os.environ.get("SRLIB_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if not path:
        absent("a Chromium is not at hand: apt-get install chromium, or set SRLIB_CHROMIUM to the file")
    quiet = ("quic", "background-networking", "component-update", "sync", "gpu")  # or it calls home
    with playwright.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=path, args=["--no-sandbox", *(f"--disable-{name}" for name in quiet)])
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium) -> Iterator[Callable]:
    """A function that opens an address and returns Playwright's page, whose `trouble` lists what went wrong.

    Trouble are errors and warnings of the console, uncaught errors, and requests to other origins, which are refused. Keywords
    go to `browser.new_context`: `viewport`, `color_scheme`, `java_script_enabled`, `reduced_motion`, ...
    """
    contexts = []

    def open_one(address: str, **options: object):
        context = chromium.new_context(**{"viewport": {"width": 1280, "height": 900}} | options)
        contexts.append(context)
        page = context.new_page()
        page.trouble = []
        local = ("file:", "data:", "blob:", "http://127.0.0.1:", "about:")

        def route(route):
            if route.request.url.startswith(local):
                return route.fallback()
            page.trouble.append(f"request to {route.request.url}")
            return route.abort()

        context.route("**/*", route)
        page.on("console", lambda m: m.type in ("error", "warning") and page.trouble.append(f"console: {m.text}"))
        page.on("pageerror", lambda e: page.trouble.append(f"uncaught: {e}"))
        page.goto(address)
        return page

    yield open_one
    for context in contexts:
        context.close()


@pytest.fixture
def serve() -> Iterator[Callable[..., str]]:
    """A function that serves a folder over http, with further headers if given, and returns its address."""
    servers = []

    def start(folder: Path, headers: dict[str, str] | None = None) -> str:
        class Handler(http.server.SimpleHTTPRequestHandler):
            def end_headers(self):
                for name, value in (headers or {}).items():
                    self.send_header(name, value)
                super().end_headers()

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=folder))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()
