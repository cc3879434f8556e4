"""The explorer: what it runs is the whole output's region, its numbers are the protocol's, and it can be stopped."""

import io
import os
import re
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import CancelledError
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import ipywidgets
import nbformat
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from srlib.datasets import open_images
from srlib.errors import InputError
from srlib.figures.regions import Region
from srlib.images import imresize, round_uint8, to_float
from srlib.inference.enlarge import as_method
from srlib.protocol import COLUMNS, PROTOCOLS
from srlib.records.methods import find_method
from srlib.records.record import find_records, write_record
from srlib.widgets.explorer import UPLOAD, explore
from srlib.widgets.explorer_choices import available_methods, missing_methods, most_trained, read_upload, small_picture
from srlib.widgets.explorer_run import MAX_SIDE, MIN_SIDE, Request, run_request

NETWORKS = ("drrn_b1u3_w32", "dsrn_t3_x3_w32", "rlcsc_k5_n32_m32", "drn_x3_c32_g2_k3")
PLACES = {"inside": (50, 64), "corner": (0, 0), "opposite corner": (102, 123)}  # of an image of 150 x 171


@pytest.fixture(autouse=True)
def networks(trained):
    """Made-up records of the four, alone in a folder: untrained networks, which start near bicubic interpolation."""
    for name in NETWORKS:
        trained(name, 31.0, weights=True)


def ask(photo, *methods, place=(50, 64), **options):
    """A request for 48 x 48 pixels at ×3."""
    return Request(photo, Region("photo", "", 3, *place, 48, 48, "a test"), methods, **options)


def network(name):
    """A trained network."""
    return find_method(name, name, 3).model


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
@pytest.mark.parametrize("protocol", ["drrn", "rgb_floaty"])
def test_what_is_shown_is_the_region_of_the_whole_output_and_the_score_is_the_protocols(photo, protocol, place):
    """Identity, to float32's rounding: for networks at HR, at LR and at both, in the middle and at corners."""
    rules, result = PROTOCOLS[protocol], run_request(ask(photo, "bicubic", *NETWORKS, place=place, protocol=protocol))
    lr = rules.degrade(photo, 3)
    ilr = rules.interpolate(lr, 3)
    for name, made in zip(("bicubic", *NETWORKS), result.results, strict=True):
        sr = to_float(ilr) if name == "bicubic" else as_method(network(name))(lr, ilr, 3)
        window = result.request.region.window
        expected = rules.score(photo[window], sr[window], 3, ("psnr", "ssim"))
        assert made.score[:2] == pytest.approx(expected[:2], abs=1e-4)
        if sr.ndim == 3:
            np.testing.assert_allclose(made.pixels, round_uint8(255 * sr[window]), atol=1)


@pytest.mark.parametrize("options", [{"self_ensemble": True}])
def test_options_are_those_of_as_method(photo, options):
    """Identity: the region of the whole output with the same option, which differs from the one without."""
    rules, plain = PROTOCOLS["rgb_floaty"], run_request(ask(photo, NETWORKS[3], protocol="rgb_floaty"))
    made = run_request(ask(photo, NETWORKS[3], protocol="rgb_floaty", **options))
    lr = rules.degrade(photo, 3)
    whole = as_method(network(NETWORKS[3]), **options)(lr, rules.interpolate(lr, 3), 3)[made.request.region.window]
    np.testing.assert_allclose(made.results[0].pixels, round_uint8(255 * whole), atol=1)
    assert made.results[0].score != plain.results[0].score


def test_an_image_enlarged_itself_has_no_original_and_no_score(photo):
    """Identity: the region of the whole enlarged image, bicubic and network."""
    result = run_request(ask(photo, "bicubic", NETWORKS[1], place=(200, 301), itself=True))
    lr = to_float(photo)
    ilr = imresize(lr, 3)
    for made, sr in zip(result.results, (ilr, as_method(network(NETWORKS[1]))(lr, ilr, 3)), strict=True):
        np.testing.assert_allclose(made.pixels, round_uint8(255 * sr[result.request.region.window]), atol=1)
        assert made.score is None
    assert result.hr is None
    assert "no score" in result.notes()
    assert "PSNR" not in result.table()
    assert result.comparison().html


