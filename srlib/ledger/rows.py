"""The ledger: every claim of the papers, our number for it, and a verdict that is computed, never typed."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from srlib.ledger.comparisons import Evidence, ci_half_width, deciding_evidence, find_differences, pooled_std
from srlib.papers import EXPERIMENTS, HEADLINE, PAPERS, TOLERANCES, Claim, claims, get_experiment
from srlib.papers.checks import inconsistent, recomputed
from srlib.papers.orderings import ALIKE, ORDERS
from srlib.papers.variants import STANDIN_SUFFIX
from srlib.records.record import damaged_records
from srlib.records.scores import OurScore, Runs, percent, runs

VERDICTS = {
    "reached": "a score of ours is the printed one, within the tolerance; a network that the paper puts forward may be above",
    "above": "further above: no success for a baseline, an ablation or a failure that the paper reports",
    "short of it": "further below, from a run that has ended; its recipe and its share of the published training stand beside",
    "unfinished": "further below, from a run that has not ended",
    "supported": "a claim of order: all its pairs say the same, on all sets that it names; size and share stand beside",
    "contradicted": "a claim of order: at least one of its pairs says otherwise; size and share stand beside",
    "undecided": "a claim of order: the interval that our seeds leave holds both answers, or pairs are missing",
    "agrees": "a size, a setting or arithmetic, computed here, is the printed number; or a count on the networks is as claimed",
    "not run": "we have no number",
    "not comparable": "a hidden test set, other training data, other hardware, an image, or a sentence that no score decides",
    "inconsistent as printed": "the paper contradicts itself, another or arithmetic here",
    "unexplained": "our arithmetic disagrees and no contradiction is known: ours may be wrong",
    "damaged": "a record that cannot be read",
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
    """One line of the ledger: a claim, under one protocol."""

    id: str
    paper: str = ""
    where: str = ""
    experiment: str = ""
    dataset: str = ""
    scale: int | None = None
    metric: str = ""
    protocol: str = ""
    published: str = ""
    ours: float | None = None
    gap: float | None = None
    training_fraction: float | None = None  # pixels of all patches seen over those of the published training
    recipe: str = ""
    seeds: tuple[int, ...] = ()
    verdict: str = ""
    detail: str = ""  # by how much above, the length of training, the size of the networks
    kind: str = ""
    source: str = ""
    note: str = ""


def protocols_of(claim: Claim) -> tuple[str, ...]:
    """The protocols of a claim: the paper's own, or every candidate where the paper names none."""
    if claim.protocol or claim.metric not in TOLERANCES:
        return (claim.protocol,)
    if claim.kind == "measured":  # an epoch of an experiment, such as rlcsc_k25_epoch5, included
        return get_experiment(claim.experiment).protocols
    return EXPERIMENTS[claim.experiment].protocols if claim.experiment in EXPERIMENTS else ("",)


def find_ours(claim: Claim, protocol: str) -> OurScore | None:
    """Our score for a measured or quoted claim, from training on the stand-in where there is no other; `None` without any."""
    cell = (claim.dataset, claim.scale, claim.metric, protocol)
    for name in (UNTRAINED.get(claim.experiment), claim.experiment, claim.experiment + STANDIN_SUFFIX):
        if name and (ours := runs().find(name, *cell)):
            return ours
    return None


def rows_of(claim: Claim) -> Iterable[Row]:
    """The rows of one claim: one for each candidate protocol."""
    fields = {key: value for key, value in vars(claim).items() if key in Row.__dataclass_fields__}
    fields |= {"paper": claim.paper, "published": claim.value}
    contradiction = inconsistent(claim)
    for protocol in protocols_of(claim):
        if claim.kind == "order":
            judged = judge_ordering(claim.id)
        elif claim.kind in ("arithmetic", "setting"):
            judged = judge_arithmetic(claim)
        elif claim.kind in ("hardware", "image-only"):
            judged = {"verdict": "not comparable"}
        else:
            judged = compare(claim, protocol)
        row = Row(**fields | {"protocol": protocol} | judged)
        if contradiction:  # it takes the verdict's place; the verdict of our runs goes into the detail
            ours = f"our runs: {say(row)}" if row.verdict in ("supported", "contradicted", "undecided") else ""
            note = f"{contradiction.wrong} {row.note}" if row.kind == "order" and row.note else contradiction.wrong
            row = replace(row, verdict="inconsistent as printed", detail=ours, note=note)
        yield row


def say(row: Row) -> str:
    """A row's verdict, with its detail in brackets."""
    return f"{row.verdict} ({row.detail})" if row.detail else row.verdict


