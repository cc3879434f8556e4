"""States: the steps are the network's own, the crop is the whole's, and the element shows them anywhere."""

import base64
import io
import re
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from srlib.errors import InputError
from srlib.graphs.recurrence import drrn, unroll
from srlib.images import rgb_to_luma, round_uint8
from srlib.metrics import psnr
from srlib.models import DRCN, DRN, DRRN, DSRN, RLCSC, VDSR, SingleState
from srlib.protocol import PROTOCOLS
from srlib.widgets import states
from srlib.widgets.states import States, energy, has_states, show_states, unrolled

NETWORKS = {
    "dsrn": lambda: DSRN(3, T=3, width=6),
    "dsrn, last state": lambda: DSRN(3, T=3, width=6, average=False),
    "single state": lambda: SingleState(T=3, width=6),
    "drrn": lambda: DRRN(1, 3, width=6),
    "drrn, three blocks": lambda: DRRN(3, 2, width=6),
    "drrn, ns": lambda: DRRN(2, 2, width=6, shared=False),
    "drrn, c": lambda: DRRN(1, 3, width=6, multi_path=False),
    "rlcsc": lambda: RLCSC(K=3, n=6, m=8),
    "rlcsc, no residual": lambda: RLCSC(K=3, n=6, m=8, residual=False),
    "drcn": lambda: DRCN(T=3, width=6),
}
WINDOW = (slice(40, 64), slice(52, 81))


def stirred(model: nn.Module) -> nn.Module:
    """The model with weights, slopes, ensemble weights and running statistics that are no zeros and ones."""
    with torch.no_grad():
        for p in model.parameters():
            p.add_(0.05 * torch.randn_like(p))
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.normal_(0, 0.3)
                module.running_var.uniform_(0.5, 1.5)
    return model.eval()


@pytest.fixture(params=NETWORKS)
def model(request) -> nn.Module:
    """Each network that recurs."""
    torch.manual_seed(0)
    return stirred(NETWORKS[request.param]())


@pytest.fixture
def images(photo) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """LR, ILR and HR of a photograph at x3, luma."""
    lr = PROTOCOLS["drrn"].degrade(photo, 3)
    return lr, PROTOCOLS["drrn"].interpolate(lr, 3), PROTOCOLS["drrn"].reference(photo, 3)


@torch.no_grad()
def test_the_steps_make_the_output(model):
    """Identity: DSRN's mean (Eq. 5), DRCN's weighted sum, and for the others the last prediction is the network's output."""
    lr, ilr = torch.rand(1, 1, 10, 12), torch.rand(1, 1, 30, 36)
    pairs = list(unrolled(model, lr, ilr))
    ys = torch.stack([y for _, y in pairs])
    assert all(s.shape[-2:] == y.shape[-2:] == (30, 36) and y.shape[1] == 1 for s, y in pairs)
    if isinstance(model, DRCN):
        output = (model.w[:, None, None, None, None] * ys).sum(0)
    else:
        output = ys.mean(0) if isinstance(model, SingleState) or getattr(model, "average", False) else ys[-1]
    torch.testing.assert_close(output, model.predict(lr, ilr), rtol=0, atol=1e-5)


@torch.no_grad()
def test_drrns_states_are_those_of_its_graph():
    """Witness: `srlib.graphs.recurrence`, which unrolls the last block from the model's layers; B U steps in all."""
    torch.manual_seed(0)
    model, x = stirred(DRRN(2, 3, width=6)), torch.rand(1, 1, 20, 24)
    pairs = list(unrolled(model, x, x))
    assert len(pairs) == 6
    for (state, y), step in zip(pairs[3:], unroll(drrn(model), x)[1:], strict=True):
        torch.testing.assert_close(state, step["s"])
        torch.testing.assert_close(y, step["y"] + x)


def test_energy_is_the_mean_of_squares_over_the_channels():
    """Identity, in numpy."""
    state = torch.randn(1, 5, 7, 8)
    np.testing.assert_allclose(energy(state), np.mean(state.numpy()[0] ** 2, axis=0), rtol=1e-6)


