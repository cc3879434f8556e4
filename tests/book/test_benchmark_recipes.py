"""The benchmark of recipes: turns of a race, a small race on made-up images, and the pages that show the report."""

import base64
import importlib.util
import json
import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
import torch
from pages import training as training_pages

from srlib.records.provenance import ROOT
from srlib.training.devices import choose_precision

POINTS = {"new": (28.0, 29.0, 31.5, 32.0), "old": (28.0, 29.5, 30.0, 31.0)}  # dB at 10, 20, 30 and 40 seconds


@pytest.fixture
def bench(monkeypatch):
    """benchmarks/recipes.py, on one thread."""
    monkeypatch.syspath_prepend(ROOT / "benchmarks")  # it imports its neighbour
    specification = importlib.util.spec_from_file_location("benchmark_recipes", ROOT / "benchmarks" / "recipes.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield module
    torch.set_num_threads(threads)


def test_slices_alternate_and_add_up(bench):
    """Order: new, old, new, old; and all iterations are done, also where there are fewer than slices."""
    made = list(bench.slices({"new": 1000, "old": 50}))
    assert [name for _, name, _ in made] == ["new", "old"] * bench.SLICES
    assert {name: sum(n for _, way, n in made if way == name) for name in ("new", "old")} == {"new": 1000, "old": 50}
    assert max(n for _, way, n in made if way == "new") - min(n for _, way, n in made if way == "new") <= 1


def test_speeds_are_iterations_a_second(bench, monkeypatch):
    """Witness: a clock that a step moves on by 0.1 and another by 0.4 seconds."""
    now = [0.0]

    def taking(seconds):
        def step():
            now[0] += seconds
            return torch.tensor(0.0)

        return step

    monkeypatch.setattr(bench.time, "perf_counter", lambda: now[0])
    assert bench.speeds({"new": taking(0.1), "old": taking(0.4)}, 2.0) == pytest.approx({"new": 10, "old": 2.5})


@pytest.mark.parametrize("name", ["drrn_b1u1_w4", "rlcsc_k15_w4"])
def test_a_race_gives_both_recipes_their_points(bench, monkeypatch, name):
    """Behaviour: both rows have all points, the last at the end of the schedule, scored on the averaged weights."""
    scored = []
    image = np.random.default_rng(0).integers(0, 256, (96, 96, 3), dtype=np.uint8)
    monkeypatch.setattr(bench, "training_images", lambda experiment: [("made up", image)])
    monkeypatch.setattr(bench, "validation", lambda experiment, recipe: lambda model: scored.append(model) or 30.0)
    monkeypatch.setattr(bench, "speeds", lambda steps, seconds: {"new": 24.0, "old": 16.0})
    old = "first" if name.startswith("drrn") else "adam"
    monkeypatch.setattr(bench, "OLD", {name: old})
    new, before = bench.race(name, 0.5, "cpu")
    assert (new["recipe"], new["optimiser"], new["precision"]) == ("fast", "muon", choose_precision("cpu"))
    assert (before["recipe"], before["optimiser"], before["precision"]) == (old, "adam", "fp32")
    assert (new["first_shift"], before["first_shift"]) == ((3, 0) if old == "first" else (0, 0))
    assert (new["iterations"], before["iterations"]) == (12, bench.POINTS)  # 8 at 16 a second, and never fewer than points
    for row in (new, before):
        points = row["points"]
        assert len(points) == bench.POINTS
        assert points[-1]["iteration"] == row["iterations"]
        assert np.all(np.diff([point["seconds"] for point in points]) > 0)
        assert points[-1]["seconds"] == pytest.approx(row["seconds"], abs=1e-3)
        assert row["images_per_second"] == pytest.approx(row["iterations"] * row["batch"] / row["seconds"], rel=0.02)
    assert len(scored) == 2 * bench.POINTS
    assert not any(model.training for model in scored)


def test_without_the_data_it_says_so(bench, monkeypatch):
    """One sentence with what to do; no report."""
    monkeypatch.setattr(bench, "is_available", lambda name: name != "T91")
    with pytest.raises(SystemExit, match=r"^The curves need T91: `python -m srlib fetch T91`, or set SRLIB_DATA .*\.$"):
        bench.main([])


@pytest.mark.parametrize("precision", ["bf16", "fp32"])
def test_precisions_are_compared_where_both_are_of_use(bench, monkeypatch, tmp_path, precision):
    """Behaviour: bf16 and fp32 by turns, or fp32 alone; each network by its recipe; no data are asked for."""
    asked = []

    def compare(name, recipe, chosen, *arguments):
        asked.append((name, recipe.name, list(chosen)))
        return [{"model": name, "precision": p} for p in chosen]

    monkeypatch.setattr(bench, "compare", compare)
    monkeypatch.setattr(bench, "is_available", lambda name: False)
    monkeypatch.setattr(bench, "choose_precision", lambda device: precision)
    out = tmp_path / "recipes.json"
    bench.main(["--throughput-only", "--models", "drrn_b1u9_w16", "dsrn_t7_x3", "--out", str(out)])
    both = list(dict.fromkeys([precision, "fp32"]))
    assert asked == [("drrn_b1u9_w16", "fast", both), ("dsrn_t7_x3", "core", both)]
    report = json.loads(out.read_text())
    assert report["curves"] == []
    assert [row["precision"] for row in report["throughput"]] == both * 2
    assert report["device"]
    assert report["environment"]["torch"]


@pytest.fixture
def report(monkeypatch, tmp_path):
    """A made-up report in the folder of results."""
    monkeypatch.setenv("SRLIB_RESULTS", str(tmp_path))
    row = {"seconds": 40.0, "iterations": 400, "images_per_second": 160.0}
    ways = {"new": ("fast", "muon", "bf16"), "old": ("first", "adam", "fp32")}
    made = {"device": "a processor", "commit": "c" * 40, "date": "2026-11-27T00:00:00Z", "environment": {"torch": "2.13.0"}}
    made |= {"load": 0.1, "bf16_in_hardware": True, "settings": {"turns": 3}}
    made["curves"] = [
        row
        | {"model": "drrn_b1u9_w16", "way": way, "recipe": recipe, "optimiser": optimiser, "precision": precision}
        | {"points": [{"seconds": 10.0 * k, "iteration": 100 * k, "psnr": p} for k, p in enumerate(POINTS[way], start=1)]}
        for way, (recipe, optimiser, precision) in ways.items()
    ]
    made["throughput"] = [
        row | {"model": "drrn_b1u9", "recipe": "core", "batch": 16, "patch": 31, "precision": p, "images_per_second": rate}
        for p, rate in (("bf16", 50.0), ("fp32", 20.0))
    ]
    path = tmp_path / training_pages.RECIPES
    path.parent.mkdir()
    path.write_text(json.dumps(made))
    return path


def test_the_figure_holds_the_points_and_its_words_say_them(report):
    """Identity: the CSV beside the figure; by hand: the new recipe first reaches 31 dB at its third point, after 30 seconds."""
    text = training_pages.recipe_curves()
    said = "ends at 32.00 dB with fast and at 31.00 dB with first, after 40 s and 40 s; fast is at 31.00 dB or above by 30 s."
    assert said in re.search(r":alt: (.*)", text)[1]
    svg = base64.b64decode(re.search(r"data:image/svg\+xml;base64,(\S+)", text)[1])
    assert ElementTree.fromstring(svg).tag.endswith("svg")
    assert len(svg) < 200_000
    csv = base64.b64decode(re.search(r'data:text/csv;base64,([^"]+)', text)[1]).decode().splitlines()
    assert csv[0] == "panel,series,seconds of training,PSNR on held-out images (dB)"
    assert [line.split(",")[-1] for line in csv[1:]] == [str(p) for way in POINTS.values() for p in way]
    assert training_pages.recipe_curves() == text  # the same report gives the same page


def test_the_table_of_precisions_has_their_ratio(report):
    """By hand: 50 images a second are 2.5 times 20; without bf16 there is no ratio, and the text says why."""
    assert training_pages.precisions().splitlines()[-1] == "| `drrn_b1u9` | `core` | 16, 31 | 50 | 20 | 2.50 × |"
    made = json.loads(report.read_text())
    report.write_text(json.dumps(made | {"bf16_in_hardware": False, "throughput": made["throughput"][1:]}))
    text = training_pages.precisions()
    assert "does not multiply in bf16" in text
    assert "2.50" not in text


def test_without_a_report_the_pages_say_so(monkeypatch, tmp_path):
    """And name the command."""
    monkeypatch.setenv("SRLIB_RESULTS", str(tmp_path))
    for page in (training_pages.recipe_curves, training_pages.precisions):
        assert page() == "Not measured yet: `python benchmarks/recipes.py`."
