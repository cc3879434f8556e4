"""The viewer: its captions and scores, and what a reader does with it in a real browser."""

import re

import matplotlib
import numpy as np
import pytest
import torch
from PIL import Image
from samples import PHONE, drawn, sample_comparison

from srlib.errors import InputError
from srlib.figures.crops import view
from srlib.figures.regions import REGIONS, grow_to_square
from srlib.images import ERROR_TOP, imresize, modcrop, rgb_to_luma
from srlib.protocol import PROTOCOLS
from srlib.widgets.viewer import compare

GREY = np.zeros((9, 9), np.uint8)


def test_a_caption_holds_the_numbers_and_the_best_in_bold():
    """Counted in the HTML: PSNR's best is one method, SSIM's the other; what is not known is left out; markup is escaped."""
    assert re.findall("<figcaption>(.*?)</figcaption>", sample_comparison().element.html) == [
        "HR<br>the original",
        "half<br><strong>30.00</strong> dB / 0.9000<br>1,234,567 parameters<br>a &lt;note&gt;",
        "quarter &amp; more<br>25.00 dB / <strong>0.9500</strong>",
    ]


def test_plain_pictures_are_scored_under_a_protocol(photo, tmp_path):
    """`Protocol.score` of the same pixels: an array, a PIL image and a file; HR is cropped to a multiple of the scale."""
    hr = photo[:145, :170]
    sr = imresize(imresize(modcrop(hr, 3), 1 / 3), 3)
    Image.fromarray(sr).save(tmp_path / "sr.png")
    shown = compare({"a": sr, "b": Image.fromarray(sr), "c": str(tmp_path / "sr.png")}, hr, scale=3, protocol="rgb_floaty")
    expected = PROTOCOLS["rgb_floaty"].score(hr, sr, 3, ("psnr", "ssim"))
    assert [(o.psnr, o.ssim) for o in shown.outputs[1:]] == [expected[:2]] * 3
    assert (shown.first, shown.second, shown.outputs[0].label) == ("a", "c", "HR")


def test_a_view_brings_original_scores_parameters_and_rectangle(trained, tmp_path, monkeypatch):
    """Where no dataset is at hand: the stand-in, 96 pixels around its rectangle, with the size of a narrow network."""
    trained("drrn_b1u3_w32", 31.0, weights=True)
    monkeypatch.setenv("SRLIB_DATA", str(tmp_path))
    given = view(grow_to_square(REGIONS["drrn"][0], 96), {"Bicubic": "bicubic", "narrow": "drrn_b1u3_w32"}, "drrn")
    shown = compare(given)
    assert [output.pixels.shape for output in shown.outputs] == [(96, 96, 3)] * 3
    assert [output.params for output in shown.outputs] == [None, None, 9 * 32 + 2 * 9 * 32 * 32 + 9 * 32]
    assert shown.outputs[1].psnr == given.crops[0].score.psnr
    assert shown.zoom == given.scene.region.inner
    assert shown.zoom[2:] == (60, 60)


def test_arrays_pil_images_and_files_follow_one_rule(photo, tmp_path):
    """Identity: the same pixels, upright, from every kind that can hold them; floats are rounded half up."""
    exif = Image.Exif()
    exif[0x0112] = 6  # turned clockwise to be seen
    lying = Image.fromarray(photo)
    lying.save(tmp_path / "lying.png", exif=exif)
    upright = np.rot90(photo, -1)
    opaque = Image.fromarray(upright).convert("RGBA")
    kinds = {"file": tmp_path / "lying.png", "PIL": Image.open(tmp_path / "lying.png"), "opaque": opaque}
    kinds |= {"float": upright / 255, "float32": (upright / 255).astype(np.float32)}
    for output in compare(kinds, upright).outputs:
        np.testing.assert_array_equal(output.pixels, upright)
    grey = np.arange(81, dtype=np.uint8).reshape(9, 9)
    palette = Image.fromarray(grey).convert("P")
    shown = compare({"half up": (grey + 0.5) / 255, "palette": palette, "LA": Image.fromarray(grey).convert("LA")}, grey)
    for output, more in zip(shown.outputs, (0, 1, 0, 0), strict=True):
        np.testing.assert_array_equal(output.pixels, grey + more)


def test_grey_beside_colour_is_shown_in_colour(photo):
    """Without an original, and with a grey one: pixels are repeated, nothing is left out."""
    for hr in (None, photo[..., 0]):
        shown = compare({"colour": photo, "grey": photo[..., 1]}, hr).outputs
        np.testing.assert_array_equal(shown[-1].pixels, np.dstack([photo[..., 1]] * 3))
        np.testing.assert_array_equal(shown[-2].pixels, photo)


