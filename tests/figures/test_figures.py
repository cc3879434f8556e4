"""Figures: their numbers go with them."""

import ast
import base64
import importlib.util
import io
import re
from itertools import combinations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from srlib.figures.style import label_points, plotted, show
from srlib.records.provenance import ROOT

SHOWN = re.compile(r'\bshow\(.*?"(fig-[\w-]+)"', re.DOTALL)


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
    right.set_xticks([0, 1], ["Set5", "Set14"])
    right.set(title="Change", xlabel="depth", ylabel="IFC")
    yield figure
    plt.close(figure)


def test_the_data_of_a_figure_are_what_was_drawn(figure):
    """Identity: lines, points and bars that the legend names, with tick labels for places; guides are left out."""
    read = plotted(figure)
    assert list(read) == ["panel", "series", "depth", "y"]  # the panels agree in x, not in y
    assert read[read.series == "DRRN"].y.tolist() == [30.5, 31.25, 31.125]
    assert read[read.series == "points"].depth.tolist() == [2, 4]
    assert read[read.series == "×3"].to_numpy().tolist() == [["Change", "×3", "Set5", 0.1], ["Change", "×3", "Set14", 0.2]]
    assert read[read.series == "best"].y.tolist() == [33.5]
    assert set(read.series) == {"DRRN", "best", "points", "×3"}


def test_a_figure_without_a_legend_gives_all_its_lines():
    """Identity."""
    figure, axes = plt.subplots()
    axes.plot([0.25, 0.5], [1.0, 2.0])
    assert plotted(figure)[["x", "y"]].to_numpy().tolist() == [[0.25, 1.0], [0.5, 2.0]]
    plt.close(figure)


def test_a_picture_has_no_numbers():
    """Nothing is drawn by lines, points or bars."""
    figure, axes = plt.subplots()
    axes.imshow(np.zeros((4, 4)))
    assert plotted(figure).empty
    plt.close(figure)


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
    assert outputs[0] is figure
    assert outputs[1].data == "*PSNR* against depth"
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
        tree = ast.parse(text)
        figures = [
            ast.literal_eval(n.value) for n in tree.body if isinstance(n, ast.Assign) and ast.unparse(n.targets[0]) == "FIGURES"
        ]
        texts = figures[0] if figures else {}
        assert sorted(SHOWN.findall(text)) == sorted(texts), path.stem
        assert all(set(words) == {"caption", "alt"} and min(map(len, words.values())) > 20 for words in texts.values())
        names += texts
    assert len(names) == len(set(names)) > 15


def test_in_the_book_the_link_stands_below_the_caption():
    """One caption each: the figure's cell keeps the picture, and the link has a cell of its own."""
    spec = importlib.util.spec_from_file_location("rerun_box", ROOT / "book" / "_ext" / "rerun_box.py")
    extension = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(extension)
    figure = {"name": "fig-a", "caption": "*A* line.", "alt": "A line."}
    picture = {"data": {"image/png": "…"}, "metadata": {"figure": figure}}
    caption = {"data": {"text/markdown": "*A* line."}, "metadata": {"caption": True}}
    link = {"data": {"text/html": ['<p class="srlib-data">', "…</p>"]}, "metadata": {}}
    cell = {"id": "a", "metadata": {}, "outputs": [picture, caption, link]}
    first, second = extension.with_caption(cell)
    assert first["outputs"] == [picture]
    assert first["metadata"]["mystnb"] == {"figure": {"name": "fig-a", "caption": "*A* line."}, "image": {"alt": "A line."}}
    assert second["outputs"] == [link]
    assert "mystnb" not in second["metadata"]
    assert extension.with_caption(cell | {"outputs": [link]}) == [cell | {"outputs": [link]}]
