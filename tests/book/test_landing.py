"""The first page: its counts are the ledger's, its picture is of the networks."""

import base64
import re
import xml.etree.ElementTree as ElementTree

from pages import landing
from pages.ledger import so_far
from shared import rows

from srlib.ledger.rows import counts, ledger
from srlib.models import MODELS, meta_model, params
from srlib.papers import PAPERS, TITLES, claims


def test_each_paper_stands_in_the_table_with_its_counts():
    """Identity: the verdicts on the paper's own scores, as counted elsewhere."""
    for row, paper in zip(rows(landing.standing()), PAPERS, strict=True):
        own = counts(row for row in ledger((paper,)) if row.kind == "measured")
        assert row.pop("") == f"[{TITLES[paper]}]({paper}.md)"
        assert row.pop("networks trained")
        assert row.pop("scores reached").endswith(f" of {sum(c.kind == 'measured' for c in claims(paper))}")
        assert {verdict: int(count) for verdict, count in row.items()} == {verdict: own[verdict] for verdict in row}
        assert {"short of it", "not run"} <= row.keys()  # a column of noughts is left out


def test_the_first_screen_says_what_has_been_confirmed_and_refuted(trained):
    """By hand: nothing; two narrow networks and a baseline, none of the papers'; one of theirs, as good as printed."""
    own = sum(c.kind == "measured" for paper in PAPERS for c in claims(paper))
    none = f"**Of {own} scores of the papers' own networks none are reached so far**; 0 are short of it, "
    assert so_far().startswith(none)
    assert "No network of a paper's size is trained." in so_far()
    assert "long enough training support none and contradict none; on 39 of them nothing of ours bears yet." in so_far()
    for name, seed in (("drrn_b1u3_w16", 0), ("drrn_b1u3_w16", 1), ("rlcsc_k5_n32_m32", 0), ("vdsr", 0)):
        trained(name, 31.0, seed)
    assert so_far().startswith(none)
    assert "No network of a paper's size is trained." in so_far()
    trained("drrn_b1u9", 33.93, recipe="published")
    assert so_far().startswith(f"**Of {own} scores of the papers' own networks 1 is reached so far** (1 PSNR); ")
    assert "One network of a paper's size is trained, for at most 100 % of the published training." in so_far()
    for name in ("drrn_b1u9_w16", "drrn_b1u25_w16"):
        trained(name, 31.0)
    assert re.search(r"Narrow or briefly trained ones support \d+, contradict \d+ and leave [1-9]\d* undecided\.", so_far())
    assert so_far().endswith("They say how such networks behave, and neither prove nor refute a paper.")


def test_claims_by_kind_add_up_to_the_ledgers():
    """Identity."""
    for paper in PAPERS:
        assert sum(int(row["how many"]) for row in rows(landing.claims_of(paper))) == counts(ledger((paper,))).total()


def test_the_picture_has_a_point_for_each_network_and_its_words_name_them(results, trained):
    """Identity: printed and trained networks, on light pages and on dark; a network far below the papers' lies on it, too."""
    assert "Trained here: none" in landing.picture()
    points = len(_marks(landing.picture())[0])
    trained("drrn_b1u3_w16", 24.5)
    text = landing.picture()
    light, dark = _marks(text)
    assert len(light) == len(dark) == points + 1
    alt = re.search('alt="(.*?)"', text)[1]
    assert all(name in alt for name in ("drrn_b1u25", "dsrn_t7_x3", "rlcsc_k25", "drn_x3"))
    assert "Trained here: drrn_b1u3_w16 24.50 dB with 4,896 weights" in alt
    assert f"{params(meta_model(MODELS['drrn_b1u25'])):,} weights" in alt
    assert "style=" not in text
    assert "</div><figcaption>" in text  # beside the pictures: the theme hides what follows one of the other theme


def _marks(text):
    """The points of each of the two images: what is drawn with a marker, ticks apart, all within the image."""
    drawn = []
    for code in re.findall('data:image/svg.xml;base64,([^"]+)', text):
        svg = ElementTree.fromstring(base64.b64decode(code))
        _, _, width, height = map(float, svg.attrib["viewBox"].split())
        points = [
            use for line in svg.iter() if line.get("id", "").startswith("line2d") for use in line if use.tag.endswith("g")
        ]
        marks = [use for group in points for use in group if use.tag.endswith("use") and "fill" in use.get("style", "")]
        assert all(0 <= float(mark.get("x")) <= width and 0 <= float(mark.get("y")) <= height for mark in marks)
        drawn.append([mark for mark in marks if not any(ink in mark.get("style") for ink in landing.INKS.values())])
    return drawn
