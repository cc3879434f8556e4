"""The viewer: the pixels given are the pixels shown, in every way that a page reaches its reader."""

import base64
import io
import json
import re
import shutil
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from PIL import Image

import srlib.widgets.viewer
from srlib.errors import InputError
from srlib.figures.crops import view
from srlib.figures.regions import REGIONS, grow_to_square
from srlib.images import ERROR_TOP, imresize, modcrop, rgb_to_luma
from srlib.protocol import PROTOCOLS
from srlib.widgets.viewer import Output, compare

STRICT = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'"
SCRIPT = Path(srlib.widgets.viewer.__file__).with_name("viewer.js")


def outputs(photo: np.ndarray) -> tuple[np.ndarray, list[Output]]:
    """An original of 144 x 168 pixels and two enlargements of smaller ones."""
    hr = photo[:144, :168]
    made = {k: imresize(imresize(hr, 1 / k), k) for k in (2, 4)}
    return hr, [
        Output("half", made[2], 30.0, 0.9, 1234567, "a <note>"),
        Output("quarter & more", made[4], 25.0, 0.95),
    ]


def decoded(html: str) -> list[np.ndarray]:
    """The pictures inside HTML, by PIL."""
    codes = re.findall(r'src="data:image/webp;base64,([^"]+)"', html)
    return [np.asarray(Image.open(io.BytesIO(base64.b64decode(code)))) for code in codes]


def test_the_pictures_in_the_html_are_the_pixels_given(photo):
    """Identity, bit for bit, read by PIL: the original first."""
    hr, made = outputs(photo)
    html = compare(made, hr).html
    for picture, given in zip(decoded(html), [hr, *(o.pixels for o in made)], strict=True):
        np.testing.assert_array_equal(picture, given)


