"""Crops: the cut is the whole output's rectangle, the numbers are the record's, and a stand-in says so."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from srlib.figures.crops import (
    Crop,
    Scene,
    View,
    crop,
    crop_figure,
    cut,
    describe,
    least_errors,
    pattern_period,
    score,
    scores_table,
    view,
)
from srlib.figures.regions import REGIONS, STAND_INS, Region, find, grow_to_square
from srlib.images import rgb_to_luma, round_uint8
from srlib.inference.enlarge import as_method
from srlib.models import DRN, DRRN, DSRN, RLCSC
from srlib.protocol import PROTOCOLS, Score
from srlib.records.methods import TrainedMethod, find_method
from srlib.records.record import find_record

NETWORKS = {
    "drrn": lambda scale: DRRN(1, 2, width=8),
    "rlcsc": lambda scale: RLCSC(K=2, n=8, m=8),
    "dsrn": lambda scale: DSRN(scale, T=2, width=8),
    "drn": lambda scale: DRN(scale, C=8, G=1, K=2, d=2),
}
PLACES = {"inside": (52, 61), "corner": (0, 0), "opposite corner": (126, 147)}  # of an image of 150 x 171


def place(photo, scale, protocol, top=52, left=61):
    """A rectangle of 24 x 24 pixels, of a photograph cropped to sides that every scale divides unevenly."""
    return Scene(Region("photo", "mine", scale, top, left, 22, 23, "a test"), PROTOCOLS[protocol], photo)


@pytest.mark.parametrize("where", PLACES)
@pytest.mark.parametrize("protocol", ["drrn", "rgb_floaty"])
@pytest.mark.parametrize("network", NETWORKS)
def test_a_cut_is_the_rectangle_of_the_whole_output(photo, network, protocol, where):
    """Identity, to float32's rounding: in the middle and at corners, for networks at HR, at LR and at both."""
    torch.manual_seed(0)
    scale = 3
    model = NETWORKS[network](scale)
    scene = place(photo, scale, protocol, *PLACES[where])
    whole = as_method(model)(scene.lr, scene.ilr, scale)
    expected = whole[scene.region.window]
    assert expected.shape[:2] == (22, 23)
    np.testing.assert_allclose(cut(scene, model), expected, rtol=0, atol=2e-6 * np.abs(whole).max())


@pytest.mark.parametrize("scale", [2, 4])
def test_a_cut_is_exact_where_the_scale_does_not_divide_the_rectangle(photo, scale):
    """Identity: top, left and sides are no multiples of the scale."""
    torch.manual_seed(0)
    model, scene = DSRN(scale, T=2, width=8), place(photo, scale, "drrn", 51, 59)
    whole = as_method(model)(scene.lr, scene.ilr, scale)
    np.testing.assert_allclose(cut(scene, model), whole[scene.region.window], rtol=0, atol=2e-6 * np.abs(whole).max())


def test_a_cut_computes_little_more_than_it_shows(photo):
    """Counted on the network's input: the rectangle, the radius around it and what the scale rounds up."""
    model, seen = DRRN(1, 2, width=8), []
    model.register_forward_hook(lambda _, inputs, __: seen.append(tuple(inputs[0].shape[-2:])))
    cut(place(photo, 3, "drrn"), model)
    height, width = max(seen)  # the tiling tries the network on a small patch first
    assert 22 + 2 * model.radius <= height <= 22 + 2 * model.radius + 8
    assert 23 + 2 * model.radius <= width <= 23 + 2 * model.radius + 8


def test_pixels_of_a_luma_protocol_have_the_luma_that_is_scored_and_bicubic_chroma(photo):
    """Identity: the luma of the pixels shown is the method's to the rounding of RGB, where RGB did not saturate."""
    scene = place(photo, 3, "drrn")
    made = crop(scene, TrainedMethod("Bicubic", None, None))
    inside = ((made.pixels > 0) & (made.pixels < 255)).all(axis=2)
    assert inside.mean() > 0.9
    gap = np.abs(rgb_to_luma(made.pixels) - 255 * scene.ilr[scene.region.window])[inside]
    assert gap.max() < 0.51
    assert np.ptp(made.pixels.astype(int), axis=2).mean() > 5  # coloured


def test_the_error_is_zero_where_the_output_is_the_original(photo):
    """Identity: on a scene whose interpolation is the original itself; one grey level off gives one."""
    scene = place(photo, 3, "drrn")
    scene.__dict__["ilr"] = scene.luma / 255
    assert crop(scene, TrainedMethod("same", None, None)).error.max() == 0
    scene.__dict__["ilr"] = (scene.luma + 1) / 255
    np.testing.assert_array_equal(crop(scene, TrainedMethod("off", None, None)).error, 1)


