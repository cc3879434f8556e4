"""Text of the book about the claims of order ("deeper is better"): what the paper says, the verdict, what our runs say."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence

import pandas as pd

from srlib.figures.tables import MARKS
from srlib.figures.text import escape_markdown, markdown_table
from srlib.ledger.comparisons import (
    CONTRADICTED,
    MATURE,
    SUPPORTED,
    UNDECIDED,
    Difference,
    evidence_on,
    find_differences,
    mean_by_image,
    mean_difference,
)
from srlib.ledger.rows import Row, ledger, say
from srlib.papers.orderings import ALIKE, ORDERS, Order
from srlib.records.scores import percent, runs

SETS = ("Set5", "Set14", "BSD100", "Urban100")


def orders(paper: str, places: Iterable[str]) -> str:
    """The claims of order of some tables, figures and sections, with what decides them, as Markdown."""
    lines = [row for row in ledger((paper,)) if row.kind == "order" and row.where in places]
    return _table(lines) if lines else "There is none here."


def trained_orders(paper: str) -> str:
    """The claims of order on which networks of ours bear that were trained for it, and what they say, as Markdown."""
    lines = [row for row in ledger((paper,)) if ORDERS.get(row.id, Order()).pairs]
    found = {row.id: find_differences(ORDERS[row.id]) for row in lines}
    asked = [row for row in lines if found[row.id]]
    text = f"{len(lines)} of the paper's claims of order take training; our runs bear on {len(asked)} of them."
    if not asked:
        return text
    several = [difference for row in asked for size in found[row.id] for difference in size.differences]
    names = {name for difference in several for name in (difference.better, difference.worse)} - {"bicubic"}
    records = [record for name in names for group in runs().groups(name).values() for record in group]
    sizes = dict.fromkeys(size.size for row in asked for size in found[row.id])
    text += f" They are {len(records)} runs of {len(names)} networks: {', '.join(sizes)}."
    if not any(size.mature for row in asked for size in found[row.id]):
        text += f" None is of the paper's size and has {percent(MATURE)} of its training or more, "
        text += "so they neither prove nor refute the paper."
    return f"{text}\n\n{_table(asked)}\n\n{LEGEND}"


LEGEND = (
    "*±* is half the 95 % interval that the scatter of seeds leaves; *images* is the 95 % interval over the choice of test "
    "images (bootstrap, paired). The rule is in {ref}`the ledger <decision-rule>`."
)


def _table(lines: Iterable[Row]) -> str:
    shown = []
    for row in lines:
        order = ORDERS.get(row.id, Order())
        shown.append(
            {"the paper says": f"“{escape_markdown(row.published)}” ({row.where})"}
            | {"verdict": f"{MARKS[row.verdict]} {say(row)}", "our runs": _answers(row, order)}
            | {name: _on(name, order) for name in SETS}
        )
    frame = pd.DataFrame(shown)
    return markdown_table(frame.drop(columns=[name for name in SETS if set(frame[name]) == {"–"}]))


def _answers(row: Row, order: Order) -> str:
    """What the pairs of a claim say, apart for each size of network; or why they say nothing."""
    told = []
    for size in find_differences(order):
        answers = Counter(difference.outcome(order.relation) for difference in size.differences)
        tally = ", ".join(f"{answers[word]} {word}" for word in (SUPPORTED, UNDECIDED, CONTRADICTED) if answers[word])
        cells = len(order.pairs) * len(order.datasets) * max(len(order.scales), 1)
        told.append(f"{size.size}: {tally} of {cells} comparison{'s' * (cells > 1)}")
    if told:
        return f"{'; '.join(told)}. {order.limits}".strip()
    if order.pairs:
        return f"no two runs of ours at equal length yet. {order.limits}".strip()
    return escape_markdown(row.note) if row.verdict == "agrees" else "no run of ours decides it"


def _on(dataset: str, order: Order) -> str:
    """The mean difference of a claim's pairs on one set, with both its intervals, from the networks that give the verdict."""
    several = evidence_on(order, dataset)
    if not several:
        return "–"
    if order.relation == ALIKE:
        return f"{max(abs(difference.psnr) for difference in several):.2f} apart at most"
    return mean_in_words(several)


def mean_in_words(found: Sequence[Difference]) -> str:
    """The mean of several differences on one set, with its intervals over seeds and over images."""
    psnr, half = mean_difference(found)
    low, high = mean_by_image(found)
    seeds = (f" ± {half:.2f}" if math.isfinite(half) else "") + " IFC" * (found[0].metric == "ifc")
    return f"{psnr:+.2f}{seeds}" + (f" (images {low:+.2f} to {high:+.2f})" if math.isfinite(low) else "")