def test_a_caption_holds_the_numbers_and_the_best_in_bold(photo):
    """Counted in the HTML: PSNR's best is one method, SSIM's the other; what is not known is left out; markup is escaped."""
    hr, made = outputs(photo)
    captions = re.findall("<figcaption>(.*?)</figcaption>", compare(made, hr).html)
    assert captions == [
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
    seen = view(grow_to_square(REGIONS["drrn"][0], 96), {"Bicubic": "bicubic", "narrow": "drrn_b1u3_w32"}, "drrn")
    shown = compare(seen)
    hr, bicubic, narrow = shown.outputs
    assert hr.pixels.shape == bicubic.pixels.shape == narrow.pixels.shape == (96, 96, 3)
    assert bicubic.params is None
    assert narrow.params == 19008  # 9 * 32 + 2 * 9 * 32 * 32 + 9 * 32
    assert bicubic.psnr == seen.crops[0].score.psnr
    assert shown.zoom == seen.scene.region.inner
    assert shown.zoom[2:] == (60, 60)


@pytest.mark.parametrize(
    ("given", "options", "sentence"),
    [
        ({}, {}, "nothing to compare"),
        ({"a": np.zeros((9, 9), np.uint8), "b": np.zeros((9, 8), np.uint8)}, {}, "one size"),
        ({"a": np.zeros((9, 9), np.uint8), "b": np.zeros((9, 9, 3), np.uint8)}, {}, "all grey or all RGB"),
        ({"a": np.zeros((9, 9))}, {}, "round_uint8"),
        ({"a": np.zeros((9, 9, 4), np.uint8)}, {}, "uint8 of"),
        ({"a": Image.new("RGBA", (9, 9))}, {}, "convert"),
        ({"a": "no/such/file.png"}, {}, "does not exist"),
        ({"a": np.zeros((9, 9), np.uint8)}, {"first": "b"}, "choose one of a"),
        ({"HR": np.zeros((9, 9), np.uint8)}, {"hr": np.zeros((9, 9), np.uint8)}, "there twice"),
        ({"a": np.zeros((9, 9), np.uint8)}, {"zoom": (0, 5, 5, 5)}, "does not lie in 9 x 9"),
        ({"a": np.zeros((9, 9), np.uint8)}, {"protocol": "drrn"}, "hr and scale"),
        ({"a": np.zeros((9, 9), np.uint8)}, {"hr": np.zeros((9, 9), np.uint8), "scale": 3, "protocol": "x"}, "unknown"),
    ],
)
def test_bad_input_gets_one_sentence(given, options, sentence):
    """What is wanted is in the message."""
    with pytest.raises(InputError, match=sentence):
        compare(given, **options)


def test_a_notebook_gets_html_with_its_script_and_a_line(photo):
    """The mime bundle of Jupyter: one script, which stands after the element; text for a terminal."""
    hr, made = outputs(photo)
    bundle = compare(made, hr)._repr_mimebundle_()
    assert bundle["text/plain"] == "Comparison of HR, half, quarter & more: 168 x 144 pixels"
    assert bundle["text/html"].count("<script") == 1
    assert bundle["text/html"].index("</srlib-compare>") < bundle["text/html"].index("<script")


# What a reader does, in a real browser. `STATE` reads the element's canvases: what is drawn, as lossless files.
STATE = """element => [...element.shadowRoot.querySelectorAll(".frame canvas, li canvas")].map(c => c.toDataURL("image/png"))"""


def opened(png: bytes) -> np.ndarray:
    """A file as an array `(H, W, 3)`."""
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


def seen(page, locator) -> np.ndarray:
    """What the screen shows at a place, which the browser moves to whole pixels."""
    locator.scroll_into_view_if_needed()
    box, screen = locator.bounding_box(), opened(page.screenshot())
    x, y, width, height = (round(box[name]) for name in ("x", "y", "width", "height"))
    return screen[y : y + height, x : x + width]


def state(page) -> tuple[np.ndarray, list[np.ndarray]]:
    """The main picture and the small ones, as drawn."""
    main, *tiles = (opened(base64.b64decode(png.split(",")[1])) for png in page.locator("srlib-compare").first.evaluate(STATE))
    return main, tiles


@pytest.fixture
def viewer(photo, tmp_path, open_page):
    """A function that opens a saved comparison from the disk; its pictures; keywords go to `open_page`."""
    hr, made = outputs(photo)
    compare(made, hr, title="A cat", zoom=(10, 20, 30, 40)).save(tmp_path / "page.html")

    def show(**options):
        page = open_page(f"file://{tmp_path}/page.html", **options)
        page.get_by_role("slider").wait_for()
        return page

    return show, [hr, *(o.pixels for o in made)]


def swiped(left: np.ndarray, right: np.ndarray, at: int) -> np.ndarray:
    """The left picture's first columns and the rest of the right one's."""
    return np.concatenate([left[:, :at], right[:, at:]], axis=1)


@pytest.mark.browser
def test_the_divider_is_moved_by_keys_and_by_the_mouse(viewer):
    """Identity on the drawn pixels: columns left of the divider are the first method's, the others the second's."""
    show, (_, half, quarter) = viewer
    page = show()
    np.testing.assert_array_equal(state(page)[0], swiped(half, quarter, 84))
    divider = page.get_by_role("slider")
    divider.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowRight")
    np.testing.assert_array_equal(state(page)[0], swiped(half, quarter, 84 + 2 + 10))
    page.keyboard.press("End")
    assert divider.get_attribute("aria-valuenow") == "168"
    np.testing.assert_array_equal(state(page)[0], half)
    page.keyboard.press("Home")
    np.testing.assert_array_equal(state(page)[0], quarter)
    box = page.locator(".frame canvas").bounding_box()
    page.mouse.move(box["x"] + 0.8 * box["width"], box["y"] + 0.9 * box["height"])  # on the bare picture
    page.mouse.down()
    page.mouse.move(box["x"] + 0.25 * box["width"], box["y"] + 0.9 * box["height"], steps=3)
    page.mouse.up()
    np.testing.assert_array_equal(state(page)[0], swiped(half, quarter, 42))
    page.get_by_role("combobox", name="Left").select_option("HR")
    assert "HR at the left" in page.get_by_role("status").inner_text()
    assert page.trouble == []


@pytest.mark.browser
def test_the_rectangle_is_the_same_in_every_small_picture(viewer):
    """Identity on the drawn pixels: where it is given, tapped, dragged, moved and resized by keys."""
    show, pictures = viewer
    page = show()

    def check(top, left, height, width):
        for tile, picture in zip(state(page)[1], pictures, strict=True):
            np.testing.assert_array_equal(tile, picture[top : top + height, left : left + width])

    check(10, 20, 30, 40)
    box = page.locator(".frame canvas").bounding_box()
    scale = box["width"] / 168
    page.mouse.click(box["x"] + 120 * scale, box["y"] + 100 * scale)  # becomes the middle
    check(85, 100, 30, 40)
    page.mouse.move(box["x"] + 110 * scale, box["y"] + 90 * scale)
    page.mouse.down()
    page.mouse.move(box["x"] + 60 * scale, box["y"] + 95 * scale, steps=3)
    page.mouse.up()
    check(90, 50, 30, 40)
    page.get_by_role("application").focus()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowLeft")
    check(88, 48, 30, 40)
    page.keyboard.press("+")
    small = state(page)[1][0].shape
    assert small[1] < 40
    assert small[0] == pytest.approx(0.75 * small[1], abs=0.5)
    for _ in range(9):
        page.keyboard.press("-")
    assert state(page)[1][0].shape == (126, 168, 3)  # all the width, at the same ratio of sides
    assert page.trouble == []


@pytest.mark.browser
def test_keys_and_buttons_flick_between_pictures_in_one_place(viewer):
    """Identity on the drawn pixels: a number shows one alone, space flips, S comes back to the swipe."""
    show, pictures = viewer
    page = show()
    page.get_by_role("slider").focus()
    for k, picture in enumerate(pictures):
        page.keyboard.press(str(k + 1))
        np.testing.assert_array_equal(state(page)[0], picture)
    for expected in (pictures[1], pictures[2], pictures[1]):
        page.keyboard.press("Space")
        np.testing.assert_array_equal(state(page)[0], expected)
    assert page.get_by_role("status").inner_text() == "half alone"
    page.keyboard.press("s")
    np.testing.assert_array_equal(state(page)[0], swiped(pictures[1], pictures[2], 84))
    page.get_by_role("button", name="HR: show at the right").click()
    np.testing.assert_array_equal(state(page)[0], swiped(pictures[1], pictures[0], 84))
    page.get_by_role("button", name="Flip").click()
    np.testing.assert_array_equal(state(page)[0], pictures[1])
    assert page.trouble == []


@pytest.mark.browser
def test_the_error_map_is_the_difference_of_luma_in_magma(viewer):
    """Matplotlib's own colours of |luma - luma of HR| from 0 to 60 grey levels, to the interpolation between 61 of them."""
    show, (hr, half, quarter) = viewer
    page = show()
    page.get_by_role("button", name="Error map").click()
    main, tiles = state(page)

    def magma(picture):
        error = np.abs(rgb_to_luma(picture) - rgb_to_luma(hr))
        return 255 * matplotlib.colormaps["magma"](error / ERROR_TOP)[..., :3]

    assert np.abs(main - swiped(magma(half), magma(quarter), 84)).max() <= 6
    assert np.abs(tiles[2] - magma(quarter)[10:40, 20:60]).max() <= 6
    np.testing.assert_array_equal(tiles[0], hr[10:40, 20:60])  # the original stays
    assert page.get_by_text("60 and more grey levels").is_visible()
    assert page.trouble == []


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_screen_shows_the_pixels_given(viewer, scheme):
    """A screenshot, bit for bit, in both themes: each pixel a square of whole factor, none smoothed or filtered."""
    show, pictures = viewer
    page = show(color_scheme=scheme)
    for k, picture in enumerate(pictures):
        shown = seen(page, page.locator("li canvas").nth(k))
        factor = shown.shape[0] // 30
        assert factor >= 3
        np.testing.assert_array_equal(shown, picture[10:40, 20:60].repeat(factor, 0).repeat(factor, 1))


@pytest.mark.browser
def test_without_javascript_and_in_print_there_are_captioned_pictures(viewer, tmp_path, open_page):
    """Visible figures with their captions; in print in place of the live part."""
    show, pictures = viewer
    plain = open_page(f"file://{tmp_path}/page.html", java_script_enabled=False)
    printed = show()
    assert not printed.locator("figure").first.is_visible()
    printed.emulate_media(media="print")
    assert not printed.get_by_role("slider").is_visible()
    for page in (plain, printed):
        assert [page.locator("figure img").nth(k).is_visible() for k in range(3)] == [True] * 3
        assert "1,234,567 parameters" in page.locator("figcaption").nth(1).inner_text()
        np.testing.assert_array_equal(seen(page, page.locator("figure img").nth(1)), pictures[1])


@pytest.mark.browser
def test_a_strict_policy_holds_and_elements_may_come_twice_and_late(photo, tmp_path, serve, open_page):
    """Over http, with the script as a file included twice: two elements, and one that is added after loading."""
    hr, made = outputs(photo)
    html = compare(made, hr, title="A cat").html
    shutil.copy(SCRIPT, tmp_path)
    script = '<script src="viewer.js"></script>'
    (tmp_path / "index.html").write_text(f"<!doctype html><title>t</title>{script}<main>{html}{html}</main>{script}")
    page = open_page(serve(tmp_path, {"Content-Security-Policy": STRICT}), reduced_motion="reduce")
    page.get_by_role("slider").nth(1).wait_for()
    page.evaluate(f"document.querySelector('main').insertAdjacentHTML('beforeend', {json.dumps(html)})")
    page.get_by_role("slider").nth(2).wait_for()
    page.get_by_role("slider").nth(2).press("1")
    statuses = page.get_by_role("status").all_inner_texts()
    assert [text.endswith("alone") for text in statuses] == [False, False, True]  # each keeps its own state
    page.get_by_role("button", name="Error map").first.click()
    assert page.trouble == []


@pytest.mark.browser
def test_on_a_phone_all_fits_and_can_be_touched(viewer):
    """390 x 844 pixels, three dots a pixel: no sideways scroll, targets of 24 pixels or more, a tap brings the rectangle."""
    show, (_, half, _) = viewer
    page = show(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True, device_scale_factor=3)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    targets = page.locator("srlib-compare").locator("button, select, .rect, .divider")
    boxes = [targets.nth(k).bounding_box() for k in range(targets.count())]
    assert len(boxes) >= 3 + 2 + 5 + 2
    assert all(min(box["width"], box["height"]) >= 24 and box["x"] + box["width"] <= 390 for box in boxes)
    main = page.locator(".frame canvas")
    box = main.bounding_box()
    assert 3 * box["width"] / 168 == pytest.approx(round(3 * box["width"] / 168), abs=1e-3)  # dots of the screen, whole
    main.tap(position={"x": box["width"] * 120 / 168, "y": box["height"] * 100 / 144})
    np.testing.assert_array_equal(state(page)[1][1], half[85:115, 100:140])
    assert page.trouble == []


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(photo, tmp_path, serve, open_page, scheme):
    """Deque's axe-core, on the page as it opens and with the error map shown."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    hr, made = outputs(photo)
    compare(made, hr, title="A cat").save(tmp_path / "index.html")
    page = open_page(serve(tmp_path), color_scheme=scheme)
    page.get_by_role("slider").wait_for()
    for _ in range(2):
        found = axe.Axe().run(page)
        assert found.violations_count == 0, found.generate_report()
        page.get_by_role("button", name="Error map").click()