def test_a_score_is_the_protocols_own(photo):
    """`Protocol.evaluate`; bicubic and a network."""
    torch.manual_seed(0)
    scene, model = place(photo, 3, "lapsrn"), DRRN(1, 1, width=8)
    for method in (TrainedMethod("Bicubic", None, None), TrainedMethod("DRRN", model, None)):
        expected = scene.protocol.evaluate(photo, 3, method.model and as_method(method.model), ("psnr", "ssim"))
        assert score(scene, method)[:2] == pytest.approx(expected[:2], abs=1e-12)


def test_a_score_that_takes_too_long_is_left_out(photo, monkeypatch):
    """The limit on work; bicubic is always scored."""
    monkeypatch.setattr("srlib.figures.crops.MAX_MULTIPLICATIONS", 1)
    scene = place(photo, 3, "drrn")
    assert score(scene, TrainedMethod("DRRN", DRRN(1, 1, width=8), None)) is None
    assert score(scene, TrainedMethod("Bicubic", None, None)).psnr > 20


def test_a_score_of_the_record_is_the_one_computed(dataset):
    """The committed bicubic record against a fresh evaluation of the image."""
    dataset("Set14")
    record, region = find_record("bicubic"), REGIONS["dsrn"][1]
    scene = Scene(region, PROTOCOLS["drrn"], find(region)[0])
    recorded, fresh = score(scene, TrainedMethod("Bicubic", None, record)), score(scene, TrainedMethod("Bicubic", None, None))
    assert recorded[:2] == pytest.approx(fresh[:2], abs=1e-6)
    assert not np.isnan(recorded.ifc)  # which only the record has


@pytest.mark.parametrize("paper", REGIONS)
def test_every_region_lies_in_its_image(paper, dataset):
    """The datasets' own images, after cropping to the scale."""
    for region in REGIONS[paper]:
        dataset(region.dataset)
        image, found = find(region)
        assert found == region
        height, width = (n - n % region.scale for n in image.shape[:2])
        assert region.top + region.height <= height
        assert region.left + region.width <= width


@pytest.mark.parametrize("paper", REGIONS)
def test_without_the_dataset_a_photograph_stands_in_and_is_named(paper, tmp_path, monkeypatch):
    """An empty data folder: figures of one page get different photographs, rectangles fit, and the text says so."""
    monkeypatch.setenv("SRLIB_DATA", str(tmp_path))
    found = [find(region) for region in REGIONS[paper]]
    assert len({region.image for _, region in found}) == len(found) <= len(STAND_INS)
    for (image, region), asked in zip(found, REGIONS[paper], strict=True):
        assert region.dataset == "Sample"
        assert (region.scale, region.height, region.width) == (asked.scale, asked.height, asked.width)
        assert image[: -region.scale, : -region.scale][region.window].shape[:2] == (region.height, region.width)
    text = describe(view(REGIONS[paper][0], {"Bicubic": "bicubic", "SelfEx": ""}, "drrn"))
    assert "its numbers reproduce nothing" in text
    assert "SelfEx: not run here." in text


def test_methods_without_a_record_say_why(results, monkeypatch):
    """An empty folder of records and no weights: a reason instead of a network."""
    monkeypatch.delenv("SRLIB_VDSR_WEIGHTS", raising=False)
    assert find_method("DRRN", "drrn_b1u25", 3) == "no record yet"
    assert find_method("SelfEx", "", 3) == "not run here"
    assert "SRLIB_VDSR_WEIGHTS" in find_method("VDSR", "vdsr_official", 3)
    assert find_method("Bicubic", "bicubic", 3).model is None


def test_a_narrow_network_is_named_so_and_kept_to_its_scale(trained):
    """By hand: its filters, its share of the published training (12,000 x 4 patches of 62 px, of 464,056 x 128 of 31 px)."""
    trained("drrn_b1u3_w32", 31.0, weights=True)
    method = find_method("DRRN", "drrn_b1u3_w32", 3)
    assert method.note == "32 filters, 0.32 % of training"
    assert find_method("DRRN", "drrn_b1u3_w32", 4) == "trained for ×3 alone"


def test_the_table_holds_what_the_figures_show(photo):
    """Identity: scores as they are, and the root of the mean square of an error of 3 and 5 grey levels, half and half."""
    scene, pixels, error = place(photo, 3, "drrn"), np.zeros((2, 2, 3), np.uint8), np.array([[3.0, 5.0], [5.0, 3.0]])
    crops = (Crop("a", "narrow", pixels, error, Score(20.0, 0.9, np.nan)), Crop("b", "", pixels, error, None))
    a, b = scores_table([View(scene, crops, {})]).to_dict("records")
    assert (a["method"], a["note"], a["PSNR"], a["SSIM"], a["scale"]) == ("a", "narrow", 20.0, 0.9, "×3")
    assert a["error in the rectangle"] == b["error in the rectangle"] == pytest.approx(17**0.5)
    assert np.isnan(b["PSNR"])


