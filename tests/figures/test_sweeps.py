"""Sweeps, DRRN's grid, differences and learning curves: published and our points at their places, in panels by size."""

import re

import matplotlib.pyplot as plt
import pandas as pd
import pytest

from srlib.figures.comparisons import CURVE_COLUMNS, curve_figure, curves, difference_figure, difference_table, loss_figure
from srlib.figures.grid import components_summary, grid_figure, grid_panels, grid_points, grid_summary
from srlib.figures.sweeps import PAPER_SIZE, depth_of, sweep, sweep_figure, sweep_table
from srlib.ledger.comparisons import ci_half_width, evidence_on, mean_difference, pooled_std
from srlib.papers import printed
from srlib.papers.drrn import GRID
from srlib.papers.orderings import ALIKE, ORDERS, Order
from srlib.records.run import rerun
from srlib.records.scores import runs


@pytest.fixture(autouse=True)
def closed_figures():
    yield
    plt.close("all")


def test_a_sweep_is_listed_with_mean_interval_and_budget_and_drawn(grid):
    """Witness: Table 4's 33.99. Identity: the mean and its interval, from all of the panel; a longer run is no point."""
    grid("drrn_b3u2_w16", 39.0, budget=1.2)
    blocks_of_3 = {("DRRN", depth_of(f"drrn_b3u{U}")): f"drrn_b3u{U}" for U in (2, 3, 4)}
    points = sweep(blocks_of_3, {("DRRN", 28): printed("drrn.t4.drrn")}, "Set5", 3, "drrn")
    rows = sweep_table(points, "depth").set_index(["networks", "depth"])
    narrow = points[points.panel == "16 filters"]
    assert narrow.budget.tolist() == [0.15] * 9
    values = narrow[narrow.x == 22].psnr
    half = ci_half_width([pooled_std(group for _, group in narrow.groupby("experiment").psnr)], [len(values)])
    row = rows.loc["16 filters", "22"]
    assert row.record == f"{values.mean():.2f} ± {half:.2f}"
    assert (row.seeds, row["iterations of ours"]) == (len(values), "3,000 (fast)")
    assert rows.loc[PAPER_SIZE].T.to_dict() == {
        "28": {"series": "DRRN", "published": "33.99", "record": "–", "seeds": "–", "iterations of ours": "not run"}
    }
    figure = sweep_figure(points, "depth", [16, 22, 28], {"DRRN": "C3"})
    published, ours = (axes.lines[0] for axes in figure.axes)
    assert published.get_markerfacecolor() == "none"
    assert ours.get_markerfacecolor() != "none"
    assert [axes.get_title() for axes in figure.axes] == [PAPER_SIZE, "16 filters, 3,000 iterations"]


@pytest.mark.slow
def test_a_rerun_trains_scores_and_stands_apart(tmp_path, monkeypatch):
    """As a notebook does with train=True, where no data is at hand: stand-ins, and the table says on what."""
    monkeypatch.setenv("SRLIB_DATA", str(tmp_path / "none"))
    fresh = rerun(["drrn_b1u1_w4"], "test", budget=0.0002, device="cpu", data="SampleTrain", runs=str(tmp_path / "runs"))
    assert fresh.stand_in
    row = fresh.table().iloc[0]
    assert (row.experiment, row.dataset, row.scale, row.iterations) == ("drrn_b1u1_w4", "Sample", 3, 4)
    assert 15 < row.psnr < 50
    points = sweep({("DRRN", 4): "drrn_b1u1"}, {}, "Set5", 3, "drrn", fresh)
    assert points[points.source == "this run"].panel.tolist() == ["4 filters, Sample, this run's data"]


def test_the_grid_holds_printed_numbers_and_all_narrow_structures(grid):
    """Witness: the 34.03 dB of B1U25 in Table 2. Identity: three seeds of each of Figure 6's structures; two are no grid."""
    for name in ("drrn_b1u3_w8", "drrn_b1u9_w8"):
        grid(name, 31.0)
    points = grid_points()
    published = points[points.source == "published"]
    assert published[(published.B == 1) & (published.U == 25)].psnr.item() == 34.03
    assert set(published.panel) == {PAPER_SIZE}
    narrow = points[points.panel == "16 filters"]
    wanted = [(f"drrn_b{B}u{U}_w16", B, U, seed) for B, U in GRID for seed in range(3)]
    assert sorted(zip(narrow.experiment, narrow.B, narrow.U, narrow.seed, strict=True)) == sorted(wanted)
    assert (narrow.x == (1 + 2 * narrow.U) * narrow.B + 1).all()  # Eq. 7
    assert "8 filters" in set(points.panel)
    assert grid_panels(points) == [PAPER_SIZE, "16 filters"]


