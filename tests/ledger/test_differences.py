"""What seeds allow to say: intervals against an outside witness, and regions by hand."""

import math
import re

import numpy as np
import pytest
from scipy.stats import t, ttest_ind

from srlib.ledger.comparisons import (
    CONTRADICTED,
    SUPPORTED,
    UNDECIDED,
    Difference,
    ci_half_width,
    deciding_evidence,
    differences,
    full_size_name,
    interval,
    mean_by_image,
    mean_difference,
    pooled_std,
    printed_difference,
    seed_std,
)
from srlib.papers.orderings import ALIKE, BETTER, NOT_WORSE, ORDERS
from srlib.records.scores import runs

W16 = ("fast", 0.15, "T91", ())
CELL = ("Set5", 3, "drrn", "psnr")


def difference(psnr, half, better="drrn_b3u2_w16", worse="drrn_b2u3_w16", together=None):
    stds = ((0.05, 7), (0.05, 7))
    run = ((0,), (0,)), "Set5", 3, "drrn", "fast", 1.0
    return Difference(better, worse, psnr, half, together or half, *run, stds, (0.0, 2 * psnr))


@pytest.mark.parametrize(("together", "level"), [(1, 0.95), (2, 0.975)])
def test_the_interval_of_a_difference_is_students(together, level):
    """Witness: SciPy's two-sample t interval with equal variances; Bonferroni's two at 95 % are each one at 97.5 %."""
    rng = np.random.default_rng(0)
    a, b = rng.normal(33.0, 0.05, 4), rng.normal(33.1, 0.05, 3)
    half = ci_half_width([pooled_std((a, b))] * 2, (len(a), len(b)), together)
    difference = a.mean() - b.mean()
    assert (difference - half, difference + half) == pytest.approx(tuple(ttest_ind(a, b).confidence_interval(level)))


def test_the_standard_deviations_of_both_networks_make_the_interval():
    """By hand: single values leave no degrees of freedom, and add none; 0.3 and 0.4 of one run each add to 0.5."""
    assert pooled_std([[1.0], [2.0]])[1] == 0
    assert ci_half_width([pooled_std([[1.0], [2.0]])] * 2, (1, 1)) == math.inf
    assert pooled_std([[1.0], [2.0, 4.0]]) == pytest.approx((math.sqrt(2), 1))
    half = ci_half_width([(0.3, 2), (0.4, 9)], (1, 1))  # the fewer degrees of freedom decide the quantile
    assert half == pytest.approx(0.5 * t.ppf(0.975, 2))


@pytest.mark.parametrize(
    ("psnr", "half", "better", "not_worse", "alike"),
    [
        (0.20, 0.10, SUPPORTED, SUPPORTED, CONTRADICTED),
        (0.02, 0.02, UNDECIDED, SUPPORTED, SUPPORTED),
        (0.02, 0.10, UNDECIDED, UNDECIDED, UNDECIDED),
        (-0.02, 0.01, CONTRADICTED, SUPPORTED, SUPPORTED),
        (-0.20, 0.10, CONTRADICTED, CONTRADICTED, CONTRADICTED),
        (0.20, math.inf, UNDECIDED, UNDECIDED, UNDECIDED),
    ],
)
def test_a_claim_is_supported_where_the_whole_interval_is(psnr, half, better, not_worse, alike):
    """By hand: above 0, above -0.05 and within 0.05 dB."""
    found = difference(psnr, half)
    assert (found.outcome(BETTER), found.outcome(NOT_WORSE), found.outcome(ALIKE)) == (better, not_worse, alike)
    # +0.10 and -0.10 dB with 0.08 for the pair, and 0.12 for all pairs at once: several pairs are corrected for to contradict.
    assert difference(0.10, 0.08, together=0.12).outcome(BETTER) == SUPPORTED
    assert difference(-0.10, 0.08, together=0.12).outcome(BETTER) == UNDECIDED


def test_the_deviation_of_our_narrow_networks_is_that_of_networks_alike(grid):
    """Witness: the records' scores, pooled here by numpy; no other width, recipe, length or depth is in them."""
    for k, other in enumerate(({"name": "drrn_b1u3_w32"}, {"recipe": "adam"}, {"budget": 1})):
        for seed in (0, 1):
            grid(**{"name": "drrn_b1u3_w16", "psnr": 31.0 + k + seed, "seed": seed, "budget": 0.15} | other)
    names = ["drrn_b1u3_w16", "drrn_b3u1_w16"]  # 8 and 10 layers; the next has 15
    groups = [[record.means[CELL] for record in runs().groups(name)[W16]] for name in names]
    squares = sum(np.var(values) * len(values) for values in groups)
    assert seed_std("drrn_b1u3_w16", W16, CELL, runs()) == (pytest.approx(math.sqrt(squares / 4)), 4)


