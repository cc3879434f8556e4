"""Experiment and Recipe: what is trained and how, as plain frozen data.

The experiments of a paper are declared in `srlib.papers.<paper>`, readable beside its section on training.
"""

import math
from dataclasses import dataclass, field

from torch import nn

from srlib.errors import InputError
from srlib.models import make_model


@dataclass(frozen=True)
class Recipe:
    """How a model is trained. `budget` scales the iterations and every milestone, nothing else."""

    name: str
    optimiser: str  # 'sgd' (with momentum) or 'adam'
    lr: float
    iterations: int
    batch: int
    patch: int
    stride: int
    scales: tuple[int, ...]
    halve_every: int = 0  # iterations; 0: cosine to zero after the warm-up
    warmup: float = 0.0  # fraction of the iterations in which the rate rises linearly
    momentum: float = 0.9
    weight_decay: float = 0.0
    bias_lr: float = 1.0  # factor on the rate of convolution biases
    clip: float = 0.0  # largest gradient norm; 0: none
    clip_over_lr: bool = False  # VDSR's adjustable clipping: the norm is limited to clip / rate
    ema: float = 0.0  # decay of the moving average of the weights; 0: none
    bn_momentum: float | None = None  # replaces the model's
    last_gain: float = 1.0  # factor on the initial weights of the last convolution

    def rate(self, iteration: int, total: int) -> float:
        """Learning rate of one iteration (from 0) in a run of `total`."""
        if self.halve_every:
            return self.lr * 0.5 ** (iteration * self.iterations // (total * self.halve_every))
        warmup = self.warmup * total
        if iteration < warmup:
            return self.lr * (iteration + 1) / (warmup + 1)
        return self.lr * 0.5 * (1 + math.cos(math.pi * (iteration - warmup) / (total - warmup)))


@dataclass(frozen=True)
class Experiment:
    """A model, its data and its recipes, under one name."""

    name: str
    paper: str
    model: str  # a key of ARCHITECTURES
    arguments: dict[str, int] = field(default_factory=dict)
    data: str = "T291"
    recipes: tuple[Recipe, ...] = ()

    def make(self) -> nn.Module:
        """The untrained model."""
        return make_model(self.model, self.arguments)

    def recipe(self, name: str) -> Recipe:
        """The recipe called `name`, or an `InputError` that lists them."""
        for recipe in self.recipes:
            if recipe.name == name:
                return recipe
        names = ", ".join(recipe.name for recipe in self.recipes)
        raise InputError(f"{self.name} has no recipe {name!r}: choose one of {names}.")
