"""Claims of order on the pages: what decides them, and what was trained for it."""

import re

from srlib.figures.orderings import orders, trained_orders
from srlib.ledger.comparisons import deciding_evidence
from srlib.ledger.rows import ledger
from srlib.papers.orderings import ORDERS


def test_claims_of_order_show_what_decides_them(grid):
    """The narrow grid's pairs are counted by what they say; a count on the networks says so."""
    text = orders("drrn", ("Figure 6",))
    deeper = next(line for line in text.splitlines() if "increasing B or U" in line)
    answers = [difference.outcome("better") for difference in deciding_evidence(ORDERS["drrn.f6.order.deeper"]).differences]
    assert f"16 filters: {answers.count('supported')} supported" in deeper
    assert "of 6 comparisons" in deeper
    assert re.search(r"\| \+0\.\d\d ± 0\.\d\d \(images", deeper) is None  # one made-up image has no interval
    assert "counted on the networks" in text
    assert "not run" in orders("drn", ("Table 2",))
    assert orders("drrn", ("Table 99",)) == "There is none here."


def test_nothing_trained_is_said(results):
    """Edge: no record at all."""
    assert "no two runs of ours at equal length yet" in orders("drrn", ("Figure 6",))
    assert trained_orders("drrn").endswith("our runs bear on 0 of them.")


def test_the_chapter_says_what_was_trained(grid):
    """Identity: every claim that two networks decide; that they are narrow, and their share of the published training."""
    text = trained_orders("drrn")
    assert "so they neither prove nor refute the paper" in text
    assert "(16 filters, fast recipe, 0.057 % of the training)" in text
    decided = [row for row in ledger(("drrn",)) if row.id in ORDERS and deciding_evidence(ORDERS[row.id])]
    assert len(text.splitlines()) == 6 + len(decided)
    assert trained_orders("drn").endswith("our runs bear on 0 of them.")
