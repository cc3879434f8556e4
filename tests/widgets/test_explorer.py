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
from concurrent.futures import CancelledError
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from srlib.datasets import DATASETS, first_available, open_images
from srlib.errors import InputError
from srlib.figures.regions import Region
from srlib.images import imresize, round_uint8, to_float
from srlib.inference.enlarge import as_method
from srlib.protocol import COLUMNS, PROTOCOLS
from srlib.records.methods import find_method
from srlib.records.record import find_records, write_record
from srlib.widgets.explorer import UPLOAD, Explorer, explore, read_upload
from srlib.widgets.explorer_choices import available_methods, missing_methods, most_trained
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


def whole(name, lr, ilr, **options):
    """The output of a method for a whole image."""
    return to_float(ilr) if name == "bicubic" else as_method(find_method(name, name, 3).model, **options)(lr, ilr, 3)


def check(image, *methods, protocol="drrn", place=(50, 64), **options):
    """A result whose pixels are the region of the whole outputs, to float32's rounding, with the protocol's scores."""
    rules, result = PROTOCOLS[protocol], run_request(ask(image, *methods, protocol=protocol, place=place, **options))
    lr, window = rules.degrade(image, 3), result.request.region.window
    for name, shown in zip(methods, result.results, strict=True):
        sr = whole(name, lr, rules.interpolate(lr, 3), **options)[window]
        expected = rules.score(image[window], np.clip(sr, 0, 1), 3, ("psnr", "ssim"))
        assert shown.score[:2] == pytest.approx(expected[:2], abs=1e-4)
        if sr.ndim == 3:
            np.testing.assert_allclose(shown.pixels, round_uint8(255 * sr), atol=1)
    assert "<srlib-compare" in result.comparison().html
    return result


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
@pytest.mark.parametrize("protocol", ["drrn", "rgb_floaty"])
def test_what_is_shown_is_the_region_of_the_whole_output_and_the_score_is_the_protocols(photo, protocol, place):
    """Identity: for networks at HR, at LR and at both, in the middle and at corners."""
    check(photo, "bicubic", *NETWORKS, protocol=protocol, place=place)


def test_a_self_ensemble_is_that_of_as_method(photo):
    """Identity: the region of the whole output with the same option, which differs from the one without."""
    plain, ensemble = (check(photo, NETWORKS[3], protocol="rgb_floaty", **o) for o in ({}, {"self_ensemble": True}))
    assert ensemble.results[0].score != plain.results[0].score


def test_a_grey_image_runs_like_a_colour_one(photo):
    """The pixels shown are grey, and their score is the protocol's of a grey file."""
    result = check(np.ascontiguousarray(photo[..., 1]), NETWORKS[0])
    assert np.ptp(result.results[0].pixels.astype(int), axis=2).max() == 0


def test_an_image_enlarged_itself_has_no_original_and_no_score(photo):
    """Identity: the region of the whole enlarged image, bicubic and network."""
    methods, lr = ("bicubic", NETWORKS[1]), to_float(photo)
    result = run_request(ask(photo, *methods, place=(200, 301), itself=True))
    for name, shown in zip(methods, result.results, strict=True):
        sr = whole(name, lr, imresize(lr, 3))[result.request.region.window]
        np.testing.assert_allclose(shown.pixels, round_uint8(255 * sr), atol=1)
        assert shown.score is None
    assert result.hr is None
    assert "no score" in result.notes()
    assert "PSNR" not in result.table()
    assert "<srlib-compare" in result.comparison().html


def test_the_scores_of_the_whole_image_are_the_records(photo, results):
    """By name of dataset and image; none where another protocol or option was asked for."""
    folder = results / "baselines" / "bicubic" / "seed0"
    scores = pd.DataFrame([["Set5", 3, "a", "drrn", 30.5, 0.85, 4.0]], columns=COLUMNS)
    write_record(folder, {"kind": "evaluation", "experiment": "bicubic"}, scores)
    region = Region("a", "Set5", 3, 0, 0, 48, 48, "a test")
    shown = run_request(Request(photo, region, ("bicubic", NETWORKS[0]))).results
    assert [m.full_score for m in shown] == [(30.5, 0.85, 4.0), (31.0, 0.9, 5.0)]
    for options in ({"self_ensemble": True}, {"protocol": "vdsr"}):
        assert run_request(Request(photo, region, (NETWORKS[0],), **options)).results[0].full_score is None


