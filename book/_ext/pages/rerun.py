"""The "rerun this" box of a notebook's page: the exact commands, and the cost of each.

The page as the book shows it was timed by papermill. The time of training narrow networks is estimated at the rate of our
trainings of their paper. For the papers' own networks the operations are counted, and the longest run of ours is named.
"""

import ast
import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product
from typing import Any

import papermill

from srlib.papers import drrn, get_experiment
from srlib.records.plan import ABLATION, COMPONENTS, DISTILLING, GRID, RECURSIONS, SWEEP
from srlib.records.provenance import ROOT
from srlib.records.record import trainings
from srlib.training.devices import device_name
from srlib.training.recipe import Experiment, operations

# The papers' own networks behind the tables and figures of each page that can train.
FULL_SIZE = {
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


@dataclass(frozen=True)
class Way:
    """One way to rerun a page."""

    title: str
    command: str
    cost: str  # a duration and a device, or a number of operations
    basis: str  # the source of the cost, as sentences


def ways(page: str, seconds: float) -> list[Way]:
    """The ways to rerun a page, cheapest first.

    Parameters
    ----------
    page : str
        Name of a notebook.
    seconds : float
        Duration when it was executed for the book; NaN if not known.

    Returns
    -------
    list of Way
    """
    parameters = papermill.inspect_notebook(str(ROOT / "notebooks" / f"{page}.ipynb"))
    default = {name: ast.literal_eval(p["default"]) for name, p in parameters.items()}
    command = f"papermill notebooks/{page}.ipynb results/runs/{page}.ipynb"
    basis = f"Measured when this page was made, on {device_name('cpu').split(',')[0]}. No GPU is needed."
    as_shown = Way("As shown here", command, f"{duration(seconds)} on a CPU", basis)
    if page not in FULL_SIZE:
        return [as_shown]
    narrow, full_size = _narrow(default), [get_experiment(name) for name in FULL_SIZE[page]]
    cpu, basis = _like_records(narrow, default["budget"])
    command += " -p train True"
    scoring = "Scoring comes on top. They are too small to fill a GPU."
    narrow_way = Way(_train("narrow", narrow), command, f"{cpu} on a CPU", f"{basis} {scoring}")
    command += f" -p budget 1 -p experiments {','.join(FULL_SIZE[page])} -p device cuda"
    data = " and ".join(dict.fromkeys(e.data for e in full_size))
    work = f"{_count(total_operations(full_size))} operations"
    own = Way(_train("full-size", full_size), command, work, f"{_measured(full_size)} Trained on {data}.")
    return [as_shown, narrow_way, own]


def box(page: str, seconds: float) -> str:
    """The ways to rerun a page as Markdown: an admonition in which all but the first are folded."""
    cheapest, *folded = ways(page, seconds)
    text = [":::::{admonition} Rerun this\n:class: tip srlib-rerun", f"**{cheapest.title}:** {cheapest.cost}. {cheapest.basis}"]
    text.append(_code(cheapest.command))
    for way in folded:
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


def total_operations(experiments: Iterable[Experiment], budget: float = 1.0, recipe: str = "fast") -> float:
    """Number of floating-point operations of training some experiments, each by its recipe of that name."""
    return sum(operations(e, e.recipe(recipe), budget * e.recipe(recipe).iterations) for e in experiments)


def _spent(info: dict[str, Any]) -> float:
    """Number of floating-point operations of a training that has a record, by its own recipe."""
    experiment = get_experiment(info["experiment"])
    return operations(experiment, experiment.recipe(info["recipe"]["name"]), info["iterations_done"])


def _train(size: str, experiments: list[Experiment]) -> str:
    return f"Train a {size} network" if len(experiments) == 1 else f"Train {len(experiments)} {size} networks"


def _narrow(default: dict[str, Any]) -> list[Experiment]:
    """The experiments that a notebook trains with its default parameters."""
    if default["experiments"]:
        return [get_experiment(name) for name in default["experiments"]]
    return [drrn.experiment(B, U, default["width"]) for B, U in product(default["B"], default["U"])]


def _like_records(experiments: list[Experiment], budget: float) -> tuple[str, str]:
    """Duration of training at the rate of the paper's committed trainings on CPUs, and the basis of it, in words."""
    infos = [r.info for r in trainings() if not r.info.get("gpu_seconds")]
    infos = [i for i in infos if get_experiment(i["experiment"]).paper == experiments[0].paper]
    if not infos:
        return duration(math.nan), "No such network has been trained yet."
    # on a thread each, validation and saving included, on machines with other work
    seconds_an_operation = sum(i["seconds"] for i in infos) / sum(map(_spent, infos))
    work = total_operations(experiments, budget)
    known = f"{len(infos)} committed trainings" if len(infos) > 1 else "committed training"
    basis = f"Estimated from {_count(work)} operations at the rate of our {known} for this paper."
    return f"about {duration(work * seconds_an_operation)}", basis


def _measured(experiments: list[Experiment]) -> str:
    """The longest training of ours among some networks, with its device and duration, in words."""
    names = {e.name for e in experiments}
    infos = [record.info for record in trainings() if record.info["experiment"] in names]
    if not infos:
        return "None of these networks has been trained here yet, so no time is known."
    info = max(infos, key=_spent)
    fraction = _spent(info) / total_operations([get_experiment(info["experiment"])])
    return (
        f"The longest run of one of them so far: `{info['experiment']}`, {100 * fraction:.2g} % of its `fast` recipe in "
        f"{duration(info['seconds'])} on {info['device']}."
    )


def _count(work: float) -> str:
    """Operations in words, to three digits: '1.23 × 10¹⁵'."""
    digits, power = f"{work:.2e}".split("e+")
    return f"{digits} × 10{power.lstrip('0').translate(str.maketrans('0123456789', '⁰¹²³⁴⁵⁶⁷⁸⁹'))}"


def _code(command: str) -> str:
    return f"```bash\n{command}\n```"
