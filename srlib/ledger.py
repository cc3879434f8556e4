"""The ledger: everything that the papers claim, with our number beside it and a verdict that is computed, never typed."""

import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from srlib.papers import EXPERIMENTS, PAPERS, TOLERANCES, Claim, claims, get_experiment, verdict
from srlib.papers.orders import ALIKE, BETTER, ORDERS, Order
from srlib.papers.published import damaged
from srlib.papers.recomputed import inconsistent, recomputed
from srlib.papers.standin import SUFFIX
from srlib.records import damaged_records
from srlib.runs import Ours, runs

VERDICTS = {
    "reproduced": "our number is at most the tolerance below the published one, whatever the budget",
    "short of it": "further below, at the full budget",
    "still training": "further below, from a run shorter than the published one: no refutation",
    "undecided": "our runs differ by less than their seeds do",
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
SPREAD = 0.09  # dB between seeds, where a comparison has one seed: the most that two of a narrow network have differed by
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
    if contradiction:
        fields["note"] = contradiction.wrong
    if claim.kind == "order":
        fields |= decide(claim.id)
    elif claim.kind in ("arithmetic", "setting"):
        fields |= recompute(claim)
    elif claim.kind in ("hardware", "image-only"):
        fields["verdict"] = "not comparable"
    else:
        for protocol in protocols_of(claim):
            yield Row(**fields | {"protocol": protocol} | measured(claim, protocol) | verdict_of(contradiction))
        return
    yield Row(**fields | verdict_of(contradiction))


def verdict_of(contradiction: Any) -> dict[str, str]:
    """A contradiction that holds decides, whatever our number is."""
    return {"verdict": "paper inconsistent"} if contradiction else {}


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


@dataclass(frozen=True)
class Difference:
    """Two experiments of ours at equal recipe, budget and data."""

    better: str  # as the paper has it
    worse: str
    psnr: float  # dB, mean over seeds: better minus worse
    spread: float  # dB between seeds
    seeds: tuple[int, ...]
    dataset: str
    protocol: str
    recipe: str
    budget: float


def differences(pairs: Iterable[tuple[str, str]], form: Callable[[str], str] = str) -> Iterable[Difference]:
    """What our runs say about pairs of experiments, each in the form given: full, on the stand-in's data, or narrow."""
    for names in ((form(better), form(worse)) for better, worse in pairs):
        groups = [runs().groups(name) for name in names]
        for key in groups[0].keys() & groups[1].keys():
            experiment = get_experiment(names[0])
            scales = experiment.recipe(key[0]).scales
            for dataset in ("DIV2K_valid", "Set5"):
                cell = (dataset, 3 if 3 in scales else scales[0], experiment.protocols[0], "psnr")
                values = [[r.means[cell] for r in group[key] if cell in r.means] for group in groups]
                if not all(values):
                    continue
                several = min(map(len, values)) > 1
                spread = max(max(v) - min(v) for v in values) if several else SPREAD
                seeds = tuple(sorted({r.info["seed"] for group in groups for r in group[key]}))
                psnr = float(np.mean(values[0]) - np.mean(values[1]))
                yield Difference(*names, psnr, spread, seeds, dataset, experiment.protocols[0], key[0], key[1])
                break


def forms() -> Iterable[Callable[[str], str]]:
    """The names under which an experiment may have been run: itself, on the stand-in's data, narrow from the widest."""
    yield str
    yield lambda name: name + SUFFIX
    widths = {int(name.rsplit("_w", 1)[1]) for name in runs().names() if re.search(r"_w\d+$", name)}
    for width in sorted(widths, reverse=True):
        yield lambda name, width=width: f"{name.removesuffix('_w128')}_w{width}"


def decide(identifier: str) -> dict[str, Any]:
    """The verdict on a claim of order."""
    order = ORDERS.get(identifier, Order())
    if order.holds:
        said = "reproduced" if order.holds() else "unexplained"
        return {"verdict": said, "note": "counted on the networks"}
    for form in forms():
        if found := list(differences(order.pairs, form)):
            break
    else:
        return {"verdict": "not attempted"}
    spread = max(d.spread for d in found)
    sizes = [-abs(d.psnr) if order.says == ALIKE else d.psnr for d in found]
    if min(sizes) < -spread:
        said = "short of it" if form is str and all(d.budget >= 1 for d in found) else "still training"
    else:
        clear = order.says != BETTER or min(sizes) > spread
        said = "reproduced" if clear and {d.better for d in found} == {form(a) for a, _ in order.pairs} else "undecided"
    listed = "; ".join(f"{d.better} against {d.worse} {d.psnr:+.2f} dB" for d in found)
    return {
        "experiment": "; ".join(f"{d.better} against {d.worse}" for d in found),
        "dataset": found[0].dataset,
        "protocol": found[0].protocol,
        "ours": min(sizes),
        "recipe": found[0].recipe,
        "seeds": found[0].seeds,
        "verdict": said,
        "note": f"{listed}; seeds differ by up to {spread:.2f} dB; {len(found)} of {len(order.pairs)} pairs",
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