def write_results(folder, image, *protocols, scale=3):
    """Bicubic results of an image as files, one for each protocol; their paths by its name."""
    folder.mkdir(exist_ok=True)
    paths = {}
    for name in protocols:
        rules, paths[name] = PROTOCOLS[name], folder / f"{name}.png"
        pixels = rules.interpolate(rules.degrade(image, scale), scale)
        Image.fromarray(pixels if pixels.dtype == np.uint8 else round_uint8(255 * pixels)).save(paths[name])
    return paths


def test_a_finished_result_is_shown_and_scored_like_bicubic_that_made_it(photo, tmp_path):
    """Identity: RGB, and luma with bicubic chroma; its whole score is that of `Protocol.evaluate`; nothing was run."""
    for name, path in write_results(tmp_path, photo, "drrn", "rgb_floaty").items():
        result = run_request(ask(photo, "bicubic", protocol=name, finished={"ours": path}))
        bicubic, ours = result.results
        np.testing.assert_allclose(ours.pixels.astype(int), bicubic.pixels, atol=1)
        assert ours.score == pytest.approx(bicubic.score, abs=1e-4, nan_ok=True)
        assert ours.full_score == pytest.approx(PROTOCOLS[name].evaluate(photo, 3, metrics=("psnr", "ssim")), nan_ok=True)
        assert np.isnan(ours.seconds)
        assert [o.label for o in result.comparison().outputs] == ["HR", "Bicubic", "ours"]
        assert result.table()["PSNR, whole image"].to_list() == [pytest.approx(np.nan, nan_ok=True), ours.full_score.psnr]


def test_a_result_that_cannot_be_shown_is_missing_with_the_reason(photo, tmp_path):
    """Another size, transparency, no colour where RGB is compared; alone there is nothing else to show."""
    files = {"uncropped": photo[:, :170], "clear": np.dstack([photo[:, :, :2]] * 2), "grey": photo[..., 1]}
    for name, pixels in files.items():
        Image.fromarray(pixels).save(tmp_path / f"{name}.png")
    request = ask(photo, "bicubic", protocol="rgb_floaty", finished={name: tmp_path / f"{name}.png" for name in files})
    result = run_request(request)
    assert [r.method.label for r in result.results] == ["Bicubic"]
    reasons = ("has 170 x 150 pixels, but the original, cropped to a multiple of 3, 171 x 150", "transparent", "give an RGB")
    for name, reason in zip(files, reasons, strict=True):
        assert reason in result.missing[name]
        assert f"\n{name}: {result.missing[name]}" in result.notes()
    with pytest.raises(InputError, match="170 x 150"):
        run_request(replace(request, methods=()))


def test_progress_is_the_share_of_the_multiplications_and_may_end_the_run(photo):
    """It grows from layer to layer and ends at 1: `macs_per_pixel`, a count on another, smaller input, foresees the work.

    Where it raises, no later layer runs; the same request afterwards gives what it gave before.
    """
    request, shares, again = ask(photo, *NETWORKS), [], []
    before = run_request(request, lambda name, share: shares.append(share))
    assert shares == sorted(shares)
    assert 0 < shares[0] < 0.1
    assert shares[-1] == pytest.approx(1, abs=0.02)

    def stop_at_ten(name, share):
        again.append(share)
        if len(again) == 10:
            raise CancelledError

    with pytest.raises(CancelledError):
        run_request(request, stop_at_ten)
    assert again == shares[:10]
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


