"""How fast this machine trains: a minute of measuring, kept as a record, from which the queue plans.

Each network trains for a few seconds on made-up images in every way that may pay: precision, CUDA graph, compiled units, batch.
"""

import json
import math
import re
import sys
import time
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch

from srlib.files import write_atomically
from srlib.papers import EXPERIMENTS, drn, drrn, dsrn, get_experiment, rlcsc
from srlib.records.provenance import commit, environment
from srlib.records.record import results_folder
from srlib.training.devices import choose_device, device_name, has_bf16, peak_flops, peak_memory
from srlib.training.patches import make_patches
from srlib.training.progress import work_per_image
from srlib.training.recipe import Experiment, Recipe
from srlib.training.state import start
from srlib.training.step import Step

FULL = ("drrn_b1u9", "rlcsc_k25", "dsrn_t7_x2", "drn_x3")
NARROW = tuple(paper.CPU_PROFILE.name for paper in (drrn, dsrn, rlcsc, drn))


@dataclass(frozen=True)
class Way:
    """One way to train one network."""

    experiment: str
    precision: str
    graph: bool
    compiled: bool
    batch: int


def ways(device: str) -> list[Way]:
    """What is worth measuring on a device."""
    if device == "cuda":
        modes = [("bf16", False, False, 64), ("bf16", True, False, 64), ("bf16", True, True, 64)]
        modes += [("bf16", True, False, 128), ("fp32", True, False, 64)]
        return [Way(name, *mode) for name in FULL for mode in modes]
    precisions = ("fp32", "bf16") if has_bf16() else ("fp32",)
    narrow = [Way(name, p, False, False, EXPERIMENTS[name].recipe("fast").batch) for name in NARROW for p in precisions]
    return narrow + [Way(name, p, False, False, 2) for name in FULL for p in precisions]


def measure(way: Way, device: str, seconds: float) -> dict[str, Any]:
    """Images a second of one way, after it has warmed up."""
    experiment = get_experiment(way.experiment)
    recipe = replace(experiment.recipe("fast"), batch=way.batch, iterations=1_000_000)
    random = np.random.default_rng(0)
    side = 2 * max(recipe.patch, 96)
    images = [("made up", random.integers(0, 256, (side, side, 3), dtype=np.uint8))]
    state = start(experiment, recipe, 0, device)
    patches = make_patches(
        images, replace(recipe, sizes=(1.0,)), state.model.domain, state.model.colour, experiment.degradation, device
    )
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    step = Step(state, patches, recipe, 1000, 0, precision=way.precision, compiled=way.compiled, graph=way.graph)
    for _ in range(5 if device == "cuda" else 1):
        step().item()
    iterations, began = 0, time.perf_counter()
    while (spent := time.perf_counter() - began) < seconds and iterations < 900:
        step().item()
        iterations += 1
    rate = iterations * way.batch / spent
    work = work_per_image(experiment, recipe)
    return asdict(way) | {
        "images_per_second": round(rate, 2),
        "ms_per_iteration": round(1e3 * spent / iterations, 3),
        "tflops": round(rate * work / 1e12, 6),
        "utilisation": round(rate * work / peak_flops(device, way.precision), 4),
        "memory_mb": round(peak_memory(device)),
    }


def calibrate(device: str = "auto", seconds: float = 60.0, report: Any = print) -> Path:
    """Measure every way and write `results/calibration/<device>.json`; returns its path.

    Parameters
    ----------
    device : str
        'cpu', 'cuda' or 'auto'.
    seconds : float
        For all measurements together, their warm-up apart.
    report : callable
        Is given a line for each measurement.
    """
    device = choose_device(device)
    if device == "cuda":
        torch.backends.cudnn.benchmark = True
    rows, chosen = [], ways(device)
    for number, way in enumerate(chosen, start=1):
        mode = "compiled" if way.compiled else "graph" if way.graph else "eager"
        title = f"[{number}/{len(chosen)}] {way.experiment}, {way.precision}, {mode}, batch {way.batch}"
        try:
            rows.append(measure(way, device, seconds / len(chosen)))
            report(f"{title}: {rows[-1]['images_per_second']:,.1f} images/s, {rows[-1]['utilisation']:.0%} of the peak")
        except (RuntimeError, torch.cuda.OutOfMemoryError) as error:  # one way that a machine cannot go is a finding, too
            rows.append(asdict(way) | {"error": str(error).splitlines()[0]})
            report(f"{title}: {rows[-1]['error']}")
        torch._dynamo.reset()
    record = {
        "device": device_name(device),
        "gpu": device == "cuda",
        "peak_tflops": {p: peak_flops(device, p) / 1e12 for p in sorted({way.precision for way in chosen})},
        "rows": rows,
        "commit": commit(),
        "date": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "environment": environment(),
    }
    path = calibration_path(record["device"])
    write_atomically(path, json.dumps(record, indent=1) + "\n")
    return path


def calibration_path(name: str) -> Path:
    """Where the calibration of a device of that name belongs."""
    return results_folder() / "calibration" / f"{re.sub(r'[^a-z0-9]+', '_', name.lower()).strip('_')}.json"


def find_calibrations() -> list[dict[str, Any]]:
    """All that have been made, GPUs first; a damaged file is named and left out."""
    found = []
    for path in sorted((results_folder() / "calibration").glob("*.json")):
        try:
            found.append(json.loads(path.read_text()))
        except ValueError as error:
            print(f"srlib: {path} is damaged ({error}): measure again with `python -m srlib calibrate`", file=sys.stderr)
    return sorted(found, key=lambda c: not c["gpu"])


def best_way(calibration: dict[str, Any], experiment: Experiment) -> dict[str, Any] | None:
    """The fastest measured way for an experiment: its own rows, else those of its architecture, else the slowest network's."""
    rows = [row for row in calibration["rows"] if "error" not in row]
    own = [row for row in rows if row["experiment"] == experiment.name]
    alike = [row for row in rows if get_experiment(row["experiment"]).model == experiment.model and row["experiment"] in FULL]
    fastest = {name: max((r for r in rows if r["experiment"] == name), key=lambda r: r["tflops"]) for name in
               {row["experiment"] for row in rows}}  # fmt: skip
    if chosen := own or alike:
        return max(chosen, key=lambda row: row["tflops"])
    return min(fastest.values(), key=lambda row: row["tflops"], default=None)


def estimated_minutes(calibration: dict[str, Any], experiment: Experiment, recipe: Recipe, budget: float) -> float:
    """Minutes of training that the measured rate implies; NaN if nothing fits."""
    way = best_way(calibration, experiment)
    if way is None:
        return math.nan
    return budget * recipe.iterations * recipe.batch * work_per_image(experiment, recipe) / (way["tflops"] * 1e12) / 60
