"""The elements in every way that a page reaches its reader: the pixels given are the pixels shown, and anybody can use them."""

import base64
import json
import re

import numpy as np
import pytest
from IPython.core.formatters import DisplayFormatter
from samples import PHONE, opened, sample_comparison, sample_states, seen, write_page

from srlib.widgets.viewer import Comparison

STRICT = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'"


@pytest.fixture(params=[sample_comparison, sample_states])
def sample(request):
    """An element of each kind."""
    return request.param()


def test_the_pictures_in_the_html_are_the_pixels_given(sample):
    """Identity, bit for bit, read by PIL; each has words, and markup in them is escaped."""
    files = re.findall(r'src="data:image/webp;base64,([^"]+)"', sample.element.html)
    for file, pixels in zip(files, sample.pictures, strict=True):
        np.testing.assert_array_equal(opened(base64.b64decode(file)), pixels)
    assert len(re.findall(r'alt="[^"]+"', sample.element.html)) == len(files)
    assert not {"<1>", "<note>"} & set(re.findall("<[^>]*>", sample.element.html))


def test_a_notebook_gets_html_with_its_script_and_a_line(sample):
    """What Jupyter shows: one script, which stands after the element; text for a terminal."""
    bundle, _ = DisplayFormatter().format(sample.element)
    assert bundle["text/html"].startswith(f"{sample.element.html}\n<script data-srlib=")
    assert bundle["text/html"].count("<script") == 1
    assert bundle["text/plain"].startswith(sample.line)


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_screen_shows_the_pixels_given(sample, tmp_path, open_page, scheme):
    """A screenshot, bit for bit, in both themes: each pixel a square of whole factor, even where a page filters its images."""
    page = open_page(write_page(tmp_path, sample.element), color_scheme=scheme)
    page.add_style_tag(content="img { filter: brightness(0.8) contrast(1.2) }")
    page.get_by_role("slider").wait_for()
    for k, pixels in enumerate(sample.canvases):
        shown = seen(page, page.locator("li canvas, .grid canvas").nth(k))
        factor = shown.shape[0] // pixels.shape[0]
        assert factor >= 3
        np.testing.assert_array_equal(shown, pixels.repeat(factor, 0).repeat(factor, 1))


@pytest.mark.browser
def test_without_javascript_and_in_print_there_are_captioned_pictures(sample, tmp_path, open_page):
    """Visible pictures with their captions; in print in place of the live part."""
    address = write_page(tmp_path, sample.element)
    plain, printed = open_page(address, java_script_enabled=False), open_page(address)
    printed.get_by_role("slider").wait_for()
    assert not printed.locator("figure img").first.is_visible()
    printed.emulate_media(media="print")
    assert not printed.get_by_role("slider").is_visible()
    for page in (plain, printed):
        figures = page.locator("srlib-compare > figure, srlib-states > figure")
        assert figures.locator("img:visible").count() == len(sample.pictures)
        assert figures.locator("figcaption:visible").count() == figures.count()
        if isinstance(sample.element, Comparison):  # of which each is shown at its own size
            np.testing.assert_array_equal(seen(page, page.locator("figure img").nth(1)), sample.pictures[1])


@pytest.mark.browser
@pytest.mark.parametrize("script", ['<script src="{}"></script>', '<script src="{0}" defer></script>' * 2])
def test_a_strict_policy_holds_and_elements_may_come_twice_and_late(sample, tmp_path, serve, open_page, script):
    """Over http, nothing inline, the scripts in the head or twice: two elements, and one added later, keep their own states."""
    write_page(tmp_path, sample.element, sample.element, script=script)
    page = open_page(serve(tmp_path, {"Content-Security-Policy": STRICT}))
    sliders = page.get_by_role("slider")
    sliders.nth(1).wait_for()
    page.evaluate(f"document.querySelector('main').insertAdjacentHTML('beforeend', {json.dumps(sample.element.html)})")
    sliders.nth(2).press("Home")
    values = sliders.evaluate_all("all => all.map((slider) => slider.value ?? slider.ariaValueNow)")
    assert values[0] == values[1] != values[2] == "0"
    for button in page.locator("srlib-compare, srlib-states").first.get_by_role("button").all():
        button.click()
    assert page.trouble == []


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone_and_axe_finds_nothing(sample, tmp_path, serve, open_page, scheme):
    """No sideways scroll, targets of 24 pixels or more; Deque's axe-core on a phone, and on a desk with the error map shown."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    write_page(tmp_path, sample.element)
    page = open_page(serve(tmp_path), color_scheme=scheme, **PHONE)
    page.get_by_role("slider").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    targets = page.locator("button, select, .rect, .divider, input:not([type=checkbox]), label:has(input)").all()
    boxes = [target.bounding_box() for target in targets]
    assert len(boxes) >= (12 if isinstance(sample.element, Comparison) else 3)
    assert all(min(box["width"], box["height"]) >= 24 and box["x"] + box["width"] <= 390 for box in boxes)
    for size in (PHONE["viewport"], {"width": 1280, "height": 900}):
        page.set_viewport_size(size)
        found = axe.run(page)
        assert found.violations_count == 0, found.generate_report()
        for button in page.get_by_role("button", name="Error map").all():
            button.click()
    assert page.trouble == []