def test_unlike_networks_and_snapshots_have_a_deviation_of_their_own(trained):
    """By hand: seeds 1 dB apart have a deviation of 0.71 dB and one degree of freedom; those 0.01 dB apart 0.007 dB."""
    apart = {"drrn_b1u9": 0.01, "drrn_b3u2": 0.01, "drrn_b2u3": 0.01, "drrn_b3u3": 1.0}
    apart |= {"rlcsc_k25": 0.01, "rlcsc_k25_epoch5": 0.5}  # an epoch that was kept on the way is no network of its own
    for name, decibels in apart.items():
        for seed in (0, 1):
            trained(name, 33.0 + decibels * seed, seed)
    key = ("fast", 1.0, "T291", ())
    assert seed_std("drrn_b3u3", key, CELL, runs()) == (pytest.approx(math.sqrt(0.5)), 1)
    pooled = pytest.approx(math.sqrt((0.01**2 + 1) / 2 / 2))  # of B1U9 and B3U3; the others have half the depth
    assert seed_std("drrn_b3u4", key, CELL, runs()) == (pooled, 2)
    assert seed_std("rlcsc_k20", key, CELL, runs()) == (pytest.approx(0.01 / math.sqrt(2)), 1)


def test_the_interval_over_images_is_of_the_paired_difference(trained):
    """By hand: one network is 0.1 dB better on each of three images, another by 0, 0.3 and 0 dB."""
    offsets = {"drrn_b1u9": (0.0, 1.0, 2.0), "drrn_b1u25": (0.1, 1.1, 2.1), "drrn_b3u8": (0.0, 1.3, 2.0)}
    for name, more in offsets.items():
        trained(name, 33.0, offsets=more)
    same, other = (next(differences([(name, "drrn_b1u9")])) for name in ("drrn_b1u25", "drrn_b3u8"))
    assert (same.psnr, *same.images) == pytest.approx((0.1, 0.1, 0.1))
    assert other.psnr == pytest.approx(0.1)
    assert other.images == pytest.approx((0.0, 0.3))
    assert all(map(math.isnan, interval((0.1,))))


def test_a_claim_finds_its_narrow_runs_and_the_printed_numbers(grid):
    """Witness: Figure 6's text prints 33.76 dB for B2U3 and 33.77 for B3U2; and the made-up scores, by hand."""
    found, _ = deciding_evidence(ORDERS["drrn.f6.order.same_depth"]).differences
    assert (found.better, found.worse) == ("drrn_b2u3_w16", "drrn_b3u2_w16")
    assert printed_difference(found, "drrn") == pytest.approx(-0.01)
    assert printed_difference(difference(0, 1, "drrn_b1u3_w16"), "drrn") is None  # Figure 6's image alone has B1U3
    assert re.match(r"drrn_b2u3_w16 against drrn_b3u2_w16 -0\.07 ± 0\.0\d dB on Set5 ×3", str(found))
    pair = [("drrn_b2u3_w16", "drrn_b1u3_w16")]
    assert [d.dataset for d in differences(pair, datasets=("Set14", "Urban100"))] == ["Set14"]


def test_the_mean_of_several_pairs_is_as_uncertain_as_one():
    """By hand: seeds are shared, so three pairs do not scatter less than one; images are averaged over, one by one."""
    alike = [difference(0.1 * k, 0.17, f"n{k + 1}", f"n{k}") for k in (1, 2, 3)]
    assert mean_difference(alike) == pytest.approx((0.2, 0.17))
    assert mean_by_image(alike) == pytest.approx((0.0, 0.4))


def test_a_narrow_form_knows_the_papers_network():
    """By hand."""
    full = {"drrn_b1u9_w16": "drrn_b1u9", "vdsr_bn_d16_w8": "vdsr_bn_d16_w128", "drrn_b1u3_w32": "drrn_b1u3"}
    full |= {"bicubic": "bicubic", "vdsr_bn_d16_w128": "vdsr_bn_d16_w128"}
    assert {name: full_size_name(name) for name in full} == full
