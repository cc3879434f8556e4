"""The networks, one file a paper, and what can be counted on them.

A model maps float images `(N, C, H, W)` in 0..1 to the super-resolved image. Its class says what it takes and how far it sees:

* `domain`: `'ilr'` (the interpolated image, size of HR), `'lr'`, or `'lr+ilr'` (both, in this order);
* `colour`: `'luma'` or `'rgb'`; `scale`: the only one it knows, absent where any will do;
* `depth`: convolutions on the longest path, as the papers count; `radius`: how far, in pixels of its (first) input, one input
  pixel is felt, so that the receptive field is `2 radius + 1`.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from srlib.errors import InputError
from srlib.models import drn, drrn, dsrn, rlcsc, srcnn, vdsr
from srlib.models.drcn import DRCN
from srlib.models.drn import DRN
from srlib.models.drrn import DRRN
from srlib.models.dsrn import DSRN, SingleState
from srlib.models.rlcsc import RLCSC
from srlib.models.srcnn import SRCNN
from srlib.models.vdsr import VDSR

# Architectures, which take the arguments of their class.
ARCHITECTURES: dict[str, Callable[..., nn.Module]] = {
    "srcnn": SRCNN,
    "vdsr": VDSR,
    "drcn": DRCN,
    "drrn": DRRN,
    "dsrn": DSRN,
    "dsrn_single_state": SingleState,
    "rlcsc": RLCSC,
    "drn": DRN,
}
# Every published variant, by name: the architecture and its arguments.
PUBLISHED: dict[str, tuple[str, dict]] = {
    name: (architecture, arguments)
    for architecture, variants in {
        "srcnn": srcnn.VARIANTS,
        "vdsr": vdsr.VARIANTS,
        "drcn": {"drcn": {}},
        "drrn": drrn.VARIANTS,
        "dsrn": dsrn.VARIANTS,
        "dsrn_single_state": {"dsrn_single_state": {}},
        "rlcsc": rlcsc.VARIANTS,
        "drn": drn.VARIANTS,
    }.items()
    for name, arguments in variants.items()
}
# The same as constructors: `MODELS["drrn_b1u9"]()`.
MODELS: dict[str, Callable[[], nn.Module]] = {
    name: partial(ARCHITECTURES[architecture], **arguments) for name, (architecture, arguments) in PUBLISHED.items()
}
CONVOLUTIONS = (nn.Conv2d, nn.ConvTranspose2d)


class _Undrawn(TorchFunctionMode):
    """Weights keep what was in memory: drawing them takes most of the time that a network takes to make."""

    def __torch_function__(self, function: Callable, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        if function.__name__ in ("uniform_", "normal_", "kaiming_uniform_"):
            return args[0] if args else kwargs["tensor"]
        return function(*args, **kwargs or {})


def meta_model(make: Callable[[], nn.Module]) -> nn.Module:
    """A network to count on, quickly made.

    Parameters
    ----------
    make : callable
        Constructs the model.

    Returns
    -------
    nn.Module
        Of the right shapes; its weights are whatever was in memory, so what it computes means nothing.
    """
    with _Undrawn():
        return make()


def params(model: nn.Module) -> int:
    """Convolution weights without biases and normalisation: the papers' count."""
    return sum(m.weight.numel() for m in model.modules() if isinstance(m, CONVOLUTIONS))


def params_total(model: nn.Module) -> int:
    """Everything that is trained."""
    return sum(p.numel() for p in model.parameters())


def macs_per_pixel(make: Callable[[], nn.Module], scale: int) -> float:
    """Multiplications (with addition) in convolutions, per pixel of the output image.

    Parameters
    ----------
    make : callable
        Constructs the model.
    scale : int
        At which the model runs: an LR network does less for a larger scale.
    """
    side, total = 2, 0  # any size will do: borders are padded

    def count(conv: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        nonlocal total
        places = inputs[0] if isinstance(conv, nn.ConvTranspose2d) else output
        total += places.shape[-2] * places.shape[-1] * conv.weight.numel()

    model = meta_model(make).eval()
    for conv in model.modules():
        if isinstance(conv, CONVOLUTIONS):
            conv.register_forward_hook(count)
    with torch.no_grad():
        run(model, torch.zeros(1, channels(model), side, side), torch.zeros(1, 1, scale * side, scale * side))
    return total / (scale * side) ** 2


def run(model: nn.Module, lr: torch.Tensor, ilr: torch.Tensor) -> torch.Tensor:
    """Call a model with what its domain wants."""
    given = {"lr": lr, "ilr": ilr}
    return model(*(given[name] for name in model.domain.split("+")))


def channels(model: nn.Module) -> int:
    """1 for luma, 3 for RGB."""
    return {"luma": 1, "rgb": 3}[model.colour]


def make_model(architecture: str, arguments: dict) -> nn.Module:
    """An architecture with its arguments, or an `InputError` that lists what there is."""
    if architecture not in ARCHITECTURES:
        raise InputError(f"Architecture {architecture!r} is unknown: choose one of {', '.join(ARCHITECTURES)}.")
    return ARCHITECTURES[architecture](**arguments)
