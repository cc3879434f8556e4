"""Names of results and of LR pictures beside those of the originals, as tools write them."""

import pytest
from PIL import Image

from srlib.errors import InputError
from srlib.matching import LR, base_name, match


@pytest.fixture
def files(tmp_path):
    """A function that makes a folder of pictures with these names, and returns it."""

    def make(*names):
        for name in names:
            Image.new("L", (4, 4)).save(tmp_path / name, "PNG")
        return tmp_path

    return make


@pytest.mark.parametrize(
    "name",
    [
        "baby.png",
        "babyx3.png",
        "baby_x3.bmp",
        "baby_x3_SR.png",
        "baby_SRF_3_SR.png",
        "baby_3x.png",
        "Baby-EDSR.png",
        "baby out.png",
    ],
)
def test_a_result_is_known_by_the_name_of_its_original(files, name):
    """The names that EDSR, BasicSR, SelfExSR, Real-ESRGAN and others write."""
    assert match(["baby", "bird"], files(name), 3).files == {"baby": files() / name}


@pytest.mark.parametrize(
    "name", ["babyx2.png", "baby_x4_SR.png", "baby_SRF_4_SR.png", "baby2.png", "mybaby.png", "baby_x3_LR.png"]
)
def test_other_files_are_not_taken_for_a_result(files, name):
    """Another scale, another image, the LR picture: each is listed, and the image is without a file."""
    matches = match(["baby"], files(name), 3)
    assert matches.files == {}
    assert matches.others == (files() / name,)
    assert matches.faults["baby"].startswith("baby has no file in")


def test_the_longest_name_wins_and_accents_are_one(files):
    """`img_1_2.png` is of `img_1_2`, not of `img_1`; a Mac writes an accent apart; originals may end in _HR."""
    folder = files("img_1_2.png", "img_1_x3.png", "cafe\u0301_SR.png", "town_x3.png")
    found = match(["img_1", "img_1_2", "caf\u00e9", "town_HR"], folder, 3).files
    assert {name: path.name for name, path in found.items()} == {
        "img_1": "img_1_x3.png",
        "img_1_2": "img_1_2.png",
        "caf\u00e9": "cafe\u0301_SR.png",
        "town_HR": "town_x3.png",
    }


def test_the_end_of_an_originals_own_name_may_stay(files):
    """Set5's files are called baby_GT, and tools keep names; an original beside a result is no result."""
    folder = files("baby_GT_x3_SR.png", "bird_GTx3.png", "head_GT.png", "woman_GT.png", "woman_x3.png", "town_x3_HR.png")
    found = match(["baby", "bird", "head", "woman", "town"], folder, 3).files
    assert {name: path.name for name, path in found.items()} == {
        "baby": "baby_GT_x3_SR.png",
        "bird": "bird_GTx3.png",
        "head": "head_GT.png",
        "woman": "woman_x3.png",
    }


def test_two_files_of_one_image_are_a_fault_until_a_pattern_says_which(files):
    """The sentence lists both; `{name}` and `{scale}` decide, with or without the suffix."""
    folder = files("baby_bicubic_x3.png", "baby_ours_x3.png", "bird_ours_x3.png")
    matches = match(["baby", "bird"], folder, 3)
    assert list(matches.files) == ["bird"]
    assert "2 files" in matches.faults["baby"]
    assert "baby_bicubic_x3.png, baby_ours_x3.png" in matches.faults["baby"]
    for pattern in ("{name}_ours_x{scale}", "{name}_ours_x{scale}.png"):
        found = match(["baby", "bird"], folder, 3, pattern).files
        assert {path.name for path in found.values()} == {"baby_ours_x3.png", "bird_ours_x3.png"}
    for pattern in ("ours", "{name}_{method}", "{name", "{name}{0}", "{name.x}"):
        with pytest.raises(InputError, match="is no pattern"):
            match(["baby"], folder, 3, pattern)


def test_lr_pictures_have_names_of_their_own(files):
    """`baby_LR.png` is one, `baby_HR.png` is not; and back: the original's name of an LR file."""
    folder = files("babyx3.png", "bird_LR_x3.png", "bird_HR.png", "babyx2.png")
    found = match(["baby", "bird"], folder, 3, without=LR).files
    assert {name: path.name for name, path in found.items()} == {"baby": "babyx3.png", "bird": "bird_LR_x3.png"}
    assert [base_name(stem, 3) for stem in ("babyx3", "0801x3", "baby_LR", "img_001_SRF_3_LR", "a_2x_03x3", "babyx2")] == [
        "baby",
        "0801",
        "baby",
        "img_001",
        "a_2x_03",
        None,
    ]


def test_a_folder_that_is_none_is_a_sentence(tmp_path, files):
    """Missing, a file, or empty."""
    file = files("a.png") / "a.png"
    (tmp_path / "empty").mkdir()
    for folder, said in ((tmp_path / "none", "does not exist"), (file, "is a file"), (tmp_path / "empty", "holds no image")):
        with pytest.raises(InputError, match=said):
            match(["a"], folder, 2)
