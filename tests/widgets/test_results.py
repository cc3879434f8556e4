"""Finished results in folders: the viewer shows and scores the files of one image."""

import numpy as np
import pytest
from PIL import Image

from srlib.errors import InputError
from srlib.images import imresize, modcrop, round_uint8
from srlib.protocol import PROTOCOLS
from srlib.widgets.results import as_folders
from srlib.widgets.viewer import compare


@pytest.fixture
def folders(photo, tmp_path, monkeypatch):
    """Originals `cat`, `dog` and `grey`, and at ×3 the results of two methods, of which one has no cat; the working folder."""
    originals = {"cat": photo, "dog": photo[:100, 5:125], "grey": photo[..., 1]}
    for name in ("originals", "mine", "edsr/x3", "luma", "empty"):
        (tmp_path / name).mkdir(parents=True)
    for name, image in originals.items():
        sr, rules = imresize(imresize(modcrop(image, 3), 1 / 3), 3), PROTOCOLS["drrn"]
        luma = rules.interpolate(rules.degrade(image, 3), 3)
        files = {f"originals/{name}.png": image, f"mine/{name}_x3_SR.png": sr, f"luma/{name}.png": round_uint8(255 * luma)}
        if name != "cat":
            files[f"edsr/x3/{name}x3.png"] = sr if sr.ndim == 3 else np.dstack([sr] * 3)
        for path, pixels in files.items():
            Image.fromarray(pixels).save(tmp_path / path)
    monkeypatch.chdir(tmp_path)
    return originals


def test_folders_are_compared_by_the_first_picture_that_all_have(folders):
    """Identity: the files' pixels, and `Protocol.score` of them; the labels as given, and in the heading what is shown."""
    shown = compare({"EDSR": "edsr/x3", "ours": "mine/"}, "originals", scale=3, protocol="drrn")
    assert [output.label for output in shown.outputs] == ["HR", "EDSR", "ours"]
    assert shown.title == "dog, ×3, protocol drrn"
    expected = PROTOCOLS["drrn"].score(folders["dog"], np.asarray(Image.open("mine/dog_x3_SR.png")), 3, ("psnr", "ssim"))
    assert [(output.psnr, output.ssim) for output in shown.outputs[1:]] == [expected[:2]] * 2
    np.testing.assert_array_equal(shown.outputs[0].pixels, modcrop(folders["dog"], 3))
    np.testing.assert_array_equal(shown.outputs[2].pixels, np.asarray(Image.open("mine/dog_x3_SR.png")))


def test_a_lone_folder_has_its_own_name(folders, monkeypatch):
    """By any way to it; and the original may be a file, or missing."""
    assert [output.label for output in compare("mine/", "originals/", scale=3).outputs] == ["HR", "mine"]
    assert compare("mine", "originals/cat.png", image="cat", scale=3).title == "cat, ×3"
    assert compare("mine", scale=3, image="grey").first == "mine"
    monkeypatch.chdir("mine")
    assert as_folders(".") == {"mine": "."}


def test_a_grey_result_is_the_same_in_one_channel_and_in_three(folders):
    """Under every protocol: the score of the grey file, and grey pixels."""
    grey = np.asarray(Image.open("mine/grey_x3_SR.png"))
    for name, protocol in PROTOCOLS.items():
        shown = compare({"one": "mine", "three": "edsr/x3"}, "originals", image="grey", scale=3, protocol=name)
        assert [o.psnr for o in shown.outputs[1:]] == [protocol.score(folders["grey"], grey, 3, ("psnr",)).psnr] * 2
        assert {output.pixels.shape for output in shown.outputs} == {(150, 171)}


def test_luma_of_a_colour_original_is_compared_as_luma(folders):
    """The numbers that `Protocol.evaluate` has for bicubic, whose luma these files are; every picture is shown as luma."""
    shown = compare({"luma": "luma", "RGB": "mine"}, "originals", image="cat", scale=3, protocol="drrn")
    expected = PROTOCOLS["drrn"].evaluate(folders["cat"], 3, metrics=("psnr", "ssim"))
    assert (shown.outputs[1].psnr, shown.outputs[1].ssim) == expected[:2]
    np.testing.assert_array_equal(shown.outputs[0].pixels, PROTOCOLS["drrn"].reference(folders["cat"], 3))
    np.testing.assert_array_equal(shown.outputs[1].pixels, np.asarray(Image.open("luma/cat.png")))
    assert shown.outputs[0].note == "the original's luma"


def test_a_pattern_tells_which_of_two_files_is_meant(folders, photo):
    """Without it both are named."""
    Image.fromarray(photo[:150]).save("mine/cat_x3_old.png")
    with pytest.raises(InputError, match=r"cat has 2 files.*cat_x3_SR\.png"):
        compare("mine", "originals", scale=3, image="cat")
    shown = compare("mine", "originals", scale=3, image="cat", name="{name}_x{scale}_SR")
    np.testing.assert_array_equal(shown.outputs[1].pixels, np.asarray(Image.open("mine/cat_x3_SR.png")))


@pytest.mark.parametrize(
    ("outputs", "hr", "options", "sentence"),
    [
        ({"EDSR": "edsr/x3"}, "originals", {"image": "cat"}, "cat has no file in edsr/x3"),
        ({"EDSR": "edsr/x3"}, "originals", {"image": "bird"}, "choose one of cat, dog, grey"),
        ({"EDSR": "edsr/x3"}, "originals", {"scale": 2}, "No picture has a file in every folder; cat has no file"),
        ({"EDSR": "edsr/x3"}, "originals", {"scale": None}, "say which, such as scale=3"),
        ({"EDSR": "edsr/x3"}, None, {}, "name it"),
        ({"EDSR": "edsr/x3"}, None, {"image": 5}, "5 has no file in edsr/x3"),
        ({"EDSR": "edsr/x3"}, "Set6", {}, "'Set6' is neither a dataset nor a folder"),
        ({"ours": "mine/cat_x3_SR.png"}, "originals", {}, "name it"),
        ({"ours": "mine/cat_x3_SR.png"}, "original.png", {}, "original.png does not exist"),
        ({"ours": "mine/cat_x3_SR.png"}, None, {"image": "cat"}, "leave it out"),
        ("edsr/x4", "originals", {}, "edsr/x4 does not exist"),
        ("empty", "originals", {}, "empty holds no image"),
        ("luma", "originals", {"protocol": "lapsrn"}, "luma: The result is grey, but the original has colour"),
        (["luma"], "originals", {}, "A list has no labels"),
        ({}, "originals", {}, "nothing to compare"),
    ],
)
def test_what_does_not_match_gets_one_sentence(folders, outputs, hr, options, sentence):
    """What is wanted is in the message."""
    with pytest.raises(InputError, match=sentence):
        compare(outputs, hr, **{"scale": 3} | options)
