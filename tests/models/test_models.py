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
from srlib.models import (
    DRCN,
    DRN,
    DRRN,
    DSRN,
    MODELS,
    RLCSC,
    SRCNN,
    VDSR,
    macs_per_pixel,
    make_model,
    meta_model,
    params,
    params_total,
)
from srlib.models.drn import ResidualDistilling
from srlib.papers import PAPERS, claims
from srlib.papers.checks.counting import convolutions
from srlib.papers.drrn import experiment
from srlib.protocol import PROTOCOLS
from srlib.records.provenance import ROOT
from srlib.training.checkpoint import load_weights, save_tensors


def unnormalised(h):
    """Batch normalisation with its initial statistics, then ReLU."""
    return torch.relu(h / np.sqrt(1 + 1e-5))


SIZES = [c for paper in PAPERS for c in claims(paper) if c.metric == "params" and c.experiment in MODELS]


@pytest.mark.parametrize("claim", SIZES, ids=lambda c: c.id)
def test_sizes_are_the_papers(claim):
    """Witness: the printed number. B2U3's 784K is wrong, and VDSR's 664k is cut off, not rounded."""
    assert claim.printed_alike(params(meta_model(MODELS[claim.experiment]))) == (claim.value not in ("784K", "664k"))


@pytest.mark.parametrize(
    "name", ["srcnn_955", "srcnn_915", "vdsr", "drrn_b1u9", "drrn_b17u1", "drrn_c_b3u2", "rlcsc_k15", "vdsr_bn_d16_w128"]
)
def test_depth_is_the_number_of_convolutions_that_an_image_passes(name):
    """Witness: the convolutions, counted while one image passes them."""
    assert meta_model(MODELS[name]).depth == convolutions(meta_model(MODELS[name]))


@pytest.mark.parametrize(
    ("name", "weights"),
    [
        ("srcnn_955", 57_184),
        ("srcnn_915", 8_032),
        ("vdsr", 664_704),
        ("drcn", 1_774_080),
        ("drrn_b1u9", 297_216),
        ("drrn_b2u3", 739_584),
        ("vdsr_bn_d16_w128", 2_066_688),
        ("vdsr_bn_d22_w128", 2_951_424),
        ("vdsr_bn_d28_w128", 3_836_160),
        ("drrn_ns_b3u2", 2_066_688),
        ("drrn_ns_b3u3", 2_951_424),
        ("drrn_ns_b3u4", 3_836_160),
        ("drrn_c_b3u4", 1_181_952),
        ("dsrn_t7_x2", 576 + 73_728 + 6 * 147_456 + 1_152),
        ("dsrn_t7_x3", 960_192),
        ("dsrn_t7_x4", 1_189_568),
        ("dsrn_untied_x2", 6_268_608),
        ("dsrn_single_state", 370_368),
        ("rlcsc_k25", 1_329_408),
        ("rlcsc_k15_m128", 592_128),
    ],
)
def test_weights_are_counted_as_by_hand(name, weights):
    """By hand, from each paper's widths; NS has as many as VDSR of its depth (DRRN, Section 4.5: "the same number")."""
    assert params(MODELS[name]()) == weights


@pytest.mark.parametrize(
    ("name", "weights", "field"),
    [
        ("srcnn_955", 9 * 9 * 64 + 5 * 5 * 64 * 32 + 5 * 5 * 32, 1 + 8 + 4 + 4),  # 5,184 + 51,200 + 800
        ("srcnn_915", 9 * 9 * 64 + 64 * 32 + 5 * 5 * 32, 1 + 8 + 0 + 4),  # 5,184 + 2,048 + 800
    ],
)
def test_both_versions_of_srcnn_have_the_filters_of_their_papers(name, weights, field):
    """By hand, from the sides of the filters: a convolution of side f lets a pixel see f - 1 more pixels across."""
    model = MODELS[name]()
    assert (params(model), 2 * model.radius + 1) == (weights, field)
    image = torch.zeros(1, 1, 31, 31, requires_grad=True)
    for conv in (model.extraction, model.mapping, model.reconstruction):
        torch.nn.init.ones_(conv.weight)
        torch.nn.init.ones_(conv.bias)
    model(image)[0, 0, 15, 15].backward()
    assert image.grad.count_nonzero().item() == field**2


