"""States: the steps are the network's own, a window is cut from the whole, and a slider goes through them."""

import re
from copy import deepcopy

import matplotlib as mpl
import numpy as np
import pytest
import torch
from samples import drawn, sample_states, write_page
from small_networks import SMALL
from torch import nn

from srlib.errors import InputError
from srlib.graphs.recurrence import drrn, unroll
from srlib.images import rgb_to_luma, round_uint8
from srlib.metrics import psnr
from srlib.models import DRCN, RLCSC
from srlib.protocol import PROTOCOLS
from srlib.widgets.states import energy, has_states, show_states, unrolled

RECURSIVE = [name for name in SMALL if name.startswith(("drcn", "drrn", "dsrn", "rlcsc")) and name != "drrn_u0"]
LAST = ("drrn", "rlcsc", "dsrn_last_state")  # networks whose output is the last prediction
WINDOW = (slice(40, 64), slice(52, 81))


def stirred(name: str) -> nn.Module:
    """A small network with weights, slopes, ensemble weights and running statistics that are no zeros and ones."""
    torch.manual_seed(0)
    model = deepcopy(SMALL[name]).eval()
    for tensor in model.state_dict().values():
        tensor += 0.1 * torch.randn(tensor.shape) if tensor.is_floating_point() else 0
    return model


def images(photo, scale=3, protocol="drrn"):
    """LR, ILR and HR of a photograph."""
    rules = PROTOCOLS[protocol]
    lr = rules.degrade(photo, scale)
    return lr, rules.interpolate(lr, scale), rules.reference(photo, scale)


@torch.no_grad()
@pytest.mark.parametrize("name", RECURSIVE)
def test_the_steps_make_the_output(name):
    """Identity: DSRN's mean (Eq. 5), DRCN's weighted sum, and for the others the last prediction is the network's output."""
    model = stirred(name)
    size = [(model.scale or 3) * n for n in (10, 12)]
    lr, ilr = torch.rand(1, 1, 10, 12), torch.rand(1, 1, *size)
    states, ys = zip(*unrolled(model, lr, ilr), strict=True)
    assert all(list(s.shape[-2:]) == size and list(y.shape) == [1, 1, *size] for s, y in zip(states, ys, strict=True))
    weights = model.w if isinstance(model, DRCN) else torch.full((len(ys),), 1 / len(ys))
    output = ys[-1] if name.startswith(LAST) else sum(w * y for w, y in zip(weights, ys, strict=True))
    torch.testing.assert_close(output, model.predict(lr, ilr), rtol=1e-5, atol=1e-5)


@torch.no_grad()
def test_drrns_states_are_those_of_its_graph():
    """Witness: `srlib.graphs.recurrence`, which unrolls the last block from the model's layers; B U steps in all."""
    model, x = stirred("drrn"), torch.rand(1, 1, 20, 24)
    pairs = list(unrolled(model, x, x))
    assert len(pairs) == 4
    for (state, y), step in zip(pairs[2:], unroll(drrn(model), x)[1:], strict=True):
        torch.testing.assert_close(state, step["s"])
        torch.testing.assert_close(y, step["y"] + x)


def test_energy_is_the_mean_of_squares_over_the_channels():
    """Identity, in numpy."""
    state = torch.randn(1, 5, 7, 8)
    np.testing.assert_allclose(energy(state), np.mean(state.numpy()[0] ** 2, axis=0), rtol=1e-6)


@pytest.mark.parametrize("name", RECURSIVE)
def test_a_window_is_cut_from_the_whole(name, photo):
    """Identity, to float32's rounding: inside, at corners, and counted from the end; the output where steps are combined."""
    model = stirred(name)
    scale = model.scale or 3
    lr, ilr, hr = images(photo, scale)
    whole = show_states(model, lr, ilr, scale, hr=hr)
    combined = "" if name.startswith(LAST) else f"the {'weighted sum' if name == 'drcn' else 'mean'} of all steps"
    for window in (WINDOW, (slice(0, 20), slice(150, 171)), (slice(-31, None), slice(1, 30))):
        part = show_states(model, lr, ilr, scale, window=window, hr=hr)
        assert part.bicubic.shape == ilr[window].shape
        pairs = [*zip(part.energies, whole.energies, strict=True), *zip(part.predictions, whole.predictions, strict=True)]
        for a, b in pairs + ([(part.output, whole.output)] if combined else []):
            np.testing.assert_allclose(a, b[window], rtol=0, atol=1e-5 * max(1, np.abs(b).max()))
        np.testing.assert_array_equal(part.hr, hr[window])
        assert part.combined == combined
        assert (part.output is None) == (combined == "")


def test_of_rgb_the_luma_is_taken(photo):
    """Identity: RGB images give what their luma gives, for the original too, whose luma is rounded."""
    lr, ilr, _ = images(photo, protocol="rgb_floaty")
    colour = show_states(stirred("drrn"), lr, ilr, 3, window=WINDOW, hr=photo)
    lumas = [rgb_to_luma(image) / 255 for image in (lr, ilr, photo)]
    grey = show_states(stirred("drrn"), *lumas[:2], 3, window=WINDOW, hr=lumas[2])
    assert lr.dtype == np.uint8
    np.testing.assert_array_equal(colour.predictions[-1], grey.predictions[-1])
    np.testing.assert_array_equal(colour.hr, grey.hr)
    np.testing.assert_array_equal(colour.hr, round_uint8(rgb_to_luma(photo))[WINDOW])


def test_the_network_is_left_as_it_was(photo):
    """A network in training is scored with its running statistics, and then trains on."""
    model = stirred("drrn").train()
    before = deepcopy(model.state_dict())
    show_states(model, *images(photo)[:2], 3, window=WINDOW)
    assert model.training
    torch.testing.assert_close(model.state_dict(), before, rtol=0, atol=0)