def test_records_and_named_weights_are_offered(reference, monkeypatch):
    """Identity: the folders of results/, each at its scales, and the released VDSR if SRLIB_VDSR_WEIGHTS names its weights."""
    records = [record for record in find_records() if (record.folder / "weights.safetensors").exists()]
    for scale in (2, 3, 4):
        trained = {record.folder.parts[-2] for record in records if scale in record.info["recipe"]["scales"]}
        assert set(most_trained(scale)) <= trained
        monkeypatch.setenv("SRLIB_VDSR_WEIGHTS", str(reference / "vdsr_official.npz"))
        assert set(available_methods(scale)) == {"bicubic", "vdsr_official", *trained}
        monkeypatch.delenv("SRLIB_VDSR_WEIGHTS")
        assert set(available_methods(scale)) == {"bicubic", *trained}
        assert "SRLIB_VDSR_WEIGHTS" in missing_methods(scale)


@pytest.fixture
def finished(tmp_path, monkeypatch):
    """A working folder with the folder `ours`, where coffee and chelsea of Sample have results at ×3."""
    monkeypatch.chdir(tmp_path)
    for name in ("coffee", "chelsea"):
        path = write_results(tmp_path / "ours", dict(open_images("Sample"))[name], "drrn")["drrn"]
        path.rename(path.with_name(f"{name}x3.png"))
    return tmp_path


def test_finished_results_are_offered_for_the_images_that_have_them(finished):
    """Beside the networks, whose choice stays; another scale, an upload and the image itself have none, and it is said why."""
    explorer = Explorer("cpu", {"ours": "ours"})
    explorer.dataset.value, explorer.image.value = "Sample", "astronaut"
    network = explorer.boxes[NETWORKS[0]]
    network.value = not network.value
    assert explorer.methods.children == tuple(explorer.boxes.values())
    assert "ours: astronaut has no file in ours for scale 3" in explorer.without.value
    explorer.image.value = "coffee"
    ours, *others = explorer.methods.children
    assert (ours.description, ours.value, explorer.without.value) == ("ours", True, "")
    assert network in others
    for control, value in ((explorer.scale, 2), (explorer.itself, True), (explorer.dataset, UPLOAD)):
        before = control.value
        control.value = value
        assert ours not in explorer.methods.children
        assert explorer.without.value.startswith("<div>ours: ")
        control.value = before
    explorer.image.value, explorer.side.value = "chelsea", MIN_SIDE
    for box in explorer.boxes.values():
        box.value = False
    assert "Done in" in press(explorer)
    html = explorer.results.outputs[0]["data"]["text/html"]
    assert re.findall('data-label="(.*?)"', html) == ["HR", "ours"]
    Image.fromarray(np.zeros((9, 9), np.uint8)).save("ours/chelseax3.png")
    assert "has 9 x 9 pixels" in press(explorer)


def test_explore_takes_a_folder_or_labels(finished, monkeypatch):
    """The first box is the result's, named as its folder or as given."""
    monkeypatch.setattr("srlib.widgets.explorer.is_available", lambda name: False)  # so that Sample comes first
    write_results(finished / "ours", dict(open_images("Sample"))["astronaut"], "drrn")["drrn"].rename("ours/astronaut.png")

    def first_box(*results, **options):
        return next(box.description for box in explore(*results, **options).children[1].children[1].children[2].children)

    assert first_box("ours/") == "ours"
    assert first_box({"EDSR": "ours"}, device="cpu") == "EDSR"
    assert first_box(device="cpu") == "Bicubic"


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("none", "none does not exist"),
        (".", "holds no image"),
        ("ours/coffeex3.png", "is a file"),
        ({"bicubic": "ours"}, "'bicubic' is that of another method"),
        ({"HR": "ours"}, "'HR' is that of another method"),
        ({"ours": None}, "no folder of results"),
        (["ours"], "A list is no folder"),
        (3, "A int is no folder"),
    ],
)
def test_what_is_no_folder_of_results_is_refused(finished, given, sentence):
    """One sentence, before the explorer is there."""
    with pytest.raises(InputError, match=sentence):
        explore(given)


