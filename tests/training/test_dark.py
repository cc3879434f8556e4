"""The luma below which the first normalisation and ReLU give zero."""

import pytest
import torch
from torch import nn

from srlib.models.drrn import DRRN, dark_below
from srlib.models.vdsr import VDSR

RAMP = torch.linspace(0, 1, 100_001, dtype=torch.float64)


# Among them: the initial values (1, 0), those of the recipe `fast` (1, 3), and (1, -9), by which nothing passes.
@pytest.mark.parametrize("gamma", [1.0, 0.63, 0.24, 0.0, -1.0])
@pytest.mark.parametrize("beta", [-9.0, -1.0, 0.0, 0.57, 1.0, 3.0])
def test_the_limit_is_where_the_module_itself_becomes_positive(gamma, beta):
    """Witness: torch's own module in `eval` mode on a ramp from 0 to 1."""
    norm = nn.BatchNorm2d(1).double().eval()
    for tensor, value in ((norm.weight, gamma), (norm.bias, beta), (norm.running_mean, 0.46), (norm.running_var, 0.03)):
        nn.init.constant_(tensor, value)
    with torch.no_grad():
        positive = norm(RAMP.reshape(1, 1, 1, -1)).relu().flatten() > 0
    first = RAMP[positive][0].item() if positive.any() else 1.0
    assert dark_below(norm) == pytest.approx(first, abs=2e-5)


@pytest.mark.parametrize("model", [DRRN(1, 1, 4), VDSR(3, 4, bn=True)])
def test_a_network_sees_no_detail_in_what_is_cut_off(model):
    """Identity: two images that differ only below the limit get the same residual."""
    norm = model.blocks[0].norm if isinstance(model, DRRN) else model.norms[0]
    nn.init.constant_(norm.running_mean, 0.5)
    generator = torch.Generator().manual_seed(0)
    one, other = (torch.rand(1, 1, 9, 9, generator=generator) * dark_below(norm) for _ in range(2))
    model.eval()
    with torch.no_grad():
        assert torch.allclose(model(one) - one, model(other) - other, atol=1e-6)
        brighter = one + 0.5
        assert not torch.allclose(model(brighter) - brighter, model(one) - one, atol=1e-3)
