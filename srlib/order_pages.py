"""Text of the book about the claims of order ("deeper is better"): what the paper says, the verdict, what our runs say."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence

import pandas as pd

from srlib.differences import Difference, evidence, filters, mean_difference, whole
from srlib.ledger import Row, ledger
from srlib.ledger_pages import plain
from srlib.lineage import pixels_seen
from srlib.pages import markdown_table
from srlib.papers import get_experiment
from srlib.papers.orders import ALIKE, ORDERS, Order
from srlib.runs import runs
from srlib.tables import MARKS

ANSWERS = {"yes": "borne out", "open": "open", "no": "contrary"}


def orders(paper: str, places: Iterable[str]) -> str:
    """The claims of order of some tables, figures and sections, with what decides them, as Markdown."""
    lines = [row for row in ledger((paper,)) if row.kind == "order" and row.where in places]
    return _table(lines) if lines else "There is none here."


def trained_orders(paper: str) -> str:
    """The claims of order on which networks of ours bear that were trained for it, and what they say, as Markdown."""
    lines = [row for row in ledger((paper,)) if row.kind == "order" and ORDERS.get(row.id, Order()).pairs]
    asked = [row for row in lines if evidence(ORDERS[row.id])]
    text = f"{len(lines)} of the paper's claims of order take training; our runs bear on {len(asked)} of them. "
    if not asked:
        return text.strip()
    found = [difference for row in asked for difference in evidence(ORDERS[row.id])]
    names = {name for difference in found for name in (difference.better, difference.worse)}
    records = [record for name in names for several in runs().groups(name).values() for record in several]
    seen = max(pixels_seen(record.info) for record in records)
    published = [recipe for name in names for recipe in get_experiment(whole(name)).recipes if recipe.name == "published"]
    text += (
        f"They are {len(records)} runs of {len(names)} networks, on patches of at most {seen / 1e6:,.0f} million pixels in all"
    )
    if published:
        whole_run = min(recipe.iterations * recipe.batch * recipe.patch**2 for recipe in published)
        text += f"; the published training sees {whole_run / 1e6:,.0f} million"
    if all(map(filters, names)):
        widths = ", ".join(sorted(set(map(filters, names))))
        text += f". All are narrow, of {widths} filters: they prove and refute nothing, and their verdicts say *so far*"
    text += "."
    return f"{text}\n\n{_table(asked)}"


def _mean(found: Sequence[Difference]) -> str:
    if not found:
        return "–"
    psnr, half = mean_difference(found)
    return f"{psnr:+.2f} ± {half:.2f}" if math.isfinite(half) else f"{psnr:+.2f}"


def _table(lines: Iterable[Row]) -> str:
    shown = []
    for row in lines:
        order = ORDERS.get(row.id, Order())
        found = evidence(order)
        answers = Counter(difference.says(order.says) for difference in found)
        tally = ", ".join(f"{answers[key]} {word}" for key, word in ANSWERS.items() if answers[key])
        if tally:
            ours = f"{tally} of {len(order.pairs)} pair{'s' * (len(order.pairs) > 1)}"
        elif row.verdict == "not attempted":
            ours = "no two runs of ours at equal budget yet" if order.pairs else "no rule of ours decides it"
        else:
            ours = plain(row.note)
        shown.append(
            {"the paper says": f"“{plain(row.published)}” ({row.where})"}
            | {"verdict": f"{MARKS[row.verdict]} {row.verdict}", "our runs": ours}
            | {"mean difference (dB)": _mean(found) if order.says != ALIKE else "–"}
        )
    return markdown_table(pd.DataFrame(shown))
