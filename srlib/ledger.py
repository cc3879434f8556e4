"""The ledger: everything that the papers claim, with our number beside it and a verdict that is computed, never typed."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd

from srlib.differences import evidence, outcome
from srlib.papers import EXPERIMENTS, PAPERS, TOLERANCES, Claim, claims, get_experiment, verdict
from srlib.papers.orders import ALIKE, ORDERS, Order
from srlib.papers.published import damaged
from srlib.papers.recomputed import inconsistent, recomputed
from srlib.papers.standin import SUFFIX
from srlib.records import damaged_records
from srlib.runs import Ours, runs

VERDICTS = {
    "reproduced": "our number is at most the tolerance below the published one, whatever the budget",
    "short of it": "further below, at the full budget",
    "still training": "further below, from a run shorter than the published one: no refutation",
    "borne out so far": "a claim of order: runs of ours say the same, of networks narrower than the paper's: no proof",
    "contrary so far": "a claim of order: runs of ours say otherwise, shorter or narrower than the paper's: no refutation",
    "undecided": "a claim of order: the interval that our seeds leave holds both answers",
    "not attempted": "we have no number",
    "not comparable": "a hidden test set, other training data, other hardware, or only an image",
    "paper inconsistent": "the paper contradicts itself, another or arithmetic here",
    "unexplained": "our arithmetic disagrees and no contradiction is known: ours may be wrong",
    "damaged": "a record or a row that cannot be read",
}
KINDS = {
    "measured": "measured by the paper on its own networks",
    "quoted": "quoted from other papers",
    "arithmetic": "follows from a network's structure or from other printed numbers",
    "setting": "a setting of the paper's experiments",
    "order": "a claim of order",
    "hardware": "times and memory of the paper's machines",
    "image-only": "only in an image, or a drawing",
}
UNTRAINED = {"bicubic": "bicubic", "vdsr": "vdsr_official"}  # methods that need no training of ours, and their records


@dataclass(frozen=True)
class Row:
    """One line of the ledger."""

    id: str
    paper: str
    where: str
    experiment: str
    dataset: str
    scale: int | None
    metric: str
    protocol: str
    published: str
    ours: float | None
    gap: float | None
    budget: float | None  # training images seen, as a fraction of the published run's
    recipe: str
    seeds: tuple[int, ...]
    verdict: str
    kind: str
    source: str
    note: str


def protocols_of(claim: Claim) -> tuple[str, ...]:
    """The protocol behind a claim; where the paper does not say, every candidate."""
    if claim.protocol or claim.metric not in TOLERANCES:
        return (claim.protocol,)
    if claim.kind == "measured":  # an epoch of an experiment, such as rlcsc_k25_epoch5, included
        return get_experiment(claim.experiment).protocols
    return EXPERIMENTS[claim.experiment].protocols if claim.experiment in EXPERIMENTS else ("",)


def find_ours(claim: Claim, protocol: str) -> Ours | None:
    """Our number for a measured or quoted claim; of the stand-in's training where there is no other."""
    cell = (claim.dataset, claim.scale, claim.metric, protocol)
    for name in (claim.experiment, UNTRAINED.get(claim.experiment), claim.experiment + SUFFIX):
        if name and (ours := runs().find(name, *cell)):
            return ours
    return None


def rows_of(claim: Claim) -> Iterable[Row]:
    """The lines of one claim: one for each candidate protocol."""
    fields = {k: v for k, v in asdict(claim).items() if k in Row.__dataclass_fields__} | {"paper": claim.paper}
    fields |= {"published": claim.value, "ours": None, "gap": None, "budget": None, "recipe": "", "seeds": ()}
    contradiction = inconsistent(claim)
    if claim.kind == "order":
        fields |= decide(claim.id)
    elif claim.kind in ("arithmetic", "setting"):
        fields |= recompute(claim)
    elif claim.kind in ("hardware", "image-only"):
        fields["verdict"] = "not comparable"
    # A contradiction that holds decides, whatever our number is.
    decided = {"verdict": "paper inconsistent", "note": contradiction.wrong} if contradiction else {}
    if claim.kind in ("measured", "quoted"):
        for protocol in protocols_of(claim):
            yield Row(**fields | {"protocol": protocol} | measured(claim, protocol) | decided)
    else:
        yield Row(**fields | decided)