def test_a_grey_image_runs_like_a_colour_one(photo):
    """The pixels shown are grey, and their score is the protocol's of a grey file."""
    grey = np.ascontiguousarray(photo[..., 1])
    made = run_request(ask(grey, NETWORKS[0])).results[0]
    assert np.ptp(made.pixels.astype(int), axis=2).max() == 0
    lr = PROTOCOLS["drrn"].degrade(grey, 3)
    whole = as_method(network(NETWORKS[0]))(lr, PROTOCOLS["drrn"].interpolate(lr, 3), 3)
    window = slice(50, 98), slice(64, 112)
    assert made.score.psnr == pytest.approx(PROTOCOLS["drrn"].score(grey[window], whole[window], 3, ("psnr",)).psnr, abs=1e-4)


def test_the_scores_of_the_whole_image_are_the_records(photo, results):
    """By name of dataset and image; none where another protocol or option was asked for."""
    folder = results / "baselines" / "bicubic" / "seed0"
    scores = pd.DataFrame([["Set5", 3, "a", "drrn", 30.5, 0.85, 4.0]], columns=COLUMNS)
    write_record(folder, {"kind": "evaluation", "experiment": "bicubic"}, scores)
    region = Region("a", "Set5", 3, 0, 0, 48, 48, "a test")
    made = run_request(Request(photo, region, ("bicubic", NETWORKS[0]))).results
    assert [m.record_score for m in made] == [(30.5, 0.85, 4.0), (31.0, 0.9, 5.0)]
    for options in ({"self_ensemble": True}, {"protocol": "vdsr"}):
        assert run_request(Request(photo, region, (NETWORKS[0],), **options)).results[0].record_score is None


def test_progress_is_the_share_of_the_multiplications(photo):
    """It grows from layer to layer and ends at 1: `macs_per_pixel`, a count on another, smaller input, foresees the work."""
    said = []
    run_request(ask(photo, *NETWORKS), lambda name, share: said.append((name, share)))
    shares = [share for _, share in said]
    assert shares == sorted(shares)
    assert 0 < shares[0] < 0.1
    assert shares[-1] == pytest.approx(1, abs=0.02)


def test_cancel_stops_after_the_next_layer_and_leaves_nothing(photo):
    """Asked ten times, then no more; the same request afterwards gives what it gave before."""
    request, asked = ask(photo, *NETWORKS), []
    before = run_request(request)

    def cancelled():
        asked.append(1)
        return len(asked) == 10

    with pytest.raises(CancelledError):
        run_request(request, cancelled=cancelled)
    assert len(asked) == 10
    for old, new in zip(before.results, run_request(request).results, strict=True):
        np.testing.assert_array_equal(old.pixels, new.pixels)


def test_states_are_those_of_the_recursive_networks(photo):
    """DRN has none; the others show the middle of the region, in whose last state DRRN's own output is."""
    result = run_request(ask(photo, "bicubic", *NETWORKS, states=True))
    assert [s.label for s in result.states] == list(NETWORKS[:3])
    assert all(s.bicubic.shape == (48, 48) for s in result.states)
    assert "no states" in run_request(ask(photo, "bicubic", states=True)).notes()


def test_a_network_without_a_record_says_what_to_do(photo):
    """In the result, and beside the choices."""
    result = run_request(ask(photo, "bicubic", "drrn_b1u25"))
    assert list(result.missing) == ["drrn_b1u25"]
    assert "drrn_b1u25: no record yet: `python -m srlib queue` says how to train one." in result.notes()
    assert "<code>python -m srlib queue</code>" in missing_methods(2)
    assert "drrn_b1u25" in missing_methods(2)


def test_every_record_with_weights_is_offered_at_its_scales():
    """Identity: the folders of results/."""
    records = [record for record in find_records() if (record.folder / "weights.safetensors").exists()]
    for scale in (2, 3, 4):
        expected = {record.folder.parts[-2] for record in records if scale in record.info["recipe"]["scales"]}
        assert set(available_methods(scale)) - {"bicubic", "vdsr_official"} == expected
        assert set(most_trained(scale)) <= expected


def test_the_released_vdsr_is_offered_where_its_weights_are_named(reference, monkeypatch):
    """By SRLIB_VDSR_WEIGHTS; without it the explorer says so."""
    monkeypatch.setenv("SRLIB_VDSR_WEIGHTS", str(reference / "vdsr_official.npz"))
    assert "vdsr_official" in available_methods(4)
    monkeypatch.delenv("SRLIB_VDSR_WEIGHTS")
    assert "vdsr_official" not in available_methods(4)
    assert "SRLIB_VDSR_WEIGHTS" in missing_methods(4)


