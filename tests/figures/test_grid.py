"""DRRN's studies of structure: the grid's points and panels, and what the sentences below them compute."""

import re

import matplotlib.pyplot as plt
import pandas as pd
import pytest

from srlib.figures.grid import components_summary, depth_contours, grid_figure, grid_panels, grid_points, grid_summary
from srlib.figures.sweeps import PAPER_SIZE
from srlib.papers.drrn import GRID
from srlib.papers.orderings import ORDERS


def test_the_grid_holds_printed_numbers_and_all_narrow_structures(grid):
    """Witness: the 34.03 dB of B1U25 in Table 2. Identity: three seeds of each of Figure 6's structures, and B1U9."""
    points = grid_points()
    printed = points[points.source == "published"]
    assert printed[(printed.B == 1) & (printed.U == 25)].psnr.item() == 34.03
    narrow = points[points.panel == "16 filters"]
    assert sorted(set(zip(narrow.B, narrow.U, strict=True))) == sorted(GRID)
    assert len(narrow) == 3 * len(GRID)
    assert (narrow.x == (1 + 2 * narrow.U) * narrow.B + 1).all()  # Eq. 7
    assert grid_panels(points) == [PAPER_SIZE, "16 filters"]


def test_a_size_with_two_structures_has_no_panel(trained):
    """Two points are no grid."""
    for name in ("drrn_b1u3_w8", "drrn_b1u9_w8"):
        trained(name, 31.0)
    points = grid_points()
    assert "8 filters" in set(points.panel)
    assert grid_panels(points) == [PAPER_SIZE]


def test_the_grid_is_drawn_with_a_number_for_each_point(grid):
    """Identity: one label of two digits a structure and panel, the mean of its seeds; printed points are hollow."""
    points = grid_points()
    figure = grid_figure(points, grid_panels(points))
    for axes, panel in zip(figure.axes, grid_panels(points), strict=False):
        means = points[points.panel == panel].groupby(["B", "U"]).psnr.mean()
        labels = [text.get_text() for text in axes.texts if re.fullmatch(r"\d\d\.\d\d", text.get_text())]
        assert sorted(labels) == sorted(f"{mean:.2f}" for mean in means)
    hollow, filled = (axes.collections[0].get_facecolor() for axes in figure.axes[:2])
    assert (len(hollow), len(filled)) == (0, len(GRID))
    plt.close(figure)


def test_lines_of_equal_depth_are_those_of_equation_7():
    """Identity: d = (1 + 2U)B + 1 at every point of the line."""
    figure, axes = plt.subplots()
    axes.set(xlim=(0.4, 9), ylim=(0.4, 5))
    depth_contours(axes, (10, 20))
    for line, d in zip(axes.lines, (10, 20), strict=True):
        U, B = line.get_data()
        depth = (1 + 2 * U) * B + 1
        assert depth == pytest.approx(d)
    plt.close(figure)


def test_the_summary_has_the_rank_correlations(grid):
    """Identity: the fixture's scores rise with B and, less, with U, so both correlations are positive and below 1."""
    points = grid_points()
    text = grid_summary(points, grid_panels(points), [ORDERS["drrn.f6.order.same_depth"]])
    assert text.startswith(f"Among our {len(GRID)} structures of 16 filters")
    depth, weights = map(float, re.findall(r"\*\*([+-]\d\.\d\d)\*\*", text))
    means = points[points.source == "record"].groupby(["x", "B"]).psnr.mean().reset_index()
    assert depth == round(means.x.corr(means.psnr, "spearman"), 2)
    assert weights == round(means.B.corr(means.psnr, "spearman"), 2)  # weights grow with B alone
    assert "as deep as B2U3 scatter" in text or "as deep as B3U2 scatter" in text
    assert grid_summary(points, [PAPER_SIZE], []) == "No narrow structures have been trained alike yet."


def test_the_summary_of_components_subtracts_printed_numbers(grid):
    """Identity: differences of the numbers that go in; two seeds' range from the points; a claim with runs has a line."""
    printed = {"VDSR": 33.0, "NS_C": 33.25, "NS": 33.75, "C": 33.5, "DRRN": 34.0}
    points = pd.DataFrame({"source": "record", "panel": "16 filters", "series": "C", "x": 16, "budget": 0.15}, index=range(2))
    text = components_summary(points.assign(psnr=[32.5, 32.75]), printed, {"deeper is better": ORDERS["drrn.f6.order.deeper"]})
    printed_line, residual_line, claim_line = text.split("\n")
    assert re.findall(r"\*\*(.*?) dB\*\*", printed_line) == ["1.00", "0.25"]
    assert re.findall(r"\*\*(.*?) dB\*\*", residual_line) == ["+0.75", "+0.25"]
    assert claim_line.startswith("* *Deeper is better*: our ")
