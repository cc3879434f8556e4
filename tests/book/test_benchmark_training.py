"""The benchmark of training: both ways do the same work, memory is counted exactly, and a small run writes its rows."""

import importlib.util
import inspect
import json
import os
from dataclasses import replace

import pytest
import torch

from srlib.papers import get_experiment
from srlib.records.provenance import ROOT
from srlib.training.patches import Sampler


@pytest.fixture
def bench(monkeypatch):
    """benchmarks/training.py with little to do, on one thread."""
    specification = importlib.util.spec_from_file_location("benchmark_training", ROOT / "benchmarks" / "training.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    monkeypatch.setattr(module, "SIDE", {"cpu": 160})
    monkeypatch.setattr(module, "CHECKED", (1, 2))
    monkeypatch.setattr(module, "TABLE_4", (("drrn_b1u2_w4", 64, 31, 9_043), ("drrn_b1u4_w4", 128, 31, None)))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield module
    torch.set_num_threads(threads)


def in_this_process(function, *arguments):
    return function(*arguments)


@pytest.mark.slow
def test_a_small_run_writes_rows(bench, monkeypatch, tmp_path):
    """Arithmetic of one turn: the ratio is that of the rates, and milliseconds are their inverse; Table 4 has all its rows."""
    monkeypatch.setattr(bench, "apart", in_this_process)
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
