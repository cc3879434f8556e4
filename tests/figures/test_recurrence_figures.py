"""Recurrent graphs in numbers, against what is known of them."""

import matplotlib.pyplot as plt
import pandas as pd
import pytest
import torch
from torch import nn

from srlib.figures import recurrence
from srlib.figures.recurrence import growth_factor, rms_normalised_by
from srlib.graphs.recurrence import drrn, dsrn
from srlib.models import DRRN, DSRN, params


@pytest.fixture(autouse=True)
def settings():
    torch.manual_seed(0)
    with torch.no_grad():
        yield
    plt.close("all")


def test_a_difference_is_seen():
    """The graph of a model equals it; that of another with other weights does not."""
    model, other = (DRRN(1, 2, 4).eval() for _ in range(2))
    images = (torch.rand(1, 1, 6, 6),) * 2
    rows = recurrence.compare_with_models({"same": (drrn(model), model, images), "other": (drrn(other), model, images)})
    assert rows["largest difference"][0] < 1e-6 < rows["largest difference"][1]
    assert rows.weights.tolist() == [params(model)] * 2
    assert recurrence.equality_text(pd.Series([0.0, 2e-7])).endswith("by rounding, at most 2e-07.")
    assert recurrence.equality_text(pd.Series([0.0, 0.0])) == "**2 of 2 graphs equal their model file to the last bit.**"


def test_depth_grows_with_the_length_and_shared_weights_do_not():
    """The paper's 2T + 4, and the same numbers in figure and sentence."""
    networks = {"DSRN": True, "DSRN, untied": False}
    graphs = {name: [dsrn(DSRN(2, T, 4, shared=shared)) for T in (3, 7)] for name, shared in networks.items()}
    counts = recurrence.count_by_length(graphs)
    assert counts.depth.tolist() == [10, 18, 10, 18]
    assert counts.weights[:2].nunique() == 1 < counts.weights[2:].nunique()
    text = recurrence.depth_text(counts, graphs["DSRN"][0])
    assert "for all 2 values of T: **True**" in text
    assert "the longest path at T = 3 is 10 as well" in text
    left, right = recurrence.depth_figure(counts).axes
    assert [line.get_label() for line in left.lines] == ["DSRN"]
    assert [line.get_label() for line in right.lines] == ["DSRN", "DSRN, untied"]


def test_a_growth_of_two_is_found():
    """Identity."""
    rms = pd.DataFrame({"s_h": [3.0, 6.0, 12.0, 24.0]}, index=range(1, 5))
    assert growth_factor(rms) == pytest.approx(2)
    assert "| doubled | 2.00 | 8.0 |" in recurrence.growth_table({"doubled": rms})


def test_a_scalar_holds_the_states_at_one_and_nothing_else_does():
    """Identity; the graph's own normalisation is a PReLU as it is initialised."""
    graph, image = dsrn(DSRN(2, 9, 4)), torch.rand(1, 1, 6, 6)
    scaled = rms_normalised_by(graph, [nn.Sequential(nn.PReLU(), recurrence.UnitRMS())], image)
    free, own = (rms_normalised_by(graph, normalise, image) for normalise in ([], [nn.PReLU()]))
    assert scaled.to_numpy() == pytest.approx(1, abs=1e-5)
    assert growth_factor(free) > 1.05
    assert (list(free), free.index.tolist()) == (["s_h", "s_l"], list(range(1, 10)))
    pd.testing.assert_frame_equal(own, recurrence.state_rms(graph, image))
    (axes,) = recurrence.growth_figure({"free": free, "scaled": scaled}).axes
    assert [text.get_text() for text in axes.texts] == ["the paper's T"]
