"""Training side by side: the plain loop that such papers come with and srlib's step, and what networks keep in memory.

    python benchmarks/training.py                      # everything: a quarter of an hour on two cores, which must be quiet
    python benchmarks/training.py --models drrn_b1u3_w32 --repeats 1; python benchmarks/training.py --memory-only
    OMP_NUM_THREADS=1 python benchmarks/training.py    # where others compute, too: compare processor times then

The plain loop is eager PyTorch in fp32 and NCHW: a `DataLoader` shuffles and stacks patches, cut and turned beforehand, and the
loss is read at each step. The same network, recipe, batch and patch go through `srlib.training.step.Step` as the loop calls it:
`srlib` is fp32 on a CPU, bf16 and a graph on a GPU; each other row changes one thing. The plain loop knows Adam alone, so all
rows train by Adam; what Muon and bf16 gain is measured by `benchmarks/recipes.py`. Images are made up.

Each turn of each way is a process of its own, and they take turns, A B C A B C, so that a machine that drifts drifts for all.
Rates and ratios are medians over turns.

Table 4 of RL-CSC compares frameworks as well as networks, so only its ratios can stand beside ours: of real steps on a GPU,
else of two counts on few images, scaled to the batch: `mb`, what a forward pass keeps for the backward pass, and `step_mb`, the
most that tensors take in a step, gradients included. The growth of a whole process between two batches is the check.
Writes `results/benchmarks/training.json`.
"""

import argparse
import json
import os
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from itertools import accumulate
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from torch.profiler import ProfilerActivity, profile
from torch.utils.data import DataLoader, RandomSampler, TensorDataset

from srlib.files import write_atomically
from srlib.papers import get_experiment
from srlib.records.provenance import ROOT, commit, environment
from srlib.training.devices import choose_device, device_name, has_bf16, peak_memory
from srlib.training.patches import Patches, make_patches
from srlib.training.recipe import Experiment, Recipe
from srlib.training.state import start
from srlib.training.step import Step

FULL = ("drrn_b1u9", "rlcsc_k25", "dsrn_t7_x2", "drn_x3")
NARROW = ("drrn_b1u3_w32", "dsrn_t3_x3_w32", "rlcsc_k5_n32_m32", "drn_x3_c32_g2_k3")
TOTAL = 20_000  # iterations of the schedules; no turn lasts as long
SIDE = {"cpu": 384, "cuda": 1024}  # of the made-up image: more than a few iterations a pass
# What RL-CSC prints: experiment, batch, patch, MB. DRRN with 52 layers wants more than its GPU has, "> 12 GB".
TABLE_4 = (("drrn_b1u9", 64, 31, 9_043), ("drrn_b1u25", 128, 31, None),
           ("rlcsc_k25", 64, 31, 4_955), ("rlcsc_k25", 128, 31, 9_263), ("rlcsc_k25", 128, 33, 9_421))  # fmt: skip
CHECKED = (8, 24)  # batches of the first in real steps on a CPU: beside smaller ones the libraries take most of the memory


def ways(device: str) -> dict[str, dict[str, Any] | None]:
    """Ways to train, the plain one first: what each asks of `Step`."""
    half = {"precision": "bf16"}
    if device == "cuda":
        return {"plain": None, "srlib": half, "srlib fp32": {}, "srlib, no graph": half | {"graph": False}}
    return {"plain": None, "srlib": {}} | ({"srlib bf16": half} if has_bf16() else {})


def apart(function: Callable[..., Any], *arguments: Any) -> Any:
    """A function's result, computed in a new process."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def by_adam(recipe: Recipe) -> Recipe:
    """A recipe that a plain loop can follow: Adam alone, at the rate that it has beside Muon."""
    return replace(recipe, optimiser="adam", lr=recipe.adam_lr, adam_lr=0.0) if recipe.optimiser == "muon" else recipe


def make_data(experiment: Experiment, recipe: Recipe, device: str) -> Patches:
    """Patches of a made-up image, on the device."""
    image = np.random.default_rng(0).integers(0, 256, (SIDE[device], SIDE[device], 3), dtype=np.uint8)
    images, recipe, model = [("made up", image)], replace(recipe, sizes=(1.0,)), experiment.make()
    return make_patches(images, recipe, model.domain, model.colour, experiment.degradation, device)


def make_step(experiment: Experiment, recipe: Recipe, device: str, how: dict[str, Any]) -> Step:
    """An iteration of srlib's training."""
    return Step(start(experiment, recipe, 0, device), make_data(experiment, recipe, device), recipe, TOTAL, 0, **how)


