"""Trainings that start from the weights of another: a further cycle of the same network, or of its weights unrolled further.

Only the averaged weights are passed on, so runs of different days and machines build on each other. A record names all its
ancestors; its total training is the sum over them and itself.
"""

import re
from typing import Any

from torch import nn

from srlib.errors import InputError
from srlib.training.checkpoint import Tensors
from srlib.training.recipe import Experiment
from srlib.training.state import TrainingState

UNROLLING = {"drrn": "U", "rlcsc": "K", "dsrn": "T", "dsrn_single_state": "T"}  # the argument that no shared weight depends on
# Names of parameters that each unit or step has for itself, by its number.
PER_UNIT = re.compile(r"(?P<head>(?:^|.*\.)(?:norms_[12]|normalise(?:_[lh])?)\.)(?P<number>\d+)(?P<tail>\..*)")


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
        For each ancestor the name of its experiment, the SHA-256 of its weights, and its numbers of iterations, patches and
        pixels of those patches, without those of its own ancestors.

    Raises
    ------
    InputError
        If the record is unfinished, or its network has other weights.
    """
    name = parent["experiment"]
    if parent.get("kind") != "training" or not parent.get("finished"):
        raise InputError(f"{name} is not a finished training, so nothing can start from it: give a finished record's folder.")
    model, arguments = parent["model"], parent["arguments"]
    unrolling = UNROLLING.get(experiment.model)
    if model != experiment.model:
        raise InputError(f"{experiment.name} cannot start from {name}: its network is {experiment.model}, not {model}.")
    keys = (arguments | experiment.arguments).keys() - {unrolling}
    differing = sorted(key for key in keys if arguments.get(key) != experiment.arguments.get(key))
    untied = not experiment.arguments.get("shared", True)  # each unit has weights of its own
    if untied and arguments != experiment.arguments:
        differing = differing or [str(unrolling)]
    if differing:
        only = f" Only {unrolling} may differ." if unrolling and not untied else ""
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


def begin_from(state: TrainingState, weights: Tensors) -> None:
    """Set the weights of a new state to those of another training; new units get the last unit's normalisation.

    Parameters
    ----------
    state : TrainingState
        Before its first iteration; the weights of its two models are overwritten.
    weights : dict of torch.Tensor
        Of a network of the same kind, with the same or another number of units.
    """
    weights = unroll(weights, state.model)
    for module in (state.model, state.ema_model):
        module.load_state_dict(weights)


def unroll(weights: Tensors, model: nn.Module) -> Tensors:
    """Weights for `model` from those of the same network with more or fewer units, in the model's precision."""
    last: dict[str, int] = {}
    for name in weights:
        if match := PER_UNIT.fullmatch(name):
            last[match["head"]] = max(last.get(match["head"], 0), int(match["number"]))
    unrolled = {}
    for name, tensor in model.state_dict().items():
        source = name
        if name not in weights and (match := PER_UNIT.fullmatch(name)):
            source = f"{match['head']}{last[match['head']]}{match['tail']}"
        unrolled[name] = weights[source].to(tensor.dtype if tensor.is_floating_point() else weights[source].dtype)
    return unrolled