@pytest.mark.parametrize("name", PROTOCOLS)
@pytest.mark.parametrize("colour", [True, False], ids=["colour", "grey"])
def test_bicubic_compared_has_the_number_of_evaluate(photo, name, colour):
    """Identity: the float result of the protocol's own interpolation, of a colour and a grey original."""
    hr, rules = photo if colour else photo[..., 1], PROTOCOLS[name]
    shown = compare({"bicubic": rules.interpolate(rules.degrade(hr, 3), 3)}, hr, scale=3, protocol=name)
    assert (shown.outputs[1].psnr, shown.outputs[1].ssim) == rules.evaluate(hr, 3, metrics=("psnr", "ssim"))[:2]


@pytest.mark.parametrize("name", ["cat.png", "cat", "cat.html.jpg", "link.html"])
def test_a_page_never_replaces_a_picture(tmp_path, name):
    """Only names of pages are taken, and of links where they lead; nothing is written else."""
    (tmp_path / "link.html").symlink_to("dog.png")
    with pytest.raises(InputError, match=r"ends in \.html"):
        sample_comparison().element.save(f"{tmp_path}/{name}")
    assert [path.name for path in tmp_path.iterdir()] == ["link.html"]


@pytest.mark.parametrize(
    ("given", "options", "sentence"),
    [
        ({}, {}, "nothing to compare"),
        ({"a": GREY, "b": GREY[:8]}, {}, "one size"),
        ({"a": GREY + 255.0}, {}, "0..1 is wanted"),
        ({"a": GREY.astype(np.uint16)}, {}, "is uint16 of shape"),
        ({"a": np.dstack([GREY] * 4)}, {}, "of uint8"),
        ({"a": Image.new("RGBA", (9, 9))}, {}, "is transparent"),
        ({"a": Image.new("CMYK", (9, 9))}, {}, "mode CMYK.*convert it"),
        ({"a": Image.new("I;16", (9, 9))}, {}, "mode I;16"),
        ({"a": None}, {}, "'a' is a NoneType"),
        ({"a": torch.zeros(9, 9)}, {}, "'a' is a Tensor"),
        (["a.png"], {}, "A list has no labels"),
        (3, {}, "A int has no labels"),
        (torch.zeros(9, 9), {}, "A Tensor has no labels"),
        ({"a": GREY}, {"scale": "3"}, "a whole number"),
        ({"a": GREY}, {"zoom": 5}, "does not lie in 9 x 9"),
        ({"a": np.zeros((1, 16384), np.uint8)}, {}, "cut them to 16383"),
        ({"a": "no/such/file.png"}, {}, "does not exist"),
        ({"a": GREY}, {"first": "b"}, "choose one of a"),
        ({"HR": GREY}, {"hr": GREY}, "there twice"),
        ({"a": GREY}, {"zoom": (0, 5, 5, 5)}, "does not lie in 9 x 9"),
        ({"a": GREY}, {"protocol": "drrn"}, "hr and scale"),
        ({"a": GREY}, {"hr": GREY, "scale": 3, "protocol": "x"}, "unknown"),
    ],
)
def test_bad_input_gets_one_sentence(given, options, sentence):
    """What is wanted is in the message."""
    with pytest.raises(InputError, match=sentence):
        compare(given, **options)


@pytest.fixture
def page(tmp_path, open_page, request):
    """The sample's saved page, from the disk; at the end nothing went wrong in it."""
    sample_comparison().element.save(tmp_path / "page.html")
    page = open_page(f"file://{tmp_path}/page.html", **getattr(request, "param", {}))
    page.get_by_role("slider").wait_for()
    yield page
    assert page.trouble == []


def shows(page, left, right=None, at=0) -> None:
    """The columns of the main picture from `at` on are the right picture's, those before the left's (identity)."""
    right = left if right is None else right
    np.testing.assert_array_equal(drawn(page.locator(".frame canvas"))[0], np.hstack([left[:, :at], right[:, at:]]))


def drag(page, *places) -> None:
    """Press the mouse at the first of some places of the main picture, and release it at the last; x, y in its pixels."""
    box = page.locator(".frame canvas").bounding_box()
    scale = box["width"] / 168
    for k, (x, y) in enumerate(places):
        page.mouse.move(box["x"] + x * scale, box["y"] + y * scale, steps=1 + 2 * k)
        if k == 0:
            page.mouse.down()
    page.mouse.up()


