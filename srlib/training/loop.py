"""Training: a loop that can be stopped and resumed anywhere, bit for bit on the CPU.

`Step` does an iteration; this module decides when to read the loss, validate, save and stop. One checkpoint holds the full
state, and nothing else influences the next iteration. On a GPU libraries may choose other algorithms after a restart, so a
resumed run ends in other bits and the same statistics, unless `deterministic` forbids it.
"""

import json
import math
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import nn

from srlib.datasets import open_images
from srlib.errors import InputError
from srlib.files import check_output, lock, write_atomically
from srlib.models import params, params_total
from srlib.training.checkpoint import load_tensors, save_weights
from srlib.training.devices import PRECISIONS, choose_device, choose_precision, device_name, peak_memory
from srlib.training.lineage import unroll
from srlib.training.patches import GivenLr, make_patches
from srlib.training.progress import Progress
from srlib.training.recipe import Experiment, Recipe, snapshot_name
from srlib.training.state import TrainingState, is_finite, restore, save, start
from srlib.training.step import Step
from srlib.training.validation import validation, without_validation

VALIDATIONS = 12  # points of a curve
SAVE_EVERY = 60  # seconds between checkpoints
SYNC_EVERY = 1.0  # seconds between reads of the loss
TRIAL = 25.0  # seconds in which `fit` measures the speed
LONGEST_FIT = 10_080  # minutes; the learning rates of all iterations lie in memory
RESERVE = 0.97  # fraction of the time that `fit` plans for


class DivergedError(InputError):
    """A loss, weight or statistic is no longer finite; `info` is the content of the run's `record.json`."""

    def __init__(self, state: TrainingState, loss: float, checkpoint: Path, info: dict[str, Any]) -> None:
        left = f"the last good one is {checkpoint}" if checkpoint.exists() else "there is no checkpoint yet"
        name, iteration = type(state.model).__name__, state.iteration
        message = f"{name} diverged by iteration {iteration} (loss {loss}); {left}; try another seed."
        super().__init__(message)
        self.info = info | {"finished": False, "diverged": message}


