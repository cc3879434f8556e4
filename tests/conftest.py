"""Fixtures: data and outside witnesses where they are at hand; elsewhere a skip with the reason, but in CI a failure."""

import functools
import http.server
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import skimage.data

from srlib.datasets import ImageSet, is_available, open_images
from srlib.models import meta_model, params
from srlib.papers import drrn, get_experiment
from srlib.protocol import COLUMNS
from srlib.records.record import Record, write_record
from srlib.records.scores import runs
from srlib.training.checkpoint import save_weights
from srlib.training.state import start


def pytest_addoption(parser):
    parser.addoption("--slow", action="store_true", help="run the slow tests, too")
    parser.addoption("--weekly", action="store_true", help="run all tests, also those that CI runs once a week")


def pytest_collection_modifyitems(config, items):
    weekly = config.getoption("--weekly")
    slow = weekly or config.getoption("--slow")
    for item in items:
        if not weekly and "weekly" in item.keywords:
            item.add_marker(pytest.mark.skip(reason="weekly: run with --weekly"))
        elif not slow and item.keywords.keys() & {"slow", "browser"}:
            item.add_marker(pytest.mark.skip(reason="slow: run with --slow (CI does)"))


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
        if not is_available(name):
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


@pytest.fixture
def trained(results) -> Callable[..., Record]:
    """A function that writes a finished record of a made-up score, as a training would leave it.

    With `curve`, PSNRs each 100 iterations, and with `weights`, those before training, there are the files, too. `offsets` are
    added to the score, an image each.
    """

    def write(
        name,
        psnr,
        seed=0,
        budget=1.0,
        recipe="fast",
        dataset="Set5",
        protocol="drrn",
        scale=3,
        curve=(),
        weights=False,
        finished=True,
        offsets=(0.0,),
        data="",
    ):
        experiment = get_experiment(name)
        how = next((r for r in experiment.recipes if r.name == recipe), experiment.recipes[0])
        done, arguments = round(budget * how.iterations), experiment.arguments
        info = {"kind": "training", "experiment": name, "model": experiment.model, "arguments": arguments, "seed": seed}
        info |= {"recipe": vars(how) | {"name": recipe}, "budget": budget, "iterations": done, "iterations_done": done}
        info |= {"data": data or experiment.data, "precision": "fp32", "finished": finished, "seconds": 60.0, "device": "a CPU"}
        info["params"] = params(meta_model(experiment.make))
        folder = results / experiment.paper / name / f"seed{seed}_{recipe}_{budget:g}"
        folder.mkdir(parents=True, exist_ok=True)
        if weights:
            network = start(experiment, how, seed, "cpu").ema_model
            info["weights_sha256"] = save_weights(folder / "weights.safetensors", network, name)
        if curve:
            points = {"iteration": [100 * k for k in range(1, len(curve) + 1)], "lr": 0.1, "loss": 1.0, "psnr": curve}
            pd.DataFrame(points).to_csv(folder / "curve.csv", index=False)
        sets = (dataset,) if isinstance(dataset, str) else dataset
        rows = [[s, scale, "abcdefgh"[k], protocol, psnr + more, 0.9, 5.0] for s in sets for k, more in enumerate(offsets)]
        record = write_record(folder, info, pd.DataFrame(rows, columns=COLUMNS))
        runs.cache_clear()
        return record

    return write


@pytest.fixture
def grid(trained) -> Callable[..., Record]:
    """Records of DRRN's Figure 6 with 16 filters, on Set5 and Set14: three seeds each, and some depend on B, some on U."""
    for B, U in drrn.GRID:
        for seed in range(3):
            psnr = 30 + 0.1 * B + 0.03 * U + 0.01 * (seed * (B + U) % 3)
            name, sets = f"drrn_b{B}u{U}_w16", ("Set5", "Set14")
            trained(name, psnr, seed, 0.15, dataset=sets, curve=(28.0, 29.0, psnr - 1, psnr))
    return trained


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