def test_an_image_that_cannot_be_read_leaves_the_explorer_in_use(tmp_path, monkeypatch):
    """The first of a set is damaged: the status says so, no other picture is shown for it, and another set works."""
    folder = tmp_path / "Set5"
    folder.mkdir()
    dataset = DATASETS["Set5"]
    for name in dataset.files:
        (folder / name).write_bytes(b"damaged")
    monkeypatch.setenv("SRLIB_DATA", str(tmp_path))
    explorer = Explorer("cpu")
    assert explorer.dataset.value == "Set5"
    assert "is damaged" in explorer.status.value
    explorer.dataset.value = "Sample"
    assert (explorer.status.value, explorer.name) == ("", "astronaut")
    assert "data:image/jpeg" in explorer.preview.value
    explorer.dataset.value = "Set5"
    assert "is damaged" in explorer.status.value
    assert explorer.preview.value == ""
    assert "There is no image yet" in press(explorer)


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


@pytest.fixture
def explorer():
    """The explorer with a small region of a photograph."""
    explorer = Explorer("cpu")
    explorer.dataset.value, explorer.side.value = "Sample", MIN_SIDE
    return explorer


def upload_kind():
    """What a front end says of an uploaded file beside its name and content."""
    return {"type": "image/png", "size": 9, "last_modified": datetime.now(UTC)}


def press(explorer, *buttons):
    """The status line after a press on Run, perhaps on another button, and the end of the run's thread."""
    for button in (explorer.run, *buttons):
        button.click()
    for thread in threading.enumerate():
        if thread.name == "srlib explorer":
            thread.join(60)
    return explorer.status.value


def test_a_press_on_run_shows_the_viewer_and_the_numbers(explorer):
    """Viewer, table, notes and states."""
    explorer.image.value, explorer.states.value = "coffee", True
    assert "Done in" in press(explorer)
    html = [output["data"].get("text/html", "") for output in explorer.results.outputs]
    assert "<srlib-compare" in html[0]
    assert "drn_x3_c32_g2_k3" in html[1]
    assert sum("<srlib-states" in text for text in html) >= 3
    assert (explorer.run.disabled, explorer.cancel.disabled) == (False, True)


@pytest.mark.slow
def test_cancel_leaves_the_explorer_usable(explorer):
    """A press while a network runs; then Run again."""
    explorer.self_ensemble.value = True
    assert "Cancelled" in press(explorer, explorer.cancel)
    assert not explorer.results.outputs
    assert "Done in" in press(explorer)


def test_the_region_stays_in_the_image(explorer):
    """At the ends of the sliders, for every scale and image, and dragged beyond the edge; the picture's words say where."""
    for image, height, width in (("astronaut", 512, 512), ("rocket", 427, 640)):
        explorer.image.value = image
        for scale in (2, 3, 4):
            explorer.scale.value, explorer.side.value = scale, MAX_SIDE
            assert explorer.top.max + explorer.side.value == height // scale * scale
            assert explorer.left.max + explorer.side.value == width // scale * scale
    explorer.position.value = "0.9,0.5"
    assert explorer.top.value == explorer.top.max
    place = f"{explorer.top.max} pixels from the top and {explorer.left.value} from the left"
    assert f'alt="rocket, with the region {place}' in explorer.preview.value


def test_an_upload_becomes_the_image_and_a_broken_one_leaves_it(explorer, photo):
    """A text and half a PNG are named; a PNG is read bit for bit."""
    file = io.BytesIO()
    Image.fromarray(photo).save(file, "PNG")
    files = [("../x.txt", b"no picture"), ("half.png", file.getvalue()[:3000]), ("cat.png", file.getvalue())]
    said = []
    for name, content in files:
        assert explorer.dataset.value == "Sample"
        explorer.upload.value = ({"name": name, "content": content} | upload_kind(),)  # as the front end does
        said.append(explorer.status.value)
    assert "../x.txt cannot be read as an image" in said[0]
    assert re.search(r"half\.png.*damaged", said[1])
    assert explorer.dataset.value == UPLOAD
    np.testing.assert_array_equal(explorer.pixels, photo)
    explorer.itself.value = True
    assert explorer.top.max == 3 * 150 - explorer.side.value
    press(explorer)
    assert "no original" in explorer.results.outputs[2]["data"]["text/markdown"]


