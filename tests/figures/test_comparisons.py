"""Comparisons: differences drawn and listed, and the learning curves of the records."""

import matplotlib.pyplot as plt
import pytest

from srlib.figures.comparisons import (
    CURVE_COLUMNS,
    curve_figure,
    curves,
    difference_figure,
    difference_table,
    loss_figure,
)
from srlib.ledger.comparisons import evidence_on, mean_difference
from srlib.papers.orderings import ALIKE, BETTER, Order
from srlib.records.scores import runs


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
    (difference,) = evidence_on(orders["alike"], "Set5")
    ours = f"{difference.psnr:+.3f} ± {difference.ci_half_width:.3f}"
    assert (row["printed"], row["ours, Set5"]) == ("-0.01", ours)


def test_the_mean_stands_below_pairs_that_have_a_direction(grid):
    """Identity: `mean_difference`; of "comparable" pairs, whose sign means nothing, there is none."""
    pairs = (("drrn_b2u3", "drrn_b1u3"), ("drrn_b3u3", "drrn_b2u3"))
    *_, last = difference_table({"deeper": Order(pairs, BETTER)}, "drrn", str).to_dict("records")
    mean, half = mean_difference(evidence_on(Order(pairs), "Set5"))
    assert (last["pair"], last["ours, Set5"]) == ("mean of the 2", f"{mean:+.3f} ± {half:.3f}")
    assert len(difference_table({"alike": Order(pairs, ALIKE)}, "drrn", str)) == 2


def test_curves_are_those_of_the_records(grid):
    """Witness: `curve.csv` of a narrow B3U4, seed by seed, and of the CPU's RL-CSC."""
    grid("rlcsc_k5_n32_m32", 31.0, curve=(30.0, 31.0))
    points = curves({"DRRN": "drrn_b3u4"})
    (records,) = runs().groups("drrn_b3u4_w16").values()
    assert len(records) == 3
    for record in records:
        mine = points[(points.panel == "16 filters") & (points.seed == record.info["seed"])]
        assert mine.psnr.tolist() == record.curve.psnr.tolist()
    assert set(curves({"K = 5": "rlcsc_k5_n32_m32"}).panel) == {"for a CPU"}


def test_a_figure_has_a_line_for_each_series_and_seed(grid):
    """Identity: a mean, thick, and three seeds, thin; nothing trained is an empty panel that says so."""
    points = curves({"DRRN": "drrn_b3u4"})
    figure = curve_figure(points, {"DRRN": "C3", "C": "C1"})
    (axes,) = figure.axes
    assert len(axes.lines) == 1 + 3
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["DRRN, 400 iterations"]
    plt.close(figure)
    nothing = curves({"DRRN": "drrn_b17u1_w1"})
    assert (nothing.empty, list(nothing.columns)) == (True, CURVE_COLUMNS)
    figure = curve_figure(nothing, {"DRRN": "C3"})
    assert figure.axes[0].get_title() == "no record yet"
    plt.close(figure)


def test_losses_are_compared_by_all_records_of_an_experiment(grid):
    """Identity: a line for each narrow form and data of the experiment; nothing trained says so."""
    figure = loss_figure({"drrn_b3u4": ("squared error", "C0"), "drn_mse_x3": ("none", "C1")})
    (axes,) = figure.axes
    names = [name for name in runs().names() if name.startswith("drrn_b3u4_w")]
    assert len(axes.lines) == sum(len(runs().groups(name)) for name in names) > 0
    for line in axes.lines:
        assert line.get_label().split(", ")[0] in {f"squared error: {name}" for name in names}
    plt.close(figure)
    figure = loss_figure({"drn_mse_x3": ("none", "C1")})
    assert figure.axes[0].texts[0].get_text() == "no record of either yet"
    plt.close(figure)
