"""Muon: its update against the polar factor of a singular value decomposition, and against torch's own on plain matrices."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from srlib.errors import InputError
from srlib.models import ARCHITECTURES
from srlib.papers import drrn, get_experiment
from srlib.training.muon import Muon, inner_convolutions
from srlib.training.patches import make_patches
from srlib.training.recipe import Experiment
from srlib.training.state import start
from srlib.training.step import Step

SMALL = {
    "srcnn": {"n_1": 8, "n_2": 4},
    "vdsr": {"depth": 4, "width": 8, "bn": True},
    "drcn": {"T": 3, "width": 8},
    "drrn": {"B": 2, "U": 3, "width": 8},
    "dsrn": {"scale": 3, "T": 2, "width": 8},
    "dsrn_single_state": {"T": 2, "width": 8},
    "rlcsc": {"K": 5, "n": 8, "m": 8},
    "drn": {"scale": 3, "C": 8, "G": 1, "K": 2, "d": 2},
}
# By hand, in the papers' words: what lies between the layer that reads the image and the one that makes it.
INNER = {
    "srcnn": {"mapping"},
    "vdsr": {"convs.1", "convs.2"},
    "drcn": {"embedding_2", "recursion", "reconstruction_1"},
    "drrn": {"blocks.1.conv", *(f"blocks.{b}.conv_{k}" for b in (0, 1) for k in (1, 2))},
    "dsrn": {"input_2", "f_up.0", "f_down.0", *(f"f_{s}.0.conv_{k}" for s in ("lr", "hr") for k in (1, 2))},
    "dsrn_single_state": {"input_2", "f_recurrent.conv_1", "f_recurrent.conv_2"},
    "rlcsc": {"F1", "W1", "S", "W2"},
    "drn": {"groups.0.fuse", "F_UP.0", *(f"groups.0.blocks.{k}.{c}" for k in (0, 1) for c in ("reduce", "conv", "expand"))},
}
LAYERS = {
    "wide": lambda: nn.Conv2d(8, 8, 3),
    "tall": lambda: nn.Conv2d(2, 40, 3),
    "transposed": lambda: nn.ConvTranspose2d(6, 4, 3),
    "1x1": lambda: nn.Conv2d(12, 6, 1),
}
layers = pytest.mark.parametrize("layer", LAYERS.values(), ids=LAYERS)


def weight_of(layer):
    """A layer's weight in channels-last memory, and a function that sets a random gradient and returns it."""
    torch.manual_seed(0)
    weight = layer().to(memory_format=torch.channels_last).weight

    def draw():
        weight.grad = torch.randn_like(weight)
        return weight.grad

    return weight, draw


def matrix(tensor):
    """Rows are the first dimension, spelt out element by element."""
    return torch.stack([torch.cat([row[:, y, x] for y in range(row.shape[1]) for x in range(row.shape[2])]) for row in tensor])


@layers
def test_an_update_is_the_gradients_polar_factor(layer):
    """Witness: U V^T of torch.linalg.svd: same singular vectors; all singular values the rate, as near as the method comes."""
    weight, draw = weight_of(layer)
    before, gradient = weight.detach().clone(), draw()
    Muon([weight]).step(torch.tensor(0.25))
    U, _, Vh = torch.linalg.svd(matrix(gradient), full_matrices=False)
    update = matrix(before - weight.detach()) / 0.25
    moved = U.T @ update @ Vh.T  # diagonal, if the singular vectors are the same
    values = moved.diagonal()
    assert values.min() > 0.6
    assert values.max() < 1.3
    assert (moved - values.diag()).abs().max() < 0.03  # Newton-Schulz iterates in bf16
    assert 0.6 < torch.linalg.matrix_norm(update, 2) < 1.3


@layers
def test_updates_are_those_of_torch_on_a_plain_matrix(layer):
    """Witness: torch.optim.Muon on the wide matrix of the weight, at rate 1, step by step, bit for bit."""
    weight, draw = weight_of(layer)
    wide = (lambda m: m) if len(weight) <= weight[0].numel() else (lambda m: m.T)
    theirs = nn.Parameter(wide(matrix(weight.detach())))
    reference, ours = torch.optim.Muon([theirs], lr=1.0, weight_decay=0.0), Muon([weight])
    for _ in range(4):  # momentum takes several
        theirs.grad = wide(matrix(draw()))
        reference.step()
        ours.step(torch.tensor(1.0))
        assert torch.equal(wide(matrix(weight.detach())), theirs.detach())


@pytest.mark.parametrize("model", ARCHITECTURES)
def test_muon_trains_the_inner_convolutions_and_adamw_all_else(model):
    """By hand: weights by name; first, last, biases, normalisation, PReLUs and DRCN's weights of predictions are AdamW's."""
    state = start(Experiment("small", "drrn", model, SMALL[model]), replace(drrn.FAST, first_shift=0.0), 0, "cpu")
    names = {id(p): name for name, p in state.model.named_parameters()}
    inner = [names[id(p)] for p in state.muon.weights]
    others = [names[id(p)] for group in state.optimiser.param_groups for p in group["params"]]
    assert sorted(inner) == sorted(f"{name}.weight" for name in INNER[model])
    assert sorted(inner + others) == sorted(names.values())


@pytest.mark.parametrize(("model", "arguments"), [("vdsr", {"depth": 2, "width": 8}), ("drrn", {"B": 1, "U": 0, "width": 8})])
def test_a_network_without_inner_convolutions_is_refused(model, arguments):
    """The sentence says what to do."""
    said = rf"^{model.upper()} has no convolution between first and last for Muon: choose another recipe, such as adam\.$"
    with pytest.raises(InputError, match=said):
        inner_convolutions(ARCHITECTURES[model](**arguments))


def test_weights_that_would_be_copied_are_refused():
    """A weight that is not channels-last has no matrix in its own memory, so an update of one would be lost."""
    with pytest.raises(ValueError, match="give them in channels-last memory"):
        Muon([nn.Conv2d(8, 8, 3).weight])


@pytest.mark.parametrize("name", ["dsrn_t1_x2_w4", "dsrn_div2k_untied_x2_w4"])
def test_weights_that_are_not_used_stay_as_they_are(name, photo):
    """Behaviour: the first step's f_hr and f_down act on a state of zeros and are left out, so they have no gradient."""
    experiment = get_experiment(name)
    recipe = replace(experiment.recipe("fast"), batch=2, iterations=10)
    state = start(experiment, recipe, 0, "cpu")
    before = {name: p.detach().clone() for name, p in state.model.named_parameters()}
    Step(state, make_patches([("cat", photo)], recipe, state.model.domain), recipe, 10, 0)()
    moved = {name for name, p in state.model.named_parameters() if not torch.equal(p, before[name])}
    assert "f_up.0.weight" in moved
    assert "f_down.0.weight" not in moved
