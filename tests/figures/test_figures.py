"""Figures: their numbers go with them; PSNR against parameters and years; bicubic interpolation and VDSR."""

import ast
import base64
import io
import re
from itertools import combinations, product

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from rerun_box import with_caption

from srlib.figures import baselines, sizes
from srlib.figures.style import label_points, plotted, show
from srlib.papers import printed
from srlib.protocol import COLUMNS
from srlib.records.provenance import ROOT


@pytest.fixture(autouse=True)
def closed_figures():
    yield
    plt.close("all")


@pytest.fixture
def figure():
    figure, (left, right) = plt.subplots(1, 2)
    left.plot([1, 2, 3], [30.5, 31.25, 31.125], label="DRRN")
    left.plot([1, 3], [30, 30], label="_guide")
    left.axhline(31)
    left.axhline(33.5, label="best")
    left.scatter([2, 4], [30.0, 32.0], label="points")
    left.set(title="Set5", xlabel="depth", ylabel="PSNR (dB)")
    right.bar([-0.2, 0.8], [0.1, 0.2], 0.3, label="×3")
    right.set(title="Change", xlabel="depth", ylabel="IFC", xticks=[0, 1], xticklabels=["Set5", "Set14"])
    return figure


def test_the_data_of_a_figure_are_what_was_drawn(figure):
    """Identity: lines, points and bars that the legend names, with tick labels for places; guides are left out."""
    read = plotted(figure)
    assert list(read) == ["panel", "series", "depth", "y"]  # the panels agree in x, not in y
    assert read[read.series == "DRRN"].y.tolist() == [30.5, 31.25, 31.125]
    assert read[read.series == "points"].depth.tolist() == [2, 4]
    assert read[read.series == "×3"].to_numpy().tolist() == [["Change", "×3", "Set5", 0.1], ["Change", "×3", "Set14", 0.2]]
    assert read[read.series == "best"].y.tolist() == [33.5]
    assert set(read.series) == {"DRRN", "best", "points", "×3"}


def test_without_a_legend_all_lines_are_data_and_a_picture_is_none():
    """Identity."""
    figure, axes = plt.subplots()
    axes.imshow(np.zeros((4, 4)))
    assert plotted(figure).empty
    axes.plot([0.25, 0.5], [1.0, 2.0])
    assert plotted(figure)[["x", "y"]].to_numpy().tolist() == [[0.25, 1.0], [0.5, 2.0]]


def test_names_cover_no_point_and_no_other_name(figure):
    """Points close together, one at the right edge: each name stands inside the axes and over nothing."""
    axes = figure.axes[0]
    points = {"DRRN_B1U25": (1.0, 31.0), "DRRN_B1U9": (1.05, 31.0), "VDSR": (1.05, 31.1), "RED30": (2.9, 31.4)}
    axes.set(xlim=(0, 3), ylim=(30, 32))
    label_points(axes, points, [(2.0, 31.0)])
    boxes = [text.get_window_extent() for text in axes.texts]
    assert len(boxes) == 4
    assert all(axes.get_window_extent().contains(*corner) for box in boxes for corner in (box.min, box.max))
    assert not any(a.overlaps(b) for a, b in combinations(boxes, 2))
    places = axes.transData.transform([*points.values(), (2.0, 31.0)])
    assert not any(box.contains(*place) for box in boxes for place in places)


@pytest.mark.parametrize("given", [None, pd.DataFrame({"x": [1], "psnr": [31.7300001]})])
def test_the_link_below_a_figure_holds_its_data(figure, given, monkeypatch):
    """Identity: the file read back, to the last bit."""
    outputs = []
    monkeypatch.setattr("srlib.figures.style.display", lambda output, **_: outputs.append(output))
    show(figure, "fig-test", given, caption="*PSNR* against depth", alt="Lines.")
    assert (outputs[0], outputs[1].data) == (figure, "*PSNR* against depth")
    name, content = re.search(r'download="([\w.-]+)" href="data:text/csv;base64,([^"]+)"', outputs[2].data).groups()
    assert name == "fig-test.csv"
    read = pd.read_csv(io.StringIO(base64.b64decode(content).decode()), dtype=str)
    wanted = plotted(figure) if given is None else given
    pd.testing.assert_frame_equal(read, wanted.map(lambda value: np.nan if value != value else str(value)), check_dtype=False)


def test_every_figure_of_a_notebook_has_a_caption_and_an_alt_text():
    """Identity: the names in a notebook's `FIGURES` are those that it shows, once each in the whole book."""
    names = []
    for path in sorted((ROOT / "notebooks").glob("*.py")):
        text = path.read_text()
        cells = [node for node in ast.parse(text).body if isinstance(node, ast.Assign)]
        texts = next((ast.literal_eval(n.value) for n in cells if ast.unparse(n.targets[0]) == "FIGURES"), {})
        assert sorted(re.findall(r'\bshow\(.*?"(fig-[\w-]+)"', text, re.DOTALL)) == sorted(texts), path.stem
        assert all(set(words) == {"caption", "alt"} and min(map(len, words.values())) > 20 for words in texts.values())
        names += texts
    assert len(names) == len(set(names)) > 15


