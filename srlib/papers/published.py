"""The papers' claims, their contradictions and open choices, and what others made of their networks, as data.

`<paper>.csv` holds every number as printed, with its place in the paper; `transcribe` reads it out of the texts. The other
tables are of all papers.
"""

import csv
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from srlib.errors import InputError
from srlib.protocol import METRICS, SCALES

PAPERS = ("drrn", "dsrn", "rlcsc", "drn")
TITLES = {"drrn": "DRRN", "dsrn": "DSRN", "rlcsc": "RL-CSC", "drn": "DRN", "baselines": "Baselines"}
FOLDER = Path(__file__).parent
COLUMNS = ["id", "where", "source", "experiment", "dataset", "scale", "metric", "value", "protocol", "kind", "note"]
_WORDS = {"half": 0.5, "one": 1.0, "two": 2.0, "three": 3.0, "four": 4.0, "five": 5.0, "six": 6.0, "ten": 10.0}
_RAISED = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")
_NUMBER = re.compile(r"(?:[>~]|\\sim)?\s*(?:10\^\{(?P<power>-?\d+)\}|(?P<digits>[\d,]*\.?\d+)(?P<thousand>[Kk])?)")


@dataclass(frozen=True)
class Claim:
    """One published number, or one claim of order."""

    id: str
    where: str  # table, figure or section
    source: str  # file and line of the paper's text
    experiment: str  # ours, or the name of a quoted method
    dataset: str
    scale: int | None
    metric: str
    value: str  # as printed: the words of a claim of order; empty for what only an image shows
    protocol: str  # '' where the paper does not say
    # 'measured' by the paper, 'quoted' from another, 'arithmetic' that follows from other numbers or a network's structure, a
    # 'setting' of the experiments, 'hardware' (times and memory of theirs), 'order' of results, or 'image-only'
    kind: str
    note: str

    @property
    def paper(self) -> str:
        """Short name of the paper that prints it."""
        return self.id.split(".", 1)[0]

    @property
    def method(self) -> str:
        """Name of the method in the paper: that of its column in a table."""
        match = re.search(r"\.x\d\.(.+?)(\.psnr|\.ssim|\.ifc)?$", self.id)
        return match[1] if match else self.experiment

    @property
    def number(self) -> float:
        """The printed number, in the unit of the print; NaN for other words and for an empty value."""
        if self.value.lower() in _WORDS:
            return _WORDS[self.value.lower()]
        if re.fullmatch("10[⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+", self.value):
            return 10.0 ** int(self.value[2:].translate(_RAISED))
        match = _NUMBER.fullmatch(self.value)
        if not match:
            return math.nan
        if match["power"]:
            return 10.0 ** int(match["power"])
        return float(match["digits"].replace(",", "")) * (1000 if match["thousand"] else 1)

    def printed_alike(self, ours: float) -> bool:
        """Whether our number, rounded to as many digits (297K: to thousands), is the printed one."""
        if math.isnan(ours) or math.isnan(self.number):
            return False
        unit = 1000 if self.value[-1:] in "Kk" else 10.0 ** -len(self.value.partition(".")[2])
        if re.search("[⁻^]|half", self.value):  # no decimals to count
            unit = self.number / 100
        return abs(round(ours / unit) * unit - self.number) < 0.1 * unit

    def gap(self, ours: float) -> float:
        """Ours minus published, in the unit of the print."""
        return ours - self.number


GRADES = {
    "material": "changes what a reader concludes, or how the network or its training must be built",
    "misprint": "a printed value is wrong",
    "slip": "a slip of notation or wording, or a fault of the copy of the text that we have",
}


@dataclass(frozen=True)
class Contradiction:
    """Something in a paper that is wrong, or says two things."""

    id: str
    grade: str  # one of GRADES
    source: str  # file and line of the paper's text
    printed: str  # words of that line
    wrong: str  # the fault, in our words
    claims: tuple[str, ...] = ()  # the claims that it touches; all but a slip make them inconsistent
    holds: Callable[[], bool] | None = None  # whether it still holds, computed; None where only words contradict each other


@dataclass(frozen=True)
class Choice:
    """Something that a paper leaves open, and our decision."""

    what: str
    source: str  # file and line of the paper's text
    text: str  # words of that line
    choice: str
    why: str


@dataclass(frozen=True)
class Item:
    """One table or figure of a paper."""

    name: str  # 'Table 2', 'Figure 6'
    source: str  # file and line of its caption
    title: str  # what it shows, in our words
    page: str  # name of the notebook that regenerates it