@pytest.mark.parametrize("window", [WINDOW, (slice(0, 20), slice(150, 171)), (slice(-31, None), slice(1, 30))])
def test_a_window_is_cut_from_the_whole(model, images, window):
    """Identity, to float32's rounding: inside, at corners, and counted from the end."""
    lr, ilr, hr = images
    whole, part = show_states(model, lr, ilr, 3, hr=hr), show_states(model, lr, ilr, 3, window=window, hr=hr)
    assert part.bicubic.shape == ilr[window].shape
    for name in ("energies", "predictions"):
        for a, b in zip(getattr(part, name), getattr(whole, name), strict=True):
            np.testing.assert_allclose(a, b[window], rtol=0, atol=1e-5 * max(1, np.abs(b).max()))
    np.testing.assert_array_equal(part.hr, hr[window])
    assert (part.output is None) == (whole.output is None) == (part.combined == "")


def test_the_output_of_a_network_that_combines_its_steps_is_shown(images):
    """Identity: what `run` gives."""
    torch.manual_seed(0)
    model, (lr, ilr, hr) = stirred(DSRN(3, T=3, width=6)), images
    shown = show_states(model, lr, ilr, 3, window=WINDOW, hr=hr)
    np.testing.assert_allclose(shown.output, np.mean(shown.predictions, 0), rtol=0, atol=1e-5)
    assert "output, the mean of all steps" in shown.html


def test_of_rgb_the_luma_is_taken(photo):
    """Identity: RGB images give what their luma gives, for the original too, whose luma is rounded."""
    torch.manual_seed(0)
    model, protocol = stirred(DRRN(1, 2, width=6)), PROTOCOLS["rgb_floaty"]
    lr = protocol.degrade(photo, 3)
    ilr = protocol.interpolate(lr, 3)
    assert lr.dtype == np.uint8
    colour = show_states(model, lr, ilr, 3, window=WINDOW, hr=photo)
    grey = show_states(model, *(rgb_to_luma(x) / 255 for x in (lr, ilr)), 3, window=WINDOW, hr=rgb_to_luma(photo) / 255)
    np.testing.assert_array_equal(colour.predictions[-1], grey.predictions[-1])
    np.testing.assert_array_equal(colour.hr, grey.hr)
    np.testing.assert_array_equal(colour.hr, round_uint8(rgb_to_luma(photo))[WINDOW])


def test_the_network_is_left_as_it_was(images):
    """A network in training is scored with its running statistics, and then trains on."""
    lr, ilr, _ = images
    model = DRRN(1, 2, width=6).train()
    show_states(model, lr, ilr, 3, window=WINDOW)
    assert model.training
    assert all(not m.num_batches_tracked for m in model.modules() if isinstance(m, nn.BatchNorm2d))


def test_a_network_without_states_is_told_so(images):
    """The sentence names the network and those that recur."""
    lr, ilr, _ = images
    for model in (VDSR(depth=3, width=4), DRN(3, C=8, G=1, K=1, d=2), DRRN(2, 0, width=4)):
        assert not has_states(model)
        with pytest.raises(InputError, match=f"{type(model).__name__} has no recurrent states to show: choose one of DSRN"):
            show_states(model, lr, ilr, 3)
    assert all(has_states(make()) for make in NETWORKS.values())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"scale": 2}, "×2 of lr's"),
        ({"hr": np.zeros((9, 9), np.uint8)}, r"hr is \(9, 9\)"),
        ({"hr": np.full((150, 171), 235.0)}, "hr reaches 235"),
        ({"lr": np.zeros((50, 57, 4))}, "lr is an array of shape"),
        ({"window": (slice(4, 4), slice(0, 9))}, "The window is 0 x 9 pixels"),
        ({"model": DSRN(2, T=1, width=4)}, "enlarges 2 times, not 3"),
    ],
)
def test_bad_input_is_refused_in_a_sentence(images, change, said):
    """What was given and what is wanted."""
    lr, ilr, _ = images
    given = {"model": DRRN(1, 1, width=4), "lr": lr, "ilr": ilr, "scale": 3} | change
    with pytest.raises(InputError, match=said):
        show_states(**given)


