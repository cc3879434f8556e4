"""Printed numbers that need no training, computed by our own code: arithmetic, settings, contradictions.

A module for each paper. Sizes are counted on our networks, settings read off our `published` recipes, differences taken of
other printed numbers; so a slip in a recipe, a network or a transcription shows as a number that does not agree.
"""

from collections.abc import Callable
from functools import cache

from srlib.papers.checks import drn, drrn, dsrn, rlcsc
from srlib.papers.published import Claim, Contradiction

_MODULES = {"drrn": drrn, "dsrn": dsrn, "rlcsc": rlcsc, "drn": drn}
NUMBERS: dict[str, Callable[[], float]] = {key: f for module in _MODULES.values() for key, f in module.NUMBERS.items()}


@cache
def recomputed(identifier: str) -> float | None:
    """Our number for a printed one, in the printed unit; `None` if we have no way to compute it."""
    return float(NUMBERS[identifier]()) if identifier in NUMBERS else None


def contradictions(paper: str) -> tuple[Contradiction, ...]:
    """What is wrong, or says two things, in one paper."""
    return _MODULES[paper].CONTRADICTIONS


@cache
def holding(paper: str) -> dict[str, Contradiction]:
    """The contradictions of one paper that hold, by each claim that they touch.

    A slip marks claims of order alone, beside which the ledger shows what our runs say all the same.
    """
    found = {}
    for contradiction in contradictions(paper):
        if contradiction.claims and (contradiction.holds is None or contradiction.holds()):
            orders = [touched for touched in contradiction.claims if ".order." in touched]
            found |= dict.fromkeys(orders if contradiction.grade == "slip" else contradiction.claims, contradiction)
    return found


def inconsistent(claim: Claim) -> Contradiction | None:
    """The contradiction that touches a claim and holds, if there is one; see `holding`."""
    return holding(claim.paper).get(claim.id)
