"""The benchmarks: races of recipes, two ways to train that do the same work, exact counts of memory; and the reports' pages."""

import base64
import inspect
import json
import os
import re
import xml.etree.ElementTree as ElementTree
from dataclasses import replace

import numpy as np
import pytest
import torch
from pages import training as training_pages
from shared import load_script, one_thread

from srlib.papers import get_experiment
from srlib.records.provenance import ROOT
from srlib.training.devices import choose_precision
from srlib.training.patches import Sampler

POINTS = {"new": (28.0, 29.0, 31.5, 32.0), "old": (28.0, 29.5, 30.0, 31.0)}  # dB at 10, 20, 30 and 40 seconds


@pytest.fixture
def race(monkeypatch):
    """benchmarks/recipes.py, on one thread."""
    monkeypatch.syspath_prepend(ROOT / "benchmarks")  # it imports its neighbour
    with one_thread():
        yield load_script(ROOT / "benchmarks" / "recipes.py")


@pytest.fixture
def bench(monkeypatch):
    """benchmarks/training.py with little to do, on one thread."""
    module = load_script(ROOT / "benchmarks" / "training.py")
    monkeypatch.setattr(module, "SIDE", {"cpu": 160})
    monkeypatch.setattr(module, "CHECKED", (1, 2))
    monkeypatch.setattr(module, "TABLE_4", (("drrn_b1u2_w4", 64, 31, 9_043), ("drrn_b1u4_w4", 128, 31, None)))
    with one_thread():
        yield module


def test_slices_alternate_and_add_up(race):
    """Order: new, old, new, old; and all iterations are done, also where there are fewer than slices."""
    made = list(race.slices({"new": 1000, "old": 50}))
    assert [name for _, name, _ in made] == ["new", "old"] * race.SLICES
    assert {name: sum(n for _, way, n in made if way == name) for name in ("new", "old")} == {"new": 1000, "old": 50}
    assert max(n for _, way, n in made if way == "new") - min(n for _, way, n in made if way == "new") <= 1


def test_speeds_are_iterations_a_second(race, monkeypatch):
    """Witness: a clock that a step moves on by 0.1 and another by 0.4 seconds."""
    now = [0.0]

    def taking(seconds):
        def step():
            now[0] += seconds
            return torch.tensor(0.0)

        return step

    monkeypatch.setattr(race.time, "perf_counter", lambda: now[0])
    assert race.speeds({"new": taking(0.1), "old": taking(0.4)}, 2.0) == pytest.approx({"new": 10, "old": 2.5})


@pytest.mark.parametrize("name", ["drrn_b1u1_w4", "rlcsc_k15_w4"])
def test_a_race_gives_both_recipes_their_points(race, monkeypatch, name):
    """Behaviour: both rows have all points, the last at the end of the schedule, scored on the averaged weights."""
    scored = []
    image = np.random.default_rng(0).integers(0, 256, (96, 96, 3), dtype=np.uint8)
    monkeypatch.setattr(race, "training_images", lambda experiment: [("made up", image)])
    monkeypatch.setattr(race, "validation", lambda experiment, recipe: lambda model: scored.append(model) or 30.0)
    monkeypatch.setattr(race, "speeds", lambda steps, seconds: {"new": 24.0, "old": 16.0})
    old = "first" if name.startswith("drrn") else "adam"
    monkeypatch.setattr(race, "OLD", {name: old})
    new, before = race.race(name, 0.5, "cpu")
    assert (new["recipe"], new["optimiser"], new["precision"]) == ("fast", "muon", choose_precision("cpu"))
    assert (before["recipe"], before["optimiser"], before["precision"]) == (old, "adam", "fp32")
    assert (new["first_shift"], before["first_shift"]) == ((3, 0) if old == "first" else (0, 0))
    assert (new["iterations"], before["iterations"]) == (12, race.POINTS)  # 8 at 16 a second, and never fewer than points
    for row in (new, before):
        points = row["points"]
        assert len(points) == race.POINTS
        assert points[-1]["iteration"] == row["iterations"]
        assert np.all(np.diff([point["seconds"] for point in points]) > 0)
        assert points[-1]["seconds"] == pytest.approx(row["seconds"], abs=1e-3)
        assert row["images_per_second"] == pytest.approx(row["iterations"] * row["batch"] / row["seconds"], rel=0.02)
    assert len(scored) == 2 * race.POINTS
    assert not any(model.training for model in scored)


