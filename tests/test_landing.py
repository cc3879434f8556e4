"""The first page: its counts are the ledger's, its picture is of the networks."""

import re
import xml.etree.ElementTree as ElementTree

import pytest

from srlib import landing
from srlib.ledger import counts, ledger
from srlib.models import MODELS, outline, params
from srlib.papers import PAPERS, TITLES, claims
from srlib.papers.recomputed import contradictions


def test_each_paper_stands_in_the_table_with_its_counts():
    """Identity: the paper's own scores and contradictions, as counted elsewhere."""
    lines = landing.standing().splitlines()[2:]
    for line, paper in zip(lines, PAPERS, strict=True):
        name, _, _, own, wrong = (cell.strip() for cell in line.strip("|").split(" | "))
        assert name == f"[{TITLES[paper]}]({paper}.md)"
        assert own.endswith(f"of {sum(c.kind == 'measured' for c in claims(paper))}")
        assert int(wrong) == len(contradictions(paper))


def test_the_first_screen_says_whether_a_network_of_a_papers_size_is_trained(trained):
    """By hand: nothing; two narrow networks, one of them twice, and a baseline, which is none of the papers'; one of theirs."""
    none = "**No network of a paper's size is trained yet.** "
    assert landing.progress().startswith(f"{none}Of the papers' 195 own scores 0 are reproduced and 194 not attempted.")
    for name, seed in (("drrn_b1u3_w16", 0), ("drrn_b1u3_w16", 1), ("rlcsc_k5_n32_m32", 0), ("vdsr", 0)):
        trained(name, 31.0, seed)
    assert landing.progress().startswith(f"{none}2 narrow ones are. ")
    trained("drrn_b1u9", 33.93, recipe="published")
    text = landing.progress()
    assert text.startswith(
        "**1 of the papers' networks is trained at full size**, for at most 100 % of the published training. "
    )
    assert "2 narrow ones are." in text
    assert "own scores 1 are reproduced" in landing.progress()


def test_claims_by_kind_add_up_to_the_ledgers():
    """Identity."""
    for paper in PAPERS:
        rows = [line.strip("| ").split(" | ") for line in landing.claims_of(paper).splitlines()[2:]]
        assert sum(int(row[1]) for row in rows) == counts(ledger((paper,))).total()


def test_the_picture_has_a_point_for_each_network_and_no_inline_style(results, trained):
    """Identity: printed and trained networks; what a strict content policy refuses is not there."""
    assert "Trained here: none" in landing.picture()
    trained("drrn_b1u3_w16", 31.25)
    text = landing.picture()
    svg = ElementTree.fromstring(re.search("<svg.*</svg>", text, re.S)[0])
    points = {title.text.split(":")[0] for title in svg.iter("title")}
    assert {"drrn_b1u25", "dsrn_t7_x3", "rlcsc_k25", "drn_x3", "drrn_b1u3_w16"} <= points
    assert "Trained here: drrn_b1u3_w16 31.25 dB with 4,896 weights" in svg.attrib["aria-label"]
    assert f"{params(outline(MODELS['drrn_b1u25'])):,} weights" in svg.attrib["aria-label"]
    assert "style=" not in text


@pytest.mark.parametrize("psnr", [24.5, 31.0])
def test_every_point_lies_between_the_axes(trained, psnr):
    """By hand: a narrow network far below the papers' lowers the axis."""
    trained("drrn_b1u3_w16", psnr)
    svg = ElementTree.fromstring(re.search("<svg.*</svg>", landing.picture(), re.S)[0])
    left, top, right, bottom = landing.PLOT
    for circle in svg.iter("circle"):
        assert left <= float(circle.attrib["cx"]) <= right
        assert top <= float(circle.attrib["cy"]) <= bottom