def read(uri: str) -> np.ndarray:
    """The grey levels of a picture in the page."""
    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))).convert("RGB"))
    assert (pixels == pixels[..., :1]).all()
    return pixels[..., 0]


@pytest.fixture(scope="module")
def shown() -> States:
    """Three steps of 20 x 24 pixels, with a label that HTML would misread."""
    rng = np.random.default_rng(0)
    hr = rng.integers(16, 236, (20, 24)).astype(np.uint8)
    predictions = tuple(np.clip(hr / 255 + noise * rng.normal(size=hr.shape), 0, 1) for noise in (0.2, 0.1, 0.05))
    energies = tuple(scale * rng.random((20, 24)) for scale in (0.1, 1.0, 10.0))
    bicubic = hr / 255 + 0.25 * rng.normal(size=hr.shape)
    return States('A "net" <1> & co', energies, predictions, bicubic, np.mean(predictions, 0), "the mean of all steps", hr)


def test_the_page_holds_the_pictures_bit_for_bit(shown):
    """Round trip: every data URI decoded is the 8-bit prediction, or the energy up to its 99.5th percentile."""
    wanted = [round_uint8(255 * shown.bicubic)]
    for y, e in zip(shown.predictions, shown.energies, strict=True):
        wanted += [round_uint8(255 * y), round_uint8(255 * e / np.quantile(e, 0.995))]
    wanted += [round_uint8(255 * shown.output), shown.hr]
    uris = re.findall(r'src="([^"]+)"', shown.html)
    assert len(uris) == len(wanted)
    for uri, pixels in zip(uris, wanted, strict=True):
        np.testing.assert_array_equal(read(uri), pixels)


def test_captions_give_the_numbers(shown):
    """Witness: `metrics.psnr` and numpy's mean."""
    captions = re.findall("<figcaption>(.*?)</figcaption>", shown.html)
    assert len(captions) == 6
    for caption, y, e in zip(captions[1:4], shown.predictions, shown.energies, strict=True):
        assert f"{psnr(shown.hr, round_uint8(255 * y)):.2f} dB inside the crop" in caption
        assert f"mean {e.mean():.3g}" in caption
    assert "<1>" not in shown.html
    assert len(re.findall(r'alt="[^"]+"', shown.html)) == len(re.findall("<img", shown.html)) == 9


def test_a_notebook_gets_the_element_with_its_script(shown):
    """Jupyter's hook: HTML, and plain text for a terminal."""
    bundle = shown._repr_mimebundle_()
    assert bundle["text/html"].startswith(shown.html)
    assert '<script data-srlib="states.js">' in bundle["text/html"]
    assert bundle["text/plain"].startswith('A "net" <1> & co: 3 steps, 20 x 24 pixels; PSNR (dB) from bicubic on: ')


@pytest.mark.slow
def test_an_element_of_25_steps_is_light(images):
    """The book's budget: 400 KB for 96 x 96 pixels."""
    torch.manual_seed(0)
    lr, ilr, hr = images
    shown = show_states(RLCSC(K=25, n=6, m=8), lr, ilr, 3, window=(slice(20, 116), slice(40, 136)), hr=hr)
    assert len(shown.energies) == 25
    assert len(shown.html) < 400_000


POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'"
HEAD = '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'


def page_of(folder: Path, *shown: States, script: str = '<script src="states.js" defer></script>') -> Path:
    """A page with these elements and the script as a file beside it, as in the book."""
    body = "".join(s.html for s in shown)
    (folder / "states.js").write_text((Path(states.__file__).with_name("states.js")).read_text())
    (folder / "index.html").write_text(f"{HEAD}<title>States</title>{script}<body><main><h1>States</h1>{body}</main>")
    return folder / "index.html"


