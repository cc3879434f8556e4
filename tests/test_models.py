"""Models against the papers' arithmetic and identities."""

import numpy as np
import pytest
import torch

from srlib.checkpoint import load_weights
from srlib.errors import InputError
from srlib.inference import as_method
from srlib.models import drrn, drrn_b1u9, drrn_b1u25, get_model, params, params_total, vdsr
from srlib.papers.drrn import experiment
from srlib.protocol import PROTOCOLS


@pytest.mark.parametrize(
    ("B", "U", "weights", "depth"),
    [(1, 9, 297_216, 20), (1, 25, 297_216, 52), (17, 1, 7_375_104, 52), (3, 8, 1_181_952, 52), (3, 2, 1_181_952, 16)],
)
def test_drrn_counts_are_the_papers(B, U, weights, depth):
    """Witness: Section 4.3 (297K, 7,375K, 1,182K) and Eq. 7."""
    model = drrn(B, U)
    assert params(model) == weights
    assert model.depth == depth == (1 + 2 * U) * B + 1


def test_drrn_b2u3_contradicts_the_papers_count():
    """Section 4.3 prints k = 784K for B2U3; its own formula gives 740K."""
    assert round(params(drrn(2, 3)) / 1000) == 740


def test_biases_and_normalisation_are_counted_apart():
    """By hand: 385 biases, and two numbers per channel and normalisation: 1 + 18 x 128 + 128 channels for B1U9."""
    assert params_total(drrn_b1u9()) == 297_216 + 385 + 2 * (1 + 18 * 128 + 128)
    assert params_total(drrn_b1u25()) == 297_216 + 385 + 2 * (1 + 50 * 128 + 128)


def test_vdsr_counts_are_the_papers():
    """Witness: DRRN quotes 664,704 / 297,216 as "2x" fewer parameters; depth 20."""
    assert params(vdsr()) == 664_704
    assert vdsr().depth == 20


def test_drrn_is_its_equations_written_out():
    """Identity: Eqs. 5 to 9 by hand for B = 2, U = 2, with batch normalisation at its initial statistics."""
    torch.manual_seed(0)
    model = drrn(2, 2, width=8).eval()
    x = torch.rand(1, 1, 9, 11)

    def act(h):
        return torch.relu(h / np.sqrt(1 + 1e-5))  # BN with mean 0, variance 1, scale 1, shift 0

    x_b = x
    for block in model.blocks:
        h_0 = block.conv(act(x_b))
        h = h_0
        for _ in range(2):
            h = block.conv_2(act(block.conv_1(act(h)))) + h_0
        x_b = h
    torch.testing.assert_close(model(x), model.reconstruction(act(x_b)) + x)


def test_drrn_shares_convolutions_and_not_normalisation():
    """Identity: the weights of one convolution move every recursion; each recursion has its own normalisation."""
    model = drrn(1, 3, width=8)
    names = dict(model.named_parameters())
    assert sum("conv_1.weight" in name for name in names) == 1
    assert sum("norms_1" in name and "weight" in name for name in names) == 3


def test_u_zero_leaves_plain_convolutions():
    """Section 3.3: with U = 0 there is no residual unit; depth B + 1."""
    model = drrn(3, 0, width=8)
    assert model.depth == 4
    assert model(torch.rand(1, 1, 8, 8)).shape == (1, 1, 8, 8)


@pytest.mark.parametrize("model", [drrn(1, 2, 8), drrn(2, 1, 8), vdsr()])
def test_a_model_keeps_the_size_and_every_parameter_learns(model):
    """Identity: any height and width, and no parameter without a gradient."""
    x = torch.rand(2, 1, 13, 17)
    y = model(x)
    assert y.shape == x.shape
    y.square().sum().backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in model.parameters())


def test_scoring_a_model_leaves_it_trainable(photo):
    """A model that has been scored can still be trained."""
    model = drrn(1, 1, 4)
    PROTOCOLS["drrn"].evaluate(photo, 3, as_method(model), ("psnr",))
    model.train()(torch.rand(1, 1, 8, 8)).sum().backward()
    assert model.reconstruction.weight.grad is not None


def test_there_is_no_drrn_without_a_block():
    """The sentence says what is possible."""
    for B, U, width in ((0, 1, 16), (1, -1, 16), (1, 1, 0)):
        with pytest.raises(InputError, match="There is no DRRN with"):
            experiment(B, U, width)


def test_vdsr_loads_its_release_and_names_what_does_not_fit(reference, tmp_path):
    """Witness: the released weights; the errors name file, tensor and shapes."""
    model = load_weights(vdsr(), reference / "vdsr_official.npz")
    with np.load(reference / "vdsr_official.npz") as release:
        np.testing.assert_array_equal(model.convs[7].weight.detach(), release["weight7"])
        few = {name: release[name] for name in release.files if not name.endswith("19")}
        bad = {name: release[name] * np.float32("nan") for name in release.files}
    np.savez(tmp_path / "few.npz", **few)
    with pytest.raises(InputError, match=r"few.npz does not fit VDSR: 2 tensors differ.*convs.19.bias.*absent"):
        load_weights(vdsr(), tmp_path / "few.npz")
    np.savez(tmp_path / "bad.npz", **bad)
    with pytest.raises(InputError, match="NaN or infinite"):
        load_weights(vdsr(), tmp_path / "bad.npz")
    with pytest.raises(InputError, match=r"vdsr_official.npz does not fit DRRN"):
        load_weights(drrn_b1u9(), reference / "vdsr_official.npz")


def test_files_that_are_no_weights_are_refused(tmp_path):
    """Neither pickles nor torn archives are opened."""
    (tmp_path / "torn.npz").write_bytes(b"PK\x03\x04 torn")
    for name, said in (("torn.npz", "cannot be read"), ("none.npz", "does not exist"), ("model.pth", "no known kind")):
        with pytest.raises(InputError, match=said):
            load_weights(vdsr(), tmp_path / name)
    with pytest.raises(InputError, match="'srgan' is unknown"):
        get_model("srgan")