def test_drrn_has_two_six_and_fourteen_times_fewer_parameters():
    """DRRN's introduction: than VDSR, DRCN and RED30 (4,131,072 weights, by hand)."""
    b1u9 = params(MODELS["drrn_b1u9"]())
    assert [round(n / b1u9) for n in (params(VDSR()), params(DRCN()), 4_131_072)] == [2, 6, 14]


def test_biases_and_normalisation_are_counted_apart():
    """By hand: 385 biases, and two numbers per channel and normalisation: 1 + 18 x 128 + 128 channels for B1U9."""
    assert params_total(MODELS["drrn_b1u9"]()) == 297_216 + 385 + 2 * (1 + 18 * 128 + 128)
    assert params_total(MODELS["drrn_b1u25"]()) == 297_216 + 385 + 2 * (1 + 50 * 128 + 128)


def test_rlcsc_counts_hold_only_without_biases():
    """A finding: with biases (one an output map) 1,329k would print as 1,330k and 592k as 593k."""
    assert (round(1_329_408 / 1000), round((1_329_408 + 4 * 128 + 2 * 256 - 128 + 1) / 1000)) == (1329, 1330)
    for name, biases, printed in (("rlcsc_k15", 3 * 128 + 2 * 256 + 1, 1330), ("rlcsc_k15_m128", 5 * 128 + 1, 593)):
        model = MODELS[name]()
        assert params(model) == params_total(model)
        assert round((params(model) + biases) / 1000) == printed


@pytest.mark.parametrize(("fusion", "million", "drn_million"), [("group", 19.97, 2.08), ("block", 19.98, 1.29)])
def test_drn_plus_is_54_percent_smaller_than_edsr(fusion, million, drn_million):
    """DRN, Section 3.3: "54 % fewer parameters compared with EDSR" (43,089,923, its released x4 model). Only a half-wide
    bottleneck fits: a full-wide one would make DRN+ larger than EDSR, a single-stage upsampler 43 % smaller."""
    with torch.device("meta"):
        plus, drn = DRN(4, C=256, fusion=fusion), DRN(4, fusion=fusion)
    assert 0.53 <= 1 - params_total(plus) / 43_089_923 <= 0.55
    assert round(params_total(plus) / 1e6, 2) == million
    assert round(params_total(drn) / 1e6, 2) == drn_million


def test_dsrn_is_2t_plus_4_deep():
    """DSRN, Section 5.3: "the maximum number of convolution layers ... is 2T+4"."""
    assert [DSRN(2, T, 4).depth for T in (1, 7, 9)] == [6, 18, 22]


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
    lr, ilr = images(model)
    sr = model.predict(lr, ilr)
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
    scale, radius = (model.scale or 1), model.radius
    zoom = 1 if model.domain == "ilr" else scale
    side = 2 * radius + 5
    x = torch.ones(1, model.channels, side, side, dtype=torch.double, requires_grad=True)
    ilr = torch.ones(1, 1, zoom * side, zoom * side, dtype=torch.double)
    middle = slice(zoom * (radius + 2), zoom * (radius + 3))
    model.predict(x, x if model.domain == "ilr" else ilr)[..., middle, middle].sum().backward()
    felt = x.grad.abs().sum((0, 1)) > 0
    rows, columns = (torch.nonzero(felt.any(d)).flatten() for d in (1, 0))
    reach = max(radius + 2 - rows.min(), rows.max() - radius - 2, radius + 2 - columns.min(), columns.max() - radius - 2)
    assert reach <= radius
    assert reach >= radius - ("drn" in name and "dsrn" not in name)  # pixel shuffle spends the last pixel at some phases only


