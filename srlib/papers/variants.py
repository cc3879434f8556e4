"""Variants of the papers' experiments: narrow forms for a CPU, and a stand-in for DIV2K.

A narrow form has fewer filters, T91 alone, one scale and small batches: `drrn_ns_b3u2_w16` is `drrn_ns_b3u2` with 16 filters.
All that a table or figure compares (depth, recursions, sharing, feedback, residuals) stays; so narrow runs can answer a claim
of order, but never a printed number.

The stand-in has 491 images in place of DIV2K's 800, and smaller: 91 of Yang et al. and 200 + 200 of Berkeley's, none from a
test set of the papers; ten of the last are kept out, to validate. It compares the networks of one table with each other; its
numbers stand beside a published one only with a note of this.
"""

import re
from dataclasses import replace

from srlib.papers import drrn
from srlib.training.recipe import Experiment, Recipe

HAVE_WIDTH = ("drrn", "vdsr", "dsrn", "dsrn_single_state", "drcn")  # networks with an argument `width`
ADAM_LR = {"rlcsc": 4e-3}  # the better of 2e-3 and 4e-3 there; elsewhere it was not searched


def with_adam(recipe: Recipe, lr: float = 2e-3) -> tuple[Recipe, Recipe]:
    """A recipe with Muon, and the recipe `adam` that it is compared with."""
    return recipe, replace(recipe, name="adam", optimiser="adam", lr=lr, adam_lr=0.0)


def _arguments(experiment: Experiment, width: int) -> dict[str, int | bool] | None:
    """The arguments of the same network with about `width` filters; `None` if its width is fixed."""
    model, arguments = experiment.model, experiment.arguments
    if model == "rlcsc":  # m stays in proportion to n = 128
        return arguments | {"n": width, "m": width * arguments.get("m", 256) // 128}
    if model == "drn":  # C = 64, in DRN+ 256; fewer groups and blocks, which no claim is about
        return arguments | {"C": width * arguments.get("C", 64) // 64, "G": 2, "K": 3}
    return arguments | {"width": width} if model in HAVE_WIDTH else None


def narrow(experiment: Experiment, width: int) -> Experiment | None:
    """An experiment with `width` filters in place of the paper's, trained on T91; `None` if its network has but one width."""
    arguments = _arguments(experiment, width)
    if arguments is None or width < 2:
        return None
    paper, fast = experiment.paper, experiment.recipe("fast")
    scale = 3 if 3 in fast.scales else fast.scales[0]
    recipe = replace(fast, adam_lr=2e-3, iterations=12_000, batch=16, scales=(scale,), sizes=(1.0,))
    if paper in ("dsrn", "drn"):  # patches at LR, of which nearly all of T91 holds some
        recipe = replace(recipe, batch=8, patch=24 * scale, stride=8 * scale)
    if paper == "baselines":  # on DRRN's terms
        settings = {key: getattr(drrn.FAST_NARROW, key) for key in ("iterations", "batch", "patch", "stride")}
        recipe = replace(recipe, **settings)
    recipes = drrn.NARROW if paper == "drrn" else with_adam(recipe, ADAM_LR.get(paper, 2e-3))
    if experiment.degradation == "div2k_rgb":
        experiment = replace(experiment, degradation="drrn", protocols=("lapsrn", "drrn"))
    name = f"{experiment.name.removesuffix('_w128')}_w{width}"
    return replace(experiment, name=name, arguments=arguments, data="T91", recipes=recipes)


def parse(name: str, experiments: dict[str, Experiment]) -> Experiment | None:
    """The narrow experiment with a name like `dsrn_t3_x2_w16`; `None` for other names."""
    if experiment := drrn.parse(name):  # any B and U
        return experiment
    match = re.fullmatch(r"(\w+)_w([1-9]\d*)", name)
    if not match:
        return None
    full_size = experiments.get(match[1]) or experiments.get(f"{match[1]}_w128")
    return narrow(full_size, int(match[2])) if full_size else None


STANDIN_DATA = "T91+BSDS200+BSDS500_test"
STANDIN_SUFFIX = "_standin"


def standin(experiment: Experiment) -> Experiment:
    """The experiment with the same network and recipes on the stand-in's images."""
    return replace(experiment, name=experiment.name + STANDIN_SUFFIX, data=STANDIN_DATA)
