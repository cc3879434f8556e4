"""Others' replications: each number has a source and stands beside the printed one; the margins are computed."""

import math
from urllib.parse import urlsplit

import pytest
from pages.replications import margin, margins, others

from srlib.inference.enlarge import as_method
from srlib.models import MODELS, VDSR
from srlib.papers import PAPERS, TITLES
from srlib.papers.replications import SCORING, TRAINED, UNROUNDED, Replication, replications, unrounded
from srlib.protocol import SCALES
from srlib.training.checkpoint import load_weights

ALL = [r for paper in TITLES for r in replications(paper)]


@pytest.mark.parametrize("row", ALL, ids=lambda r: f"{r.method} {r.network}")
def test_each_row_has_a_source_and_a_number(row):
    """A public address, at least one score, a paper and a network that we know, and what differs."""
    assert urlsplit(row.source).scheme == "https"
    assert urlsplit(row.source).netloc == "github.com"
    assert row.scores
    assert row.scores.keys() <= set(SCALES)
    assert all(20 < score < 45 for score in row.scores.values())
    assert (row.dataset, row.metric) == ("Set5", "psnr")
    assert row.paper in TITLES
    assert row.network in (*MODELS, "bicubic")
    assert row.kind in (TRAINED, SCORING)
    assert row.scoring in (UNROUNDED, "")
    assert row.note.endswith(".")


def test_the_table_has_every_row():
    """The reader of one paper leaves none out."""
    assert len(ALL) == 18
    assert {r.paper for r in ALL} == {"drrn", "baselines"}


def test_the_difference_is_computed():
    """By hand: yjn870's B1U9 has 33.86 where DRRN prints 33.93; a network that no paper prints has none."""
    row = next(r for r in replications("drrn") if r.method == "yjn870/DRRN-pytorch")
    assert row.printed(3).id == "drrn.t2.set5.x3.drrn_b1u9.psnr"
    assert row.difference(3) == pytest.approx(-0.07)
    unknown = Replication(
        "baselines", "srcnn_915", "a/b", TRAINED, "", "Set5", "psnr", {3: 32.39}, "https://github.com/a/b", "."
    )
    assert unknown.printed(2) is None
    assert math.isnan(unknown.difference(2))


@pytest.mark.parametrize("paper", [*PAPERS, "baselines"])
def test_the_page_has_a_line_for_each_replication(paper):
    """With the printed number and the difference; where there is none, that is said."""
    text, trained = others(paper), [r for r in replications(paper) if r.kind == TRAINED]
    lines = [line for line in text.splitlines() if line.startswith("| [")]
    assert len(lines) == len(trained)
    for line, row in zip(lines, trained, strict=True):
        assert f"| [{row.method}]({row.source}) |" in line
        assert line.count(" | ") == 5
    assert ("no public replication" in text) == (not trained)


def test_the_page_says_what_others_gain():
    """By hand, from the printed numbers and the rows."""
    drrn = others("drrn")
    assert "33.86 (33.93, −0.07)" in drrn
    assert "it gains −0.06, +0.00, +0.04 dB at ×2, ×3 and ×4. The paper gains +0.08, +0.10, +0.10 dB." in drrn
    baselines = others("baselines")
    assert "37.65 (37.53, +0.12)" in baselines
    assert "6 of the 7 trainings of VDSR score less" in baselines
    assert "What remains is +0.06, +0.09, +0.08 dB." in baselines


def test_margins_over_vdsr():
    """By hand: 33.93 − 33.66 and 33.93 − 33.77; then the 0.02 dB that the scoring brings the released VDSR."""
    text = margin("drrn")
    assert "0.27 dB above the 33.66 dB that it quotes" in text
    assert "the margin is 0.16 dB; about 0.18 dB" in text
    lines = margins().splitlines()
    assert "| DRRN | `drrn_b1u9` | 33.93 | 0.27 | 0.16 | about 0.18 |" in lines
    assert len(lines) == 2 + 5
    assert all(TITLES[paper] in margin(paper) for paper in PAPERS)


def test_margins_need_no_record(results):
    """Edge: without the released VDSR's record its printed score stands in."""
    assert "the margin is 0.16 dB" in margin("drrn")


def test_unrounded_scores_are_those_of_the_script(dataset):
    """Witness: bicubic on Set5, from a log that a user of pytorch-vdsr published."""
    log = next(r for r in ALL if r.network == "bicubic")
    for scale in SCALES:
        scores = [unrounded(image, scale) for _, image in dataset("Set5")]
        assert sum(scores) / len(scores) == pytest.approx(log.scores[scale], abs=6e-5)


@pytest.mark.slow
def test_released_vdsr_scored_without_rounding(dataset, reference):
    """The row that is ours."""
    method = as_method(load_weights(VDSR(), reference / "vdsr_official.npz"))
    row = next(r for r in ALL if r.kind == SCORING and r.network == "vdsr")
    for scale in SCALES:
        scores = [unrounded(image, scale, method) for _, image in dataset("Set5")]
        assert sum(scores) / len(scores) == pytest.approx(row.scores[scale], abs=2e-4)
