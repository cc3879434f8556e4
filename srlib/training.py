"""Training: one plain loop that can be stopped and resumed anywhere, bit for bit on the CPU.

The loop is the simple, right core: `Patches.batch` -> loss (Eq. 10 of DRRN) -> clip -> step -> moving average. Its whole state
is in one checkpoint, and nothing else decides what the next iteration does.
"""

import copy
import math
import platform
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn
from tqdm import tqdm

from srlib.checkpoint import Tensors, load_tensors, save_tensors, write_atomically
from srlib.datasets import ImageSet, at_hand, open_images
from srlib.errors import InputError
from srlib.experiment import Experiment, Recipe
from srlib.inference import as_method
from srlib.patches import Patches, make_patches
from srlib.protocol import PROTOCOLS

VALIDATION = "BSDS500_test"  # disjoint from every training and test set
VALIDATIONS = 12  # points of a curve
SAVE_EVERY = 60  # seconds between checkpoints


@dataclass
class State:
    """Everything that changes from one iteration to the next."""

    model: nn.Module
    average: nn.Module  # moving average of the weights: what is validated and kept
    optimiser: torch.optim.Optimizer
    iteration: int = 0
    seconds: float = 0.0
    curve: list[dict[str, float]] = field(default_factory=list)


def train(
    experiment: Experiment,
    folder: str | Path,
    *,
    recipe: str = "fast",
    seed: int = 0,
    budget: float = 1.0,
    data: str | None = None,
    device: str = "auto",
    precision: str = "fp32",
    minutes: float | None = None,
    progress: bool = True,
) -> dict[str, Any]:
    """Train, or go on training, until the budget or the minutes are spent.

    Parameters
    ----------
    experiment : Experiment
        What to train.
    folder : path
        Receives `checkpoint.safetensors`, `curve.csv` and `weights.safetensors`; a checkpoint found there is resumed.
    recipe : str
        Name of one of the experiment's recipes.
    seed : int
        Of the initial weights, the order of the patches and their augmentation.
    budget : float
        Fraction of the recipe's iterations, above 0.
    data : str, optional
        Dataset or folder instead of the experiment's.
    device : str
        'cpu', 'cuda' or 'auto'.
    precision : {'fp32', 'bf16'}
        Of the convolutions; weights, normalisation statistics and loss stay in fp32.
    minutes : float, optional
        Stop cleanly after so long, with everything saved.
    progress : bool
        Show a progress bar with the time left.

    Returns
    -------
    dict
        What a record keeps: configuration, iterations done, seconds, hashes, hardware; `finished` tells whether the budget is
        spent.
    """
    if not budget > 0:
        raise InputError(f"budget {budget} is not above 0: give a fraction of the recipe's iterations, such as 0.01.")
    if precision not in ("fp32", "bf16"):
        raise InputError(f"precision {precision!r} is unknown: choose fp32 or bf16.")
    device = choose_device(device)
    how, folder = experiment.recipe(recipe), Path(folder)
    total = max(1, round(budget * how.iterations))
    images = open_images(data or experiment.data)
    config = {
        "experiment": experiment.name,
        "model": experiment.model,
        "arguments": experiment.arguments,
        "recipe": asdict(how) | {"scales": list(how.scales)},
        "seed": seed,
        "budget": budget,
        "iterations": total,
        "data": images.name,
        "data_sha256": images.digest(),
        "precision": precision,
    }
    state = start(experiment, how, seed, device)
    checkpoint = folder / "checkpoint.safetensors"
    if checkpoint.exists():
        restore(state, checkpoint, config)
    patches = make_patches(images, how.scales, how.patch, how.stride, device)
    validate = validation(3 if 3 in how.scales else how.scales[0])
    autocast = torch.autocast(device, torch.bfloat16) if precision == "bf16" else nullcontext()
    began, saved, before = time.monotonic(), time.monotonic(), state.seconds
    often = 0.1 if sys.stderr.isatty() else 10  # seconds: a log keeps every line
    with tqdm(
        total=total, initial=state.iteration, desc=experiment.name, unit="it", disable=not progress, mininterval=often
    ) as bar:
        while state.iteration < total:
            loss = step(state, patches, how, total, seed, autocast)
            bar.update()
            now = time.monotonic()
            state.seconds = before + now - began
            last = state.iteration == total or (minutes is not None and now - began > 60 * minutes)
            point_due = last or state.iteration % max(1, total // VALIDATIONS) == 0
            save_due = last or now - saved > SAVE_EVERY
            if not (point_due or save_due):
                continue
            if not math.isfinite(value := loss.item()):
                good = f"is {checkpoint}" if checkpoint.exists() else "was not written yet"
                raise InputError(
                    f"{experiment.name} diverged: the loss of iteration {state.iteration} is {value}. The last good checkpoint "
                    f"{good}; try another seed or recipe."
                )
            if point_due:
                rate, decibel = how.rate(state.iteration - 1, total), validate(state.average)
                state.curve.append({"iteration": state.iteration, "lr": rate, "loss": value, "psnr": decibel})
                bar.set_postfix_str(f"loss {value:.3f}, validation {decibel:.2f} dB", refresh=False)
            if save_due:
                save(state, checkpoint, config)
                saved = now
            if last:
                break
    curve = pd.DataFrame(state.curve).to_csv(index=False, float_format="%.6g", lineterminator="\n")
    write_atomically(folder / "curve.csv", curve)
    weights_sha256 = save_tensors(folder / "weights.safetensors", state.average.state_dict(), {"experiment": experiment.name})
    return config | {
        "iterations_done": state.iteration,
        "finished": state.iteration == total,
        "seconds": round(state.seconds, 1),
        "device": device_name(device),
        "weights_sha256": weights_sha256,
    }


def start(experiment: Experiment, recipe: Recipe, seed: int, device: str) -> State:
    """The state before the first iteration; a function of the seed alone."""
    torch.manual_seed(seed)
    model = experiment.make()
    with torch.no_grad():
        model.reconstruction.weight *= recipe.last_gain
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d) and recipe.bn_momentum is not None:
            module.momentum = recipe.bn_momentum
    model = model.to(device, memory_format=torch.channels_last).train()
    average = copy.deepcopy(model).eval().requires_grad_(False) if recipe.ema else model
    biases = [m.bias for m in model.modules() if isinstance(m, nn.Conv2d) and m.bias is not None]
    others = [p for p in model.parameters() if all(p is not b for b in biases)]
    groups = [{"params": others, "factor": 1.0}, {"params": biases, "factor": recipe.bias_lr}]
    if recipe.optimiser == "sgd":
        optimiser = torch.optim.SGD(groups, recipe.lr, momentum=recipe.momentum, weight_decay=recipe.weight_decay)
    else:
        optimiser = torch.optim.AdamW(groups, recipe.lr, weight_decay=recipe.weight_decay)
    return State(model, average, optimiser)


