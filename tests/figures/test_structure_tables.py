"""Tables of structures: layers and channels counted in traced networks."""

import pytest
import torch

from srlib.figures.structures import block_table, layer_table, readings_table, reconstruction_table
from srlib.graphs.tracing import trace
from srlib.models import params, params_total
from srlib.models.drn import DRN
from srlib.models.rlcsc import RLCSC


def test_the_layers_of_a_recursion_are_listed_once():
    """Identity: six layers whose weights add up to the model's, S used once a recursion."""
    model = RLCSC(K=4, n=3, m=5)
    layers = layer_table(trace(model, torch.zeros(1, 1, 4, 4)))
    assert list(layers.layer) == ["F0", "F1", "W1", "S", "W2", "H"]
    assert list(layers.used) == [1, 1, 1, 4, 1, 1]
    assert sum(int(weights.replace(",", "")) for weights in layers.weights) == params(model)


def test_each_block_adds_what_came_in_and_appends_the_rest():
    """By hand: C = 8, d = 2."""
    network = trace(DRN(3, C=8, G=1, K=3, d=2), torch.zeros(1, 3, 4, 4))
    channels = block_table(network, [f"groups.0.blocks.{k}" for k in range(3)])
    assert channels["in"].tolist() == channels.added.tolist() == [8, 10, 12]
    assert channels.out.tolist() == [10, 12, 14]
    assert set(channels.new) == set(channels["out − in"]) == {2}
    assert channels["convolutions make"][1] == "5 → 5 → 12"


@pytest.mark.parametrize(("scale", "factors"), [(2, [2]), (3, [3]), (4, [2, 2])])
def test_the_reconstruction_enlarges_by_the_scale(scale, factors):
    """Witness: Table 1, C to C M M and shuffled to C; at x4 twice by two."""
    table = reconstruction_table({scale: trace(DRN(scale, C=4, G=1, K=1, d=2), torch.zeros(1, 3, 4, 4))})
    stages = [row for M in factors for row in (("conv input, 3 × 3", 4, 4 * M * M), (f"PixelShuffle (×{M})", 4 * M * M, 4))]
    wanted = [*stages, ("conv output, 3 × 3", 4, 3)]
    assert list(table[["structure", "channels in", "channels out"]].itertuples(index=False, name=None)) == wanted


def test_a_network_of_half_the_size_has_half_the_parameters():
    """Identity."""
    model = DRN(2, C=4, G=1, K=1, d=2)
    counts = readings_table({"": (model, model)}, 2 * params_total(model))
    assert counts["DRN+"][0] == params_total(model)
    assert counts["DRN+ against EDSR"][0] == pytest.approx(-50)
