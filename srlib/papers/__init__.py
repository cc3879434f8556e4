"""What the papers claim, as data, and the experiments that regenerate it.

`<paper>.csv` holds every number as printed, with its home in the paper; `<paper>.py` the experiments; `recomputed/` what needs
no training; `orders.py` how claims of order are decided; `items.csv` every table and figure with its page in the book.
"""

import re
from dataclasses import replace
from difflib import get_close_matches

from srlib.errors import InputError
from srlib.experiment import Experiment
from srlib.papers import baselines, drn, drrn, dsrn, rlcsc
from srlib.papers.narrow import parse
from srlib.papers.published import PAPERS, TITLES, Claim, claim, claims, printed

__all__ = ["EXPERIMENTS", "PAPERS", "TITLES", "TOLERANCES", "Claim", "claim", "claims", "get_experiment", "printed", "verdict"]

EXPERIMENTS: dict[str, Experiment] = {
    experiment.name: experiment for module in (drrn, dsrn, rlcsc, drn, baselines) for experiment in module.EXPERIMENTS
}
TOLERANCES = {"psnr": 0.05, "ssim": 0.001, "ifc": 0.02}  # dB, 1, bits per pixel


def verdict(claim: Claim, ours: float | None, budget: float = 1.0, spread: float = 0.0) -> str:
    """Judge one score under the claim's own protocol; the rule is stated in the book and never typed by hand.

    Parameters
    ----------
    claim : Claim
        What is published.
    ours : float, optional
        Our number under the same protocol; `None` if there is none.
    budget : float
        Fraction of the published iterations behind our number.
    spread : float
        Of our seeds, in the unit of the metric: largest minus smallest.
    """
    if ours is None:
        return "not attempted"
    if claim.gap(ours) >= -max(TOLERANCES[claim.metric], 2 * spread):
        return "reproduced"
    return "short of it" if budget >= 1 else "still training"


def get_experiment(name: str) -> Experiment:
    """The experiment called `name`, a narrow one such as `drrn_b1u3_w16` included, or an `InputError` that lists them."""
    if name in EXPERIMENTS:
        return EXPERIMENTS[name]
    if spelt := parse(name, EXPERIMENTS):
        return spelt
    if match := re.fullmatch(r"(\w+)_(?:epoch|iteration)\d+(_w\d+)?", name):  # as it was then: see `train --keep`
        return replace(get_experiment(match[1] + (match[2] or "")), name=name)
    near = " or ".join(get_close_matches(name, EXPERIMENTS, 3, cutoff=0.5))
    hint = f"do you mean {near}? " if near else ""
    raise InputError(
        f"Experiment {name!r} is unknown: {hint}`python -m srlib list` names all; of your own, say, drrn_b1u3_w16."
    )
