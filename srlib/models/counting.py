"""Counts of parameters and multiplications, on networks without weights."""

from collections.abc import Callable

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from srlib.models.base import SRModel

CONVOLUTIONS = (nn.Conv2d, nn.ConvTranspose2d)


def meta_model(make: Callable[[], SRModel]) -> SRModel:
    """A network on torch's device `meta`, for counting: its tensors have shapes, but no values, and take no time to make."""
    with torch.device("meta"):
        return make().to("meta")


def params(model: nn.Module) -> int:
    """Number of convolution weights, without biases and normalisation: the papers' count."""
    return sum(m.weight.numel() for m in model.modules() if isinstance(m, CONVOLUTIONS))


def params_total(model: nn.Module) -> int:
    """Number of all trained parameters."""
    return sum(p.numel() for p in model.parameters())


def macs_per_pixel(make: Callable[[], SRModel], scale: int) -> float:
    """Multiply-accumulate operations of all convolutions, per pixel of the output image.

    Parameters
    ----------
    make : callable
        Constructor of the model.
    scale : int
        Scale at which the model runs: an LR network computes less for a larger scale.
    """
    model, side = meta_model(make).eval(), 2  # of any size: borders are padded
    lr = torch.zeros(1, model.channels, side, side, device="meta")
    ilr = torch.zeros(1, 1, scale * side, scale * side, device="meta")
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model.predict(lr, ilr)
    return counter.get_total_flops() / 2 / (scale * side) ** 2
