"""Muon on convolutions: each update is the momentum, orthogonalised, so that all directions of a weight move equally far.

K. Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024. The Newton-Schulz iterations are those of
`torch.optim.Muon`, which takes matrices: a convolution is seen as a matrix of outputs x (inputs x filter). AdamW trains first
and last layers, biases, normalisation and PReLUs, as the authors advise.

A recursive network applies few and small matrices many times, so orthogonalising them costs next to nothing.
"""

import torch
from torch import nn

from srlib.errors import InputError
from srlib.models import CONVOLUTIONS

MOMENTUM = 0.95  # Nesterov's, `torch.optim.Muon`'s own


def inner_convolutions(model: nn.Module) -> list[nn.Parameter]:
    """Weights of all convolutions but the first and the last ones; an `InputError` if there are no others."""
    convs = [m for m in model.modules() if isinstance(m, CONVOLUTIONS)]
    inner = [m.weight for m in convs if m is not model.reconstruction and m.in_channels != model.channels]
    if not inner:
        name = type(model).__name__
        raise InputError(f"{name} has no convolution between first and last for Muon: choose another recipe, such as adam.")
    return inner


class Muon:
    """An optimiser of convolutions: the spectral norm of each update is the learning rate.

    Parameters
    ----------
    weights : list of torch.nn.Parameter
        `(outputs, inputs, height, width)` each.

    Notes
    -----
    Newton-Schulz leaves singular values between about 0.7 and 1.2. `torch.optim.Muon` steps matrices that are zero before each
    step, so that what it leaves in them is the update; the learning rate, a tensor on the device, is applied here, and a GPU
    can replay the step as part of a graph.
    """

    def __init__(self, weights: list[nn.Parameter]) -> None:
        self.weights, self.matrices = weights, [_matrix(w.detach()) for w in weights]
        if any(m.data_ptr() != w.data_ptr() for m, w in zip(self.matrices, weights, strict=True)):
            raise ValueError("Muon updates weights in place: give them in channels-last memory.")
        self.updates = [nn.Parameter(torch.zeros_like(m)) for m in self.matrices]
        self.optimiser = torch.optim.Muon(self.updates, lr=1.0, weight_decay=0.0, momentum=MOMENTUM)

    @torch.no_grad()
    def step(self, lr: torch.Tensor) -> None:
        """Update the weights by their gradients; `lr` is a scalar on their device."""
        for weight, update in zip(self.weights, self.updates, strict=True):
            # autograd gives a gradient its weight's layout; a weight that was not used has no gradient, and stays
            update.grad = None if weight.grad is None else _matrix(weight.grad)
        self.optimiser.step()
        torch._foreach_mul_(self.updates, lr)
        torch._foreach_add_(self.matrices, self.updates)
        torch._foreach_zero_(self.updates)


def _matrix(weight: torch.Tensor) -> torch.Tensor:
    """A channels-last weight as a matrix, wide rather than tall: `torch.optim.Muon` takes larger steps for tall ones."""
    matrix = weight.permute(0, 2, 3, 1).flatten(1)
    return matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
