"""Trainings that begin where another one ended: a further cycle of the same network, or of the same weights unrolled further.

Only the averaged weights are handed on, so runs of different days and machines build on each other. A record names all its
ancestors; what it has been trained for is the sum over the line.
"""

import re
from typing import Any

from torch import nn

from srlib.errors import InputError
from srlib.training.checkpoint import Tensors
from srlib.training.recipe import Experiment
from srlib.training.state import TrainingState

UNROLLING = {"drrn": "U", "rlcsc": "K", "dsrn": "T", "dsrn_single_state": "T"}  # the argument that no shared weight depends on
# What each unit or step has of its own, by its number.
OWN = re.compile(r"(?P<head>(?:^|.*\.)(?:norms_1|norms_2|normalise|normalise_l|normalise_h)\.)(?P<number>\d+)(?P<tail>\..*)")


def ancestors_of(parent: dict[str, Any], experiment: Experiment) -> list[dict[str, Any]]:
    """The line of a training that starts from a record, oldest first.

    Parameters
    ----------
    parent : dict
        What `record.json` says of the record.
    experiment : Experiment
        What is to be trained.

    Returns
    -------
    list of dict
        Of each ancestor its experiment, the SHA-256 of its weights, how many iterations and patches it was trained for (without
        its own ancestors) and the pixels of those patches.

    Raises
    ------
    InputError
        If the record is unfinished, or of a network whose weights are not this one's.
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
        here, there = ({key: x.get(key, "the paper's") for key in differing} for x in (experiment.arguments, arguments))
        raise InputError(f"{experiment.name} cannot start from {name}: it has {here}, the record {there}.{only}")
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
    """Give a fresh state the weights of another training; new units take the last unit's normalisation.

    Parameters
    ----------
    state : State
        Before its first iteration; its network and average are overwritten.
    weights : dict of torch.Tensor
        Of a network of the same kind, perhaps unrolled otherwise.
    """
    wanted = unroll(weights, state.model)
    for module in (state.model, state.ema_model):
        module.load_state_dict(wanted)


def unroll(weights: Tensors, model: nn.Module) -> Tensors:
    """Weights for `model` from those of the same network with more or fewer units; in single precision."""
    last: dict[str, int] = {}
    for name in weights:
        if match := OWN.fullmatch(name):
            last[match["head"]] = max(last.get(match["head"], 0), int(match["number"]))
    found = {}
    for name, tensor in model.state_dict().items():
        source = name
        if name not in weights and (match := OWN.fullmatch(name)):
            source = f"{match['head']}{last[match['head']]}{match['tail']}"
        found[name] = weights[source].to(tensor.dtype if tensor.is_floating_point() else weights[source].dtype)
    return found
