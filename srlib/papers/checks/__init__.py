"""Printed numbers that need no training, computed by our own code: arithmetic, settings, contradictions.

A module for each paper. Sizes are counted on our networks, settings are those of our `published` recipes, differences are
those of other printed numbers; so an error in a recipe, a network or a transcription gives a number that does not agree.
The contradictions are in `contradictions.csv`, and here the computations that show them.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import cache

from srlib.papers import published
from srlib.papers.checks import drn, drrn, dsrn, rlcsc
from srlib.papers.published import Claim, Contradiction

MODULES = {"drrn": drrn, "dsrn": dsrn, "rlcsc": rlcsc, "drn": drn}
NUMBERS: dict[str, Callable[[], float]] = {key: f for module in MODULES.values() for key, f in module.NUMBERS.items()}


@cache
def recomputed(identifier: str) -> float | None:
    """Our number for a printed one, in the printed unit; `None` if we have no computation for it."""
    return float(NUMBERS[identifier]()) if identifier in NUMBERS else None


@cache
def contradictions(paper: str) -> tuple[Contradiction, ...]:
    """All contradictions of one paper, with the computations that show them."""
    return tuple(replace(c, holds=MODULES[paper].HOLDS.get(c.id)) for c in published.contradictions(paper))


@cache
def holding(paper: str) -> dict[str, Contradiction]:
    """The contradictions of one paper that hold, by the id of each claim that they touch.

    A slip touches claims of order alone, for which the ledger shows the verdict of our runs, too.
    """
    by_claim = {}
    for contradiction in contradictions(paper):
        if contradiction.claims and (contradiction.holds is None or contradiction.holds()):
            orders = [identifier for identifier in contradiction.claims if ".order." in identifier]
            by_claim |= dict.fromkeys(orders if contradiction.grade == "slip" else contradiction.claims, contradiction)
    return by_claim


def inconsistent(claim: Claim) -> Contradiction | None:
    """The contradiction that touches a claim and holds; `None` without one; see `holding`."""
    return holding(claim.paper).get(claim.id)
