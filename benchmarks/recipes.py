"""Recipes side by side: PSNR against seconds of training, the `fast` recipe and the one before it; and a step in bf16 and fp32.

    OMP_NUM_THREADS=1 python benchmarks/recipes.py           # everything: a quarter of an hour of one core, which must be quiet
    python benchmarks/recipes.py --models drrn_b1u9_w16 --seconds 60; python benchmarks/recipes.py --throughput-only

Curves: two narrow networks are trained on T91 by both recipes, from the same seed, for equal seconds. `new` is `fast` in the
precision that `auto` is here; `old` is what `fast` was before, Adam in fp32. The speed of both is measured first, and the
iterations are fixed by it, so that each cosine ends when the time does. The trainings then take turns in one process, a few
seconds each, so that a machine that drifts drifts for both. Validation is on the held-out pool; its time is not counted.

Throughput: images a second of the same step in bf16 and in fp32, where the device computes in both, on made-up images; see
`benchmarks/training.py` for how. Writes `results/benchmarks/recipes.json`.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from training import TOTAL, circumstances, compare

from srlib.datasets import ImageSet, is_available, open_images
from srlib.files import write_atomically
from srlib.papers import get_experiment
from srlib.records.provenance import ROOT
from srlib.training.devices import choose_device, choose_precision
from srlib.training.patches import make_patches
from srlib.training.recipe import Experiment, Recipe
from srlib.training.state import start
from srlib.training.step import Step
from srlib.training.validation import VALIDATION, validation, without_validation

OLD = {"drrn_b1u9_w16": "first", "rlcsc_k15_w16": "adam"}  # experiment: its recipe before the present `fast`
THROUGHPUT = {"drrn_b1u9_w16": "fast", "rlcsc_k15_w16": "fast", "drrn_b1u9": "core", "dsrn_t7_x3": "core"}
POINTS = 8  # of a curve
SLICES = 64  # of a training, a multiple of `POINTS`
TRIAL = 1 / 15  # share of the seconds in which the speed is measured beforehand


def training_images(experiment: Experiment) -> ImageSet:
    """The images that `srlib.training.loop` would train on."""
    return without_validation(open_images(experiment.data))


def timed(step: Callable[[], torch.Tensor], iterations: int) -> float:
    """Seconds that so many iterations take."""
    began = time.perf_counter()
    for _ in range(iterations):
        loss = step()
    if iterations:
        float(loss)  # waits for the device
    return time.perf_counter() - began


def speeds(steps: dict[str, Callable[[], torch.Tensor]], seconds: float) -> dict[str, float]:
    """Iterations a second of each, measured by turns after a warm-up."""
    for step in steps.values():
        timed(step, 5)  # a graph is captured in the fourth
    spent, done = dict.fromkeys(steps, 0.0), dict.fromkeys(steps, 0)
    while min(spent.values()) < seconds:
        for name, step in steps.items():
            spent[name] += timed(step, 2)
            done[name] += 2
    return {name: done[name] / spent[name] for name in steps}


def slices(totals: dict[str, int]) -> Iterator[tuple[int, str, int]]:
    """Number of the slice, name and iterations: by turns, and in all as many as `totals` says."""
    for number in range(SLICES):
        for name, total in totals.items():
            yield number, name, total * (number + 1) // SLICES - total * number // SLICES


def race(name: str, seconds: float, device: str) -> list[dict[str, Any]]:
    """Rows of the report for one network: its new and its old recipe, trained for so many seconds each."""
    experiment = get_experiment(name)
    chosen = {"new": (experiment.recipe("fast"), choose_precision(device)), "old": (experiment.recipe(OLD[name]), "fp32")}
    images, model = training_images(experiment), experiment.make()
    validate = validation(experiment, chosen["new"][0])

    def make_step(recipe: Recipe, precision: str, iterations: int) -> Step:
        patches = make_patches(images, recipe, model.domain, model.colour, experiment.degradation, device)
        return Step(start(experiment, recipe, 0, device), patches, recipe, iterations, 0, precision=precision)

    measured = speeds({way: make_step(*how, TOTAL) for way, how in chosen.items()}, seconds * TRIAL)
    totals = {way: max(POINTS, round(speed * seconds)) for way, speed in measured.items()}
    steps = {way: make_step(*how, totals[way]) for way, how in chosen.items()}
    points: dict[str, list[dict[str, float]]] = {way: [] for way in chosen}
    spent = dict.fromkeys(chosen, 0.0)
    for number, way, iterations in slices(totals):
        spent[way] += timed(steps[way], iterations)
        if (number + 1) % (SLICES // POINTS):
            continue
        state = steps[way].state
        psnr = validate(state.ema_model)
        points[way].append({"seconds": spent[way], "iteration": state.iteration, "psnr": psnr})
        print(f"{name}, {way}: {spent[way]:.1f} s, {state.iteration:,} iterations, {psnr:.3f} dB", flush=True)
    return [
        {"model": name, "way": way, "recipe": recipe.name, "optimiser": recipe.optimiser, "first_shift": recipe.first_shift}
        | {"precision": precision, "batch": recipe.batch, "patch": recipe.patch, "iterations": totals[way], "seed": 0}
        | {"seconds": round(spent[way], 3), "images_per_second": round(totals[way] * recipe.batch / spent[way], 2)}
        | {"points": [{key: round(value, 4) for key, value in point.items()} for point in points[way]]}
        for way, (recipe, precision) in chosen.items()
    ]


def throughput(names: list[str], device: str, repeats: int, seconds: float) -> list[dict[str, Any]]:
    """Rows of the report: the same step in bf16 and in fp32, each turn in a process of its own; fp32 alone if bf16 is slow."""
    chosen = {p: {"precision": p} for p in dict.fromkeys((choose_precision(device), "fp32"))}
    rows = []
    for name in names:
        recipe = get_experiment(name).recipe(THROUGHPUT[name])
        rows += [{"recipe": recipe.name} | row for row in compare(name, recipe, chosen, device, repeats, seconds)]
    return rows


def main(arguments: list[str] | None = None) -> None:
    """Measure what was asked for and write the report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", choices=THROUGHPUT, default=list(THROUGHPUT), help="some of the networks")
    parser.add_argument("--seconds", type=float, default=150.0, help="of training, for each curve")
    parser.add_argument("--repeats", type=int, default=3, help="turns of each precision")
    parser.add_argument("--turn-seconds", type=float, default=3.0, help="of a turn, its warm-up apart")
    part = parser.add_mutually_exclusive_group()
    part.add_argument("--curves-only", action="store_true", help="leave the precisions out")
    part.add_argument("--throughput-only", action="store_true", help="leave the curves out, which need the data")
    parser.add_argument("--out", type=Path, default=ROOT / "results" / "benchmarks" / "recipes.json")
    options = parser.parse_args(arguments)
    raced = [] if options.throughput_only else [name for name in options.models if name in OLD]
    missing = [name for name in sorted({get_experiment(name).data for name in raced} | {VALIDATION}) if not is_available(name)]
    if raced and missing:
        sys.exit(
            f"The curves need {' and '.join(missing)}: `python -m srlib fetch {' '.join(missing)}`, or set SRLIB_DATA to the "
            "folder that holds them, or give --throughput-only."
        )
    device = choose_device("auto")
    torch.backends.cudnn.benchmark = device == "cuda"
    settings = {"seconds": options.seconds, "turns": options.repeats, "turn_seconds": options.turn_seconds, "slices": SLICES}
    report = circumstances(device) | {"settings": settings}
    report["curves"] = [row for name in raced for row in race(name, options.seconds, device)]
    names = [] if options.curves_only else options.models
    report["throughput"] = throughput(names, device, options.repeats, options.turn_seconds)
    write_atomically(options.out, json.dumps(report, indent=1) + "\n")
    print(f"wrote {options.out}")


if __name__ == "__main__":
    main()
