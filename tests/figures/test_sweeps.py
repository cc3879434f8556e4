"""Sweeps: published and our points at their places, in panels by size."""

import matplotlib.pyplot as plt
import pytest

from srlib.figures.sweeps import PAPER_SIZE, depth_of, sweep, sweep_figure, sweep_table
from srlib.ledger.comparisons import ci_half_width, pooled_std
from srlib.papers import claims
from srlib.records.run import rerun

GRID = {("DRRN", depth_of(f"drrn_b3u{U}")): f"drrn_b3u{U}" for U in (2, 3, 4)}


@pytest.fixture
def points(grid):
    published = next(float(c.value) for c in claims("drrn") if c.id == "drrn.t4.drrn")
    return sweep(GRID, {("DRRN", 28): published}, "Set5", 3, "drrn")


def test_a_sweep_holds_printed_numbers_and_narrow_records(points):
    """Witness: Table 4's 33.99 at depth 28, and three seeds each of B3U2, B3U3 and B3U4 with 16 filters."""
    assert points[points.source == "published"][["panel", "x", "psnr"]].to_numpy().tolist() == [[PAPER_SIZE, 28, 33.99]]
    narrow = points[points.panel == "16 filters"]
    assert sorted(zip(narrow.x, narrow.seed, strict=True)) == [(x, seed) for x in (16, 22, 28) for seed in (0, 1, 2)]
    assert set(narrow.experiment) == {"drrn_b3u2_w16", "drrn_b3u3_w16", "drrn_b3u4_w16"}


def test_a_longer_run_of_one_network_is_left_out(grid, trained):
    """Figure 6 compares networks trained alike: one that was trained for longer is no point of it."""
    trained("drrn_b3u2_w16", 39.0, budget=1.2)
    points = sweep(GRID, {}, "Set5", 3, "drrn")
    assert len(points) == 9
    assert set(points.budget) == {0.15}


def test_the_table_gives_mean_interval_and_budget(points):
    """Identity: mean and seeds; the interval is `margin`'s, from all records of the panel."""
    rows = sweep_table(points, "depth")
    narrow = points[points.panel == "16 filters"]
    values = narrow[narrow.x == 22].psnr
    half = ci_half_width([pooled_std(group for _, group in narrow.groupby("experiment").psnr)], [len(values)])
    row = rows[(rows.networks == "16 filters") & (rows.depth == "22")].iloc[0]
    assert row.record == f"{values.mean():.2f} ± {half:.2f}"
    assert (row.seeds, row["iterations of ours"]) == (len(values), "3,000 (fast)")


def test_published_points_are_hollow_and_ours_filled(points):
    """The book's rule."""
    figure = sweep_figure(points, "depth", [16, 22, 28], {"DRRN": "C3"})
    printed, ours = (axes.lines[0] for axes in figure.axes[:2])
    assert printed.get_markerfacecolor() == "none"
    assert ours.get_markerfacecolor() != "none"
    assert [axes.get_title() for axes in figure.axes] == [PAPER_SIZE, "16 filters, 3,000 iterations"]
    plt.close(figure)


def test_an_empty_sweep_says_so(results):
    """Nothing printed, nothing trained: a panel that says it."""
    figure = sweep_figure(sweep({("x", 1): "rlcsc_k48"}, {}, "Set5", 3, "drrn"), "K", [1, 2], {"x": "C0"})
    assert "no run of ours yet" in figure.axes[0].texts[0].get_text()
    plt.close(figure)


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
