"""What the papers claim, as data, and the experiments that regenerate it.

`<paper>.csv` holds every number as printed, with its place in the paper; `<paper>.py` the experiments; `checks/` the numbers
that need no training; `orderings.py` the pairs that decide claims of order; `items.csv` every table and figure with its page;
`choices.csv` what a paper leaves open; `contradictions.csv` what cannot be right; `replications.csv` what others measured.
"""

import re
from dataclasses import replace
from difflib import get_close_matches

from srlib.errors import InputError
from srlib.papers import baselines, drn, drrn, dsrn, rlcsc
from srlib.papers.published import PAPERS, TITLES, Claim, claim, claims, printed
from srlib.papers.variants import parse
from srlib.training.recipe import Experiment, Recipe

__all__ = [
    "EXPERIMENTS",
    "HEADLINE",
    "PAPERS",
    "TITLES",
    "TOLERANCES",
    "Claim",
    "claim",
    "claims",
    "full_size_name",
    "get_experiment",
    "printed",
    "published_run",
    "width_of",
]

EXPERIMENTS: dict[str, Experiment] = {
    experiment.name: experiment for module in (drrn, dsrn, rlcsc, drn, baselines) for experiment in module.EXPERIMENTS
}
TOLERANCES = {"psnr": 0.05, "ssim": 0.001, "ifc": 0.02}  # dB, 1, bits per pixel
# The networks that the papers put forward: more than the printed score is no failure of theirs. All else is two-sided.
HEADLINE = frozenset(
    ["drrn_b1u9", "drrn_b1u25", "rlcsc_k25", "rlcsc_k48"]
    + [f"{name}_x{scale}" for name in ("dsrn_t7", "dsrn_div2k", "drn", "drn_plus") for scale in (2, 3, 4)]
)
_LARGEST = {"drrn": "drrn_b1u25", "dsrn": "dsrn_t7_x3", "rlcsc": "rlcsc_k48", "drn": "drn_plus_x3"}


def width_of(name: str) -> str:
    """The number of filters at the end of a narrow form's name; empty for a network of the paper's size."""
    match = re.search(r"_w(\d+)$", name.removesuffix("_w128"))
    return match[1] if match else ""


def full_size_name(name: str) -> str:
    """The name of the paper's experiment of which `name` is a narrow form, or `name` itself if it is none."""
    base = name.removesuffix(f"_w{width_of(name)}")
    if f"{base}_w128" in EXPERIMENTS:
        return f"{base}_w128"
    return base if base in EXPERIMENTS or drrn.parse(base) or re.search(r"_(epoch|iteration)\d+$", base) else name


def published_run(name: str) -> Recipe:
    """The published training of a network, narrow forms included: the whole of which `training_fraction` is a part.

    For a network of ours that is not the paper's it is the training of the paper's largest network. For a baseline, for which
    no paper here gives a recipe, it is our `fast` recipe.
    """
    if (match := re.search(r"_epoch(\d+)", name)) and full_size_name(name) not in EXPERIMENTS:  # an epoch of a longer run
        recipe = published_run(name.replace(match[0], ""))
        return replace(recipe, iterations=recipe.iterations * int(match[1]) // recipe.epochs) if recipe.epochs else recipe
    experiment = get_experiment(full_size_name(name))
    recipes = {recipe.name: recipe for recipe in experiment.recipes}
    if "published" not in recipes and experiment.paper in _LARGEST:
        return EXPERIMENTS[_LARGEST[experiment.paper]].recipe("published")
    return recipes.get("published") or recipes["fast"]


def get_experiment(name: str) -> Experiment:
    """The experiment called `name`, a narrow one such as `drrn_b1u3_w16` included, or an `InputError` that lists them."""
    if name in EXPERIMENTS:
        return EXPERIMENTS[name]
    if experiment := parse(name, EXPERIMENTS):
        return experiment
    if match := re.fullmatch(r"(\w+)_(?:epoch|iteration)\d+(_w\d+)?", name):  # a snapshot: see `train --keep`
        return replace(get_experiment(match[1] + (match[2] or "")), name=name)
    near = " or ".join(get_close_matches(name, EXPERIMENTS, 3, cutoff=0.5))
    hint = f"do you mean {near}? " if near else ""
    raise InputError(
        f"Experiment {name!r} is unknown: {hint}`python -m srlib list` names all; of your own, say, drrn_b1u3_w16."
    )