@pytest.mark.parametrize(
    ("region", "said"),
    [
        ((0, 0, 45, 48), "45 pixels high: 48 to 384"),
        ((0, 0, 48, 49), "49 pixels wide"),
        ((120, 0, 48, 48), "ends at pixel 168"),
        ((-3, 0, 48, 48), "move it"),
    ],
)
def test_a_region_that_cannot_be_is_refused(photo, region, said):
    """The sentence names the side."""
    with pytest.raises(InputError, match=said):
        run_request(Request(photo, Region("photo", "", 3, *region, "a test"), ("bicubic",)))


def test_an_upload_is_read_and_a_broken_one_named(photo):
    """PNG bit for bit; a file cut in half and a text by their own names."""
    file = io.BytesIO()
    Image.fromarray(photo).save(file, "PNG")
    np.testing.assert_array_equal(read_upload("cat.png", file.getvalue()), photo)
    for name, content in (("half.png", file.getvalue()[:3000]), ("../notes.txt", b"no picture")):
        with pytest.raises(InputError, match=rf"^{name}.*(damaged|no image)"):
            read_upload(name, content)


def test_the_small_picture_says_where_the_region_is(photo):
    """For those who cannot see it."""
    assert 'alt="cat, with the region 3 pixels from the top' in small_picture(photo, "cat", (150, 171), 3, 5, 48)


def by_name(box):
    """The explorer's controls by description."""
    here = {getattr(box, "description", ""): box}
    return here | {name: c for child in getattr(box, "children", ()) for name, c in by_name(child).items()}


def finish():
    """Wait for the thread of a run."""
    for thread in threading.enumerate():
        if thread.name == "srlib explorer":
            thread.join(60)


@pytest.fixture
def explorer():
    """The explorer with a small region of a photograph."""
    box = explore("cpu")
    controls = by_name(box)
    controls["images"].value, controls["side"].value = "Sample", MIN_SIDE
    return box, controls


def said(box):
    """The status line."""
    return box.children[1].children[1].children[-1].value


def test_a_press_on_run_shows_the_viewer_and_the_numbers(explorer):
    """What the front end would send: values and a click."""
    box, controls = explorer
    controls["image"].value = "coffee"
    controls["show the states of recursive networks"].value = True
    controls["Run"].click()
    finish()
    html = [output["data"].get("text/html", "") for output in box.children[-1].outputs]
    assert "<srlib-compare" in html[0]
    assert "drn_x3_c32_g2_k3" in html[1]
    assert sum("<srlib-states" in text for text in html) >= 3
    assert "Done in" in said(box)
    assert (controls["Run"].disabled, controls["Cancel"].disabled) == (False, True)


@pytest.mark.slow
def test_cancel_leaves_the_explorer_usable(explorer):
    """A press while a network runs; then Run again."""
    box, controls = explorer
    controls["self-ensemble (eight times the work)"].value = True
    controls["Run"].click()
    controls["Cancel"].click()
    finish()
    assert "Cancelled" in said(box)
    assert not box.children[-1].outputs
    controls["Run"].click()
    finish()
    assert "Done in" in said(box)


def test_the_region_stays_in_the_image(explorer):
    """At the ends of the sliders, for every scale and image, and when it is dragged beyond the edge."""
    box, controls = explorer
    for image in ("astronaut", "rocket"):
        controls["image"].value = image
        height, width = open_images("Sample").read({"astronaut": 0, "rocket": 3}[image]).shape[:2]
        for scale in (2, 3, 4):
            controls["scale"].value = scale
            controls["side"].value = MAX_SIDE
            assert controls["from top"].max + controls["side"].value == height // scale * scale
            assert controls["from left"].max + controls["side"].value == width // scale * scale
    place = box.children[1].children[0].children[5]
    place.value = "0.9,0.5"
    assert controls["from top"].value == controls["from top"].max


