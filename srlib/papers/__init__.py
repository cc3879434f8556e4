"""What the papers claim, as data, and how our numbers are judged against it.

`<paper>.csv` holds every number as printed, with its home in the paper; `<paper>.py` the experiments that regenerate it.
"""

from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path

import pandas as pd

from srlib.errors import InputError
from srlib.experiment import Experiment
from srlib.papers import baselines, drn, drrn, dsrn, rlcsc

PAPERS = ("drrn", "dsrn", "rlcsc", "drn")
TITLES = {"drrn": "DRRN", "dsrn": "DSRN", "rlcsc": "RL-CSC", "drn": "DRN"}
EXPERIMENTS: dict[str, Experiment] = {
    experiment.name: experiment for module in (drrn, dsrn, rlcsc, drn, baselines) for experiment in module.EXPERIMENTS
}
TOLERANCES = {"psnr": 0.05, "ssim": 0.001, "ifc": 0.02}  # dB, 1, bits per pixel


@dataclass(frozen=True)
class Claim:
    """One published number."""

    id: str
    where: str
    source: str  # file and line of the paper's text
    experiment: str  # ours, or the name of a quoted method
    dataset: str
    scale: int
    metric: str
    value: str  # as printed
    protocol: str  # '' where the paper does not say
    kind: str  # 'measured' by the paper, or 'quoted' from another
    note: str

    @property
    def paper(self) -> str:
        """Short name of the paper that prints it."""
        return self.id.split(".", 1)[0]

    def printed_alike(self, ours: float) -> bool:
        """Whether our number, rounded to as many digits, is the printed one."""
        decimals = len(self.value.partition(".")[2])
        return abs(round(ours, decimals) - float(self.value)) < 0.1 * 10**-decimals

    def gap(self, ours: float) -> float:
        """Ours minus published."""
        return ours - float(self.value)


@lru_cache
def claims(paper: str) -> tuple[Claim, ...]:
    """All numbers that one paper prints."""
    if paper not in PAPERS:
        raise InputError(f"Paper {paper!r} is unknown: choose one of {', '.join(PAPERS)}.")
    table = pd.read_csv(Path(__file__).with_name(f"{paper}.csv"), dtype={"value": str}, keep_default_na=False)
    return tuple(Claim(**row) for row in table.to_dict("records"))


@dataclass(frozen=True)
class ModelClaim:
    """What a paper prints about the size or speed of a network."""

    model: str  # a key of MODELS
    quantity: str  # 'params', 'depth', 'receptive_field', or 'seconds' for an image
    value: str  # as printed
    source: str  # file and line of the paper's text
    printed: str  # the words around it
    note: str

    def equals(self, ours: int) -> bool:
        """Whether our number, in the unit of the printed one, is the same (297K: thousands)."""
        value = self.value.replace(",", "")
        return round(ours / 1000) == int(value[:-1]) if value[-1] in "Kk" else ours == int(value)


@lru_cache
def model_claims() -> tuple[ModelClaim, ...]:
    """All printed sizes and times of networks (`models.csv`)."""
    table = pd.read_csv(Path(__file__).with_name("models.csv"), dtype=str, keep_default_na=False)
    return tuple(ModelClaim(**row) for row in table.to_dict("records"))


def verdict(claim: Claim, ours: float | None, budget: float = 1.0) -> str:
    """Judge one number under the claim's own protocol; the rule is stated in the book and never typed by hand.

    Parameters
    ----------
    claim : Claim
        What is published.
    ours : float, optional
        Our number under the same protocol; `None` if there is none.
    budget : float
        Fraction of the published iterations behind our number.
    """
    if ours is None:
        return "not attempted"
    if claim.gap(ours) >= -TOLERANCES[claim.metric]:
        return "reproduced"
    return "short of it" if budget >= 1 else "still training"


def get_experiment(name: str) -> Experiment:
    """The experiment called `name`, a narrow DRRN such as `drrn_b1u3_w16` included, or an `InputError` that lists them."""
    if name in EXPERIMENTS:
        return EXPERIMENTS[name]
    if narrow := drrn.parse(name):
        return narrow
    near = " or ".join(get_close_matches(name, EXPERIMENTS, 3, cutoff=0.5))
    hint = f"do you mean {near}? " if near else ""
    raise InputError(
        f"Experiment {name!r} is unknown: {hint}`python -m srlib list` names all; of your own, say, drrn_b1u3_w16."
    )