def stored(patches: Patches, recipe: Recipe, device: str) -> Iterator[list[torch.Tensor]]:
    """Endless shuffled batches of patches, all of which were cut and turned beforehand: inputs, then HR."""
    every, planes = torch.arange(len(patches)), (*patches.inputs.values(), patches.hr)
    data = TensorDataset(
        *(torch.cat([plane.crop(every, torch.full_like(every, t)) for t in recipe.transforms]) for plane in planes)
    )
    order = RandomSampler(data, num_samples=TOTAL * recipe.batch)
    return iter(DataLoader(data, recipe.batch, sampler=order, num_workers=2 if device == "cuda" else 0))


def plain(experiment: Experiment, recipe: Recipe, batches: Iterable[list[torch.Tensor]], device: str) -> Iterator[float]:
    """The loop as repositories of such papers have it, from srlib's first weights; gives the loss of each iteration."""
    if (recipe.optimiser, recipe.clip_by, recipe.supervision, recipe.weight_decay) != ("adam", "norm", 0, 0):
        raise ValueError(f"{experiment.name}: this loop knows Adam, clipping by norm and a plain loss only")
    model = start(experiment, recipe, 0, device).model.to(memory_format=torch.contiguous_format)
    optimiser = torch.optim.Adam(model.parameters(), lr=recipe.lr)
    distance = F.mse_loss if recipe.loss == "squared" else F.l1_loss
    reduction, factor = ("mean", recipe.loss_factor) if recipe.pixel_mean else ("sum", recipe.loss_factor / recipe.batch)
    for number, batch in enumerate(batches):
        *inputs, hr = (x.to(device) for x in batch)
        optimiser.param_groups[0]["lr"] = recipe.lr_at(number, TOTAL)
        loss = factor * distance(model(*inputs), hr, reduction=reduction)
        optimiser.zero_grad()
        loss.backward()
        if recipe.clip:
            nn.utils.clip_grad_norm_(model.parameters(), recipe.clip)
        optimiser.step()
        yield loss.item()


def turn(name: str, recipe: Recipe, how: dict[str, Any] | None, device: str, seconds: float) -> dict[str, float]:
    """One turn of one way: images a second after a warm-up, and by how much memory grew, data included."""
    before = peak_memory(device)
    torch.backends.cudnn.benchmark = device == "cuda"
    experiment = get_experiment(name)
    if how is None:
        step = partial(next, plain(experiment, recipe, stored(make_data(experiment, recipe, "cpu"), recipe, device), device))
    else:
        step = make_step(experiment, recipe, device, how)
    for _ in range(5):  # a graph is captured in the fourth
        began = time.perf_counter()
        float(step())
        took = time.perf_counter() - began
    iterations, began, processor = 0, time.perf_counter(), time.process_time()
    while (spent := time.perf_counter() - began) < seconds or not iterations:
        for _ in range(max(1, int(0.2 / took))):  # srlib's loss is read once in a while, as `train` does
            loss = step()
            iterations += 1
        float(loss)
    processor = (time.process_time() - processor) / iterations
    return {"rate": iterations * recipe.batch / spent, "processor": processor, "memory": peak_memory(device) - before}


