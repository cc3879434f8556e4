"""PSNR against parameters and years: points from the claims, sizes from the networks."""

import matplotlib.pyplot as plt
import pandas as pd
import pytest

from srlib.figures.sizes import (
    METHODS,
    drn_x4_points,
    red30_point,
    size_figure,
    size_points,
    without_variants,
    year_figure,
    year_points,
)
from srlib.papers import printed


@pytest.fixture
def points(results):
    """The printed points of Set5 ×3, without records."""
    return size_points("Set5", 3)


def test_sizes_and_printed_numbers_stand_together(points):
    """Witness: 297K weights (DRRN, Table 2's text) and 34.03 dB of DRRN_B1U25; MemNet has a PSNR, and no size in any text."""
    own = points[(points.network == "drrn_b1u25") & (points["printed in"] == "DRRN")].iloc[0]
    assert (own.weights, own.depth, own.published) == (297_216, 52, printed("drrn.t2.set5.x3.drrn_b1u25.psnr"))
    assert points[points.network == "memnet"].weights.isna().all()
    assert points.ours.isna().all()
    assert not points.duplicated(["network", "printed in", "published"]).any()


def test_variants_are_left_out(points):
    """What ablations compare is no method of its own."""
    names, variants = set(without_variants(points).network), {"drrn_ns_b3u4", "drrn_b3u4", "rlcsc_k15", "vdsr_bn_d28_w128"}
    assert {"drrn_b1u9", "drrn_b1u25", "vdsr", "rlcsc_k25"} <= names
    assert variants <= set(points.network) - names


def test_red30_follows_from_two_sentences_of_drrn():
    """DRRN's Figure 1: 0.21 dB below B1U25, whose size is a fourteenth."""
    row = red30_point().iloc[0]
    assert row.published == pytest.approx(printed("drrn.t2.set5.x3.drrn_b1u25.psnr") - 0.21)
    assert round(row.weights / 297_216) == 14


def test_sizes_without_a_printed_score_are_vertical_lines(results):
    """DRN's Figure 2: three lines that say so, and a point for each other network."""
    sized = pd.concat([size_points("Set5", 4).dropna(subset="weights"), drn_x4_points()], ignore_index=True)
    figure = size_figure(sized, "Set5 ×4", (8, 5))
    (axes,) = figure.axes
    labels = [text.get_text() for text in axes.texts]
    assert sum("no PSNR in the text" in label for label in labels) == 3
    assert len(labels) == sized.network.nunique()
    plt.close(figure)


def test_a_trained_fraction_is_written_beside_ours(trained):
    """Ours is filled, and a record below the published length says how much of it there is."""
    trained("drrn_b1u9", 33.0, budget=0.1)
    sized = size_points("Set5", 3).query("network == 'drrn_b1u9'")
    assert sized.ours.dropna().unique().tolist() == [33.0]
    figure = size_figure(sized, "Set5 ×3", (8, 5))
    assert any(text.get_text().endswith("trained") for text in figure.axes[0].texts)
    plt.close(figure)


def test_figure_9_has_a_place_for_each_method_with_a_number(points):
    """Identity: DRRN's own number where it prints one; each method once among the labels, in its year."""
    years = year_points(points)
    assert years[years.method == "VDSR"]["printed in"].tolist() == ["DRRN"]
    assert set(years.method) < set(METHODS)
    figure = year_figure({"Set5": years, "Set14": years})
    axes = figure.axes[0]
    place = {text.get_text(): text.xy[0] for text in axes.texts}
    assert set(place) == {name.removeprefix("DRRN_") for name in years.method}
    assert all(abs(place[row.method.removeprefix("DRRN_")] - row.year) < 0.5 for row in years.itertuples())
    plt.close(figure)