def test_the_text_below_names_the_smallest_error(photo):
    """Counted by hand: 3 against 5 grey levels, the first being bicubic."""
    scene, pixels = place(photo, 3, "drrn"), np.zeros((2, 2, 3), np.uint8)
    crops = [Crop(label, "", pixels, np.full((2, 2), error), None) for label, error in (("Bicubic", 5.0), ("net", 3.0))]
    text = least_errors(scores_table([View(scene, tuple(crops), {})]))
    assert "of the 2 methods at hand **net** has the smallest error, 3.0 grey levels; bicubic interpolation has 5.0." in text
    assert "no network is at hand" in least_errors(scores_table([View(scene, tuple(crops[:1]), {})]))


@pytest.mark.parametrize("side", [1, 96, 256, 10_000])
@pytest.mark.parametrize("paper", REGIONS)
def test_a_wider_cut_lies_in_the_image_and_holds_the_region(paper, side, tmp_path, monkeypatch):
    """Arithmetic, on the stand-ins: of the side asked for where there is room, never less than the region."""
    monkeypatch.setenv("SRLIB_DATA", str(tmp_path))
    for region in REGIONS[paper]:
        image, found = find(region)
        wide = grow_to_square(region, side)
        sizes = [n - n % region.scale for n in image.shape[:2]]
        assert (wide.height, wide.width) == tuple(
            min(max(side, least), size) for least, size in zip((region.height, region.width), sizes, strict=True)
        )
        assert min(wide.top, wide.left) >= 0
        assert wide.top + wide.height <= sizes[0]
        assert wide.left + wide.width <= sizes[1]
        top, left, height, width = wide.inner
        assert (wide.top + top, wide.left + left, height, width) == (found.top, found.left, found.height, found.width)


def test_the_figures_part_of_a_wider_cut_is_the_cut_without_it(photo, tmp_path, monkeypatch):
    """Identity, on a stand-in: pixels, error, score, and what is written below."""
    monkeypatch.setenv("SRLIB_DATA", str(tmp_path))
    region, methods = REGIONS["drrn"][0], {"Bicubic": "bicubic"}
    alone, wide = view(region, methods, "drrn"), view(grow_to_square(region, 128), methods, "drrn")
    assert wide.crops[0].pixels.shape == (128, 128, 3)
    for a, b in zip(alone.crops, wide.narrow.crops, strict=True):
        np.testing.assert_array_equal(a.pixels, b.pixels)
        np.testing.assert_array_equal(a.error, b.error)
        assert a.score[:2] == b.score[:2]
    assert describe(wide) == describe(alone)
    assert alone.narrow is alone


def test_a_figure_shows_each_method_once_and_the_best_in_bold(photo):
    """Counted on the figure: an overview, a crop and an error map each, one colour bar; nothing is smoothed or resampled."""
    scene = place(photo, 3, "drrn")
    pixels = round_uint8(np.random.default_rng(0).uniform(0, 255, (22, 23, 3)))
    crops = [Crop(f"m{k}", "", pixels, np.full((22, 23), 10.0 * k), Score(20.0 + k, 0.9 - 0.1 * k, np.nan)) for k in range(4)]
    figure = crop_figure(View(scene, (*crops, Crop("none", "", pixels, pixels[..., 0] / 1.0, None)), {}))
    images = [ax.images[0] for ax in figure.axes if ax.images]
    assert len(images) == 1 + 1 + 2 * 5
    assert all(image.get_interpolation() == "nearest" for image in images[1:])
    assert {image.get_clim() for image in images[3::2]} == {(0, 60)}  # one scale for all errors
    words = [text.get_text() for ax in figure.axes for text in ax.texts]
    assert [w for w in words if "mathbf" in w] == ["20.00 dB / $\\mathbf{0.9000}$", "$\\mathbf{23.00}$ dB / 0.6000"]
    assert words.count("not scored") == 1
    boxes = [ax.get_window_extent() for ax in figure.axes if ax.images][1:]
    assert all(box.width / 23 == pytest.approx(8) and box.height / 22 == pytest.approx(8) for box in boxes)
    plt.close(figure)


def test_the_period_of_stripes_is_that_with_which_they_were_made():
    """By hand: slanted stripes of period 6, to the resolution of the transform."""
    row, column = np.mgrid[:60, :60]
    stripes = 100 + 50 * np.sin(2 * np.pi * (0.6 * row + 0.8 * column) / 6)
    assert pattern_period(stripes) == pytest.approx(6, abs=0.1)