def test_without_the_data_it_says_so(race, monkeypatch):
    """One sentence with what to do; no report."""
    monkeypatch.setattr(race, "is_available", lambda name: name != "T91")
    with pytest.raises(SystemExit, match=r"^The curves need T91: `python -m srlib fetch T91`, or set SRLIB_DATA .*\.$"):
        race.main([])


@pytest.mark.parametrize("precision", ["bf16", "fp32"])
def test_precisions_are_compared_where_both_are_of_use(race, monkeypatch, tmp_path, precision):
    """Behaviour: bf16 and fp32 by turns, or fp32 alone; each network by its recipe; no data are asked for."""
    asked = []

    def compare(name, recipe, chosen, *arguments):
        asked.append((name, recipe.name, list(chosen)))
        return [{"model": name, "precision": p} for p in chosen]

    monkeypatch.setattr(race, "compare", compare)
    monkeypatch.setattr(race, "is_available", lambda name: False)
    monkeypatch.setattr(race, "choose_precision", lambda device: precision)
    out = tmp_path / "recipes.json"
    race.main(["--throughput-only", "--models", "drrn_b1u9_w16", "dsrn_t7_x3", "--out", str(out)])
    both = list(dict.fromkeys([precision, "fp32"]))
    assert asked == [("drrn_b1u9_w16", "fast", both), ("dsrn_t7_x3", "core", both)]
    report = json.loads(out.read_text())
    assert report["curves"] == []
    assert [row["precision"] for row in report["throughput"]] == both * 2
    assert report["device"]
    assert report["environment"]["torch"]


@pytest.mark.slow
def test_a_small_run_writes_rows(bench, monkeypatch, tmp_path):
    """Arithmetic of one turn: the ratio is that of the rates, and milliseconds are their inverse; Table 4 has all its rows."""
    monkeypatch.setattr(bench, "apart", lambda function, *arguments: function(*arguments))
    monkeypatch.setattr(bench, "choose_device", lambda device: "cpu")
    out = tmp_path / "training.json"
    bench.main(["--repeats", "1", "--seconds", "0.02", "--ways", "srlib", "--models", "drrn_b1u1_w4", "--out", str(out)])
    report = json.loads(out.read_text())
    assert "table_4" not in report
    rows = {row["way"]: row for row in report["rows"]}
    assert list(rows) == ["plain", "srlib"]
    for row in rows.values():
        assert row["images_per_second"] > 0
        assert row["ms_per_step"] == pytest.approx(1e3 * row["batch"] / row["images_per_second"], rel=1e-2)
        assert row["times_plain"] == pytest.approx(row["images_per_second"] / rows["plain"]["images_per_second"], rel=1e-2)
    bench.main(["--memory-only", "--out", str(out)])
    table = json.loads(out.read_text())["table_4"]
    first, second = table["rows"]
    assert (first["model"], second["model"]) == ("drrn_b1u2_w4", "drrn_b1u4_w4")
    assert 0 < first["mb_per_image"] < second["mb_per_image"]
    assert first["mb_times_first"] == 1
    assert second["mb_times_first"] == pytest.approx(second["mb"] / first["mb"], abs=1e-3)
    assert len(table["check"]["process_mb"]) == 2


@pytest.mark.parametrize("name", ["drrn_b1u3_w32", "dsrn_t3_x3_w32", "rlcsc_k5_n32_m32", "drn_x3_c32_g2_k3"])
def test_both_ways_do_the_same_work(bench, name):
    """Identity within rounding: the losses of the plain loop and of srlib's step on the same patches."""
    experiment = get_experiment(name)
    recipe = replace(bench.by_adam(experiment.recipe("fast")), batch=2)
    step = bench.make_step(experiment, recipe, "cpu", {})
    sampler = Sampler(step.sampler.patches, recipe.batch, recipe.transforms, 0)
    sampler.seek(0)
    drawn = [sampler.draw(torch.tensor(number)) for number in range(4)]
    losses = list(bench.plain(experiment, recipe, [[*inputs.values(), hr] for inputs, hr in drawn], "cpu"))
    assert losses == pytest.approx([step().item() for _ in drawn], rel=1e-5)
    assert len(set(losses)) == 4


