"""Pages of the ledger: complete, linked, and true to the records."""

import re

import pytest
from pages.ledger import ledger_text, left_open, quotations, scoreboard, walk
from shared import rows

from srlib.figures.text import mixed_protocols, summary
from srlib.ledger.rows import counts, ledger
from srlib.papers import PAPERS, claims
from srlib.papers.checks import contradictions
from srlib.papers.published import GRADES, choices, items
from srlib.records.provenance import ROOT


@pytest.mark.parametrize("paper", PAPERS)
def test_the_walk_has_every_item_with_a_page(paper):
    """Identity: the paper's tables and figures in its order, each linked to a notebook that names it in its title or text."""
    *lines, sentences = rows(walk(paper))
    assert [line["in the paper"] for line in lines] == [item.name for item in items(paper)]
    for line, item in zip(lines, items(paper), strict=True):
        page = re.search(r"\(notebooks/(\w+)\)", line["shows"])[1]
        text = (ROOT / "notebooks" / f"{page}.py").read_text()
        number = item.name.split()[1]
        assert re.search(rf"{re.escape(number)}\b" if number.isdigit() else r"Fig\.\?\?", text), (page, item.name)
    assert sentences["in the paper"] == "its sentences"


def test_the_scoreboard_counts_each_own_score_once():
    """Identity: the verdicts of a paper add up to its own scores."""
    for row, paper in zip(rows(scoreboard().split("\n\n")[1]), PAPERS, strict=True):
        own, *verdicts = (int(cell) for cell in list(row.values())[2:-1])
        assert own == sum(verdicts) == sum(c.kind == "measured" for c in claims(paper))


@pytest.mark.parametrize("paper", PAPERS)
def test_what_is_open_is_listed_in_full(paper):
    """Identity: one entry for each choice and each contradiction, these under their grades, the gravest first."""
    text = left_open(paper)
    parts = re.split(r"\n### (\w+) \((\d+)\)\n", text)
    assert parts[1::3] == [grade.capitalize() for grade in GRADES]
    assert [part.count("\n: ") for part in parts[3::3]] == [int(count) for count in parts[2::3]]
    assert text.count("\n: ") == len(choices(paper)) + len(contradictions(paper))
    assert "no longer so" not in text


def test_rlcsc_quotes_drrn_but_for_one_digit():
    """A finding, with its count."""
    row = next(row for row in rows(quotations()) if row["paper"] == "RL-CSC")
    assert int(row["numbers"]) - int(row["equal"]) == 1
    assert "0.7721, there 0.7720" in row["different"]


def test_the_protocol_alone_moves_bicubic_by_a_tenth_of_a_decibel_on_set14():
    """Witness: DSRN's printed 27.64, and DRRN's 27.55, which is clipped and so 0.005 above ours under `drrn`."""
    line = next(line for line in mixed_protocols().splitlines() if line.startswith("| Set14 | ×3"))
    assert "27.541, 27.644, **+0.103**" in line
    assert "+0.30" in line


def test_a_summary_names_every_verdict():
    """Identity."""
    lines = [row for row in ledger(("drrn",)) if row.where == "Table 2"]
    own = counts(row for row in lines if row.kind == "measured")
    assert summary(lines).startswith(f"Of the paper's {own.total()} own numbers here:")


def test_the_ledger_page_lists_all_but_quotations_and_links_everything():
    """Identity, and the download of all lines."""
    text = ledger_text()
    for paper in PAPERS:
        assert all(c.id in text for c in claims(paper) if c.kind != "quoted")
    assert 'download="ledger.csv"' in text
