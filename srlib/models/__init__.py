"""The networks, one file a paper, and what can be counted on them.

A model maps `(N, C, H, W)` floats in 0..1 to the super-resolved image. Its class says what it takes: `domain` is `'ilr'` (the
interpolated image, size of HR) or `'lr'`; `colour` is `'luma'` or `'rgb'`.
"""

from collections.abc import Callable

from torch import nn

from srlib.errors import InputError
from srlib.models.drrn import drrn, drrn_b1u9, drrn_b1u25
from srlib.models.vdsr import vdsr

MODELS: dict[str, Callable[..., nn.Module]] = {
    "vdsr": vdsr,
    "drrn": drrn,
    "drrn_b1u9": drrn_b1u9,
    "drrn_b1u25": drrn_b1u25,
}


def params(model: nn.Module) -> int:
    """Convolution weights without biases and normalisation: the papers' count."""
    return sum(m.weight.numel() for m in model.modules() if isinstance(m, nn.Conv2d))


def params_total(model: nn.Module) -> int:
    """Everything that is trained."""
    return sum(p.numel() for p in model.parameters())


def get_model(name: str) -> Callable[..., nn.Module]:
    """The constructor called `name`, or an `InputError` that lists them."""
    if name not in MODELS:
        raise InputError(f"Model {name!r} is unknown: choose one of bicubic, {', '.join(MODELS)}.")
    return MODELS[name]
