"""Others' replications: each number has a source and stands beside the printed one; the margins are computed."""

import math
from dataclasses import replace
from urllib.parse import urlsplit

import numpy as np
import pytest
from pages.replications import margin, margins, others

from srlib.images import imresize, modcrop, rgb_to_luma, shave
from srlib.inference.enlarge import as_method
from srlib.metrics import psnr
from srlib.models import MODELS, VDSR
from srlib.papers import PAPERS, TITLES
from srlib.papers.published import replications
from srlib.protocol import SCALES
from srlib.training.checkpoint import load_weights

ALL = [row for paper in TITLES for row in replications(paper)]


@pytest.mark.parametrize("row", ALL, ids=lambda r: f"{r.method} {r.network}")
def test_each_row_has_a_source_and_a_number(row):
    """A public address, at least one score, a network that we know, and what differs."""
    assert urlsplit(row.source)[:2] == ("https", "github.com")
    assert row.scores
    assert row.scores.keys() <= set(SCALES)
    assert all(20 < score < 45 for score in row.scores.values())
    assert (row.dataset, row.metric) == ("Set5", "psnr")
    assert row.network in (*MODELS, "bicubic")
    assert row.kind in ("trained", "scoring")
    assert row.scoring in ("unrounded", "")
    assert row.note.endswith(".")


def test_the_difference_is_computed():
    """By hand: yjn870's B1U9 has 33.86 where DRRN prints 33.93; a network that no paper prints has none."""
    row = next(r for r in replications("drrn") if r.method == "yjn870/DRRN-pytorch")
    assert row.printed(3).id == "drrn.t2.set5.x3.drrn_b1u9.psnr"
    assert row.difference(3) == pytest.approx(-0.07)
    unknown = replace(row, network="srcnn_915")
    assert unknown.printed(2) is None
    assert math.isnan(unknown.difference(2))


@pytest.mark.parametrize(("paper", "count"), [("drrn", 5), ("dsrn", 0), ("rlcsc", 0), ("drn", 0), ("baselines", 13)])
def test_the_page_has_a_line_for_each_replication(paper, count):
    """With the printed number and the difference; where there is none, that is said; no row of the table is left out."""
    assert len(replications(paper)) == count
    text, trained = others(paper), [r for r in replications(paper) if r.kind == "trained"]
    lines = [line for line in text.splitlines() if line.startswith("| [")]
    for line, row in zip(lines, trained, strict=True):
        assert f"| [{row.method}]({row.source}) |" in line
        assert line.count(" | ") == 5
    assert ("no public replication" in text) == (not trained)


def test_the_page_says_what_others_gain():
    """By hand, from the printed numbers and the rows."""
    drrn, baselines = others("drrn"), others("baselines")
    assert "33.86 (33.93, −0.07)" in drrn
    assert "it gains −0.06, +0.00, +0.04 dB at ×2, ×3 and ×4. The paper gains +0.08, +0.10, +0.10 dB." in drrn
    assert "37.65 (37.53, +0.12)" in baselines
    assert "6 of the 7 trainings of VDSR score less" in baselines
    assert "What remains is +0.06, +0.09, +0.08 dB." in baselines


def test_margins_over_vdsr():
    """By hand: 33.93 − 33.66 and 33.93 − 33.77; then the 0.02 dB that the scoring brings the released VDSR."""
    assert "0.27 dB above the 33.66 dB that it quotes" in margin("drrn")
    assert "the margin is 0.16 dB; about 0.18 dB" in margin("drrn")
    lines = margins().splitlines()
    assert "| DRRN | `drrn_b1u9` | 33.93 | 0.27 | 0.16 | about 0.18 |" in lines
    assert len(lines) == 2 + 5
    assert all(TITLES[paper] in margin(paper) for paper in PAPERS)


def test_margins_need_no_record(results):
    """Edge: without the released VDSR's record its printed score stands in."""
    assert "the margin is 0.16 dB" in margin("drrn")


def unrounded(hr, scale, method=None):
    """PSNR (dB) as the public `twtygqyy/pytorch-vdsr` computes it, of luma that is rounded nowhere.

    As there, the original, `uint8` RGB of shape (H, W, 3), is cropped for each smaller scale, too. `method` takes LR and ILR
    luma in 0..1 and the scale; it is bicubic if omitted.
    """
    for smaller in range(min(SCALES), scale + 1):
        hr = modcrop(hr, smaller)
    luma = rgb_to_luma(hr.astype(np.float64))
    lr = imresize(luma / 255, 1 / scale)
    ilr = imresize(lr, scale)
    sr = ilr if method is None else method(lr, ilr, scale)
    return psnr(shave(luma, scale), shave(255 * np.clip(sr, 0, 1), scale))


@pytest.mark.parametrize(("network", "error"), [("bicubic", 6e-5), pytest.param("vdsr", 2e-4, marks=pytest.mark.slow)])
def test_unrounded_scores_are_those_of_the_script(dataset, reference, network, error):
    """Witness: bicubic on Set5, from a log that a user of pytorch-vdsr published; the row of the released VDSR is ours."""
    method = as_method(load_weights(VDSR(), reference / "vdsr_official.npz")) if network == "vdsr" else None
    row = next(r for r in ALL if (r.kind, r.network) == ("scoring", network))
    for scale in SCALES:
        scores = [unrounded(image, scale, method) for _, image in dataset("Set5")]
        assert np.mean(scores) == pytest.approx(row.scores[scale], abs=error)
