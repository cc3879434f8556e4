"""Models against the papers' arithmetic, their equations written out, and each other."""

import copy
import re

import numpy as np
import pytest
import torch
from small_networks import SMALL, images, small
from torch.nn import functional as F

from srlib import models
from srlib.errors import InputError
from srlib.inference.enlarge import as_method
from srlib.models import DRCN, DRN, DRRN, DSRN, MODELS, RLCSC, SRCNN, VDSR
from srlib.models.counting import macs_per_pixel, meta_model, params, params_total
from srlib.models.drn import ResidualDistilling
from srlib.models.dsrn import Normalise
from srlib.papers.drrn import experiment
from srlib.protocol import PROTOCOLS
from srlib.records.provenance import ROOT
from srlib.training.checkpoint import load_weights, save_tensors

WEIGHTS = {
    "srcnn_955": 9 * 9 * 64 + 5 * 5 * 64 * 32 + 5 * 5 * 32, "srcnn_915": 9 * 9 * 64 + 64 * 32 + 5 * 5 * 32,
    "vdsr": 664_704, "drcn": 1_774_080, "drrn_b1u9": 297_216, "drrn_b2u3": 739_584,
    "vdsr_bn_d16_w128": 2_066_688, "vdsr_bn_d22_w128": 2_951_424, "vdsr_bn_d28_w128": 3_836_160,
    "drrn_ns_b3u2": 2_066_688, "drrn_ns_b3u3": 2_951_424, "drrn_ns_b3u4": 3_836_160, "drrn_c_b3u4": 1_181_952,
    "dsrn_t7_x2": 576 + 73_728 + 6 * 147_456 + 1_152, "dsrn_t7_x3": 960_192, "dsrn_t7_x4": 1_189_568,
    "dsrn_untied_x2": 6_268_608, "dsrn_single_state": 370_368, "rlcsc_k25": 1_329_408, "rlcsc_k15_m128": 592_128,
}  # fmt: skip


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


@pytest.fixture
def x():
    """A random luma image whose sides differ."""
    return torch.rand(1, 1, 9, 11)


def equal(actual, wanted):
    """To the bit."""
    torch.testing.assert_close(actual, wanted, rtol=0, atol=0)


def unnormalised(h):
    """Batch normalisation with its initial statistics, then ReLU."""
    return torch.relu(h / np.sqrt(1 + 1e-5))


@pytest.mark.parametrize("name", WEIGHTS)
def test_weights_are_counted_as_by_hand(name):
    """By hand, from each paper's widths; NS has as many as VDSR of its depth (DRRN, Section 4.5: "the same number")."""
    assert params(meta_model(MODELS[name])) == WEIGHTS[name]


def test_biases_and_normalisation_are_counted_apart():
    """By hand: 385 biases, and two numbers per channel and normalisation: 1 + 18 x 128 + 128 channels for B1U9."""
    assert params_total(MODELS["drrn_b1u9"]()) == 297_216 + 385 + 2 * (1 + 18 * 128 + 128)
    assert params_total(MODELS["drrn_b1u25"]()) == 297_216 + 385 + 2 * (1 + 50 * 128 + 128)


def test_rlcsc_counts_hold_only_without_biases():
    """A finding: with biases (one an output map) 1,329k would print as 1,330k and 592k as 593k."""
    for name, biases, printed in (("rlcsc_k25", 3 * 128 + 2 * 256 + 1, 1330), ("rlcsc_k15_m128", 5 * 128 + 1, 593)):
        assert WEIGHTS[name] == params_total(meta_model(MODELS[name]))
        assert round((WEIGHTS[name] + biases) / 1000) == printed


@pytest.mark.parametrize(("fusion", "million", "drn_million"), [("group", 19.97, 2.08), ("block", 19.98, 1.29)])
def test_drn_plus_is_54_percent_smaller_than_edsr(fusion, million, drn_million):
    """DRN, Section 3.3: "54 % fewer parameters compared with EDSR" (43,089,923, its released x4 model). Only a half-wide
    bottleneck fits: a full-wide one would make DRN+ larger than EDSR, a single-stage upsampler 43 % smaller."""
    plus, drn = (params_total(meta_model(lambda C=C: DRN(4, C, fusion=fusion))) for C in (256, 64))
    assert 0.53 <= 1 - plus / 43_089_923 <= 0.55
    assert (round(plus / 1e6, 2), round(drn / 1e6, 2)) == (million, drn_million)


