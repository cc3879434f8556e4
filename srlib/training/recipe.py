"""`Experiment` and `Recipe`: a model with its data, and the settings of its training, as frozen dataclasses.

The experiments of a paper are in `srlib.papers.<paper>`, to be read beside its section on training.
"""

import math
import re
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import Any

from torch import nn

from srlib.errors import InputError
from srlib.models import macs_per_pixel, make_model

# The symmetries of the square as bits: 1 and 2 mirror rows and columns, 4 exchanges them; 0, 3, 5 and 6 are the rotations.
ROTATIONS = (0, 3, 5, 6)
REFLECTIONS = (1, 2, 4, 7)
# Recipes whose scores are compared with printed numbers ('' of methods without training); the others are trials.
EVIDENCE = ("published", "fast", "core", "")


@dataclass(frozen=True)
class Recipe:
    """The settings of a training. A `budget` scales the iterations and every milestone, nothing else."""

    name: str
    optimiser: str  # 'sgd' (with momentum), 'adam' or 'muon' (see `srlib.training.muon`)
    lr: float  # largest learning rate; of 'muon', the spectral norm of an update of an inner convolution
    iterations: int
    batch: int
    patch: int  # side in HR pixels, a multiple of the scale for a network at low resolution
    stride: int  # between patches, in HR pixels, likewise
    scales: tuple[int, ...]
    decay: float = 0.5  # factor on the learning rate at each milestone
    decay_every: int = 0  # iterations between milestones; 0: cosine to zero after the warm-up
    warmup: float = 0.0  # fraction of the iterations in which the learning rate rises linearly
    momentum: float = 0.9
    weight_decay: float = 0.0
    bias_lr: float = 1.0  # factor on the learning rate of convolution biases
    adam_lr: float = 0.0  # with 'muon': largest learning rate of AdamW, which trains all but the inner convolutions
    clip: float = 0.0  # largest gradient; 0: none
    clip_by: str = "norm"  # of all gradients together, or 'value': of each element
    clip_over_lr: bool = False  # VDSR's adjustable clipping: the limit is clip / lr
    loss: str = "squared"  # or 'absolute' differences
    loss_factor: float = 0.5
    pixel_mean: bool = False  # whether the loss is a mean over pixels, or their sum; it is a mean over patches in any case
    supervision: float = 0.0  # initial weight of the intermediate predictions in the loss, which falls to zero linearly (DRCN)
    sizes: tuple[float, ...] = (1.0,)  # factors by which every training image is resized
    transforms: tuple[int, ...] = ROTATIONS + REFLECTIONS  # symmetries of the square, drawn uniformly from this list
    ema: float = 0.0  # decay of the moving average of the weights; 0: none
    bn_momentum: float | None = None  # of batch normalisation, in place of the model's
    last_gain: float = 1.0  # factor on the initial weights of the last convolution
    epochs: int = 0  # of the paper's run, if the paper counts in epochs
    first_shift: float = 0.0  # initial beta of the normalisation of the input image (see `srlib.models.drrn`)

    def lr_at(self, iteration: int, total: int) -> float:
        """Learning rate of one iteration (from 0) in a run of `total`."""
        if self.decay_every:
            return self.lr * self.decay ** (iteration * self.iterations // (total * self.decay_every))
        warmup = self.warmup * total
        if iteration < warmup:
            return self.lr * (iteration + 1) / (warmup + 1)
        return self.lr * 0.5 * (1 + math.cos(math.pi * (iteration - warmup) / (total - warmup)))


def snapshot_name(name: str, label: str) -> str:
    """Name of an experiment's weights at an epoch or iteration: `rlcsc_k25_epoch5`, or narrow, `rlcsc_k25_epoch5_w16`."""
    return re.sub(r"(_w\d+)?$", rf"_{label}\1", name, count=1)


@dataclass(frozen=True)
class Experiment:
    """A model, its data and its recipes, under one name."""

    name: str
    paper: str
    model: str  # a key of ARCHITECTURES
    arguments: dict[str, int | bool] = field(default_factory=dict)
    data: str = "T291"
    recipes: tuple[Recipe, ...] = ()
    degradation: str = "drrn"  # the protocol that makes its training pairs
    protocols: tuple[str, ...] = ("drrn",)  # those in which it is scored

    def make(self) -> nn.Module:
        """The untrained model."""
        return make_model(self.model, self.arguments)

    def recipe(self, name: str) -> Recipe:
        """The recipe called `name`, or an `InputError` that lists them."""
        recipes = {recipe.name: recipe for recipe in self.recipes}
        if name not in recipes:
            raise InputError(f"{self.name} has no recipe {name!r}: choose one of {', '.join(recipes)}.")
        return recipes[name]


def operations(experiment: Experiment, recipe: Recipe, iterations: float) -> float:
    """Floating-point operations of a training: six for each multiplication of the forward pass.

    The backward pass counts as two forward passes, and a multiplication with its addition as two operations.
    """
    macs = _macs_per_pixel(experiment.model, tuple(experiment.arguments.items()), recipe.scales[0])
    return 6 * macs * recipe.patch**2 * recipe.batch * iterations


@lru_cache(None)
def _macs_per_pixel(model: str, arguments: tuple[tuple[str, Any], ...], scale: int) -> float:
    return macs_per_pixel(partial(make_model, model, dict(arguments)), scale)
