"""The training state: everything that changes from one iteration to the next, and the file that holds all of it.

With the recipe and the seed it decides every later iteration, so a run that is stopped and resumed ends in the same bits.
"""

import copy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from srlib.errors import InputError
from srlib.training.checkpoint import Tensors, load_tensors, save_tensors
from srlib.training.muon import Muon, inner_convolutions
from srlib.training.recipe import Experiment, Recipe

ADAM = {"betas": (0.9, 0.999), "eps": 1e-8}  # torch's own, as DRN prints them


@dataclass
class TrainingState:
    """The models, the optimisers, and all else that changes from one iteration to the next."""

    model: nn.Module
    ema_model: nn.Module  # moving average of the weights, which is validated and saved
    optimiser: torch.optim.Optimizer
    muon: Muon | None = None  # optimiser of the inner convolutions, in place of `optimiser`
    iteration: int = 0
    curve: list[dict[str, float]] = field(default_factory=list)
    sessions: list[dict[str, Any]] = field(default_factory=list)  # device, seconds and last iteration of each process


def start(experiment: Experiment, recipe: Recipe, seed: int, device: str) -> TrainingState:
    """The state before the first iteration; a function of the seed alone."""
    torch.manual_seed(seed)
    model = experiment.make()
    with torch.no_grad():
        model.reconstruction.weight *= recipe.last_gain
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d) and recipe.bn_momentum is not None:
            module.momentum = recipe.bn_momentum
    if recipe.first_shift:  # of the normalisation of the input image, the first layer of DRRN and of its VDSR
        norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d) and m.num_features == model.channels]
        if not norms:
            name = type(model).__name__
            raise InputError(f"{name} does not normalise its input, so a first_shift has nothing to shift: leave it 0.")
        nn.init.constant_(norms[0].bias, recipe.first_shift)
    model = model.to(device, memory_format=torch.channels_last).train()
    ema_model = copy.deepcopy(model).eval().requires_grad_(False)
    muon = Muon(inner_convolutions(model)) if recipe.optimiser == "muon" else None
    inner = {id(p) for p in muon.weights} if muon else set()
    biases = {id(m.bias) for m in model.modules() if isinstance(m, nn.Conv2d) and m.bias is not None}
    factor = recipe.adam_lr / recipe.lr if muon else 1.0
    groups = [
        {"params": [p for p in model.parameters() if id(p) not in inner | biases], "factor": factor},
        {"params": [p for p in model.parameters() if id(p) in biases], "factor": factor * recipe.bias_lr},
    ]
    for group in groups:  # a tensor, which the step fills on the device
        group["lr"] = torch.tensor(recipe.lr, device=device)
    if recipe.optimiser == "sgd":
        optimiser = torch.optim.SGD(groups, momentum=recipe.momentum, weight_decay=recipe.weight_decay, fused=True)
    else:
        graph = device == "cuda"
        optimiser = torch.optim.AdamW(groups, weight_decay=recipe.weight_decay, fused=True, capturable=graph, **ADAM)
    return TrainingState(model, ema_model, optimiser, muon)


def is_finite(state: TrainingState) -> bool:
    """Whether no weight, statistic or average is NaN or infinite."""
    return all(bool(torch.isfinite(t).all()) for m in (state.model, state.ema_model) for t in m.state_dict().values())


def save(state: TrainingState, path: Path, config: dict[str, Any]) -> None:
    """Write a checkpoint with the full state, atomically."""
    tensors: Tensors = {f"model.{name}": t for name, t in state.model.state_dict().items()}
    tensors |= {f"average.{name}": t for name, t in state.ema_model.state_dict().items()}
    for name, optimiser in _optimisers(state).items():
        for index, slots in optimiser.state_dict()["state"].items():
            tensors |= {f"{name}.{index}.{slot}": torch.as_tensor(value) for slot, value in slots.items() if value is not None}
    metadata = {"config": config, "iteration": state.iteration, "curve": state.curve, "sessions": state.sessions}
    save_tensors(path, tensors, metadata)


def restore(state: TrainingState, path: Path, config: dict[str, Any]) -> None:
    """Read a checkpoint into `state`; an `InputError` names one that is damaged or of another configuration."""
    tensors, metadata = load_tensors(path)
    old_config = metadata.get("config", {})
    differing = [key for key in config | old_config if old_config.get(key) != config.get(key)]
    if differing:
        old, new = (c.get(differing[0]) for c in (old_config, config))
        raise InputError(f"{path} belongs to another run ({differing[0]} was {old}, now {new}): choose another folder.")
    for prefix, module in (("model.", state.model), ("average.", state.ema_model)):
        module.load_state_dict({name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)})
    for prefix, optimiser in _optimisers(state).items():
        slots: dict[int, Tensors] = {}
        weights = [p for group in optimiser.param_groups for p in group["params"]]
        for name, tensor in tensors.items():
            if name.startswith(f"{prefix}."):
                _, index, slot = name.split(".")
                weight = weights[int(index)]
                if tensor.shape == weight.shape:  # a fused optimiser goes through memory: the layout must be the weight's
                    tensor = torch.empty_like(weight, requires_grad=False).copy_(tensor)
                slots.setdefault(int(index), {})[slot] = tensor
        optimiser.load_state_dict({"state": slots, "param_groups": optimiser.state_dict()["param_groups"]})
    state.iteration, state.curve, state.sessions = (metadata[key] for key in ("iteration", "curve", "sessions"))


def _optimisers(state: TrainingState) -> dict[str, torch.optim.Optimizer]:
    return {"optimiser": state.optimiser} | ({"muon": state.muon.optimiser} if state.muon else {})