def magnifies(page, top, left, height, width) -> None:
    """Every small picture is this rectangle of its picture (identity)."""
    for tile, picture in zip(drawn(page.locator("li canvas")), sample_comparison().pictures, strict=True):
        np.testing.assert_array_equal(tile, picture[top : top + height, left : left + width])


@pytest.mark.browser
def test_the_divider_is_moved_by_keys_and_by_the_mouse(page):
    """Columns left of the divider are the first method's, the others the second's."""
    _, half, quarter = sample_comparison().pictures
    shows(page, half, quarter, 84)
    divider = page.get_by_role("slider")
    divider.press("ArrowRight")
    divider.press("Shift+ArrowRight")
    shows(page, half, quarter, 84 + 2 + 10)
    divider.press("End")
    assert divider.get_attribute("aria-valuenow") == "168"
    shows(page, half)
    divider.press("Home")
    shows(page, quarter)
    drag(page, (134, 130), (42, 130))  # on the bare picture
    shows(page, half, quarter, 42)
    page.get_by_role("combobox", name="Left").select_option("HR")
    assert "HR at the left" in page.get_by_role("status").inner_text()


@pytest.mark.browser
def test_the_rectangle_is_the_same_in_every_small_picture(page):
    """Where it is given, tapped, dragged, moved and resized by keys."""
    magnifies(page, 10, 20, 30, 40)
    drag(page, (120, 100))  # becomes the middle
    magnifies(page, 85, 100, 30, 40)
    drag(page, (110, 90), (60, 95))
    magnifies(page, 90, 50, 30, 40)
    rectangle = page.get_by_role("application")
    rectangle.press("ArrowUp")
    rectangle.press("ArrowLeft")
    magnifies(page, 88, 48, 30, 40)
    rectangle.press("+")
    height, width, _ = drawn(page.locator("li canvas"))[0].shape
    assert width < 40
    assert height == pytest.approx(0.75 * width, abs=0.5)
    for _ in range(9):
        rectangle.press("-")
    assert drawn(page.locator("li canvas"))[0].shape == (126, 168, 3)  # all the width, at the same ratio of sides


@pytest.mark.browser
def test_keys_and_buttons_flick_between_pictures_in_one_place(page):
    """A number shows one alone, space flips, S comes back to the swipe."""
    hr, half, quarter = pictures = sample_comparison().pictures
    page.get_by_role("slider").focus()
    for k, picture in enumerate(pictures):
        page.keyboard.press(str(k + 1))
        shows(page, picture)
    for picture in (half, quarter, half):
        page.keyboard.press("Space")
        shows(page, picture)
    assert page.get_by_role("status").inner_text() == "half alone"
    page.keyboard.press("s")
    shows(page, half, quarter, 84)
    page.get_by_role("button", name="HR: show at the right").click()
    shows(page, half, hr, 84)
    page.get_by_role("button", name="Flip").click()
    shows(page, half)


@pytest.mark.browser
def test_the_error_map_is_the_difference_of_luma_in_magma(page):
    """Matplotlib's own colours of |luma - luma of HR| from 0 to 60 grey levels, to the interpolation between 61 of them."""
    page.get_by_role("button", name="Error map").click()
    main, original, _, tile = drawn(page.locator(".frame canvas, li canvas"))
    hr, half, quarter = sample_comparison().pictures
    errors = [np.abs(rgb_to_luma(picture) - rgb_to_luma(hr)) / ERROR_TOP for picture in (half, quarter)]
    half, quarter = (255 * matplotlib.colormaps["magma"](error)[..., :3] for error in errors)
    assert np.abs(main - np.hstack([half[:, :84], quarter[:, 84:]])).max() <= 6
    assert np.abs(tile - quarter[10:40, 20:60]).max() <= 6
    np.testing.assert_array_equal(original, hr[10:40, 20:60])  # stays
    assert page.get_by_text("60 and more grey levels").is_visible()


@pytest.mark.browser
@pytest.mark.parametrize("page", [PHONE], indirect=True)
def test_on_a_phone_a_tap_brings_the_rectangle(page):
    """Three dots a pixel of the page: of the screen's dots, too, a pixel of the picture takes a whole number."""
    main = page.locator(".frame canvas")
    width = main.bounding_box()["width"]
    assert 3 * width / 168 == pytest.approx(round(3 * width / 168), abs=1e-3)
    main.tap(position={"x": 120 * width / 168, "y": 100 * width / 168})
    magnifies(page, 85, 100, 30, 40)