def measured(claim: Claim, protocol: str) -> dict[str, Any]:
    """Ours beside a score, and the verdict by the rule."""
    ours = find_ours(claim, protocol)
    if claim.kind == "quoted" and claim.protocol == "div2k_rgb":
        return {"verdict": "not comparable"}  # the challenge's hidden test set
    if ours is None:
        return {"verdict": "not attempted"}
    info = ours.records[0].info
    said = verdict(claim, ours.value, ours.budget, ours.spread)
    if info["experiment"].endswith(SUFFIX):
        said = "not comparable"
    elif info["kind"] != "training" and claim.gap(ours.value) > TOLERANCES[claim.metric]:
        said = "short of it"  # nothing was trained: a higher number is no better one
    return {
        "experiment": info["experiment"],
        "ours": ours.value,
        "gap": claim.gap(ours.value),
        "budget": ours.budget,
        "recipe": ours.recipe,
        "seeds": ours.seeds,
        "verdict": said,
    }


def recompute(claim: Claim) -> dict[str, Any]:
    """Ours beside a number that needs no training."""
    ours = recomputed(claim.id)
    if ours is None:
        return {"verdict": "not attempted"}
    said = "reproduced" if claim.printed_alike(ours) else "unexplained"
    return {"ours": ours, "gap": claim.gap(ours), "verdict": said}


def decide(identifier: str) -> dict[str, Any]:
    """The verdict on a claim of order."""
    order = ORDERS.get(identifier, Order())
    if order.holds:
        said = "reproduced" if order.holds() else "unexplained"
        return {"verdict": said, "note": "counted on the networks"}
    found = evidence(order)
    if not found:
        return {"verdict": "not attempted"}
    answer = outcome(order, found)
    pairs = dict.fromkeys((d.better, d.worse) for d in found)  # in order
    full = pairs.keys() <= set(order.pairs)  # networks of the paper's size
    if answer == "no":
        said = "short of it" if full and all(d.budget >= 1 for d in found) else "contrary so far"
    elif answer == "yes":
        said = "reproduced" if full else "borne out so far"
    else:
        said = "undecided"
    return {
        "experiment": "; ".join(f"{a} against {b}" for a, b in pairs),
        "dataset": found[0].dataset,
        "protocol": found[0].protocol,
        "ours": min(-abs(d.psnr) if order.says == ALIKE else d.psnr for d in found),
        "recipe": found[0].recipe,
        "seeds": tuple(sorted({seed for d in found for seeds in d.seeds for seed in seeds})),
        "verdict": said,
        "note": f"{'; '.join(map(str, found))}; {len(pairs)} of {len(order.pairs)} pairs",
    }


def ledger(papers: Iterable[str] = PAPERS) -> list[Row]:
    """All lines, paper by paper; what is damaged stands at the end."""
    rows = [row for paper in papers for claim in claims(paper) for row in rows_of(claim)]
    faults = damaged_records() | {name: why for paper in papers for name, why in damaged(paper).items()}
    blank = dict.fromkeys(Row.__dataclass_fields__, "") | dict.fromkeys(("scale", "ours", "gap", "budget")) | {"seeds": ()}
    blank |= {"verdict": "damaged", "kind": "file"}
    return rows + [Row(**blank | {"id": name, "note": why}) for name, why in faults.items()]


def counts(rows: Iterable[Row]) -> Counter[str]:
    """Claims by verdict. One with several candidate protocols counts by the least of its verdicts."""
    order = list(VERDICTS)
    least: dict[str, str] = {}
    for row in rows:
        least[row.id] = max(row.verdict, least.get(row.id, row.verdict), key=order.index)
    return Counter(least.values())


def rows_frame(rows: Iterable[Row]) -> pd.DataFrame:
    """Lines of the ledger as a frame, one column a field."""
    frame = pd.DataFrame([vars(row) for row in rows], columns=list(Row.__dataclass_fields__))
    return frame.assign(seeds=[" ".join(map(str, seeds)) for seeds in frame.seeds])