def compare(claim: Claim, protocol: str) -> dict[str, Any]:
    """The fields of a row for a printed score: our score, its training and the verdict."""
    ours = find_ours(claim, protocol)
    if claim.kind == "quoted" and claim.protocol == "div2k_rgb":
        return {"verdict": "not comparable"}  # the challenge's hidden test set
    if ours is None:
        return {"verdict": "not run"}
    info = ours.records[0].info
    name, (verdict, detail) = info["experiment"], judge_score(claim, ours)
    if name.endswith(STANDIN_SUFFIX) or (ours.recipe and info["data"] != get_experiment(name).data):
        verdict, detail = "not comparable", "other training images"
    fields = {"experiment": name, "ours": ours.value, "gap": claim.gap(ours.value), "training_fraction": ours.training_fraction}
    return fields | {"recipe": ours.recipe, "seeds": ours.seeds, "verdict": verdict, "detail": detail}


def judge_score(claim: Claim, ours: OurScore) -> tuple[str, str]:
    """The verdict on a score and its detail.

    The tolerance is that of the metric. With three seeds or more half the 95 % interval of our mean is added to it, up to the
    same amount again; two seeds tell too little of their standard deviation.
    A score above that of a network that the paper puts forward has reached it; for all others the rule is two-sided.
    """
    gap, tolerance = claim.gap(ours.value), TOLERANCES[claim.metric]
    if len(ours.values) > 2:
        tolerance += min(ci_half_width([pooled_std([ours.values])], [len(ours.values)]), tolerance)
    if gap > tolerance:
        digits = {"psnr": 2, "ssim": 4, "ifc": 3}[claim.metric]
        verdict = "reached" if claim.kind == "measured" and claim.experiment in HEADLINE else "above"
        return verdict, f"above by {gap:.{digits}f}"
    if gap >= -tolerance:
        return "reached", ""
    training = f"{ours.recipe} recipe, {percent(ours.training_fraction)} of the published training" if ours.recipe else ""
    return ("short of it" if ours.finished else "unfinished"), training


def judge_arithmetic(claim: Claim) -> dict[str, Any]:
    """The fields of a row for a number that needs no training: ours and the verdict."""
    ours = recomputed(claim.id)
    if ours is None:
        return {"verdict": "not run"}
    return {"ours": ours, "gap": claim.gap(ours), "verdict": "agrees" if claim.printed_alike(ours) else "unexplained"}


def judge_ordering(identifier: str, source: Runs | None = None) -> dict[str, Any]:
    """The fields of a row for a claim of order: the verdict by `deciding_evidence`, and the differences for every size."""
    order = ORDERS.get(identifier)
    if order is None:
        return {"verdict": "not comparable"}
    if order.holds:
        return {"verdict": "agrees" if order.holds() else "unexplained", "note": "counted on the networks"}
    evidence = deciding_evidence(order, source)
    if evidence is None:
        return {"verdict": "not run", "note": order.limits}
    compared = evidence.differences
    notes = [order.limits] if order.limits else []
    for size in find_differences(order, source):
        pairs = {(d.better, d.worse) for d in size.differences}
        notes.append(
            f"{size.size}: {size.outcome}; {'; '.join(map(str, size.differences))}; {len(pairs)} of {len(order.pairs)} pairs."
        )
    return {
        "experiment": "; ".join(dict.fromkeys(f"{d.better} against {d.worse}" for d in compared)),
        "dataset": ", ".join(dict.fromkeys(d.dataset for d in compared)),
        "ours": min(-abs(d.psnr) if order.relation == ALIKE else d.psnr for d in compared),
        "training_fraction": evidence.training_fraction,
        "recipe": compared[0].recipe,
        "seeds": tuple(sorted({seed for d in compared for seeds in d.seeds for seed in seeds})),
        "verdict": evidence.outcome,
        "detail": describe(evidence),
        "note": " ".join(notes),
    }


def describe(evidence: Evidence) -> str:
    """The size of the networks behind a verdict, their recipe and their fraction of the published training, in words."""
    recipes = " and ".join(dict.fromkeys(difference.recipe for difference in evidence.differences))
    return f"{evidence.size}, {recipes} recipe, {percent(evidence.training_fraction)} of the training"


def ledger(papers: Iterable[str] = PAPERS) -> list[Row]:
    """All rows, paper by paper; damaged records stand at the end."""
    rows = [row for paper in papers for claim in claims(paper) for row in rows_of(claim)]
    damaged = damaged_records().items()
    return rows + [Row(folder, verdict="damaged", kind="file", note=fault) for folder, fault in damaged]


def counts(rows: Iterable[Row]) -> Counter[str]:
    """Number of claims by verdict; one with several candidate protocols counts by the worst verdict among those judged."""
    order = list(VERDICTS)
    verdicts = defaultdict(set)
    for row in rows:
        verdicts[row.id].add(row.verdict)
    return Counter(max(found - {"not run", "not comparable"} or found, key=order.index) for found in verdicts.values())


def rows_frame(rows: Iterable[Row]) -> pd.DataFrame:
    """Rows of the ledger as a data frame, one column a field."""
    frame = pd.DataFrame([vars(row) for row in rows], columns=list(Row.__dataclass_fields__))
    return frame.assign(seeds=[" ".join(map(str, seeds)) for seeds in frame.seeds])