COPY = """c => {
  const copy = document.createElement("canvas"), [w, h] = [copy.width, copy.height] = [c.width, c.height];
  const context = copy.getContext("2d", { willReadFrequently: true });
  context.drawImage(c, 0, 0);
  return [w, h, ...context.getImageData(0, 0, w, h).data];
}"""


def canvas(page, kind: int, element: int = 0) -> np.ndarray:
    """The pixels of one canvas: 0 the image, 1 the original, 2 the energy, 3 the residual, 4 the error."""
    width, height, *data = page.locator("srlib-states").nth(element).locator("canvas").nth(kind).evaluate(COPY)
    return np.array(data, np.uint8).reshape(height, width, 4)[..., :3]


@pytest.mark.browser
def test_the_slider_moves_by_keyboard_through_pictures_and_numbers(shown, tmp_path, open_page):
    """Witness: the arrays given and matplotlib's colour maps, at every step; from file://."""
    page = open_page(page_of(tmp_path, shown).as_uri())
    slider = page.get_by_role("slider", name="Step of the recursion")
    slider.focus()
    slider.press("Home")
    assert "no state yet" in page.locator("figure.viridis").get_attribute("data-none")
    bicubic = round_uint8(255 * shown.bicubic).astype(int)
    reach = int(re.search(r'data-residual="(\d+)"', shown.html)[1])
    for t, (y, e) in enumerate(zip(shown.predictions, shown.energies, strict=True), 1):
        slider.press("ArrowRight")
        grey = round_uint8(255 * y).astype(int)
        np.testing.assert_array_equal(canvas(page, 0), np.dstack([grey] * 3))
        np.testing.assert_array_equal(canvas(page, 1), np.dstack([shown.hr] * 3))
        for kind, name, level in (
            (2, "viridis", round_uint8(255 * e / np.quantile(e, 0.995))),
            (3, "RdBu_r", np.clip(127.5 * (1 + (grey - bicubic) / reach), 0, 255)),
            (4, "magma", np.clip(255 * np.abs(grey - shown.hr) / 60, 0, 255)),
        ):
            wanted = 255 * mpl.colormaps[name](np.round(level).astype(int))[..., :3]
            assert np.abs(canvas(page, kind) - wanted).max() < 6
        said = slider.get_attribute("aria-valuetext")
        assert f"Step {t} of 3: PSNR inside the crop {shown.psnr(y):.2f} dB" in said
        assert said == page.locator(".now").text_content()
    slider.press("End")
    assert "Output, the mean of all steps" in slider.get_attribute("aria-valuetext")
    np.testing.assert_array_equal(canvas(page, 0)[..., 0], round_uint8(255 * shown.output))
    assert page.trouble == []


@pytest.mark.browser
def test_one_scale_for_all_steps_shows_how_the_energy_grows(shown, tmp_path, open_page):
    """Identity: the first step's energies are a hundredth of the last's, so its map is all but dark."""
    page = open_page(page_of(tmp_path, shown).as_uri())
    page.get_by_role("slider").press("Home")
    page.get_by_role("slider").press("ArrowRight")
    assert canvas(page, 2).max() > 200
    page.get_by_label("One scale for the energy of all steps").check()
    dark = 255 * mpl.colormaps["viridis"](np.arange(6))[:, :3]
    assert np.abs(canvas(page, 2).reshape(-1, 1, 3) - dark).max(-1).min(-1).max() < 6


@pytest.mark.browser
def test_play_runs_to_the_end_and_rests_where_motion_is_unwelcome(shown, tmp_path, open_page):
    """The button is there unless the reader asked for reduced motion."""
    address = page_of(tmp_path, shown).as_uri()
    page = open_page(address)
    page.clock.install()
    page.get_by_role("button", name="Play").click()
    page.clock.run_for(700 * 5)
    assert page.get_by_role("slider").input_value() == "4"
    page.get_by_role("button", name="Play").wait_for()
    still = open_page(address, reduced_motion="reduce")
    still.get_by_role("slider").wait_for()
    assert still.get_by_role("button").count() == 0


