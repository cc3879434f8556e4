"""States of recurrent networks: the numbers and sentences beside their energy maps."""

import numpy as np
import pandas as pd
import pytest
import torch

from srlib.figures import states as figures
from srlib.figures.states import energy_maps_figure, energy_table, smallest_images, widest_record
from srlib.models import DRRN, macs_per_pixel
from srlib.widgets.states import States


@pytest.fixture
def luma():
    return torch.rand(6, 8, generator=torch.Generator().manual_seed(0)).double().numpy() * 255


def test_a_step_that_is_the_original_has_no_error(luma):
    """Identity: the first step is the original, the second lacks half of it, so their mean lacks a quarter."""
    bicubic = np.full(luma.shape, 0.5)
    half = (bicubic + luma / 255) / 2
    states = States("", (np.ones(luma.shape), np.full(luma.shape, 3.0)), (luma / 255, half), bicubic)
    rows = energy_table(states, luma).set_index("step")
    missing = np.sqrt(((luma - 127.5) ** 2).mean())
    assert rows["mean energy"].tolist() == ["1", "3", ""]
    assert rows["error of this step, RMS"].tolist() == ["0.0", f"{missing / 2:.1f}", f"{missing / 4:.1f}"]
    assert rows["residual, RMS"]["t = 1"] == f"{missing:.1f}"
    assert set(rows["correlation with the truth"]) == {"1.00"}


@pytest.mark.parametrize("steps", [3, 10])
def test_no_more_maps_than_there_is_room_for(luma, steps):
    """Identity: the first and the last state are among them, and a row starts with the original."""
    figure = energy_maps_figure({"drrn": [luma + t for t in range(steps)], "rlcsc": [luma] * 9}, luma)
    titles = [axes.get_title().partition(":")[0] for axes in figure.axes[:8] if axes.images]
    assert len(titles) == 1 + min(steps, 7)
    assert (titles[0], titles[1], titles[-1]) == ("HR", "$H^{1}$", f"$H^{{{steps}}}$")


@pytest.mark.parametrize(("work", "taken"), [(0, "6"), (0.99, "6"), (1, "6 9"), (np.inf, "6 9 12")])
def test_the_smallest_images_are_taken_until_the_work_is_done(work, taken):
    """Identity, by the work of two images; one image is always taken."""
    images = [(str(side), np.zeros((side, side), np.uint8)) for side in (9, 6, 12)]
    most_work = work * (6**2 + 9**2) * macs_per_pixel(lambda: DRRN(1, 1, 4), 3)
    assert " ".join(name for name, _ in smallest_images(images, DRRN(1, 1, 4), 3, most_work)) == taken


def test_the_average_is_compared_with_the_last_and_with_the_best_step():
    """By hand: means of the steps are 31, 33 and 32, of the average 33.5."""
    steps = ["0", "1", "2", "3", "average"]
    psnr = pd.DataFrame({"a": [29, 30, 32, 31, 32.5], "b": [30, 32, 34, 33, 34.5]}, index=steps, dtype=float)
    text = figures.average_text(psnr, None)
    assert "**+1.50 dB** against the last step, and better on 2 of 2 images" in text
    assert "(step 2) it is **+0.50 dB**" in text
    assert "33.5000 dB here, 33.4000 dB in its record" in figures.average_text(psnr, 33.4)
    rows = figures.step_psnr_table(psnr)
    assert rows.prediction.tolist() == ["bicubic", "step 1", "step 2", "step 3, the last", "average of all (Eq. 5)"]
    assert rows["mean"].tolist() == ["29.50", "31.00", "33.00", "32.00", "33.50"]


def test_the_networks_looked_into_are_not_variants():
    """Of the committed records."""
    for model in figures.NETWORKS:
        record = widest_record(model)
        assert record.info["model"] == model
        assert not {"average", "feedback", "shared", "residual"} & record.info["arguments"].keys()
    assert widest_record("none") is None
