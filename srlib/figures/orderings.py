"""The claims of order ("deeper is better") as Markdown: the paper's sentence, the verdict, and the outcomes of our runs."""

from collections import Counter
from collections.abc import Iterable

import pandas as pd

from srlib.figures.tables import MARKS
from srlib.figures.text import escape_markdown, markdown_table, with_intervals
from srlib.ledger.comparisons import (
    CONTRADICTED,
    MATURE,
    SUPPORTED,
    UNDECIDED,
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
    """The claims of order of some tables, figures and sections, with the runs that decide them, as Markdown."""
    rows = [row for row in ledger((paper,)) if row.kind == "order" and row.where in places]
    return _table(rows) if rows else "There is none here."


def trained_orders(paper: str) -> str:
    """The claims of order that our trained networks bear on, with their outcomes, as Markdown."""
    rows = [row for row in ledger((paper,)) if ORDERS.get(row.id, Order()).pairs]
    evidence = {row.id: find_differences(ORDERS[row.id]) for row in rows}
    rows_with_runs = [row for row in rows if evidence[row.id]]
    text = f"{len(rows)} of the paper's claims of order take training; our runs bear on {len(rows_with_runs)} of them."
    if not rows_with_runs:
        return text
    sizes = [size for row in rows_with_runs for size in evidence[row.id]]
    differences = [difference for size in sizes for difference in size.differences]
    names = {name for d in differences for name in (d.better, d.worse) if name != "bicubic"}
    records = [record for name in names for group in runs().groups(name).values() for record in group]
    titles = dict.fromkeys(size.size for size in sizes)
    text += f" They are {len(records)} runs of {len(names)} networks: {', '.join(titles)}."
    if not any(size.mature for size in sizes):
        text += f" None is of the paper's size and has {percent(MATURE)} of its training or more, "
        text += "so they neither prove nor refute the paper."
    return f"{text}\n\n{_table(rows_with_runs)}\n\n{LEGEND}"


LEGEND = (
    "*±* is half the 95 % interval that the scatter of seeds leaves; *images* is the 95 % interval over the choice of test "
    "images (bootstrap, paired). The rule is in {ref}`the ledger <decision-rule>`."
)


def _table(rows: Iterable[Row]) -> str:
    cells = []
    for row in rows:
        order = ORDERS.get(row.id, Order())
        claim = {"the paper says": f"“{escape_markdown(row.published)}” ({row.where})"}
        answer = {"verdict": f"{MARKS[row.verdict]} {say(row)}", "our runs": _answers(row, order)}
        cells.append(claim | answer | {name: _on(name, order) for name in SETS})
    frame = pd.DataFrame(cells)
    return markdown_table(frame.drop(columns=[name for name in SETS if set(frame[name]) == {"–"}]))


def _answers(row: Row, order: Order) -> str:
    """The outcomes of a claim's pairs, counted for each size of network; or the reason why there are none."""
    tallies = []
    for size in find_differences(order):
        outcomes = Counter(difference.outcome(order.relation) for difference in size.differences)
        tally = ", ".join(f"{outcomes[word]} {word}" for word in (SUPPORTED, UNDECIDED, CONTRADICTED) if outcomes[word])
        cells = len(order.pairs) * len(order.datasets) * max(len(order.scales), 1)
        tallies.append(f"{size.size}: {tally} of {cells} {'comparisons' if cells > 1 else 'comparison'}")
    if order.pairs:
        return f"{'; '.join(tallies) or 'no two runs of ours at equal length yet'}. {order.limits}".strip()
    return escape_markdown(row.note) if row.verdict == "agrees" else "no run of ours decides it"


def _on(dataset: str, order: Order) -> str:
    """The mean difference of a claim's pairs on one set, with both its intervals, from the networks that give the verdict."""
    differences = evidence_on(order, dataset)
    if not differences:
        return "–"
    if order.relation == ALIKE:
        return f"{max(abs(difference.psnr) for difference in differences):.2f} apart at most"
    unit = " IFC" if differences[0].metric == "ifc" else ""
    return with_intervals(*mean_difference(differences), mean_by_image(differences), unit=unit)
