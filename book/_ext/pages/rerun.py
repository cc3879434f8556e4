"""The "rerun this" box of a notebook's page: the exact commands, and what each costs on a CPU and on a GPU.

The page as the book shows it was timed by papermill. Training is estimated from its operations: narrow networks at the rate of
the committed trainings of their paper, the papers' own at the rate that `python -m srlib calibrate` measured.
"""

import ast
import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product
from typing import Any

import papermill

from srlib.papers import drrn, get_experiment
from srlib.records.calibration import estimated_minutes, find_calibrations
from srlib.records.plan import ABLATION, COMPONENTS, DISTILLING, GRID, RECURSIONS, SWEEP
from srlib.records.provenance import ROOT
from srlib.records.record import trainings
from srlib.training.devices import device_name
from srlib.training.progress import work_per_image
from srlib.training.recipe import Experiment

# The papers' own networks behind the tables and figures of each page that can train.
OWN = {
    "drrn_tables": ("drrn_b1u9", "drrn_b1u25", "vdsr_bn"),
    "drrn_BU_grid": GRID,
    "drrn_ablation": (*COMPONENTS, "drrn_b3u2", "drrn_b3u3", "drrn_b3u4"),
    "dsrn_tables": ("dsrn_t7_x2", "dsrn_t7_x3", "dsrn_t7_x4"),
    "dsrn_unroll": SWEEP,
    "dsrn_ablation": ABLATION,
    "rlcsc_tables": ("rlcsc_k25", "rlcsc_k48"),
    "rlcsc_recursion": RECURSIONS,
    "rlcsc_residual_memory": ("rlcsc_k25", "rlcsc_k25_no_residual"),
    "drn_tables": ("drn_x2", "drn_x3", "drn_x4", "drn_plus_x2", "drn_plus_x3", "drn_plus_x4"),
    "drn_ablation": (*DISTILLING, "drn_mse_x3"),
}
ASSUMED = 250e12  # operations a second that an H200 keeps up in bf16, a third of its matrix products: until a GPU is measured


@dataclass(frozen=True)
class Way:
    """One way to rerun a page."""

    title: str
    command: str
    cost: str  # a duration, and where it is spent
    basis: str  # how that is known, as sentences


def ways(page: str, seconds: float) -> list[Way]:
    """How a page can be rerun, cheapest first.

    Parameters
    ----------
    page : str
        Name of a notebook.
    seconds : float
        That it took when it was executed for the book; NaN if not known.
    """
    parameters = papermill.inspect_notebook(str(ROOT / "notebooks" / f"{page}.ipynb"))
    default = {name: ast.literal_eval(p["default"]) for name, p in parameters.items()}
    command = f"papermill notebooks/{page}.ipynb results/runs/{page}.ipynb"
    measured = f"Measured when this page was made, on {device_name('cpu').split(',')[0]}. No GPU is needed."
    found = [Way("As shown here", command, f"{duration(seconds)} on a CPU", measured)]
    if page not in OWN:
        return found
    narrow, own = _narrow(default), [get_experiment(name) for name in OWN[page]]
    cpu, basis = _like_records(narrow, default["budget"])
    command += " -p train True"
    found.append(
        Way(
            _train("narrow", narrow),
            command,
            f"{cpu} on a CPU",
            f"{basis} Scoring comes on top. They are too small to fill a GPU.",
        )
    )
    (cpu, _), (gpu, basis) = _calibrated(own, gpu=False), _calibrated(own, gpu=True)
    data = " and ".join(dict.fromkeys(e.data for e in own))
    command += f" -p budget 1 -p experiments {','.join(OWN[page])} -p device cuda"
    return [*found, Way(_train("full-size", own), command, f"{gpu} on a GPU", f"{basis} On a CPU: {cpu}. Trained on {data}.")]


