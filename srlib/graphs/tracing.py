"""The structure of a network, recorded in one forward pass.

`trace` runs a model on a small image and records every operation with its inputs and its weight tensor.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode
from torch.utils.module_tracker import ModuleTracker

from srlib.errors import InputError
from srlib.graphs.structure import Operation, Structure

# torch's name of a function to the kind of its `Operation`
KINDS = {"conv2d": "convolution", "conv_transpose2d": "convolution", "linear": "convolution", "batch_norm": "normalisation"}
KINDS |= dict.fromkeys(("relu", "elu", "prelu"), "activation")
KINDS |= dict.fromkeys(("sign", "abs", "sub", "mul", "div"), "arithmetic")
KINDS |= {"add": "addition", "cat": "concatenation", "getitem": "slice", "pixel_shuffle": "shuffle", "pad": "padding"}


class _Recorder(TorchFunctionMode):
    """Records each function that is called on a value that depends on the input."""

    def __init__(self, model: nn.Module, images: tuple[torch.Tensor, ...]) -> None:
        super().__init__()
        self.names = {id(p): name for name, p in model.named_parameters()}
        self.tracker = ModuleTracker()  # knows the running modules
        self.operations = [Operation("input", channels=image.shape[1]) for image in images]
        self.numbers = {id(image): i for i, image in enumerate(images)}  # of a tensor changed in place, the last operation
        self.alive: list[torch.Tensor] = []  # so that no id is used twice

    def __torch_function__(self, function: Callable, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        result = function(*args, **(kwargs or {}))
        values = [t for a in (*args, *(kwargs or {}).values()) for t in (a if isinstance(a, (list, tuple)) else [a])]
        inputs = tuple(self.numbers[id(t)] for t in values if id(t) in self.numbers)
        name = function.__name__.strip("_")
        if not isinstance(result, torch.Tensor) or not inputs or name == "zeros_like":
            return result
        if name not in KINDS:
            raise InputError(f"The function {name!r} has no kind yet: add it to KINDS.")
        self.alive.append(result)
        kind, tensors = KINDS[name], [t for t in values if id(t) in self.names]
        if kind == "addition" and len(inputs) == 1 and not tensors:
            self.numbers[id(result)] = inputs[0]  # the first term of a sum, added to zero
            return result
        if kind == "addition":  # weighted terms that the model adds one by one are one sum of all terms
            sums = [self.operations[i].inputs if self.operations[i].kind == "addition" else (i,) for i in inputs]
            terms = tuple(term for inner in sums for term in inner)
            inputs = terms if all(self.operations[term].kind == "arithmetic" for term in terms) else inputs
        weight = self.names[id(tensors[0])] if tensors else ""
        kernel = (tensors[0].shape[-1] if name != "linear" else 1) if kind == "convolution" else 0
        channels = result.shape[1] if result.ndim > 1 else 1
        self.numbers[id(result)] = len(self.operations)
        module = max(self.tracker.parents, key=lambda path: path.count("."))  # the innermost, such as DRN.groups.0
        self.operations.append(Operation(kind, inputs, channels, name, weight, kernel, module.partition(".")[2]))
        return result


def trace(model: nn.Module, *images: torch.Tensor) -> Structure:
    """The structure of a model, from one forward pass in `eval` mode.

    Parameters
    ----------
    model : nn.Module
        The model, which is not changed.
    images : torch.Tensor
        Its inputs, `(N, C, H, W)`; a few pixels are enough.

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
    try:
        with torch.no_grad(), recorder.tracker, recorder:
            result = model.eval()(*images)
    finally:
        model.train(training)
    return Structure(tuple(recorder.operations)).with_output(recorder.numbers[id(result)])