@pytest.mark.browser
@pytest.mark.parametrize("script", ['<script src="states.js"></script>', '<script src="states.js" defer></script>' * 2])
def test_a_strict_policy_lets_it_work(shown, tmp_path, open_page, serve, script):
    """Over http, nothing inline allowed, the script in the head or twice; two elements go their own ways."""
    page_of(tmp_path, shown, shown, script=script)
    page = open_page(serve(tmp_path, {"Content-Security-Policy": POLICY}) + "/index.html")
    sliders = page.get_by_role("slider")
    sliders.nth(1).press("Home")
    assert [sliders.nth(k).input_value() for k in (0, 1)] == ["3", "0"]
    np.testing.assert_array_equal(canvas(page, 0, 1)[..., 0], round_uint8(255 * shown.bicubic))
    assert [t for t in page.trouble if "favicon" not in t and "404" not in t] == []


@pytest.mark.browser
def test_without_script_and_in_print_there_are_captioned_pictures(shown, tmp_path, open_page):
    """The figures are the page itself: nine pictures, six captions."""
    address = page_of(tmp_path, shown).as_uri()
    plain, printed = open_page(address, java_script_enabled=False), open_page(address)
    printed.get_by_role("slider").wait_for()
    assert printed.get_by_text("beside it the energy").first.is_hidden()
    printed.emulate_media(media="print")
    for page in (plain, printed):
        assert [page.locator(f"srlib-states > figure {name}:visible").count() for name in ("img", "figcaption")] == [9, 6]
    assert not printed.get_by_role("slider").is_visible()


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pixels_are_enlarged_whole_and_untouched(shown, tmp_path, open_page, scheme):
    """Identity: each pixel of the screenshot is the picture's, in both themes, even where a page filters its images."""
    page = open_page(page_of(tmp_path, shown).as_uri(), color_scheme=scheme)
    page.add_style_tag(content=":root{color-scheme:light dark} img{filter:brightness(.8) contrast(1.2)}")
    page.get_by_role("slider").wait_for()
    box = page.locator("srlib-states canvas").first.bounding_box()
    top, left, zoom = round(box["y"]), round(box["x"]), round(box["height"]) // 20
    shot = np.asarray(Image.open(io.BytesIO(page.screenshot())).convert("RGB"))
    shot = shot[top : top + 20 * zoom, left : left + 24 * zoom]
    assert zoom >= 4
    np.testing.assert_array_equal(shot[..., 0], np.kron(round_uint8(255 * shown.predictions[-1]), np.ones((zoom, zoom))))


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone_and_axe_finds_nothing(shown, tmp_path, open_page, scheme):
    """Witness: axe-core; no sideways scrolling at 390 pixels, and targets of 24 pixels at least."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    page = open_page(page_of(tmp_path, shown).as_uri(), viewport={"width": 390, "height": 800}, color_scheme=scheme)
    page.add_style_tag(content=":root{color-scheme:light dark}")
    page.get_by_role("slider").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    for target in page.locator("srlib-states").locator("input, button, label").all():
        box = target.bounding_box()
        assert (box["height"] >= 24 and box["width"] >= 24) or target.get_attribute("type") == "checkbox"  # its label counts
    assert axe.Axe().run(page, options={"preload": False}).response["violations"] == []


@pytest.mark.browser
def test_no_key_leaves_the_element(shown, tmp_path, open_page):
    """JupyterLab moves between cells on arrow keys: it must not see ours."""
    page = open_page(page_of(tmp_path, shown).as_uri())
    page.evaluate("document.addEventListener('keydown', () => document.title = 'taken')")
    page.get_by_role("slider").press("ArrowLeft")
    assert page.title() == "States"
