"""Crops: the cut is the whole output's rectangle, the numbers are the record's, and a stand-in says so."""

import re
from itertools import product

import numpy as np
import pytest
import torch

from srlib.figures import crops
from srlib.figures.crops import Crop, Scene, View, score, view
from srlib.figures.regions import REGIONS, STAND_INS, Region, find, grow_to_square
from srlib.images import rgb_to_luma, round_uint8
from srlib.inference.enlarge import as_method
from srlib.models import DRN, DRRN, DSRN, RLCSC
from srlib.protocol import PROTOCOLS, Score
from srlib.records.methods import TrainedMethod, find_method
from srlib.records.provenance import ROOT
from srlib.records.record import find_record

BICUBIC = TrainedMethod("Bicubic", None, None)
NETWORKS = {
    "drrn": lambda scale: DRRN(1, 2, width=8),
    "rlcsc": lambda scale: RLCSC(K=2, n=8, m=8),
    "dsrn": lambda scale: DSRN(scale, T=2, width=8),
    "drn": lambda scale: DRN(scale, C=8, G=1, K=2, d=2),
}


def place(photo, scale=3, protocol="drrn", top=52, left=61):
    """A rectangle of 22 x 23 pixels of a photograph of 150 x 171."""
    return Scene(Region("photo", "mine", scale, top, left, 22, 23, "a test"), PROTOCOLS[protocol], photo)


@pytest.mark.parametrize(("scale", "top", "left"), [(3, 52, 61), (3, 0, 0), (3, 126, 147), (2, 51, 59), (4, 51, 59)])
@pytest.mark.parametrize("protocol", ["drrn", "rgb_floaty"])
@pytest.mark.parametrize("network", NETWORKS)
def test_a_cut_is_the_rectangle_of_the_whole_output(photo, network, protocol, scale, top, left):
    """Identity, to float32's rounding: inside, at corners, where the scale does not divide; for networks at HR, LR and both."""
    torch.manual_seed(0)
    model, scene = NETWORKS[network](scale), place(photo, scale, protocol, top, left)
    whole = as_method(model)(scene.lr, scene.ilr, scale)
    expected = whole[scene.region.window]
    assert expected.shape[:2] == (22, 23)
    np.testing.assert_allclose(crops.cut(scene, model), expected, rtol=0, atol=2e-6 * np.abs(whole).max())


def test_a_cut_computes_little_more_than_it_shows(photo):
    """Counted on the network's input: the rectangle, the radius around it and what the scale rounds up."""
    model, seen = DRRN(1, 2, width=8), []
    model.register_forward_hook(lambda _, inputs, __: seen.append(tuple(inputs[0].shape[-2:])))
    crops.cut(place(photo), model)
    height, width = max(seen)  # the tiling tries the network on a small patch first
    assert 22 + 2 * model.radius <= height <= 22 + 2 * model.radius + 8
    assert 23 + 2 * model.radius <= width <= 23 + 2 * model.radius + 8


def test_pixels_of_a_luma_protocol_have_the_luma_that_is_scored_and_bicubic_chroma(photo):
    """Identity: the luma of the pixels shown is the method's to the rounding of RGB, where RGB did not saturate."""
    scene = place(photo)
    pixels = crops.crop(scene, BICUBIC).pixels
    inside = ((pixels > 0) & (pixels < 255)).all(axis=2)
    assert inside.mean() > 0.9
    assert np.abs(rgb_to_luma(pixels) - 255 * scene.ilr[scene.region.window])[inside].max() < 0.51
    assert np.ptp(pixels.astype(int), axis=2).mean() > 5  # coloured


@pytest.mark.parametrize("off", [0, 1])
def test_the_error_is_what_the_output_is_off_the_original(photo, off):
    """Identity: on a scene whose interpolation is the original itself, or one grey level off."""
    scene = place(photo)
    scene.__dict__["ilr"] = (scene.luma + off) / 255
    np.testing.assert_array_equal(crops.crop(scene, BICUBIC).error, off)