def test_macs_follow_from_the_weights():
    """By hand: an ILR network uses a weight once a pixel and application; DRRN_B1U9's shared pair nine times."""
    assert macs_per_pixel(MODELS["vdsr"], 3) == 664_704
    assert macs_per_pixel(MODELS["drrn_b1u9"], 3) == 1_152 + 18 * 147_456 + 1_152
    assert macs_per_pixel(MODELS["rlcsc_k25"], 3) == 1_329_408 + 24 * 589_824
    lr, hr, s = 576 + 73_728 + 7 * 294_912 + 13 * 147_456, 6 * 294_912 + 7 * 1_152, 2
    assert macs_per_pixel(MODELS["dsrn_t7_x2"], 2) == pytest.approx(lr / s**2 + hr)


@small
def test_a_model_gives_the_high_resolution_size_and_every_parameter_learns(name):
    """Identity: any height and width, and no parameter without a gradient."""
    model = copy.deepcopy(SMALL[name]).train()
    sr = model.predict(*images(model))
    scale = model.scale or 1
    assert sr.shape == (2, model.channels, 11 * scale, 13 * scale)
    sr.square().sum().backward()
    idle = ("f_hr.0.", "f_down.0.") if name == "dsrn_untied" else ()  # they would act on s_h^0 = 0
    learning = [p for title, p in model.named_parameters() if not title.startswith(idle)]
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in learning)


@small
def test_the_radius_is_exact(name):
    """Identity: with positive weights nothing cancels, so the gradient of the outputs at one input pixel's place reaches
    exactly `radius` pixels, the farthest over all output phases."""
    model = copy.deepcopy(SMALL[name]).double().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(parameter.abs().clamp_min(0.01))
    zoom, radius = model.scale or 1, model.radius
    side = 2 * radius + 5
    x = torch.ones(1, model.channels, side, side, dtype=torch.double, requires_grad=True)
    ilr = torch.ones(1, 1, zoom * side, zoom * side, dtype=torch.double)
    middle = slice(zoom * (radius + 2), zoom * (radius + 3))
    model.predict(x, x if model.domain == "ilr" else ilr)[..., middle, middle].sum().backward()
    reach = (x.grad.abs().sum((0, 1)).nonzero() - radius - 2).abs().max()
    assert reach <= radius
    assert reach >= radius - ("drn" in name and "dsrn" not in name)  # pixel shuffle spends the last pixel at some phases only


@pytest.mark.parametrize("multi_path", [True, False])
def test_drrn_is_its_equations_written_out(x, multi_path):
    """Identity: Eqs. 5 to 9 by hand for B = 2, U = 2, with batch normalisation at its initial statistics; C adds a unit's own
    input (Eq. 3)."""
    model = DRRN(2, 2, width=8, multi_path=multi_path).eval()
    x_b = x
    for block in model.blocks:
        h_0 = h = block.conv(unnormalised(x_b))
        for _ in range(2):
            h = block.conv_2(unnormalised(block.conv_1(unnormalised(h)))) + (h_0 if multi_path else h)
        x_b = h
    torch.testing.assert_close(model(x), model.reconstruction(unnormalised(x_b)) + x)


def test_vdsr_with_normalisation_is_drrn_without_units(x):
    """DRRN, Section 3.3: "when U = 0, DRRN becomes VDSR"; the same weights give the same image, d = B + 1."""
    drrn, vdsr = DRRN(4, 0, 8).eval(), VDSR(5, 8, bn=True).eval()
    assert vdsr.depth == drrn.depth == 5
    norms = [*(block.norm for block in drrn.blocks), drrn.norm]
    convs = [*(block.conv for block in drrn.blocks), drrn.reconstruction]
    tensors = [tensor for module in (*norms, *convs) for tensor in module.state_dict().values()]
    vdsr.load_state_dict(dict(zip(vdsr.state_dict(), tensors, strict=True)))
    equal(vdsr(x), drrn(x))


def test_dsrn_is_its_equations_written_out():
    """Identity: Eqs. 2 to 6 by hand for T = 2 at x3, PReLU at 0.25."""
    model = DSRN(3, 2, 6).eval()
    lr, ilr = images(model)

    def block(f, s):
        return f.conv_2(torch.relu(f.conv_1(s))) + s

    s_l = torch.relu(model.input_2(torch.relu(model.input_1(lr))))
    s_l = F.leaky_relu(block(model.f_lr[0], s_l), 0.25)
    s_h = F.leaky_relu(model.f_up[0](s_l), 0.25)
    y_1 = model.f_output(s_h)
    s_l = F.leaky_relu(block(model.f_lr[0], s_l) + model.f_down[0](s_h), 0.25)
    s_h = F.leaky_relu(model.f_up[0](s_l) + block(model.f_hr[0], s_h), 0.25)
    y_2 = model.f_output(s_h)
    torch.testing.assert_close(model(lr, ilr), (y_1 + y_2) / 2 + ilr)