@pytest.mark.parametrize("name", SMALL)
def test_a_network_without_states_is_told_so(name, photo):
    """The sentence names the network and those that recur."""
    assert has_states(SMALL[name]) == (name in RECURSIVE)
    if name not in RECURSIVE:
        scale, kind = SMALL[name].scale or 3, type(SMALL[name]).__name__
        with pytest.raises(InputError, match=f"{kind} has no recurrent states to show: choose one of DSRN"):
            show_states(SMALL[name], *images(photo, scale)[:2], scale)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"scale": 2}, "×2 of lr's"),
        ({"hr": np.zeros((9, 9), np.uint8)}, r"hr is \(9, 9\)"),
        ({"hr": np.full((150, 171), 235.0)}, "hr reaches 235"),
        ({"lr": np.zeros((50, 57, 4))}, "lr is an array of shape"),
        ({"window": (slice(4, 4), slice(0, 9))}, "The window is 0 x 9 pixels"),
        ({"model": SMALL["dsrn_x2"]}, "enlarges 2 times, not 3"),
    ],
)
def test_bad_input_is_refused_in_a_sentence(photo, change, said):
    """What was given and what is wanted."""
    lr, ilr, _ = images(photo)
    with pytest.raises(InputError, match=said):
        show_states(**{"model": SMALL["drrn"], "lr": lr, "ilr": ilr, "scale": 3} | change)


def test_captions_give_the_numbers():
    """Witness: `metrics.psnr` and numpy's mean."""
    shown = sample_states().element
    captions = re.findall("<figcaption>(.*?)</figcaption>", shown.html)
    assert len(captions) == 6
    for caption, y, e in zip(captions[1:4], shown.predictions, shown.energies, strict=True):
        assert f"{psnr(shown.hr, round_uint8(255 * y)):.2f} dB inside the crop" in caption
        assert f"mean {e.mean():.3g}" in caption
    assert "output, the mean of all steps" in captions[4]


@pytest.mark.slow
def test_an_element_of_25_steps_is_light(photo):
    """The book's budget: 400 KB for 96 x 96 pixels."""
    lr, ilr, hr = images(photo)
    shown = show_states(RLCSC(K=25, n=6, m=8), lr, ilr, 3, window=(slice(20, 116), slice(40, 136)), hr=hr)
    assert len(shown.energies) == 25
    assert len(shown.html) < 400_000


@pytest.fixture
def page(tmp_path, open_page):
    """The sample's page in a browser; at the end nothing went wrong in it."""
    page = open_page(write_page(tmp_path, sample_states().element))
    yield page
    assert page.trouble == []


@pytest.mark.browser
def test_the_slider_moves_by_keyboard_through_pictures_and_numbers(page):
    """Witness: the arrays given and matplotlib's colour maps, at every step; JupyterLab, which takes arrow keys, sees none."""
    page.evaluate("document.addEventListener('keydown', () => document.title = 'taken')")
    shown, pictures, *_ = sample_states()
    slider, reach = page.get_by_role("slider", name="Step of the recursion"), int(re.search('residual="(.*?)"', shown.html)[1])
    slider.press("Home")
    assert "no state yet" in page.locator("figure.viridis").get_attribute("data-none")
    greys = [picture[..., 0].astype(int) for picture in pictures]
    for t in (1, 2, 3):
        slider.press("ArrowRight")
        image, original, *maps = drawn(page.locator(".grid canvas"))
        np.testing.assert_array_equal(image, pictures[2 * t - 1])
        np.testing.assert_array_equal(original, pictures[8])
        grey = greys[2 * t - 1]
        residual, error = 127.5 * (1 + (grey - greys[0]) / reach), 255 * np.abs(grey - shown.hr) / 60
        for drawn_map, name, level in zip(maps, ("viridis", "RdBu_r", "magma"), (greys[2 * t], residual, error), strict=True):
            wanted = 255 * mpl.colormaps[name](np.clip(level, 0, 255).round().astype(int))[..., :3]
            assert np.abs(drawn_map - wanted).max() < 6
        said = slider.get_attribute("aria-valuetext")
        assert f"Step {t} of 3: PSNR inside the crop {shown.psnr(shown.predictions[t - 1]):.2f} dB" in said
        assert said == page.locator(".now").text_content()
    slider.press("End")
    assert "Output, the mean of all steps" in slider.get_attribute("aria-valuetext")
    np.testing.assert_array_equal(drawn(page.locator(".grid canvas"))[0], pictures[7])
    assert page.title() == "Elements"


@pytest.mark.browser
def test_one_scale_for_all_steps_shows_how_the_energy_grows(page):
    """Identity: the first step's energies are a hundredth of the last's, so its map is all but dark."""
    page.get_by_role("slider").press("Home")
    page.get_by_role("slider").press("ArrowRight")
    assert drawn(page.locator(".viridis canvas"))[0].max() > 200
    page.get_by_label("One scale for the energy of all steps").check()
    dark = 255 * mpl.colormaps["viridis"](np.arange(6))[:, :3]
    assert np.abs(drawn(page.locator(".viridis canvas"))[0].reshape(-1, 1, 3) - dark).max(-1).min(-1).max() < 6


@pytest.mark.browser
def test_play_runs_to_the_end_and_rests_where_motion_is_unwelcome(page):
    """The button is there unless the reader asks for reduced motion."""
    page.clock.install()
    page.get_by_role("button", name="Play").click()
    page.clock.run_for(700 * 5)
    assert page.get_by_role("slider").input_value() == "4"
    page.get_by_role("button", name="Play").wait_for()
    page.emulate_media(reduced_motion="reduce")
    assert page.get_by_role("button").count() == 0