def test_drrn_is_its_equations_written_out():
    """Identity: Eqs. 5 to 9 by hand for B = 2, U = 2, with batch normalisation at its initial statistics."""
    torch.manual_seed(0)
    model = DRRN(2, 2, width=8).eval()
    x = torch.rand(1, 1, 9, 11)
    x_b = x
    for block in model.blocks:
        h_0 = block.conv(unnormalised(x_b))
        h = h_0
        for _ in range(2):
            h = block.conv_2(unnormalised(block.conv_1(unnormalised(h)))) + h_0
        x_b = h
    torch.testing.assert_close(model(x), model.reconstruction(unnormalised(x_b)) + x)


def test_drrns_ablations_are_eq_3_and_separate_weights():
    """Identity: C adds a unit's own input (Eq. 3); NS with equal weights is DRRN again; Section 4.5."""
    torch.manual_seed(0)
    x = torch.rand(1, 1, 9, 11)
    chain = DRRN(1, 2, 8, multi_path=False).eval()
    block = chain.blocks[0]
    h = block.conv(unnormalised(x))
    for _ in range(2):
        h = block.conv_2(unnormalised(block.conv_1(unnormalised(h)))) + h
    torch.testing.assert_close(chain(x), chain.reconstruction(unnormalised(h)) + x)
    shared, separate = DRRN(1, 2, 8).eval(), DRRN(1, 2, 8, shared=False).eval()
    weights = shared.state_dict()
    for k in (1, 2):
        for kind in ("weight", "bias"):
            tensor = weights.pop(f"blocks.0.conv_{k}.{kind}")
            weights |= {f"blocks.0.conv_{k}.{u}.{kind}": tensor for u in range(2)}
    separate.load_state_dict(weights)
    torch.testing.assert_close(separate(x), shared(x), rtol=0, atol=0)


def test_drrn_shares_convolutions_and_not_normalisation():
    """Identity: the weights of one convolution move every recursion; each recursion has its own normalisation."""
    model = DRRN(1, 3, width=8)
    names = dict(model.named_parameters())
    assert sum("conv_1.weight" in name for name in names) == 1
    assert sum("norms_1" in name and "weight" in name for name in names) == 3


def test_vdsr_with_normalisation_is_drrn_without_units():
    """DRRN, Section 3.3: "when U = 0, DRRN becomes VDSR"; the same weights give the same image, d = B + 1."""
    torch.manual_seed(0)
    drrn, vdsr = DRRN(4, 0, 8).eval(), VDSR(5, 8, bn=True).eval()
    assert vdsr.depth == drrn.depth == 5
    vdsr.load_state_dict(dict(zip(vdsr.state_dict(), _in_order(drrn), strict=True)))
    x = torch.rand(1, 1, 9, 11)
    torch.testing.assert_close(vdsr(x), drrn(x), rtol=0, atol=0)


def _in_order(drrn):
    norms = [*(block.norm for block in drrn.blocks), drrn.norm]
    convs = [*(block.conv for block in drrn.blocks), drrn.reconstruction]
    return [t for module in (*norms, *convs) for t in module.state_dict().values()]