def train(
    experiment: Experiment,
    folder: str | Path,
    *,
    recipe: str = "fast",
    seed: int = 0,
    budget: float = 1.0,
    data: str | None = None,
    device: str = "auto",
    precision: str = "auto",
    deterministic: bool = False,
    minutes: float | None = None,
    fit: float | None = None,
    keep: Sequence[int] = (),
    ancestors: Sequence[dict[str, Any]] = (),
    weights: Path | None = None,
    lr: GivenLr | None = None,
    progress: bool = True,
) -> dict[str, Any]:
    """Train, or resume a training, until the budget or the minutes are spent.

    Parameters
    ----------
    experiment : Experiment
        The model, its data and its recipes.
    folder : path
        Folder of `checkpoint.safetensors`, `curve.csv` and `weights.safetensors`; a checkpoint in it is resumed.
    recipe : str
        Name of one of the experiment's recipes.
    seed : int
        Seed of the initial weights, the order of the patches and their augmentation.
    budget : float
        Fraction of the recipe's iterations, above 0.
    data : str, optional
        Dataset or folder instead of the experiment's.
    device : str
        'cpu', 'cuda' or 'auto'.
    precision : {'auto', 'fp32', 'bf16'}
        Of the convolutions; all else stays in fp32. 'auto' is that of the checkpoint if there is one, else bf16 where the
        device multiplies in it, else fp32 (which torch computes in TF32 on a GPU, its default for convolutions).
    deterministic : bool
        Whether a GPU may only use algorithms that give the same bits each time.
    minutes : float, optional
        Stop cleanly after so long, validation and saving included, with everything saved.
    fit : float, optional
        Minutes, 1 to 10,080, in place of `budget`: the speed is measured for half a minute, and the number of iterations is
        chosen so that a complete run, annealed to its end, takes so long.
    keep : sequence of int
        Epochs, or iterations where the paper does not count in epochs, at which weights are saved in separate files.
    ancestors : sequence of dict
        Earlier trainings that this run continues, from `srlib.training.lineage.ancestors_of`.
    weights : path, optional
        With `ancestors`: the weights to start from.
    lr : GivenLr, optional
        LR images in place of those that the protocol makes, from `srlib.training.patches.open_lr`. They are of one size, so a
        recipe with resized copies of the training images is followed without them.
    progress : bool
        Show a progress bar with loss, validation PSNR, images per second and the time left.

    Returns
    -------
    dict
        Content of `record.json`: configuration, iterations done, sessions, hashes; `finished` is whether the budget is spent.

    Raises
    ------
    InputError
        If an option is out of range, the checkpoint is damaged or another run's, another process trains in the folder, or
        (`DivergedError`) the loss is no longer finite.
    KeyboardInterrupt
        After Ctrl-C or SIGTERM, when the current step is done and everything is saved.
    """
    began = time.monotonic()
    _check(seed, budget, minutes, fit, precision)
    deadline = math.inf if minutes is None else began + 60 * minutes
    device, folder, recipe = choose_device(device), Path(folder), experiment.recipe(recipe)
    checkpoint = check_output(folder / "checkpoint.safetensors")
    images = without_validation(open_images(data or experiment.data))
    if lr is not None and recipe.sizes != (1.0,):
        print("srlib: LR images are given for the training images as they are: no resized copies are used", file=sys.stderr)
        recipe = replace(recipe, sizes=(1.0,))
    total = max(1, round(budget * recipe.iterations))
    snapshots = snapshot_iterations(recipe, total, keep)
    with lock(folder), _algorithms(device, deterministic), _interruptions() as interruptions:
        # Begin or resume.
        old_config = load_tensors(checkpoint)[1].get("config", {}) if checkpoint.exists() else {}
        if precision == "auto":
            precision = old_config.get("precision") or choose_precision(device)
        state = start(experiment, recipe, seed, device)
        network = state.model
        patches = make_patches(images, recipe, network.domain, network.colour, experiment.degradation, device, lr)
        validate = validation(experiment, recipe)
        options = {"precision": precision, "cycle": len(ancestors)}
        if fit is not None:
            total = old_config.get("iterations")
            if total is None:
                trial = Step(start(experiment, recipe, 0, device), patches, recipe, 1_000_000, 0, **options)
                total = _iterations_in(60 * fit, began, experiment.name, trial, validate)
            budget, snapshots = total / recipe.iterations, snapshot_iterations(recipe, total, keep)
        # The configuration decides the result; a checkpoint with another one belongs to another run.
        config = {"experiment": experiment.name, "model": experiment.model, "arguments": experiment.arguments}
        config |= {"recipe": json.loads(json.dumps(asdict(recipe))), "seed": seed, "budget": budget, "iterations": total}
        config |= {"data": images.name, "data_sha256": images.digest(), "precision": precision}
        config |= {"lr_sha256": lr.sha256} if lr is not None else {}
        config |= {"fit": fit} if fit is not None else {}
        config |= {"ancestors": list(ancestors)} if ancestors else {}
        if old_config:
            restore(state, checkpoint, config)
        elif weights is not None:
            for model in (state.model, state.ema_model):
                model.load_state_dict(unroll(load_tensors(weights)[0], model))
        files = {label: folder / f"weights_{label}.safetensors" for label in snapshots}
        missing = [label for label, at in snapshots.items() if at <= state.iteration and not files[label].exists()]
        if missing:
            raise InputError(f"{folder} is at iteration {state.iteration}, past {missing[0]}: what is not kept then is lost.")

        # Train.
        step = Step(state, patches, recipe, total, seed, **options)
        session = {"device": device_name(device), "gpu": device == "cuda", "seconds": 0.0}
        state.sessions += [session] if state.iteration < total else []
        validate_every, last_save, overhead = max(1, total // VALIDATIONS), began, 0.0
        with Progress(experiment.name, state.iteration, total, recipe.batch, visible=progress) as bar:
            bar.start(SYNC_EVERY)
            while state.iteration < total:
                loss = step()
                bar.update()
                validation_due = state.iteration == total or state.iteration % validate_every == 0
                labels = [label for label, at in snapshots.items() if at == state.iteration]
                if not (bar.sync_due or validation_due or labels or interruptions):
                    continue
                train_loss = loss.item()  # waits for the device
                bar.stop()

                # Validate, keep and save, if due.
                now = time.monotonic()
                last = state.iteration == total or now + overhead >= deadline or bool(interruptions)
                saving_due = last or now - last_save > SAVE_EVERY
                bar.report(train_loss, state.curve[-1]["psnr"] if state.curve else None, last)
                if validation_due or saving_due or labels:
                    if not (math.isfinite(train_loss) and is_finite(state)):
                        raise DivergedError(state, train_loss, checkpoint, config | _summary(state, total))
                    for label in labels:
                        save_weights(files[label], state.ema_model, snapshot_name(experiment.name, label))
                    if validation_due:
                        lr, val_psnr = recipe.lr_at(state.iteration - 1, total), validate(state.ema_model)
                        state.curve.append({"iteration": state.iteration, "lr": lr, "loss": train_loss, "psnr": val_psnr})
                    session |= {"images_per_second": round(bar.images_per_second, 1)}
                    session |= {"seconds": round(time.monotonic() - began, 1), "iteration": state.iteration}
                    session |= {"memory_mb": round(peak_memory(device))}
                    if saving_due:
                        save(state, checkpoint, config)
                        last_save = time.monotonic()
                    overhead = 1.5 * (time.monotonic() - now)  # seconds that the next validation and saving may take
                if last:
                    break
                bar.start(min(SYNC_EVERY, deadline - time.monotonic() - overhead))
        if interruptions:
            raise KeyboardInterrupt(f"stopped at iteration {state.iteration} of {total}; {checkpoint} holds everything.")

        # Write the results.
        curve = pd.DataFrame(state.curve, columns=["iteration", "lr", "loss", "psnr"])
        write_atomically(folder / "curve.csv", curve.to_csv(index=False, float_format="%.6g", lineterminator="\n"))
        sha256 = save_weights(folder / "weights.safetensors", state.ema_model, experiment.name)
        config |= {"kept": snapshots} if snapshots else {}
        sizes = {"params": params(state.model), "params_total": params_total(state.model)}
        return config | _summary(state, total) | sizes | {"weights_sha256": sha256}


def snapshot_iterations(recipe: Recipe, total: int, keep: Sequence[int]) -> dict[str, int]:
    """Iterations of a run of `total` at which weights are saved, by label: 'epoch5', or 'iteration500'."""
    units, unit = (recipe.epochs, "epoch") if recipe.epochs else (total, "iteration")
    for number in keep:
        if not 1 <= number <= units:
            raise InputError(f"{unit} {number} cannot be kept: the run has {unit}s 1 to {units}.")
    return {f"{unit}{number}": max(1, round(total * number / units)) for number in keep}


def _iterations_in(seconds: float, began: float, name: str, trial: Step, validate: Callable[[nn.Module], float]) -> int:
    """Number of iterations that a span of time is enough for, by the speed of a trial run that is not kept."""
    for _ in range(2):
        trial().item()
    done, since = 0, time.monotonic()
    while (spent := time.monotonic() - since) < TRIAL:
        trial().item()
        done += 1
    since = time.monotonic()
    validate(trial.state.ema_model)
    validations = (VALIDATIONS + 1) * (time.monotonic() - since)
    left = RESERVE * (seconds - (time.monotonic() - began) - validations)
    if left < TRIAL:
        raise InputError(
            f"fit {seconds / 60:g} is too short for {name}: measuring its speed and validating it take "
            f"{seconds - left:.0f} s of it; give more minutes."
        )
    return max(1, int(left * done / spent))


def _summary(state: TrainingState, total: int) -> dict[str, Any]:
    """The entries of `record.json` about how far a training is and what it took."""
    return {
        "iterations_done": state.iteration,
        "finished": state.iteration == total,
        "seconds": round(sum(s["seconds"] for s in state.sessions), 1),
        "gpu_seconds": round(sum(s["seconds"] for s in state.sessions if s["gpu"]), 1),
        "device": state.sessions[-1]["device"],
        "sessions": state.sessions,
    }


def _check(seed: int, budget: float, minutes: float | None, fit: float | None, precision: str) -> None:
    if not 0 < budget <= 100:
        raise InputError(f"budget {budget} is not above 0 (and at most 100): give a fraction of the iterations, such as 0.01.")
    if not 0 <= seed < 2**63:
        raise InputError(f"seed {seed} is out of range: give a whole number from 0 on.")
    if minutes is not None and not minutes >= 0:
        raise InputError(f"minutes {minutes} is not a span of time: give 0 or more.")
    if fit is not None and not fit >= 1:
        raise InputError(f"fit {fit} is too short: half a minute goes into measuring the speed; give 1 minute or more.")
    if fit is not None and fit > LONGEST_FIT:
        raise InputError(f"fit {fit} is too long: give {LONGEST_FIT:,} minutes (a week) at most, and go on with --start-from.")
    if fit is not None and budget != 1:
        raise InputError(f"fit chooses the budget, and {budget} was given, too: leave one of them out.")
    if precision not in ("auto", *PRECISIONS):
        raise InputError(f"precision {precision!r} is unknown: choose auto, {', '.join(PRECISIONS)}.")


@contextmanager
def _algorithms(device: str, deterministic: bool) -> Iterator[None]:
    """On a GPU: choose the fastest algorithms of convolutions, or the same ones each time."""
    cudnn = torch.backends.cudnn
    before = cudnn.benchmark, cudnn.deterministic, torch.are_deterministic_algorithms_enabled()
    if device == "cuda":
        cudnn.benchmark, cudnn.deterministic = not deterministic, deterministic
        torch.use_deterministic_algorithms(deterministic)
    try:
        yield
    finally:
        cudnn.benchmark, cudnn.deterministic = before[:2]
        torch.use_deterministic_algorithms(before[2])


@contextmanager
def _interruptions() -> Iterator[list[int]]:
    """Collect Ctrl-C and SIGTERM, so that a step is completed before the run stops."""
    signals: list[int] = []
    in_main_thread = threading.current_thread() is threading.main_thread()  # only there Python allows handlers
    kinds = (signal.SIGINT, signal.SIGTERM) if in_main_thread else ()
    handlers = {kind: signal.signal(kind, lambda number, frame: signals.append(number)) for kind in kinds}
    try:
        yield signals
    finally:
        for kind, handler in handlers.items():
            signal.signal(kind, handler)
