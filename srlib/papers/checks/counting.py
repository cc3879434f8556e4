"""Counts on networks, recipes and printed numbers, as functions that compute the number when it is used."""

from collections.abc import Callable, Iterable
from functools import cache

import torch
from torch import nn

from srlib.datasets import DATASETS
from srlib.graphs import recurrence
from srlib.models import CONVOLUTIONS, MODELS, meta_model, params
from srlib.papers.published import printed
from srlib.training.patches import PatchSource

Number = Callable[[], float]


def calls(model: nn.Module, modules: Iterable[nn.Module]) -> int:
    """Number of calls of some of a network's modules in one forward pass."""
    called = []
    hooks = [module.register_forward_hook(lambda *_: called.append(1)) for module in modules]
    with torch.no_grad():
        model.eval()(torch.zeros(1, 1, 2, 2, device=next(model.parameters()).device))
    for hook in hooks:
        hook.remove()
    return len(called)


def convolutions(model: nn.Module) -> int:
    """Number of convolutions in one forward pass: the depth of a network whose layers form one path."""
    return calls(model, (module for module in model.modules() if isinstance(module, CONVOLUTIONS)))


@cache
def net(name: str) -> nn.Module:
    """A published network without weights, to count on."""
    return meta_model(MODELS[name])


@cache
def _depth(name: str) -> int:
    return convolutions(net(name)) if name != "drcn" else recurrence.depth(recurrence.drcn(net(name)))


def depth(name: str) -> Number:
    """Number of convolutions on the longest path of a published network."""
    return lambda: _depth(name)


def size(name: str) -> Number:
    """Number of convolution weights of a published network."""
    return lambda: params(net(name))


def gain(identifier: str, *others: str) -> Number:
    """A printed PSNR minus the best of other printed ones, in dB."""
    return lambda: printed(identifier) - max(printed(other) for other in others)


def ratio(numerator: Number, denominator: Number) -> Number:
    """The first number over the second."""
    return lambda: numerator() / denominator()


def angles(transforms: tuple[int, ...]) -> list[int]:
    """The rotations, in degrees, among a recipe's transforms, found by their effect on a square of four pixels."""
    square = torch.arange(4.0)
    plane = PatchSource(square[:, None], *torch.tensor([[0], [2], [0], [0]]), 2)
    squares = plane.crop(torch.zeros(len(transforms), dtype=torch.int64), torch.tensor(transforms))[:, 0]
    square = square.reshape(2, 2)
    return [90 * k for k in (1, 2, 3) if any(torch.equal(torch.rot90(square, k), transformed) for transformed in squares)]


def images(*names: str) -> Number:
    """Number of images of some datasets, by the registry."""
    return lambda: sum(DATASETS[name].count for name in names)