def test_stored_patches_are_the_drawn_ones(bench):
    """Identity: each pair that the plain loop is fed is one that srlib draws."""
    experiment = get_experiment("dsrn_t3_x3_w32")
    recipe = replace(experiment.recipe("fast"), batch=6)
    patches = bench.make_data(experiment, recipe, "cpu")
    every = torch.arange(len(patches))
    pairs = {
        (patches.inputs["lr"].crop(every[k : k + 1], torch.tensor([turn])).numpy().tobytes(),
         patches.hr.crop(every[k : k + 1], torch.tensor([turn])).numpy().tobytes())
        for k in range(len(patches)) for turn in recipe.transforms
    }  # fmt: skip
    lr, ilr, hr = next(bench.stored(patches, recipe, "cpu"))
    assert (lr.shape, ilr.shape, hr.shape) == ((6, 1, 16, 16), (6, 1, 48, 48), (6, 1, 48, 48))
    assert {(a.numpy().tobytes(), b.numpy().tobytes()) for a, b in zip(lr, hr, strict=True)} <= pairs


def test_a_loss_that_the_plain_loop_does_not_know_is_refused(bench):
    """DRCN's, on intermediate predictions."""
    experiment = get_experiment("drcn")
    with pytest.raises(ValueError, match="drcn: this loop knows"):
        next(bench.plain(experiment, bench.by_adam(experiment.recipe("fast")), [], "cpu"))


@pytest.mark.parametrize(
    ("device", "multiplies", "expected"),
    [
        ("cpu", False, {"srlib": "fp32"}),
        ("cpu", True, {"srlib": "fp32", "srlib bf16": "bf16"}),
        ("cuda", False, {"srlib": "bf16", "srlib fp32": "fp32", "srlib, no graph": "bf16"}),
    ],
)
def test_ways_to_train(bench, monkeypatch, device, multiplies, expected):
    """By hand: bf16 where the device multiplies in it, after the plain loop; each is something that `Step` takes."""
    monkeypatch.setattr(bench, "has_bf16", lambda: multiplies)
    plain, *ours = bench.ways(device).items()
    assert plain == ("plain", None)
    assert {way: how.get("precision", "fp32") for way, how in ours} == expected
    for _, how in ours:
        assert how.keys() <= inspect.signature(bench.Step).parameters.keys()


def test_what_is_kept_grows_by_the_same_for_each_image(bench):
    """Linearity, exactly; and `computed` extrapolates along that line."""
    steps = [bench.table_step("drrn_b1u2_w4", batch, 31, "cpu") for batch in (1, 2, 3, 7)]
    one, two, three, seven = (bench.kept(step) for step in steps)
    assert two - one == three - two > 0
    assert seven == one + 6 * (two - one)
    weights = 4 * sum(p.nbytes for p in steps[0].state.model.parameters())
    row = bench.computed("drrn_b1u2_w4", 7, 31)
    assert row["mb"] == pytest.approx((seven + weights) / 1e6, abs=1e-3)
    # a real step has gradients of some maps, too
    assert row["mb"] < row["step_mb"] < 2 * row["mb"]


def test_what_is_kept_is_what_the_equations_say(bench):
    """Witness: RL-CSC's maps counted by hand: input, F0's, y, z_0 .. z_K, W2's, and the error that is squared; 4 bytes each."""
    K, n, m, side = 5, 32, 32, 31
    maps = 1 + n + n + (K + 1) * m + n + 1
    assert bench.kept(bench.table_step("rlcsc_k5_n32_m32", 3, side, "cpu")) == 3 * 4 * maps * side**2


def test_what_a_step_takes_is_counted(bench):
    """Witness: a step that does nothing but hold two tensors at once and a third after them."""

    def step():
        a, b = torch.empty(1000), torch.empty(500)
        del a, b
        torch.empty(1200)

    assert bench.taken(step) == 4 * (1000 + 500)


def test_each_turn_is_a_process_of_its_own(bench):
    """Behaviour: another process answers each time, and its failure is the caller's exception."""
    assert len({os.getpid(), bench.apart(os.getpid), bench.apart(os.getpid)}) == 3
    with pytest.raises(ZeroDivisionError):
        bench.apart(divmod, 1, 0)


@pytest.fixture
def report(results):
    """A made-up report in the folder of results."""
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
    path = results / "benchmarks" / "recipes.json"
    path.parent.mkdir(parents=True)
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


def test_without_a_report_the_pages_say_so(results):
    """And name the command."""
    for page in (training_pages.recipe_curves, training_pages.precisions):
        assert page() == "Not measured yet: `python benchmarks/recipes.py`."
