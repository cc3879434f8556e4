"""Learning curves: those of the records, in panels by size."""

import matplotlib.pyplot as plt

from srlib.figures.curves import COLUMNS, curve_figure, curves
from srlib.records.scores import runs


def test_curves_are_those_of_the_records(grid):
    """Witness: `curve.csv` of a narrow B3U4, seed by seed, and of the CPU's RL-CSC."""
    grid("rlcsc_k5_n32_m32", 31.0, curve=(30.0, 31.0))
    found = curves({"DRRN": "drrn_b3u4"})
    (records,) = runs().groups("drrn_b3u4_w16").values()
    assert len(records) == 3
    for record in records:
        mine = found[(found.panel == "16 filters") & (found.seed == record.info["seed"])]
        assert mine.psnr.tolist() == record.curve.psnr.tolist()
    assert set(curves({"K = 5": "rlcsc_k5_n32_m32"}).panel) == {"for a CPU"}


def test_a_figure_has_a_line_for_each_series_and_seed(grid):
    """Identity: a mean, thick, and three seeds, thin; nothing trained is an empty panel that says so."""
    found = curves({"DRRN": "drrn_b3u4"})
    figure = curve_figure(found, {"DRRN": "C3", "C": "C1"})
    (axes,) = figure.axes
    assert len(axes.lines) == 1 + 3
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["DRRN, 400 iterations"]
    plt.close(figure)
    nothing = curves({"DRRN": "drrn_b17u1_w1"})
    assert (nothing.empty, list(nothing.columns)) == (True, COLUMNS)
    figure = curve_figure(nothing, {"DRRN": "C3"})
    assert figure.axes[0].get_title() == "no record yet"
    plt.close(figure)
