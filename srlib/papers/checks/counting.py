"""What is counted on networks, recipes and printed numbers, as functions that are called when the number is wanted."""

from collections.abc import Callable
from functools import cache

import torch
from torch import nn

from srlib.datasets import DATASETS
from srlib.graphs import recurrence
from srlib.models import CONVOLUTIONS, MODELS, meta_model, params
from srlib.papers.published import printed
from srlib.training.patches import PatchSource

Number = Callable[[], float]


def convolutions(model: nn.Module) -> int:
    """Convolutions that one image passes, counted while it does: the depth of a network whose layers form one path."""
    passed = []
    hooks = [m.register_forward_hook(lambda *_: passed.append(1)) for m in model.modules() if isinstance(m, CONVOLUTIONS)]
    with torch.no_grad():
        model.eval()(torch.zeros(1, 1, 2, 2, device=next(model.parameters()).device))
    for hook in hooks:
        hook.remove()
    return len(passed)


@cache
def net(name: str) -> nn.Module:
    """A published network to count on."""
    return meta_model(MODELS[name])


@cache
def _depth(name: str) -> int:
    return convolutions(net(name)) if name != "drcn" else recurrence.depth(recurrence.drcn(net(name)))


def depth(name: str) -> Number:
    """Convolutions on the path of a published network."""
    return lambda: _depth(name)


def size(name: str) -> Number:
    """Weights of a published network."""
    return lambda: params(net(name))


def gain(mine: str, *others: str) -> Number:
    """A printed PSNR less the best of other printed ones, in dB."""
    return lambda: printed(mine) - max(printed(other) for other in others)


def ratio(bigger: Number, smaller: Number) -> Number:
    """How many times as many."""
    return lambda: bigger() / smaller()


def angles(turns: tuple[int, ...]) -> list[int]:
    """The rotations, in degrees, among the symmetries that a recipe draws; found by turning a square."""
    square = torch.arange(4.0)
    plane = PatchSource(square[:, None], *torch.tensor([[0], [2], [0], [0]]), 2)
    turned = plane.crop(torch.zeros(len(turns), dtype=torch.int64), torch.tensor(turns))[:, 0]
    whole = square.reshape(2, 2)
    return [90 * k for k in (1, 2, 3) if any(torch.equal(torch.rot90(whole, k), one) for one in turned)]


def images(*names: str) -> Number:
    """How many the registry has."""
    return lambda: sum(DATASETS[name].count for name in names)