def test_dsrns_gain_changes_nothing_at_one(x):
    """Identity: the second reading of the normalisation starts as the first, and scales with its gain."""
    normalise = Normalise(gain=True)
    equal(normalise(x - 0.5), Normalise(gain=False)(x - 0.5))
    normalise.gain.data.fill_(2.0)
    equal(normalise(x - 0.5), 2 * Normalise(gain=False)(x - 0.5))


@pytest.mark.parametrize(
    ("scale", "kernel", "dead"), [(2, None, 0), (3, None, 0), (4, None, 0), (4, 3, 7 / 16), (3, 4, 0), (2, 4, 0)]
)
@torch.no_grad()
def test_dsrn_writes_every_pixel_of_the_hr_state(scale, kernel, dead):
    """A finding: the text's 3 x 3 at x4 leaves 7 of 16 phases of s_h^1 without input; our default leaves none, nor does the
    output have a dead phase at any scale."""
    model = DSRN(scale, 1, 8, kernel=kernel).eval()
    lr = torch.rand(1, 1, 12, 12)
    (s_h,) = model.states(lr)
    output = model(lr, torch.zeros(1, 1, 12 * scale, 12 * scale))
    written = (s_h - model.normalise_h[0](model.f_up[0].bias[None, :, None, None])).abs().sum(1, keepdim=True)
    assert (F.pixel_unshuffle(written, scale).sum((0, 2, 3)) == 0).float().mean() == dead
    assert F.pixel_unshuffle(output, scale).std((0, 2, 3)).min() > 0


def test_rlcsc_is_its_equations_written_out(x):
    """Identity: Eqs. 8 to 12 by hand; S acts K times, which makes the depth K + 5 (Eq. 13)."""
    model = RLCSC(3, 4, 6).eval()
    y = torch.relu(model.F1(torch.relu(model.F0(x))))
    z = torch.relu(model.W1(y))
    for _ in range(3):
        z = torch.relu(model.W1(y) + model.S(z))
    torch.testing.assert_close(model(x), x + model.H(torch.relu(model.W2(z))))
    assert model.depth == 3 + 5


def test_drn_distils_d_channels_a_block():
    """Identity: Eqs. 9 to 11 by hand, and D_{i+1} - D_i = d through a group."""
    block = ResidualDistilling(8, 3, fused=False)
    out = D = torch.randn(1, 8, 7, 9)
    for conv in (block.reduce, block.conv, block.expand):
        out = F.elu(conv(out), 0.2)
    torch.testing.assert_close(block(D), torch.cat([out[:, :8] + D, out[:, 8:]], 1))
    group = MODELS["drn_x3"]().groups[0]
    assert [b.expand.out_channels for b in group.blocks] == [64 + 8 * k for k in range(1, 10)]
    assert group.fuse.in_channels == 136


def test_weights_start_as_the_papers_say():
    """By hand: N(0, 0.001^2); He with n_out; Glorot's 2 / (fan in + fan out); He with fan-in; DRCN's recursion the identity."""
    srcnn, rlcsc, drcn, h = SRCNN(), RLCSC(), DRCN(), torch.rand(1, 256, 5, 5)
    equal(drcn.recursion(h), h)
    for conv, variance in (
        (srcnn.extraction, 0.001**2),
        (srcnn.mapping, 0.001**2),
        (rlcsc.F1, 2 / 1152),
        (rlcsc.S, 2 / 2304),
        (rlcsc.W2, 2 / 1152),
        (DSRN(2).input_2, 2 / (9 * (64 + 128))),
        (drcn.embedding_2, 2 / 2304),
    ):
        assert conv.weight.std().item() == pytest.approx(variance**0.5, rel=0.05)


def test_scoring_a_model_leaves_it_trainable(photo):
    """A model that has been scored can still be trained, in the mode that it was in."""
    model = DRRN(1, 1, 4).train()
    PROTOCOLS["drrn"].evaluate(photo, 3, as_method(model), ("psnr",))
    assert model.training
    model(torch.rand(1, 1, 8, 8)).sum().backward()
    assert model.reconstruction.weight.grad is not None


