"""The networks that all four papers compare with, trained on the same images: SRCNN (both versions), VDSR and DRCN.

The papers quote their numbers, and so do we: there is no `published` recipe, only a `fast` and a `core` one like the others',
to compare on equal terms (all three scales in one model, too). Patches, and the batch of `fast`, are their authors'; all else
is ours.
"""

from dataclasses import replace

from srlib import models
from srlib.papers import drrn
from srlib.training.recipe import Experiment, Recipe

VDSR = Recipe(
    "fast",
    optimiser="muon",
    lr=0.02,
    adam_lr=1e-3,
    iterations=0,  # as many pixels as DRRN: see `_as_long_as`
    batch=64,
    patch=41,  # its receptive field, without overlap
    stride=41,
    scales=(2, 3, 4),
    warmup=0.02,
    clip=10.0,
    ema=0.999,
    last_gain=0.01,  # the network starts at bicubic interpolation
)
SRCNN = replace(
    VDSR,
    optimiser="adam",
    lr=1e-3,
    adam_lr=0.0,
    batch=128,
    patch=33,
    stride=21,  # its authors take 14; a mixture of scales needs fewer
    last_gain=1.0,  # no residual, and its weights are drawn small
)
# DRCN weighs its sixteen intermediate predictions high at first and only the average of them at the end.
DRCN = replace(VDSR, supervision=1.0)


def _as_long_as(other: Recipe, recipe: Recipe) -> Recipe:
    """The recipe with as many pixels of patches as `other`, to compare at equal length."""
    return replace(recipe, iterations=round(other.iterations * other.batch * other.patch**2 / (recipe.batch * recipe.patch**2)))


def _experiment(name: str, recipe: Recipe) -> Experiment:
    architecture, arguments = models.PUBLISHED[name]
    core = replace(recipe, name="core", batch=16)  # the same for one processor core
    recipes = (_as_long_as(drrn.FAST, recipe), _as_long_as(drrn.CORE, core))
    return Experiment(name, "baselines", architecture, arguments, "T291", recipes)


EXPERIMENTS = (
    _experiment("srcnn_955", SRCNN),  # the one that the papers quote
    _experiment("srcnn_915", SRCNN),
    _experiment("vdsr", VDSR),
    _experiment("drcn", DRCN),
)
