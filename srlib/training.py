"""Training: one plain loop that can be stopped and resumed anywhere, bit for bit on the CPU.

The loop is the simple, right core: `Patches.batch` -> loss (Eq. 10 of DRRN) -> clip -> step -> moving average. Its whole state
is in one checkpoint, and nothing else decides what the next iteration does.
"""

import math
import platform
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn
from tqdm import tqdm

from srlib.checkpoint import check_output, save_tensors, write_atomically
from srlib.datasets import ImageSet, at_hand, open_images
from srlib.errors import InputError
from srlib.experiment import Experiment, Recipe
from srlib.inference import as_method
from srlib.patches import Patches, make_patches
from srlib.protocol import PROTOCOLS
from srlib.state import State, is_finite, restore, save, start

VALIDATION = "BSDS500_test"  # disjoint from every training and test set
VALIDATIONS = 12  # points of a curve
SAVE_EVERY = 60  # seconds between checkpoints


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

    Raises
    ------
    KeyboardInterrupt
        After Ctrl-C or SIGTERM, when the current step is done and everything is saved.

    Returns
    -------
    dict
        What a record keeps: configuration, iterations done, seconds, hashes, hardware; `finished` tells whether the budget is
        spent.
    """
    if not 0 < budget <= 100:
        raise InputError(f"budget {budget} is not above 0 (and at most 100): give a fraction of the iterations, such as 0.01.")
    if not 0 <= seed < 2**63:
        raise InputError(f"seed {seed} is out of range: give a whole number from 0 on.")
    if minutes is not None and not minutes >= 0:
        raise InputError(f"minutes {minutes} is not a span of time: give 0 or more.")
    if precision not in ("fp32", "bf16"):
        raise InputError(f"precision {precision!r} is unknown: choose fp32 or bf16.")
    device = choose_device(device)
    how, folder = experiment.recipe(recipe), Path(folder)
    check_output(folder / "checkpoint.safetensors")
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
    began = saved = time.monotonic()
    before = state.seconds
    often = 0.1 if sys.stderr.isatty() else 10  # seconds: a log keeps every line
    bar = tqdm(total=total, initial=state.iteration, desc=experiment.name, unit="it", disable=not progress, mininterval=often)
    with bar, _interruptions() as interruptions:
        while state.iteration < total:
            loss = step(state, patches, how, total, seed, autocast)
            bar.update()
            now = time.monotonic()
            state.seconds = before + now - began
            out_of_time = minutes is not None and now - began > 60 * minutes
            last = state.iteration == total or out_of_time or bool(interruptions)
            point_due = last or state.iteration % max(1, total // VALIDATIONS) == 0
            save_due = last or now - saved > SAVE_EVERY
            if not (point_due or save_due):
                continue
            if not (math.isfinite(value := loss.item()) and is_finite(state)):
                good = f"the last good one is {checkpoint}" if checkpoint.exists() else "there is no checkpoint yet"
                raise InputError(
                    f"{experiment.name} diverged by iteration {state.iteration} (loss {value}); {good}; try another seed."
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
    if interruptions:
        raise KeyboardInterrupt(f"stopped at iteration {state.iteration} of {total}; {checkpoint} holds everything.")
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


@contextmanager
def _interruptions() -> Iterator[list[int]]:
    """Collect Ctrl-C and SIGTERM instead of dying of them half way through a step."""
    signals: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield signals
        return
    kinds = (signal.SIGINT, signal.SIGTERM)
    handlers = [signal.signal(kind, lambda number, frame: signals.append(number)) for kind in kinds]
    try:
        yield signals
    finally:
        for kind, handler in zip(kinds, handlers, strict=True):
            signal.signal(kind, handler)


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
