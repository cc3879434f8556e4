"""Trainings that start from the averaged weights of another: a further cycle of the same network, or of one unrolled further.

A record names all its ancestors; its total training is the sum over them and itself.
"""

import re
from typing import Any

from torch import nn

from srlib.errors import InputError
from srlib.training.checkpoint import Tensors
from srlib.training.recipe import Experiment

UNROLLING = {"drrn": "U", "rlcsc": "K", "dsrn": "T", "dsrn_single_state": "T"}  # the argument that no shared weight depends on
# Names of parameters that each unit or step has for itself, by its number.
PER_UNIT = re.compile(r"((?:.*\.)?(?:norms_[12]|normalise(?:_[lh])?)\.)(\d+)(\..*)")


def ancestors_of(parent: dict[str, Any], experiment: Experiment) -> list[dict[str, Any]]:
    """The ancestors of a training that starts from a record, oldest first.

    Parameters
    ----------
    parent : dict
        Content of the `record.json` of the record.
    experiment : Experiment
        Experiment of the new training.

    Returns
    -------
    list of dict
        For each the name of its experiment, the SHA-256 of its weights, and its own iterations, patches and pixels of patches.

    Raises
    ------
    InputError
        If the record is unfinished, or its network has other weights.
    """
    name = parent["experiment"]
    if parent.get("kind") != "training" or not parent.get("finished"):
        raise InputError(f"{name} is not a finished training, so nothing can start from it: give a finished record's folder.")
    model, arguments = parent["model"], parent["arguments"]
    if model != experiment.model:
        raise InputError(f"{experiment.name} cannot start from {name}: its network is {experiment.model}, not {model}.")
    untied = not experiment.arguments.get("shared", True)  # each unit has weights of its own
    unrolling = None if untied else UNROLLING.get(experiment.model)
    keys = (arguments | experiment.arguments).keys() - {unrolling}
    if differing := sorted(key for key in keys if arguments.get(key) != experiment.arguments.get(key)):
        only = f" Only {unrolling} may differ." if unrolling else ""
        new, old = ({key: x.get(key, "the paper's") for key in differing} for x in (experiment.arguments, arguments))
        raise InputError(f"{experiment.name} cannot start from {name}: it has {new}, the record {old}.{only}")
    patches = parent["iterations_done"] * parent["recipe"]["batch"]
    return [
        *parent.get("ancestors", []),
        {
            "experiment": name,
            "weights_sha256": parent["weights_sha256"],
            "iterations": parent["iterations_done"],
            "patches": patches,
            "pixels": patches * parent["recipe"]["patch"] ** 2,
        },
    ]


def unroll(weights: Tensors, model: nn.Module) -> Tensors:
    """Weights for `model` from those of the same network with more or fewer units: new units get the last normalisation."""
    unrolled = {}
    for name in model.state_dict():
        source = name
        if name not in weights:
            head, number, tail = PER_UNIT.fullmatch(name).groups()
            source = next(earlier for k in reversed(range(int(number))) if (earlier := f"{head}{k}{tail}") in weights)
        unrolled[name] = weights[source]
    return unrolled