@dataclass(frozen=True)
class Replication:
    """One network, trained and scored by somebody; one row is ours, and is marked so."""

    network: str  # the name of ours that is closest to it
    method: str  # the repository's name
    kind: str  # 'trained' by somebody, or 'scoring': shows how somebody scores
    scoring: str  # 'unrounded': on luma that is rounded nowhere; '' for other or unknown scoring
    dataset: str
    metric: str
    scores: dict[int, float]  # by scale; only those that the source states
    source: str
    note: str  # what differs from the paper

    def printed(self, scale: int) -> Claim | None:
        """The claim of the first of the four papers that prints a score of this network at `scale`; `None` without any."""
        cell = (self.network, self.dataset, scale, self.metric)
        printed_scores = (c for paper in PAPERS for c in claims(paper) if c.kind in ("measured", "quoted"))
        return next((c for c in printed_scores if (c.experiment, c.dataset, c.scale, c.metric) == cell), None)

    def difference(self, scale: int) -> float:
        """Their score minus the printed one, in the metric's unit; NaN where either is missing."""
        claim = self.printed(scale)
        return claim.gap(self.scores[scale]) if claim and scale in self.scores else math.nan


@lru_cache
def claims(paper: str) -> tuple[Claim, ...]:
    """All claims of one paper, in its order.

    Raises
    ------
    InputError
        If the paper is unknown, or a row cannot be read.
    """
    if paper not in PAPERS:
        raise InputError(f"Paper {paper!r} is unknown: choose one of {', '.join(PAPERS)}.")
    paper_claims = []
    with (FOLDER / f"{paper}.csv").open(newline="") as file:
        rows = csv.DictReader(file, strict=True)
        try:
            for row in rows:
                if None in row or None in row.values():
                    raise ValueError(f"{len(COLUMNS)} cells are wanted")
                claim = Claim(**row | {"scale": int(row["scale"]) if row["scale"] else None})
                if claim.kind in ("measured", "quoted") and claim.metric in METRICS and math.isnan(claim.number):
                    raise ValueError(f"{claim.value!r} is no number")
                paper_claims.append(claim)
        except (csv.Error, KeyError, TypeError, ValueError) as error:
            raise InputError(
                f"{paper}.csv, line {rows.line_num}, cannot be read ({error}): restore it from version control."
            ) from None
    return tuple(paper_claims)


def _rows_of(table: str, paper: str) -> list[dict[str, str]]:
    """One paper's rows of a table of all papers."""
    with (FOLDER / f"{table}.csv").open(newline="") as file:
        return [row for row in csv.DictReader(file) if row.pop("paper") == paper]


@lru_cache
def items(paper: str) -> tuple[Item, ...]:
    """The tables and figures of one paper, in the order in which it prints them, with their pages in the book."""
    return tuple(Item(**row) for row in _rows_of("items", paper))


@lru_cache
def choices(paper: str) -> tuple[Choice, ...]:
    """The open choices of one paper, with our decisions."""
    return tuple(Choice(**row) for row in _rows_of("choices", paper))


@lru_cache
def contradictions(paper: str) -> tuple[Contradiction, ...]:
    """The contradictions of one paper as words; `checks.contradictions` has them with their computations."""
    return tuple(Contradiction(**row | {"claims": tuple(row["claims"].split())}) for row in _rows_of("contradictions", paper))


@lru_cache
def replications(paper: str) -> tuple[Replication, ...]:
    """The replications of one paper's networks, or of the `baselines`."""
    rows = []
    for row in _rows_of("replications", paper):
        scores = {scale: row.pop(f"x{scale}") for scale in SCALES}
        rows.append(Replication(**row, scores={scale: float(value) for scale, value in scores.items() if value}))
    return tuple(rows)


@lru_cache
def _by_id() -> dict[str, Claim]:
    return {claim.id: claim for paper in PAPERS for claim in claims(paper)}


def claim(identifier: str) -> Claim:
    """The claim with an id; raises an `InputError` if the id is unknown."""
    try:
        return _by_id()[identifier]
    except KeyError:
        raise InputError(f"Claim {identifier!r} is unknown: `python -m srlib ledger` names all.") from None


def printed(identifier: str) -> float:
    """The printed number of the claim with an id; see `Claim.number`."""
    return claim(identifier).number