def test_in_the_book_the_link_stands_below_the_caption():
    """One caption each: the figure's cell keeps the picture, and the link has a cell of its own."""
    figure = {"name": "fig-a", "caption": "*A* line.", "alt": "A line."}
    picture = {"data": {"image/png": "…"}, "metadata": {"figure": figure}}
    caption = {"data": {"text/markdown": "*A* line."}, "metadata": {"caption": True}}
    link = {"data": {"text/html": ['<p class="srlib-data">', "…</p>"]}, "metadata": {}}
    cell = {"id": "a", "metadata": {}, "outputs": [picture, caption, link]}
    first, second = with_caption(cell)
    assert (first["outputs"], second["outputs"]) == ([picture], [link])
    assert first["metadata"]["mystnb"] == {"figure": {"name": "fig-a", "caption": "*A* line."}, "image": {"alt": "A line."}}
    assert "mystnb" not in second["metadata"]
    assert with_caption(cell | {"outputs": [link]}) == [cell | {"outputs": [link]}]


def test_sizes_and_printed_numbers_stand_together(results):
    """Witness: DRRN's 297K weights and 34.03 dB of B1U25; RED30 is 14 times as large and 0.21 dB below; MemNet has no size."""
    points = sizes.size_points("Set5", 3)
    own = points[(points.network == "drrn_b1u25") & (points["printed in"] == "DRRN")].iloc[0]
    assert (own.weights, own.depth, own.published) == (297_216, 52, 34.03)
    assert points[points.network == "memnet"].weights.isna().all()
    assert points.ours.isna().all()
    assert not points.duplicated(["network", "printed in", "published"]).any()
    red30 = sizes.red30_point().iloc[0]
    assert (round(red30.weights / own.weights), red30.published) == (14, pytest.approx(34.03 - 0.21))
    names = set(sizes.without_variants(points).network)
    assert {"drrn_b1u9", "drrn_b1u25", "vdsr", "rlcsc_k25"} <= names
    assert {"drrn_ns_b3u4", "drrn_b3u4", "rlcsc_k15", "vdsr_bn_d28_w128"} <= set(points.network) - names


def test_sizes_without_a_printed_score_are_vertical_lines(trained):
    """DRN's Figure 2: three lines that say so, and a point for each other network, with the share of training that ours had."""
    trained("drrn_b1u9", 31.0, scale=4, budget=0.1)
    sized = pd.concat([sizes.size_points("Set5", 4).dropna(subset="weights"), sizes.drn_x4_points()], ignore_index=True)
    (axes,) = sizes.size_figure(sized, "Set5 ×4", (8, 5)).axes
    labels = [text.get_text() for text in axes.texts]
    assert sum("no PSNR in the text" in label for label in labels) == 3
    assert len(labels) == sized.network.nunique() + 1
    (ours,) = (text for text in axes.texts if re.fullmatch(r"DRRN_B1U9, .* % trained", text.get_text()))
    assert ours.xy[1] == 31.0


def test_figure_9_has_a_place_for_each_method_with_a_number(results):
    """Identity: DRRN's own number where it prints one; each method once among the labels, in its year."""
    years = sizes.year_points(sizes.size_points("Set5", 3))
    assert years[years.method == "VDSR"]["printed in"].tolist() == ["DRRN"]
    assert set(years.method) < set(sizes.METHODS)
    axes = sizes.year_figure({"Set5": years, "Set14": years}).axes[0]
    place = {text.get_text(): text.xy[0] for text in axes.texts}
    assert set(place) == {name.removeprefix("DRRN_") for name in years.method}
    assert all(abs(place[row.method.removeprefix("DRRN_")] - row.year) < 0.5 for row in years.itertuples())


def scores(dataset, **psnr):
    """Scores of three images, the same at each scale; PSNR by protocol."""
    keys = product(psnr, (2, 3, 4), range(3))
    rows = [(dataset, scale, "abc"[k], protocol, psnr[protocol][k], 0.9, 2.0) for protocol, scale, k in keys]
    return pd.DataFrame(rows, columns=COLUMNS)


def test_ours_stands_beside_each_printed_number_that_was_scored():
    """Identity: Set5 has scores, Urban100 has none; VDSR's are drawn as ours minus published, those of Set5 ×2 first."""
    means = baselines.score_means(scores("Set5", vdsr=(35, 36, 40), drrn=(38, 38, 38)))
    ours = {(claim.dataset, claim.metric): value for claim, value in baselines.bicubic_cells("drrn", means)}
    assert (ours["Set5", "psnr"], ours["Urban100", "psnr"]) == (37, None)
    cells = baselines.vdsr_cells(means)
    assert {claim.dataset for claim, _ in cells} == {"Set5"}
    _, vdsr, drrn = baselines.witness_figure(cells, means).axes[0].lines
    published = printed("drrn.t2.set5.x2.vdsr.psnr")
    assert (vdsr.get_ydata()[0], drrn.get_ydata()[0]) == (37 - published, 38 - published)


def test_rlcsc_prints_the_bicubic_numbers_of_drrn():
    """By count: all 33 are DRRN's own."""
    assert baselines.count_equal_bicubic("rlcsc", "drrn") == (33, 33)


def test_the_image_that_moves_most_comes_first():
    """By hand."""
    table = scores("Set14", drrn=(30.0, 31.0, 35.0), lapsrn=(30.1, 31.0, 34.0))
    shifts = baselines.largest_shifts(table, "Set14", 3)
    assert shifts.image.tolist() == ["c", "a", "b"]
    assert shifts["lapsrn - drrn"].round(6).tolist() == [-1.0, 0.1, 0.0]
    means = baselines.score_means(table)
    axes = baselines.protocol_shift_figure(means.loc["lapsrn"] - means.loc["drrn"], ["Set14"]).axes[0]
    assert [round(bar.get_height(), 6) for bars in axes.containers for bar in bars] == [-0.3] * 3