def test_a_score_is_the_protocols_own_and_left_out_where_it_takes_too_long(photo, monkeypatch):
    """`Protocol.evaluate` of bicubic and a network; beyond the limit on work, of bicubic alone."""
    scene, model = place(photo, protocol="lapsrn"), DRRN(1, 1, width=8)
    network = TrainedMethod("DRRN", model, None)
    for method, upscaler in ((BICUBIC, None), (network, as_method(model))):
        expected = scene.protocol.evaluate(photo, 3, upscaler, ("psnr", "ssim"))
        assert score(scene, method)[:2] == pytest.approx(expected[:2], abs=1e-12)
    monkeypatch.setattr(crops, "MAX_MULTIPLICATIONS", 1)
    assert score(scene, network) is None
    assert score(scene, BICUBIC).psnr > 20


def test_a_score_of_the_record_is_the_one_computed(dataset):
    """The committed bicubic record against a fresh evaluation of the image."""
    dataset("Set14")
    region = REGIONS["dsrn"][1]
    scene = Scene(region, PROTOCOLS["drrn"], find(region)[0])
    recorded = score(scene, TrainedMethod("Bicubic", None, find_record("bicubic")))
    assert recorded[:2] == pytest.approx(score(scene, BICUBIC)[:2], abs=1e-6)
    assert not np.isnan(recorded.ifc)  # which only the record has


@pytest.mark.parametrize("at_hand", [True, False])
@pytest.mark.parametrize("paper", REGIONS)
def test_each_region_and_a_wider_cut_lie_in_the_image(paper, at_hand, dataset, tmp_path, monkeypatch):
    """Arithmetic, in the paper's image or its stand-in, cropped to the scale: of the side asked for where there is room."""
    if not at_hand:
        monkeypatch.setenv("SRLIB_DATA", str(tmp_path))
    for asked, side in product(REGIONS[paper], (1, 96, 256, 10_000)):
        if at_hand:
            dataset(asked.dataset)
        image, region = find(asked)
        assert (region == asked) == at_hand
        assert (region.scale, region.height, region.width) == (asked.scale, asked.height, asked.width)
        wide = grow_to_square(asked, side)
        top, left, height, width = wide.inner
        assert (wide.top + top, wide.left + left, height, width) == (region.top, region.left, region.height, region.width)
        spans = ((wide.top, wide.height, top, height), (wide.left, wide.width, left, width))
        for (start, length, inner, least), pixels in zip(spans, image.shape, strict=False):
            size = pixels - pixels % region.scale
            assert length == min(max(side, least), size)
            assert 0 <= start <= size - length
            assert 0 <= inner <= length - least


@pytest.mark.parametrize("paper", REGIONS)
def test_each_region_is_a_figure_of_the_papers_page_and_its_stand_in_says_so(paper, tmp_path, monkeypatch):
    """The page shows the views in order, named after their images; without data, photographs that all differ."""
    names = [f"fig-{paper}-visual-{region.image.replace('_', '')}" for region in REGIONS[paper]]
    page = (ROOT / "notebooks" / f"{paper}_visual.py").read_text()
    assert re.findall(r'show_crops\(views\[(\d)\], "(.*?)"', page) == [(str(k), name) for k, name in enumerate(names)]
    monkeypatch.setenv("SRLIB_DATA", str(tmp_path))
    found = {find(region)[1] for region in REGIONS[paper]}
    assert {region.dataset for region in found} == {"Sample"}
    assert len({region.image for region in found}) == len(REGIONS[paper]) <= len(STAND_INS)
    text = crops.describe(view(REGIONS[paper][0], {"Bicubic": "bicubic", "SelfEx": ""}, "drrn"))
    assert "its numbers reproduce nothing" in text
    assert "SelfEx: not run here." in text


def test_the_figures_part_of_a_wider_cut_is_the_cut_without_it(tmp_path, monkeypatch):
    """Identity, on a stand-in: pixels, error, score, and what is written below."""
    monkeypatch.setenv("SRLIB_DATA", str(tmp_path))
    region, methods = REGIONS["drrn"][0], {"Bicubic": "bicubic"}
    alone, wide = view(region, methods, "drrn"), view(grow_to_square(region, 128), methods, "drrn")
    (a,), (b,) = alone.crops, wide.narrow.crops
    assert wide.crops[0].pixels.shape == (128, 128, 3)
    np.testing.assert_array_equal(a.pixels, b.pixels)
    np.testing.assert_array_equal(a.error, b.error)
    assert a.score[:2] == b.score[:2]
    assert crops.describe(wide) == crops.describe(alone)
    assert alone.narrow is alone