@pytest.mark.parametrize(
    ("image", "options", "said"),
    [
        (Image.new("I;16", (60, 60)), {}, "16-bit"),
        (Image.new("RGBA", (60, 60)), {}, "transparent"),
        (Image.new("CMYK", (60, 60)), {"format": "TIFF"}, "CMYK"),
        (Image.new("L", (60, 60)), {"format": "TIFF", "save_all": True, "append_images": [Image.new("L", (60, 60))]}, "2-page"),
        (Image.new("L", (60, 20)), {}, "60 x 20 pixels: at least 48"),
    ],
)
def test_an_upload_that_would_lose_something_is_refused_by_name(explorer, image, options, said):
    """As `read_image` refuses a file; and the explorer goes on."""
    file = io.BytesIO()
    image.save(file, **{"format": "PNG"} | options)
    name = "x" * 300 + ".png"
    explorer.upload.value = ({"name": name, "content": file.getvalue()} | upload_kind(),)
    assert said in explorer.status.value
    assert (name in explorer.status.value) == (image.height == 60)
    explorer.side.value = MIN_SIDE + 12
    explorer.dataset.value = "Sample"
    assert "Done in" in press(explorer)


def test_an_upload_is_turned_upright(photo):
    """Identity: as EXIF says."""
    exif, file = Image.Exif(), io.BytesIO()
    exif[0x0112] = 8
    Image.fromarray(photo).save(file, "PNG", exif=exif)
    np.testing.assert_array_equal(read_upload("lying.png", file.getvalue()), np.rot90(photo))


def test_nothing_chosen_is_said(explorer):
    """One sentence, and no run."""
    for box in explorer.boxes.values():
        box.value = False
    assert "No method is chosen" in press(explorer)
    explorer.dataset.value = UPLOAD
    assert "There is no image yet" in press(explorer)


@pytest.fixture
def lab(tmp_path):
    """A JupyterLab with one notebook that calls the explorer with results of the first image; its address."""
    pytest.importorskip("jupyterlab")
    name, image = next(iter(open_images(first_available("Set5", "Set14", "BSD100", "Urban100"))))
    write_results(tmp_path / "ours", image, "drrn")["drrn"].rename(tmp_path / "ours" / f"{name}_x3.png")
    cell = nbformat.v4.new_code_cell('from srlib.widgets.explorer import explore\nexplore({"ours": "ours"}, device="cpu")')
    kernel = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}
    nbformat.write(nbformat.v4.new_notebook(cells=[cell], metadata={"kernelspec": kernel}), tmp_path / "explorer.ipynb")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
    command = [Path(sys.executable).parent / "jupyter", "lab", "--no-browser", f"--ServerApp.port={address.split(':')[2]}"]
    command += ["--ServerApp.token=secret", "--ServerApp.allow_root=True", "--LabApp.expose_app_in_browser=True"]
    own, began = {"HOME": str(tmp_path)}, time.monotonic()
    with (tmp_path / "log").open("w") as log:
        server = subprocess.Popen(command, cwd=tmp_path, env=os.environ | own, stdout=log, stderr=log)
        try:
            while True:
                with suppress(OSError), urllib.request.urlopen(f"{address}/api", timeout=5):
                    break
                assert time.monotonic() - began < 90, "JupyterLab did not start"
            yield address
        finally:
            server.terminate()
            server.wait(30)


@pytest.mark.browser
def test_the_explorer_lives_in_jupyterlab(lab, open_page):
    """A real JupyterLab: the cell is run, the region dragged, Run pressed, and the viewer has made itself of the outputs."""
    from playwright.sync_api import TimeoutError as NotThereError
    from playwright.sync_api import expect

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
    assert viewer.locator("figure[data-label='ours']").count() == 1
    expect(page.locator(".srlib-explorer div[role=status]")).to_contain_text("Done in", timeout=60_000)
    assert not [trouble for trouble in page.trouble if trouble.startswith("request") and "jupyter" not in trouble]
