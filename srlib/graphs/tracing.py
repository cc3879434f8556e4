"""The structure of a network, read off one forward pass: found instead of typed.

`trace` runs a model on a small image and notes every operation on the way, with the values it takes and the weight tensor it
uses.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from srlib.errors import InputError
from srlib.graphs.structure import Operation, Structure

# torch's name of a function to what it is here
KINDS = {"conv2d": "convolution", "conv_transpose2d": "convolution", "linear": "convolution", "batch_norm": "normalisation"}
KINDS |= dict.fromkeys(("relu", "elu", "prelu"), "activation")
KINDS |= dict.fromkeys(("sign", "abs", "sub", "mul", "div"), "arithmetic")
KINDS |= {"add": "addition", "cat": "concatenation", "getitem": "slice", "pixel_shuffle": "shuffle", "pad": "padding"}


class _Recorder(TorchFunctionMode):
    """Notes each function that is called on a value that comes from the input."""

    def __init__(self, model: nn.Module, images: tuple[torch.Tensor, ...]) -> None:
        super().__init__()
        self.names = {id(p): name for name, p in model.named_parameters()}
        self.modules = [""]  # the path of the module that runs, and of those around it
        self.operations = [Operation("input", channels=image.shape[1]) for image in images]
        self.made = {id(image): i for i, image in enumerate(images)}  # a tensor changed in place is made anew
        self.alive: list[torch.Tensor] = []  # so that no id is given twice

    def __torch_function__(self, function: Callable, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        result = function(*args, **(kwargs or {}))
        taken = [t for a in (*args, *(kwargs or {}).values()) for t in (a if isinstance(a, (list, tuple)) else [a])]
        inputs = tuple(self.made[id(t)] for t in taken if id(t) in self.made)
        name = function.__name__.strip("_")
        if not isinstance(result, torch.Tensor) or not inputs or name == "zeros_like":
            return result
        if name not in KINDS:
            raise InputError(f"The function {name!r} has no kind yet: add it to KINDS.")
        self.alive.append(result)
        kind, tensors = KINDS[name], [t for t in taken if id(t) in self.names]
        if kind == "addition" and len(inputs) == 1 and not tensors:
            self.made[id(result)] = inputs[0]  # to zero, from which a sum starts
            return result
        weight = self.names[id(tensors[0])] if tensors else ""
        kernel = (tensors[0].shape[-1] if name != "linear" else 1) if kind == "convolution" else 0
        channels = result.shape[1] if result.ndim > 1 else 1
        self.made[id(result)] = len(self.operations)
        self.operations.append(Operation(kind, inputs, channels, name, weight, kernel, self.modules[-1]))
        return result


def _sums(operations: list[Operation]) -> list[Operation]:
    """A sum of weighted terms, which is built one by one, as one addition of all."""
    summed = list(operations)
    for i, operation in enumerate(operations):
        if operation.kind == "addition":
            terms = [t for j in operation.inputs for t in (summed[j].inputs if operations[j].kind == "addition" else (j,))]
            if all(operations[t].kind == "arithmetic" for t in terms):
                summed[i] = replace(operation, inputs=tuple(terms))
    return summed


def trace(model: nn.Module, *images: torch.Tensor) -> Structure:
    """Run a model once and note what it does.

    Parameters
    ----------
    model : nn.Module
        It is run as for scoring, and not changed.
    images : torch.Tensor
        What it takes, `(N, C, H, W)`; a few pixels will do.

    Returns
    -------
    Structure
        Every operation between the inputs and the output.

    Raises
    ------
    InputError
        If the model calls a function that `KINDS` does not list.
    """
    recorder, training = _Recorder(model, images), model.training
    hooks = []
    for path, module in model.named_modules():
        hooks += [
            module.register_forward_pre_hook(lambda *_, path=path: recorder.modules.append(path)),
            module.register_forward_hook(lambda *_: (recorder.modules.pop(), None)[1]),
        ]
    try:
        with torch.no_grad(), recorder:
            result = model.eval()(*images)
    finally:
        for hook in hooks:
            hook.remove()
        model.train(training)
    whole = Structure(tuple(_sums(recorder.operations)))
    return whole.with_output(recorder.made[id(result)])