def compare(
    name: str, recipe: Recipe, chosen: dict[str, dict[str, Any] | None], device: str, repeats: int, seconds: float
) -> list[dict[str, Any]]:
    """Rows of the report for one network and recipe."""
    rounds, failed = [], {}
    for _ in range(repeats):
        rounds.append({})
        for way in [way for way in chosen if way not in failed]:
            try:
                rounds[-1][way] = apart(turn, name, recipe, chosen[way], device, seconds)
                said = f"{rounds[-1][way]['rate']:,.1f} images/s"
            except Exception as error:  # one way that a machine cannot go is a finding, too
                said = failed[way] = f"{type(error).__name__}: {error}".splitlines()[0]
            print(f"{name}, batch {recipe.batch}, {way}: {said}", flush=True)
    turns = {way: [answers[way] for answers in rounds] for way in chosen if way not in failed}
    return [
        {"model": name, "batch": recipe.batch, "patch": recipe.patch, "way": way}
        | {"precision": (how or {}).get("precision", "fp32")}
        | ({"error": failed[way]} if way in failed else summary(turns[way], turns.get("plain", []), recipe.batch))
        for way, how in chosen.items()
    ]


def summary(turns: list[dict[str, float]], plains: list[dict[str, float]], batch: int) -> dict[str, Any]:
    """What the turns of one way come to, beside those of the plain one (none if it failed)."""
    rates, pairs = [t["rate"] for t in turns], list(zip(turns, plains, strict=bool(plains)))
    row = {"images_per_second": median(rates), "slowest": min(rates), "fastest": max(rates), "turns": len(turns)}
    row |= {"ms_per_step": 1e3 * batch / median(rates), "processor_ms_per_step": 1e3 * median(t["processor"] for t in turns)}
    if plains:
        row["times_plain"] = median(t["rate"] / p["rate"] for t, p in pairs)
        row["times_plain_processor"] = median(p["processor"] / t["processor"] for t, p in pairs)
    row["memory_mb"] = max(t["memory"] for t in turns)
    return {key: round(value, 4) for key, value in row.items()}


def table_step(name: str, batch: int, patch: int, device: str, **how: Any) -> Step:
    """An iteration of Table 4: by the published recipe, the first one, but for batch and patch."""
    experiment = get_experiment(name)
    return make_step(experiment, replace(experiment.recipes[0], batch=batch, patch=patch), device, how)