def step(state: State, patches: Patches, recipe: Recipe, total: int, seed: int, autocast: Any) -> torch.Tensor:
    """One iteration; returns the loss, `1 / 2N` times the summed squared error of the batch (Eq. 10 of DRRN)."""
    ilr, hr = patches.batch(state.iteration, recipe.batch, seed)
    state.model.train()
    with autocast:
        sr = state.model(ilr.contiguous(memory_format=torch.channels_last))
    loss = (sr.float() - hr).square().sum() / (2 * recipe.batch)
    state.optimiser.zero_grad(set_to_none=True)
    loss.backward()
    rate = recipe.rate(state.iteration, total)
    for group in state.optimiser.param_groups:
        group["lr"] = rate * group["factor"]
    if recipe.clip:
        # DRRN's released code clips the norm of all gradients; its text speaks of each element.
        limit = recipe.clip / rate if recipe.clip_over_lr else recipe.clip
        nn.utils.clip_grad_norm_(state.model.parameters(), limit)
    state.optimiser.step()
    state.iteration += 1
    if recipe.ema:
        decay = min(recipe.ema, (1 + state.iteration) / (10 + state.iteration))
        with torch.no_grad():
            ours, theirs = ([t for t in m.state_dict().values() if t.is_floating_point()] for m in (state.average, state.model))
            torch._foreach_lerp_(ours, theirs, 1 - decay)
    return loss.detach()


def validation(scale: int) -> Callable[[nn.Module], float]:
    """A function that scores a model on ten crops of the held-out pool, in dB; NaN where the pool is not at hand."""
    if not at_hand(VALIDATION):
        return lambda model: float("nan")
    pool, protocol = open_images(VALIDATION), PROTOCOLS["drrn"]
    pool = ImageSet(pool.name, pool.paths[::20], pool.sha256[::20])
    crops = [image[100:220, 100:220] for _, image in pool]

    def validate(model: nn.Module) -> float:
        training = model.training
        scores = [protocol.evaluate(crop, scale, as_method(model), ("psnr",)).psnr for crop in crops]
        model.train(training)
        return float(np.mean(scores))

    return validate


def save(state: State, path: Path, config: dict[str, Any]) -> None:
    """Write the whole state atomically."""
    tensors: Tensors = {f"model.{name}": t for name, t in state.model.state_dict().items()}
    if state.average is not state.model:
        tensors |= {f"average.{name}": t for name, t in state.average.state_dict().items()}
    for index, slots in state.optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser.{index}.{slot}": torch.as_tensor(value) for slot, value in slots.items() if value is not None}
    extra = {"iteration": state.iteration, "seconds": state.seconds, "curve": state.curve}
    save_tensors(path, tensors, {"config": config} | extra)


def restore(state: State, path: Path, config: dict[str, Any]) -> None:
    """Read a checkpoint into `state`; an `InputError` names one that is damaged or of another configuration."""
    tensors, metadata = load_tensors(path)
    differing = [key for key in config if metadata.get("config", {}).get(key) != config[key]]
    if differing:
        was, now = (c.get(differing[0]) for c in (metadata.get("config", {}), config))
        raise InputError(f"{path} belongs to another run ({differing[0]} was {was}, now {now}): choose another folder.")
    for prefix, module in (("model.", state.model), ("average.", state.average)):
        part = {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}
        if part:
            module.load_state_dict(part)
    slots: dict[int, Tensors] = {}
    for name, tensor in tensors.items():
        if name.startswith("optimiser."):
            _, index, slot = name.split(".")
            slots.setdefault(int(index), {})[slot] = tensor
    state.optimiser.load_state_dict({"state": slots, "param_groups": state.optimiser.state_dict()["param_groups"]})
    state.iteration, state.seconds, state.curve = (metadata[key] for key in ("iteration", "seconds", "curve"))


def choose_device(device: str) -> str:
    """Resolve 'auto'; an `InputError` if a GPU is asked for where there is none."""
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if device not in ("cpu", "cuda"):
        raise InputError(f"device {device!r} is unknown: choose auto, cpu or cuda.")
    if device == "cuda" and not torch.cuda.is_available():
        raise InputError("device 'cuda' was asked for, but torch finds no GPU here: use --device cpu or auto.")
    return device


def device_name(device: str) -> str:
    """The processor's or GPU's own name, for the record."""
    if device == "cuda":
        return torch.cuda.get_device_name()
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    name = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.processor())
    return f"{name or platform.machine()}, {torch.get_num_threads()} threads"