def test_the_grid_is_drawn_with_a_number_for_each_point(grid):
    """Identity: one label of two digits a structure and panel, the mean of its seeds; lines of equal depth are Equation 7's."""
    points = grid_points()
    figure = grid_figure(points, grid_panels(points))
    for axes, panel in zip(figure.axes, grid_panels(points), strict=False):
        means = points[points.panel == panel].groupby(["B", "U"]).psnr.mean()
        labels = [text.get_text() for text in axes.texts if re.fullmatch(r"\d\d\.\d\d", text.get_text())]
        assert sorted(labels) == sorted(f"{mean:.2f}" for mean in means)
    hollow, filled = (axes.collections[0].get_facecolor() for axes in figure.axes[:2])
    assert (len(hollow), len(filled)) == (0, len(GRID))
    for line, d in zip(figure.axes[1].lines, (10, 20, 30, 50), strict=True):
        U, B = line.get_data()
        assert ((1 + 2 * U) * B + 1).tolist() == pytest.approx([d] * len(B))


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
    numbers = {"VDSR": 33.0, "NS_C": 33.25, "NS": 33.75, "C": 33.5, "DRRN": 34.0}
    points = pd.DataFrame({"source": "record", "panel": "16 filters", "series": "C", "x": 16, "budget": 0.15}, index=range(2))
    text = components_summary(points.assign(psnr=[32.5, 32.75]), numbers, {"deeper is better": ORDERS["drrn.f6.order.deeper"]})
    printed_line, residual_line, claim_line = text.split("\n")
    assert re.findall(r"\*\*(.*?) dB\*\*", printed_line) == ["1.00", "0.25"]
    assert re.findall(r"\*\*(.*?) dB\*\*", residual_line) == ["+0.75", "+0.25"]
    assert claim_line.startswith("* *Deeper is better*: our ")


def test_differences_stand_beside_the_printed_ones(grid):
    """Witness: Figure 6's text has 33.76 dB for B2U3 and 33.77 for B3U2. Only pairs that have a direction have a mean."""
    pairs = (("drrn_b2u3", "drrn_b3u2"), ("drrn_b4u3", "drrn_b1u3"))
    orders = {"alike": Order(pairs, ALIKE), "nothing": Order((("drn_x3", "drn_x2"),)), "deeper": Order(pairs)}
    (axes,) = difference_figure(orders, "drrn", lambda d: f"{d.better} and {d.worse}").axes
    names = ["drrn_b2u3_w16 and drrn_b3u2_w16", "drrn_b4u3_w16 and drrn_b1u3_w16"]
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels == ["alike", *names, "deeper", *names, "mean of the 2"]
    hollow = [line.get_xydata().tolist() for line in axes.lines if line.get_marker() == "s" and len(line.get_xdata())]
    assert hollow == [[[pytest.approx(-0.01), y]] for y in (1, 4)]
    rows = difference_table(orders, "drrn", lambda d: f"{d.better} and {d.worse}")
    assert rows.pair.tolist() == [*names, *names, "mean of the 2"]
    differences = evidence_on(orders["deeper"], "Set5")
    ours = [(d.psnr, d.ci_half_width) for d in differences]
    ours += [*ours, mean_difference(differences)]
    assert rows["ours, Set5"].tolist() == [f"{mean:+.3f} ± {half:.3f}" for mean, half in ours]
    assert rows.printed.tolist() == ["-0.01", "–", "-0.01", "–", "–"]


def test_curves_are_those_of_the_records(grid):
    """Witness: `curve.csv` of a narrow B3U4, seed by seed. Drawn are a mean and three seeds; nothing trained says so."""
    grid("rlcsc_k5_n32_m32", 31.0, curve=(30.0, 31.0))
    points = curves({"DRRN": "drrn_b3u4"})
    (records,) = runs().groups("drrn_b3u4_w16").values()
    assert len(records) == 3
    for record in records:
        mine = points[(points.panel == "16 filters") & (points.seed == record.info["seed"])]
        assert mine.psnr.tolist() == record.curve.psnr.tolist()
    assert set(curves({"K = 5": "rlcsc_k5_n32_m32"}).panel) == {"for a CPU"}
    (axes,) = curve_figure(points, {"DRRN": "C3", "C": "C1"}).axes
    assert len(axes.lines) == 1 + 3
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["DRRN, 400 iterations"]
    nothing = curves({"DRRN": "drrn_b17u1_w1"})
    assert (nothing.empty, list(nothing.columns)) == (True, CURVE_COLUMNS)
    assert curve_figure(nothing, {"DRRN": "C3"}).axes[0].get_title() == "no record yet"


def test_losses_are_compared_by_all_records_of_an_experiment(grid):
    """Identity: a line for each narrow form and data of the experiment; nothing trained says so."""
    (axes,) = loss_figure({"drrn_b3u4": ("squared error", "C0"), "drn_mse_x3": ("none", "C1")}).axes
    names = [name for name in runs().names() if name.startswith("drrn_b3u4_w")]
    assert len(axes.lines) == sum(len(runs().groups(name)) for name in names) > 0
    for line in axes.lines:
        assert line.get_label().split(", ")[0] in {f"squared error: {name}" for name in names}
    assert loss_figure({"drn_mse_x3": ("none", "C1")}).axes[0].texts[0].get_text() == "no record of either yet"
