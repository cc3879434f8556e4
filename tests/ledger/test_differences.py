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
    scatters = ((0.05, 7), (0.05, 7))
    return Difference(
        better, worse, psnr, half, together or half, ((0,), (0,)), "Set5", 3, "drrn", "fast", 1.0, scatters, (0.0, 2 * psnr)
    )


def test_the_interval_of_a_difference_is_students():
    """Witness: SciPy's two-sample t interval with equal variances."""
    rng = np.random.default_rng(0)
    a, b = rng.normal(33.0, 0.05, 4), rng.normal(33.1, 0.05, 3)
    low, high = ttest_ind(a, b).confidence_interval(0.95)
    half = ci_half_width([pooled_std((a, b))] * 2, (len(a), len(b)))
    assert (a.mean() - b.mean() - half, a.mean() - b.mean() + half) == pytest.approx((low, high))


def test_intervals_that_hold_together_are_wider():
    """Identity: Bonferroni's two at 95 % are each one at 97.5 %."""
    rng = np.random.default_rng(1)
    a, b = rng.normal(0, 1, 5), rng.normal(0, 1, 6)
    low, high = ttest_ind(a, b).confidence_interval(0.975)
    assert 2 * ci_half_width([pooled_std((a, b))] * 2, (5, 6), together=2) == pytest.approx(high - low)


def test_single_values_say_nothing_about_scatter():
    """By hand: no degrees of freedom, an infinite interval; groups of one add none to others."""
    assert pooled_std([[1.0], [2.0]])[1] == 0
    assert ci_half_width([pooled_std([[1.0], [2.0]])] * 2, (1, 1)) == math.inf
    assert pooled_std([[1.0], [2.0, 4.0]]) == pytest.approx((math.sqrt(2), 1))


def test_networks_that_scatter_differently_have_an_interval_of_their_own():
    """By hand: deviations 0.3 and 0.4 of one run each add to 0.5; the fewer degrees of freedom decide the quantile."""
    half = ci_half_width([(0.3, 2), (0.4, 9)], (1, 1))
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


def test_several_pairs_are_corrected_for_when_they_refute_only():
    """By hand: +0.10 and -0.10 dB with a margin of 0.08, or 0.12 for all pairs at once."""
    assert difference(0.10, 0.08, together=0.12).outcome(BETTER) == SUPPORTED
    assert difference(-0.10, 0.08, together=0.12).outcome(BETTER) == UNDECIDED


def test_the_scatter_of_our_narrow_networks_is_that_of_networks_alike(grid):
    """Witness: the records' scores, pooled here by numpy; no other width, recipe, length or depth is in them."""
    for k, other in enumerate(({"name": "drrn_b1u3_w32"}, {"recipe": "adam"}, {"budget": 1})):
        for seed in (0, 1):
            grid(**{"name": "drrn_b1u3_w16", "psnr": 31.0 + k + seed, "seed": seed, "budget": 0.15} | other)
    names = ["drrn_b1u3_w16", "drrn_b3u1_w16"]  # 8 and 10 layers; the next has 15
    groups = [[record.means[CELL] for record in runs().groups(name)[W16]] for name in names]
    squares = sum(np.var(values) * len(values) for values in groups)
    freedom = sum(len(values) - 1 for values in groups)
    assert seed_std("drrn_b1u3_w16", W16, CELL) == (pytest.approx(math.sqrt(squares / freedom)), freedom)
    assert freedom == 4


def test_a_network_that_scatters_more_than_its_like_has_its_own_scatter(trained):
    """By hand: seeds 1 dB apart have a deviation of 0.71 dB and one degree of freedom; the others' is 0.007, of three."""
    for name, apart in (("drrn_b1u9", 0.01), ("drrn_b3u2", 0.01), ("drrn_b2u3", 0.01), ("drrn_b3u3", 1.0)):
        for seed in (0, 1):
            trained(name, 33.0 + apart * seed, seed)
    key = ("fast", 1.0, "T291", ())
    assert seed_std("drrn_b3u3", key, CELL) == (pytest.approx(math.sqrt(0.5)), 1)
    shared, freedom = seed_std("drrn_b3u4", key, CELL)
    assert (shared, freedom) == (
        pytest.approx(math.sqrt((0.01**2 + 1) / 2 / 2)),
        2,
    )  # of B1U9 and B3U3; the others have half the depth


def test_what_was_kept_on_the_way_scatters_apart(trained):
    """Snapshots of one training are no networks of their own."""
    for seed in (0, 1):
        trained("rlcsc_k25", 33.0 + 0.01 * seed, seed)
        trained("rlcsc_k25_epoch5", 32.0 + 0.5 * seed, seed)
    key = ("fast", 1.0, "T291", ())
    assert seed_std("rlcsc_k20", key, CELL) == (pytest.approx(0.01 / math.sqrt(2)), 1)


def test_the_interval_over_images_is_of_the_paired_difference(trained):
    """By hand: one network is 0.1 dB better on each of three images, another by 0, 0.3 and 0 dB."""
    for name, offsets in (
        ("drrn_b1u9", (0.0, 1.0, 2.0)),
        ("drrn_b1u25", (0.1, 1.1, 2.1)),
        ("drrn_b3u8", (0.0, 1.3, 2.0)),
    ):
        trained(name, 33.0, offsets=offsets)
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


def test_the_mean_of_several_pairs_is_as_uncertain_as_one():
    """By hand: seeds are shared, so three pairs do not scatter less than one; images are averaged over, one by one."""
    alike = [difference(0.1 * k, 0.17, f"n{k + 1}", f"n{k}") for k in (1, 2, 3)]
    assert mean_difference(alike) == pytest.approx((0.2, 0.17))
    assert mean_by_image(alike) == pytest.approx((0.0, 0.4))


def test_another_set_may_be_asked_for(grid):
    """Set14's narrow differences stand beside Set5's."""
    found = list(differences([("drrn_b2u3_w16", "drrn_b1u3_w16")], datasets=("Set14",)))
    assert [d.dataset for d in found] == ["Set14"]
    assert not list(differences([("drrn_b2u3_w16", "drrn_b1u3_w16")], datasets=("Urban100",)))


@pytest.mark.parametrize(
    ("name", "full"),
    [
        ("drrn_b1u9_w16", "drrn_b1u9"),
        ("vdsr_bn_d16_w8", "vdsr_bn_d16_w128"),
        ("drrn_b1u3_w32", "drrn_b1u3"),
        ("bicubic", "bicubic"),
        ("vdsr_bn_d16_w128", "vdsr_bn_d16_w128"),
    ],
)
def test_a_narrow_form_knows_the_papers_network(name, full):
    """By hand."""
    assert full_size_name(name) == full