def test_a_method_is_found_with_its_note_or_a_reason_stands_for_it(trained, monkeypatch):
    """By hand: its filters, its share of the published training (12,000 x 4 patches of 62 px, of 464,056 x 128 of 31 px)."""
    monkeypatch.delenv("SRLIB_VDSR_WEIGHTS", raising=False)
    trained("drrn_b1u3_w32", 31.0, weights=True)
    assert find_method("DRRN", "drrn_b1u3_w32", 3).note == "32 filters, 0.32 % of training"
    assert find_method("DRRN", "drrn_b1u3_w32", 4) == "trained for ×3 alone"
    assert find_method("DRRN", "drrn_b1u25", 3) == "no record yet"
    assert find_method("SelfEx", "", 3) == "not run here"
    assert "SRLIB_VDSR_WEIGHTS" in find_method("VDSR", "vdsr_official", 3)
    assert find_method("Bicubic", "bicubic", 3).model is None


def test_table_and_text_hold_what_the_figures_show(photo):
    """By hand: the root of the mean square of an error of 3 and 5 grey levels, half and half, is less than 5."""
    pixels, error = np.zeros((2, 2, 3), np.uint8), np.array([[3.0, 5.0], [5.0, 3.0]])
    bicubic = Crop("Bicubic", "", pixels, np.full((2, 2), 5.0), Score(20.0, 0.9, np.nan))
    network = Crop("net", "narrow", pixels, error, None)
    numbers = crops.scores_table([View(place(photo), (bicubic, network), {})])
    a, b = numbers.to_dict("records")
    assert (a["method"], a["PSNR"], a["SSIM"], a["scale"]) == ("Bicubic", 20.0, 0.9, "×3")
    assert (b["method"], b["note"], b["error in the rectangle"]) == ("net", "narrow", pytest.approx(17**0.5))
    assert np.isnan([b["PSNR"], b["SSIM"]]).all()
    text = "of the 2 methods at hand **net** has the smallest error, 4.1 grey levels; bicubic interpolation has 5.0."
    assert text in crops.least_errors(numbers)
    assert "no network is at hand" in crops.least_errors(numbers[:1])


def test_a_figure_shows_each_method_once_and_the_best_in_bold(photo, monkeypatch):
    """Counted on the figure: an overview, a crop and an error map each, one colour bar; nothing is smoothed or resampled."""
    pixels, outputs = round_uint8(np.random.default_rng(0).uniform(0, 255, (22, 23, 3))), []
    shown = [Crop(f"m{k}", "", pixels, np.full((22, 23), 10.0 * k), Score(20.0 + k, 0.9 - 0.1 * k, np.nan)) for k in range(4)]
    shown.append(Crop("none", "", pixels, pixels[..., 0] / 1.0, None))
    monkeypatch.setattr("srlib.figures.style.display", lambda *output, metadata: outputs.append((*output, metadata)))
    crops.show_crops(View(place(photo), tuple(shown), {}), "fig-a", "DRRN's Figure 7")
    (figure, metadata), _ = outputs  # and the caption, but no link to numbers
    assert metadata["figure"]["caption"].startswith("DRRN's Figure 7 regenerated. Whole image with our rectangle")
    assert "the original, then one crop for each method" in metadata["figure"]["alt"]
    images = [ax.images[0] for ax in figure.axes if ax.images]
    assert len(images) == 1 + 1 + 2 * 5
    assert all(image.get_interpolation() == "nearest" for image in images[1:])
    assert {image.get_clim() for image in images[3::2]} == {(0, 60)}  # one scale for all errors
    words = [text.get_text() for ax in figure.axes for text in ax.texts]
    assert [w for w in words if "mathbf" in w] == ["20.00 dB / $\\mathbf{0.9000}$", "$\\mathbf{23.00}$ dB / 0.6000"]
    assert words.count("not scored") == 1
    boxes = [ax.get_window_extent() for ax in figure.axes if ax.images][1:]
    assert all(box.width / 23 == pytest.approx(8) and box.height / 22 == pytest.approx(8) for box in boxes)


def test_the_period_of_stripes_is_that_with_which_they_were_made():
    """By hand: slanted stripes of period 6, to the resolution of the transform."""
    row, column = np.mgrid[:60, :60]
    stripes = 100 + 50 * np.sin(2 * np.pi * (0.6 * row + 0.8 * column) / 6)
    assert crops.pattern_period(stripes) == pytest.approx(6, abs=0.1)