def test_drcn_is_its_equations_written_out():
    """Identity: DRRN's Eq. 2 for every recursion, then the weighted sum; and the recursive layer starts as the identity."""
    torch.manual_seed(0)
    model = DRCN(3, 6).eval()
    x = torch.rand(1, 1, 9, 11)
    h = torch.relu(model.embedding_2(torch.relu(model.embedding_1(x))))
    torch.testing.assert_close(model.recursion(h), h)
    ys = []
    with torch.no_grad():
        model.w.copy_(torch.tensor([0.2, 0.5, 0.4]))
        model.recursion.weight += 0.1 * torch.randn_like(model.recursion.weight)
    for _ in range(3):
        h = torch.relu(model.recursion(h))
        ys.append(model.reconstruction(torch.relu(model.reconstruction_1(h))) + x)
    torch.testing.assert_close(model(x), 0.2 * ys[0] + 0.5 * ys[1] + 0.4 * ys[2])
    for ours, theirs in zip(model.predictions(x), ys, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_dsrn_is_its_equations_written_out():
    """Identity: Eqs. 2 to 6 by hand for T = 2 at x3, PReLU at 0.25."""
    torch.manual_seed(0)
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


@small
def test_dsrns_average_is_the_output_layer_on_the_mean_state(name):
    """Identity: f_output is linear, so Eq. 5 equals f_output of the mean of s_h^1 .. s_h^T."""
    model = SMALL[name].eval()
    if not (isinstance(model, DSRN) and model.average):
        return
    lr, ilr = images(model)
    mean = torch.stack(list(model.states(lr))).mean(0)
    torch.testing.assert_close(model(lr, ilr), model.f_output(mean) + ilr)


def test_dsrns_readings_differ_where_they_should():
    """Identities: the untied network with equal weights is the tied one, the gain at one changes nothing, and the last state
    alone is the average for T = 1."""
    torch.manual_seed(0)
    tied = DSRN(2, 2, 4).eval()
    lr, ilr = images(tied)
    untied = DSRN(2, 2, 4, shared=False).eval()
    weights = tied.state_dict()
    untied.load_state_dict(
        {name: weights[name.replace(".1.", ".0.") if name.startswith("f_") else name] for name in untied.state_dict()}
    )
    torch.testing.assert_close(untied(lr, ilr), tied(lr, ilr), rtol=0, atol=0)
    gain = DSRN(2, 2, 4, normalise="prelu_gain").eval()
    gain.load_state_dict(weights, strict=False)
    torch.testing.assert_close(gain(lr, ilr), tied(lr, ilr), rtol=0, atol=0)
    one, last = DSRN(2, 1, 4).eval(), DSRN(2, 1, 4, average=False).eval()
    last.load_state_dict(one.state_dict())
    torch.testing.assert_close(last(lr, ilr), one(lr, ilr), rtol=0, atol=0)


@pytest.mark.parametrize(
    ("scale", "kernel", "dead"), [(2, None, 0), (3, None, 0), (4, None, 0), (4, 3, 7 / 16), (3, 4, 0), (2, 4, 0)]
)
def test_dsrn_writes_every_pixel_of_the_hr_state(scale, kernel, dead):
    """A finding: the text's 3 x 3 at x4 leaves 7 of 16 phases of s_h^1 without input; our default leaves none, nor does the
    output have a dead phase at any scale."""
    torch.manual_seed(0)
    model = DSRN(scale, 1, 8, kernel=kernel).eval()
    lr = torch.rand(1, 1, 12, 12)
    with torch.no_grad():
        (s_h,) = model.states(lr)
        output = model(lr, torch.zeros(1, 1, 12 * scale, 12 * scale))
    state = (s_h - model.normalise_h[0](model.f_up[0].bias[None, :, None, None])).abs().sum(1)[0]

    def phases(x):
        return torch.stack([x[a::scale, b::scale].abs().sum() for a in range(scale) for b in range(scale)])

    assert (phases(state) == 0).float().mean() == dead
    spread = torch.stack([output[0, 0, a::scale, b::scale].std() for a in range(scale) for b in range(scale)])
    assert spread.min() > 0


def test_rlcsc_is_its_equations_written_out():
    """Identity: Eqs. 8 to 12 by hand; S acts K times, which makes the depth K + 5 (Eq. 13)."""
    torch.manual_seed(0)
    model = RLCSC(3, 4, 6).eval()
    applied = []
    model.S.register_forward_hook(lambda *_: applied.append(1))
    I_y = torch.rand(1, 1, 9, 11)
    y = torch.relu(model.F1(torch.relu(model.F0(I_y))))
    z = torch.relu(model.W1(y))
    for _ in range(3):
        z = torch.relu(model.W1(y) + F.conv2d(z, model.S.weight, padding=1))
    R = model.H(torch.relu(model.W2(z)))
    torch.testing.assert_close(model(I_y), I_y + R)
    assert len(applied) == 3
    assert model.depth == 3 + 5


def test_drn_distils_d_channels_a_block():
    """Identity: Eqs. 9 to 11 by hand, and D_{i+1} - D_i = d through a group."""
    torch.manual_seed(0)
    block = ResidualDistilling(8, 3, fused=False)
    D = torch.randn(1, 8, 7, 9)
    out = D
    for conv in (block.reduce, block.conv, block.expand):
        out = F.elu(conv(out), 0.2)
    torch.testing.assert_close(block(D), torch.cat([out[:, :8] + D, out[:, 8:]], 1))
    group = MODELS["drn_x3"]().groups[0]
    assert [b.expand.out_channels for b in group.blocks] == [64 + 8 * k for k in range(1, 10)]
    assert group.fuse.in_channels == 136


@pytest.mark.parametrize(
    ("model", "convs", "std"),
    [
        (SRCNN(), ("extraction", "mapping"), {"extraction": 0.001, "mapping": 0.001}),
        (RLCSC(), ("F1", "S", "W2"), {"F1": (2 / 1152) ** 0.5, "S": (2 / 2304) ** 0.5, "W2": (2 / 1152) ** 0.5}),
        (DSRN(2), ("input_2",), {"input_2": (2 / (9 * (64 + 128))) ** 0.5}),
        (DRCN(), ("embedding_2",), {"embedding_2": (2 / 2304) ** 0.5}),
    ],
    ids=["srcnn", "rlcsc", "dsrn", "drcn"],
)
def test_weights_start_as_the_papers_say(model, convs, std):
    """By hand: N(0, 0.001^2); He with n_out; Glorot's 2 / (fan in + fan out); He with fan-in."""
    for name in convs:
        assert getattr(model, name).weight.std().item() == pytest.approx(std[name], rel=0.05)


def test_scoring_a_model_leaves_it_trainable(photo):
    """A model that has been scored can still be trained, in the mode that it was in."""
    model = DRRN(1, 1, 4).train()
    PROTOCOLS["drrn"].evaluate(photo, 3, as_method(model), ("psnr",))
    assert model.training
    model(torch.rand(1, 1, 8, 8)).sum().backward()
    assert model.reconstruction.weight.grad is not None


def test_there_is_no_drrn_without_a_block():
    """The sentence says what is possible."""
    for B, U, width in ((0, 1, 16), (1, -1, 16), (1, 1, 0)):
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
    """Neither pickles nor torn or renamed files are opened."""
    (tmp_path / "torn.npz").write_bytes(b"PK\x03\x04 torn")
    torch.save({}, tmp_path / "renamed.safetensors")
    save_tensors(tmp_path / "good.safetensors", VDSR(3, 4).state_dict(), {})
    content = (tmp_path / "good.safetensors").read_bytes()
    (tmp_path / "short.safetensors").write_bytes(content[:-9])
    (tmp_path / "renamed.npz").write_bytes(content)
    for name, said in (
        ("torn.npz", "cannot be read"),
        ("none.npz", "does not exist"),
        ("model.pth", "no known kind"),
        ("renamed.safetensors", "damaged or no safetensors"),
        ("short.safetensors", "damaged or no safetensors"),
        ("renamed.npz", "cannot be read"),
    ):
        with pytest.raises(InputError, match=said):
            load_weights(VDSR(), tmp_path / name)
    with pytest.raises(InputError, match="'srgan' is unknown"):
        make_model("srgan", {})


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