def box(page: str, seconds: float) -> str:
    """The ways as Markdown: an admonition in which all but the first are folded away."""
    first, *others = ways(page, seconds)
    text = [":::::{admonition} Rerun this\n:class: tip srlib-rerun", f"**{first.title}:** {first.cost}. {first.basis}"]
    text.append(_code(first.command))
    for way in others:
        text += [f"::::{{dropdown}} {way.title}: {way.cost}", _code(way.command), way.basis, "::::"]
    return "\n\n".join([*text, ":::::"])


def duration(seconds: float) -> str:
    """Seconds in words such as '8 s', '12 min', '3 h' and '16 days'."""
    if math.isnan(seconds):
        return "not measured"
    for most, unit, name in ((100, 1, "s"), (100 * 60, 60, "min"), (48 * 3600, 3600, "h")):
        if seconds < most:
            return f"{max(1, round(seconds / unit))} {name}"
    return f"{seconds / 86400:,.0f} days"


def operations(experiments: Iterable[Experiment], budget: float) -> float:
    """Floating-point operations of training with the `fast` recipes."""
    recipes = [(e, e.recipe("fast")) for e in experiments]
    return sum(budget * recipe.iterations * recipe.batch * work_per_image(e, recipe) for e, recipe in recipes)


def _spent(info: dict[str, Any]) -> float:
    """Floating-point operations of a training that has a record, by its own recipe."""
    experiment, recipe = get_experiment(info["experiment"]), info["recipe"]
    return info["iterations_done"] * recipe["batch"] * work_per_image(experiment, experiment.recipe(recipe["name"]))


def _train(size: str, experiments: list[Experiment]) -> str:
    return f"Train a {size} network" if len(experiments) == 1 else f"Train {len(experiments)} {size} networks"


def _narrow(default: dict[str, Any]) -> list[Experiment]:
    """What a notebook trains unless told otherwise."""
    if default["experiments"]:
        return [get_experiment(name) for name in default["experiments"]]
    return [drrn.experiment(B, U, default["width"]) for B, U in product(default["B"], default["U"])]


def _like_records(experiments: list[Experiment], budget: float) -> tuple[str, str]:
    """How long training takes if it is as fast as the committed trainings of that paper on CPUs, and that this is the basis."""
    infos = [r.info for r in trainings() if not r.info.get("gpu_seconds")]
    done = [i for i in infos if get_experiment(i["experiment"]).paper == experiments[0].paper]
    if not done:
        return duration(math.nan), "No such network has been trained yet."
    # a thread each, validation and saving included, on machines that did other work besides
    before, seconds = sum(map(_spent, done)), sum(i["seconds"] for i in done)
    work = operations(experiments, budget)
    several = f"{len(done)} committed trainings" if len(done) > 1 else "committed training"
    basis = f"Estimated from {_count(work)} operations at the rate of our {several} for this paper."
    return f"about {duration(work * seconds / before)}", basis


def _calibrated(experiments: list[Experiment], gpu: bool) -> tuple[str, str]:
    """How long the whole training takes at the rate of the device that was measured; a GPU's is assumed until one is."""
    work = operations(experiments, 1.0)
    for calibration in (c for c in find_calibrations() if c["gpu"] == gpu):
        minutes = sum(estimated_minutes(calibration, e, e.recipe("fast"), 1.0) for e in experiments)
        where = f"{calibration['device']}, {calibration['date'][:10]}"
        return f"about {duration(60 * minutes)}", f"Estimated from {_count(work)} operations at the rate measured on {where}."
    if not gpu:
        return duration(math.nan), "No CPU has been measured yet."
    assumed = f"an H200 at an assumed {ASSUMED / 1e12:.0f} TFLOP/s"
    return f"about {duration(work / ASSUMED)}", f"Computed from {_count(work)} operations for {assumed}, not measured."


def _count(work: float) -> str:
    """Operations in words, to three digits: '1.23 × 10¹⁵'."""
    digits, power = f"{work:.2e}".split("e+")
    return f"{digits} × 10{power.lstrip('0').translate(str.maketrans('0123456789', '⁰¹²³⁴⁵⁶⁷⁸⁹'))}"


def _code(command: str) -> str:
    return f"```bash\n{command}\n```"
