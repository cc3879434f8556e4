"""Differences drawn and listed."""

import matplotlib.pyplot as plt
import pytest

from srlib.figures.differences import difference_figure, difference_table
from srlib.ledger.comparisons import evidence_on, mean_difference
from srlib.papers.orderings import ALIKE, BETTER, Order


def test_differences_stand_beside_the_printed_ones(grid):
    """Witness: Figure 6's text has 33.76 dB for B2U3 and 33.77 for B3U2, hollow; ours are filled and have an interval."""
    orders = {"alike": Order((("drrn_b2u3", "drrn_b3u2"),), ALIKE), "nothing": Order((("drn_x3", "drn_x2"),))}
    figure = difference_figure(orders, "drrn", lambda d: f"{d.better} and {d.worse}")
    (axes,) = figure.axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["alike", "drrn_b2u3_w16 and drrn_b3u2_w16"]
    hollow = [line for line in axes.lines if line.get_marker() == "s" and len(line.get_xdata())]
    assert [list(line.get_xdata()) for line in hollow] == [[pytest.approx(-0.01)]]
    plt.close(figure)
    (row,) = difference_table(orders, "drrn", str).to_dict("records")
    (found,) = evidence_on(orders["alike"], "Set5")
    assert (row["printed"], row["ours, Set5"]) == ("-0.01", f"{found.psnr:+.3f} ± {found.ci_half_width:.3f}")


def test_the_mean_stands_below_pairs_that_have_a_direction(grid):
    """Identity: `mean_difference`; of "comparable" pairs, whose sign means nothing, there is none."""
    pairs = (("drrn_b2u3", "drrn_b1u3"), ("drrn_b3u3", "drrn_b2u3"))
    *_, last = difference_table({"deeper": Order(pairs, BETTER)}, "drrn", str).to_dict("records")
    mean, half = mean_difference(evidence_on(Order(pairs), "Set5"))
    assert (last["pair"], last["ours, Set5"]) == ("mean of the 2", f"{mean:+.3f} ± {half:.3f}")
    assert len(difference_table({"alike": Order(pairs, ALIKE)}, "drrn", str)) == 2