def kept(step: Step) -> int:
    """Bytes that a forward pass keeps for the backward pass: each storage once, weights and running statistics apart."""
    own = {tensor.untyped_storage().data_ptr() for tensor in (*step.state.model.parameters(), *step.state.model.buffers())}
    seen = {}  # storages, which live on here, so that no address is met twice

    def note(tensor: torch.Tensor) -> torch.Tensor:
        seen[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage()
        return tensor

    step.sampler.seek(0)
    inputs, hr = step.sampler.draw(step.iteration)
    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        step._loss(inputs, hr)
    return sum(storage.nbytes() for address, storage in seen.items() if address not in own)


def taken(step: Step) -> int:
    """Bytes that tensors take at most in one real step, beyond those that are there before."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as record:
        step()
    events = sorted(record.profiler.kineto_results.events(), key=lambda event: event.start_ns())
    return max(accumulate(event.nbytes() for event in events if event.name() == "[memory]"))


def computed(name: str, batch: int, patch: int) -> dict[str, Any]:
    """The memory of one configuration, from counts on up to four images."""
    steps = [table_step(name, count, patch, "cpu") for count in (1, 2, 4)]
    (one, two, four), (two_taken, four_taken) = map(kept, steps), map(taken, steps[1:])
    each, constant = two - one, 2 * one - two  # the statistics of a batch are as large for any
    if four != constant + 4 * each:
        raise RuntimeError(f"what is kept is not linear in the batch: {one}, {two}, {four} bytes")
    weights = sum(p.nbytes for p in steps[0].state.model.parameters())  # as many for average, gradients, momentum
    row = {"kind": "saved activations, computed", "mb": constant + batch * each + 4 * weights, "mb_per_image": each}
    row["step_mb"] = two_taken + (batch - 2) * (four_taken - two_taken) / 2 + 3 * weights  # gradients are in it
    return {key: value if key == "kind" else round(value / 1e6, 3) for key, value in row.items()}


def measured(name: str, batch: int, patch: int, device: str, precision: str = "fp32") -> dict[str, Any]:
    """The most memory in real steps without a graph, of tensors on a GPU; of this process on a CPU, where one step tells."""
    step = table_step(name, batch, patch, device, precision=precision, graph=False)
    for _ in range(4 if device == "cuda" else 1):
        step()
    reserved = {"reserved_mb": round(torch.cuda.max_memory_reserved() / 1e6, 1)} if device == "cuda" else {}
    return {"kind": "measured", "mb": round(peak_memory(device), 1)} | reserved


def table_4(device: str) -> dict[str, Any]:
    """RL-CSC's comparison, ours and the printed one, each also as a multiple of the first row; and the check."""
    rows = []
    for precision in ("fp32", "bf16") if device == "cuda" else ("fp32",):
        first, count = {}, partial(measured, device=device, precision=precision) if device == "cuda" else computed
        for name, batch, patch, printed in TABLE_4:
            row = {"model": name, "layers": get_experiment(name).make().depth, "batch": batch, "patch": patch}
            row["precision"] = precision
            try:
                row |= apart(count, name, batch, patch)
                first = first or row
                row |= {f"{key}_times_first": round(row[key] / first[key], 3) for key in ("mb", "step_mb") if key in row}
            except Exception as error:  # too large for this GPU, as the second was for theirs
                row["error"] = f"{type(error).__name__}: {error}".splitlines()[0]
            rows.append(row | {"paper_mb": printed, "paper_times_first": printed and round(printed / TABLE_4[0][3], 3)})
            print(rows[-1], flush=True)
    name, _, patch, _ = TABLE_4[0]
    sizes = [apart(measured, name, batch, patch, device)["mb"] for batch in CHECKED] if device == "cpu" else []
    return {"rows": rows, "check": {"model": name, "patch": patch, "batches": CHECKED, "process_mb": sizes}}


def circumstances(device: str) -> dict[str, Any]:
    """What a report says of the machine, the code and the day."""
    return {
        "device": device_name(device),
        "threads": torch.get_num_threads(),
        "load": os.getloadavg()[0],
        "bf16_in_hardware": device == "cuda" or has_bf16(),
        "tf32": device == "cuda" and torch.backends.cudnn.allow_tf32,
        "commit": commit(),
        "date": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "environment": environment(),
    }


def main(arguments: list[str] | None = None) -> None:
    """Measure what was asked for and write the report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", help="time these experiments only, and leave Table 4 out")
    parser.add_argument("--batch", nargs="+", type=int, help="64 and 128 on a GPU; else the recipe's, 4 for full-size networks")
    parser.add_argument("--ways", nargs="+", choices=ways("cuda") | ways("cpu"), help="some of them, beside the plain one")
    parser.add_argument("--repeats", type=int, default=3, help="turns of each way")
    parser.add_argument("--seconds", type=float, default=3.0, help="of a turn, its warm-up apart")
    parser.add_argument("--memory-only", action="store_true", help="Table 4 only")
    parser.add_argument("--out", type=Path, default=ROOT / "results" / "benchmarks" / "training.json")
    options = parser.parse_args(arguments)
    device = choose_device("auto")
    chosen = {way: how for way, how in ways(device).items() if not options.ways or way in (*options.ways, "plain")}
    settings = {"repeats": options.repeats, "seconds": options.seconds, "recipe": "fast, by Adam", "image": SIDE[device]}
    report = circumstances(device) | {"settings": settings, "rows": []}
    for name in () if options.memory_only else options.models or (FULL if device == "cuda" else (*NARROW, "drrn_b1u9")):
        recipe = by_adam(get_experiment(name).recipe("fast"))
        own = (64, 128) if device == "cuda" else (4,) if name in FULL else (recipe.batch,)
        for batch in options.batch or own:
            report["rows"] += compare(name, replace(recipe, batch=batch), chosen, device, options.repeats, options.seconds)
    if not options.models:
        report["table_4"] = table_4(device)
    write_atomically(options.out, json.dumps(report, indent=1) + "\n")
    print(f"wrote {options.out}")


if __name__ == "__main__":
    main()