def test_an_upload_becomes_the_image_and_a_broken_one_leaves_it(explorer, photo):
    """The value that the front end sets."""
    box, controls = explorer
    upload = {"name": "x.png", "type": "image/png", "size": 9, "content": b"no picture", "last_modified": datetime.now(UTC)}
    controls["Upload an image"].value = (upload,)
    assert "x.png is no image of a known kind" in said(box)
    assert controls["images"].value == "Sample"
    file = io.BytesIO()
    Image.fromarray(photo).save(file, "PNG")
    controls["Upload an image"].value = (upload | {"content": file.getvalue()},)
    assert controls["images"].value == UPLOAD
    controls["enlarge the image itself: no scores"].value = True
    assert controls["from top"].max == 3 * 150 - controls["side"].value
    controls["Run"].click()
    finish()
    assert "no original" in box.children[-1].outputs[2]["data"]["text/markdown"]


def test_nothing_chosen_is_said(explorer):
    """One sentence, and no run."""
    box, controls = explorer
    for method in box.children[1].children[1].children[2].children:
        assert isinstance(method, ipywidgets.Checkbox)
        method.value = False
    controls["Run"].click()
    assert "No method is chosen" in said(box)
    controls["images"].value = UPLOAD
    controls["Run"].click()
    assert "There is no image yet" in said(box)


NOTEBOOK = """from srlib.widgets.explorer import explore
explore("cpu")"""


@pytest.fixture
def lab(tmp_path) -> Iterator[str]:
    """A JupyterLab with one notebook that calls the explorer; its address."""
    pytest.importorskip("jupyterlab")
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(NOTEBOOK)])
    book.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}
    (tmp_path / "work").mkdir()
    nbformat.write(book, tmp_path / "work" / "explorer.ipynb")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = ["ServerApp.token=secret", "ServerApp.allow_root=True", "LabApp.expose_app_in_browser=True"]
    command = [Path(sys.executable).parent / "jupyter", "lab", "--no-browser", f"--port={port}", *(f"--{s}" for s in settings)]
    folders = ("CONFIG_DIR", "DATA_DIR", "RUNTIME_DIR")
    own = {f"JUPYTER_{name}": str(tmp_path / name) for name in folders}
    own |= {f"JUPYTERLAB_{name}_DIR": str(tmp_path / name) for name in ("SETTINGS", "WORKSPACES")}
    log = (tmp_path / "log").open("w")
    server = subprocess.Popen(command, cwd=tmp_path / "work", env=os.environ | own, stdout=log, stderr=log)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(30)
        log.close()


def answers(address: str) -> bool:
    """Whether a server is there."""
    try:
        with urllib.request.urlopen(f"{address}/api", timeout=5):
            return True
    except OSError:
        return False


@pytest.mark.browser
def test_the_explorer_lives_in_jupyterlab(lab, open_page):
    """A real JupyterLab: the cell is run, the region dragged, Run pressed, and the viewer has made itself of the outputs."""
    from playwright.sync_api import TimeoutError as NotThereError
    from playwright.sync_api import expect

    began = time.monotonic()
    while not answers(lab):
        assert time.monotonic() - began < 90, "JupyterLab did not start"
    page = open_page(f"{lab}/lab/tree/explorer.ipynb?token=secret")
    page.set_default_timeout(90_000)
    page.get_by_text("| Idle").wait_for()
    picture, small, began = page.locator(".srlib-pick"), page.locator(".srlib-pick img"), time.monotonic()
    while not picture.count():  # the command is lost if it comes before the notebook knows its kernel
        assert time.monotonic() - began < 150, "JupyterLab did not show the explorer"
        page.evaluate("void window.jupyterapp.commands.execute('notebook:run-all-cells')")
        with suppress(NotThereError):
            picture.wait_for(timeout=30_000)
    picture.scroll_into_view_if_needed()
    before, box = small.get_attribute("alt"), picture.bounding_box()
    page.mouse.move(box["x"] + 5, box["y"] + 5)
    page.mouse.down()
    page.mouse.move(box["x"] + 2, box["y"] + 2)
    page.mouse.up()
    expect(small).not_to_have_attribute("alt", before)
    expect(small).to_have_attribute("alt", re.compile("0 pixels from the top and 0 from the left"))
    page.locator(".srlib-explorer button", has_text="Run").click()
    viewer = page.locator("srlib-compare")
    viewer.wait_for(state="attached")
    assert viewer.evaluate("element => Boolean(element.shadowRoot)")
    expect(page.locator(".srlib-explorer div[role=status]")).to_contain_text("Done in", timeout=60_000)
    assert not [trouble for trouble in page.trouble if trouble.startswith("request") and "jupyter" not in trouble]