@pytest.mark.parametrize(("B", "U", "width"), [(0, 1, 16), (1, -1, 16), (1, 1, 0)])
def test_there_is_no_drrn_without_a_block(B, U, width):
    """The sentence says what is possible."""
    with pytest.raises(InputError, match="There is no DRRN with"):
        experiment(B, U, width)


def test_vdsr_loads_its_release_and_names_what_does_not_fit(reference, tmp_path):
    """Witness: the released weights; the errors name file, tensor and shapes."""
    model = load_weights(VDSR(), reference / "vdsr_official.npz")
    with np.load(reference / "vdsr_official.npz") as release:
        np.testing.assert_array_equal(model.convs[7].weight.detach(), release["weight7"])
        few = {name: release[name] for name in release.files if not name.endswith("19")}
        bad = {name: release[name] * np.float32("nan") for name in release.files}
    np.savez(tmp_path / "few.npz", **few)
    with pytest.raises(InputError, match=r"few.npz does not fit VDSR: 2 tensors differ.*convs.19.bias.*absent"):
        load_weights(VDSR(), tmp_path / "few.npz")
    np.savez(tmp_path / "bad.npz", **bad)
    with pytest.raises(InputError, match="NaN or infinite"):
        load_weights(VDSR(), tmp_path / "bad.npz")
    with pytest.raises(InputError, match=r"vdsr_official.npz does not fit DRRN"):
        load_weights(MODELS["drrn_b1u9"](), reference / "vdsr_official.npz")


def test_weights_say_whose_they_are(tmp_path):
    """RL-CSC's weights have one shape for every K, so the name in the file decides."""
    path = tmp_path / "weights.safetensors"
    save_tensors(path, RLCSC(15, 4, 4).state_dict(), {"experiment": "rlcsc_k15"})
    load_weights(RLCSC(15, 4, 4), path, "rlcsc_k15")
    with pytest.raises(InputError, match="holds rlcsc_k15, not rlcsc_k25"):
        load_weights(RLCSC(25, 4, 4), path, "rlcsc_k25")
    with pytest.raises(InputError, match=r"does not fit vdsr \(it holds rlcsc_k15\)"):
        load_weights(VDSR(), path, "vdsr")


def test_files_that_are_no_weights_are_refused(tmp_path):
    """No torn or renamed file is opened."""
    (tmp_path / "torn.npz").write_bytes(b"PK\x03\x04 torn")
    torch.save({}, tmp_path / "renamed.safetensors")
    save_tensors(tmp_path / "good.safetensors", VDSR(3, 4).state_dict(), {})
    content = (tmp_path / "good.safetensors").read_bytes()
    (tmp_path / "short.safetensors").write_bytes(content[:-9])
    (tmp_path / "renamed.npz").write_bytes(content)
    for name, said in (
        ("torn.npz", "cannot be read"),
        ("none.npz", "does not exist"),
        ("model.pth", "does not exist"),
        ("renamed.safetensors", "cannot be read"),
        ("short.safetensors", "cannot be read|damaged"),
        ("renamed.npz", "cannot be read"),
    ):
        with pytest.raises(InputError, match=said):
            load_weights(VDSR(), tmp_path / name)
    with pytest.raises(InputError, match="'srgan' is unknown"):
        models.make_model("srgan", {})


def test_the_page_on_adding_a_model_shows_one_that_works():
    """FSRCNN as the page has it: the paper's formula counts its weights, its output has three times the size (ECCV 2016)."""
    page = (ROOT / "book" / "add_a_model.md").read_text()
    names: dict[str, object] = {}
    exec(re.search(r"```python\n(\"\"\"FSRCNN.*?)```", page, re.DOTALL)[1], names)
    model = names["FSRCNN"](**names["VARIANTS"]["fsrcnn"])
    d, s, m = 56, 12, 4
    assert params(model) == 25 * d + s * d + 9 * m * s**2 + d * s + 81 * d == 12464
    assert model(torch.zeros(1, 1, 5, 7)).shape == (1, 1, 15, 21)


@pytest.mark.parametrize("name", [name for name in models.__all__ if name in MODELS])
def test_named_constructors_make_the_published_networks(name):
    """Identity: `drrn_b1u9()` is `MODELS["drrn_b1u9"]()`, with its depth, its weights and their names."""
    ours, published = meta_model(getattr(models, name)), meta_model(MODELS[name])
    shapes = [{key: value.shape for key, value in model.state_dict().items()} for model in (ours, published)]
    assert shapes[0] == shapes[1]
    assert (ours.depth, ours.radius, ours.scale) == (published.depth, published.radius, published.scale)
