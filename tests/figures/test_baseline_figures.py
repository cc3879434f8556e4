"""Bicubic and VDSR: which numbers are compared, and which images move most."""

import matplotlib.pyplot as plt
import pandas as pd

from srlib.figures.baselines import (
    bicubic_cells,
    count_equal_bicubic,
    largest_shifts,
    protocol_shift_figure,
    score_means,
    vdsr_cells,
    witness_figure,
)
from srlib.papers import printed


def scores(dataset, psnr_by_protocol):
    """Three images, of which only the last is scored otherwise by each protocol."""
    return pd.DataFrame(
        {"dataset": dataset, "scale": scale, "image": image, "protocol": protocol, "psnr": psnr, "ssim": 0.9, "ifc": 2.0}
        for protocol, values in psnr_by_protocol.items()
        for scale in (2, 3, 4)
        for image, psnr in zip("abc", values, strict=True)
    )


def test_ours_stands_beside_each_printed_number_that_was_scored():
    """Identity: Set5 has scores, Urban100 has none."""
    cells = bicubic_cells("drrn", score_means(scores("Set5", {"vdsr": (30, 31, 35), "drrn": (30, 31, 36)})))
    ours = {(claim.dataset, claim.metric): value for claim, value in cells}
    assert ours["Set5", "psnr"] == 32
    assert ours["Urban100", "psnr"] is None


def test_a_paper_prints_its_own_numbers():
    """Identity; and the number of RL-CSC's is smaller or equal to all."""
    equal, total = count_equal_bicubic("drrn", "drrn")
    assert equal == total > 10
    assert 0 < count_equal_bicubic("rlcsc", "drrn")[0] <= count_equal_bicubic("rlcsc", "drrn")[1]


def test_the_image_that_moves_most_comes_first():
    """By hand."""
    table = scores("Set14", {"drrn": (30.0, 31.0, 35.0), "lapsrn": (30.1, 31.0, 34.0)})
    shifts = largest_shifts(table, "Set14", 3, images=2)
    assert shifts.image.tolist() == ["c", "a"]
    assert shifts["lapsrn - drrn"].round(6).tolist() == [-1.0, 0.1]
    means = score_means(table)
    figure = protocol_shift_figure(means.loc["lapsrn"] - means.loc["drrn"], ["Set14"])
    heights = [bar.get_height() for bars in figure.axes[0].containers for bar in bars]
    assert [round(height, 6) for height in heights] == [-0.3] * 3
    plt.close(figure)


def test_the_witness_is_drawn_as_ours_minus_published():
    """Identity: VDSR's Set5 ×2 of DRRN's Table 2."""
    means = score_means(scores("Set5", {"vdsr": (37, 37, 37), "drrn": (38, 38, 38)}))
    cells = vdsr_cells(means)
    assert {claim.dataset for claim, _ in cells} == {"Set5"}
    figure = witness_figure(cells, means)
    _, vdsr, drrn = figure.axes[0].lines
    published = printed("drrn.t2.set5.x2.vdsr.psnr")
    assert vdsr.get_ydata()[0] == 37 - published
    assert drrn.get_ydata()[0] == 38 - published
    plt.close(figure)
