"""Training in the background: what is picked from the two lists, side by side, stopping and going on."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from srlib.__main__ import main
from srlib.files import lock
from srlib.models import MODELS
from srlib.papers import get_experiment
from srlib.records import plan as campaign
from srlib.records import queue as work
from srlib.records.plan import FLAGSHIPS, Group, next_cycle
from srlib.records.provenance import ROOT
from srlib.records.record import find_records, record_folder
from srlib.training.checkpoint import save_tensors


@pytest.fixture
def flagship(results, monkeypatch):
    """A function that lays down a finished record of a flagship's cycle; all data are taken to be at hand."""
    monkeypatch.setattr(campaign, "is_available", lambda name: True)

    def write(name, sha256, ancestors=(), iterations=100, root=None, **changes):
        experiment = get_experiment(name)
        recipe = experiment.recipe("core")
        folder = record_folder(experiment, 0, "core", fit=30, root=root, ancestors=ancestors)
        folder.mkdir(parents=True)
        info = {"kind": "training", "experiment": name, "model": experiment.model, "arguments": experiment.arguments}
        info |= {"recipe": {"name": "core", "batch": recipe.batch, "patch": recipe.patch}, "iterations_done": iterations}
        sha256 = save_tensors(folder / "weights.safetensors", {}, {"experiment": sha256})
        info |= {"finished": True, "commit": "c", "weights_sha256": sha256, "ancestors": list(ancestors)} | changes
        (folder / "record.json").write_text(json.dumps(info))
        return folder

    return write


def test_the_flagships_are_networks_of_the_papers_sizes_and_each_paper_has_one():
    """Witness: the papers' own models, by name."""
    assert {get_experiment(f.experiment).paper for f in FLAGSHIPS} == {"drrn", "dsrn", "rlcsc", "drn", "baselines"}
    assert all(f.experiment.removesuffix("_standin") in MODELS for f in FLAGSHIPS)
    assert all("core" in {r.name for r in get_experiment(f.experiment).recipes} for f in FLAGSHIPS)


def test_the_flagship_with_the_fewest_cycles_is_next_and_builds_on_its_last(flagship, tmp_path):
    """Behaviour: first cycles in the list's order; networks that wait for another one are passed over; then second cycles."""
    first = next_cycle(tmp_path, 30)
    assert first.arguments == ("dsrn_t7_x3", "--recipe", "core", "--fit", "30")
    folder = flagship("dsrn_t7_x3", "a")
    assert next_cycle(tmp_path, 30).arguments[0] == "drrn_b1u9"
    assert next_cycle(tmp_path, 30, in_training={"drrn_b1u9"}).arguments[0] == "dsrn_t7_x2"
    for name in ("dsrn_t7_x2", "dsrn_t7_x4", "drn_x3_standin", "rlcsc_k25"):
        flagship(name, name)
    assert (
        next_cycle(tmp_path, 30, in_training={"drrn_b1u9"}).arguments[0] == "dsrn_t7_x3"
    )  # B1U25 and the baselines wait for B1U9
    u9 = flagship("drrn_b1u9", "u9", root=tmp_path / "out")  # in the folder of this work, not committed
    unrolled = next_cycle(tmp_path / "out", 30)
    assert unrolled.arguments == ("drrn_b1u25", "--recipe", "core", "--fit", "30", "--start-from", str(u9))
    flagship("drrn_b1u25", "u25")
    vdsr = next_cycle(tmp_path / "out", 30)
    how, b1u9 = get_experiment("vdsr").recipe("core"), get_experiment("drrn_b1u9").recipe("core")
    budget = 100 * b1u9.batch * b1u9.patch**2 / (how.iterations * how.batch * how.patch**2)
    assert vdsr.arguments == ("vdsr", "--recipe", "core", "--budget", f"{budget:.3g}")
    flagship("vdsr", "v")
    flagship("srcnn_955", "s")
    second = next_cycle(tmp_path / "out", 30)
    assert second.arguments[-2:] == ("--start-from", str(folder))


def test_a_cycle_that_was_stopped_goes_on_first(flagship, tmp_path):
    """Behaviour: with its own length, seed and ancestor; a finished or diverged one does not."""
    parent = flagship("rlcsc_k25", "k25")
    sha256 = json.loads((parent / "record.json").read_text())["weights_sha256"]
    ancestors = [{"experiment": "rlcsc_k25", "weights_sha256": sha256, "pixels": 1}]
    folder = record_folder(get_experiment("rlcsc_k25"), 0, "core", fit=45, root=tmp_path, ancestors=ancestors)
    config = {"recipe": {"name": "core"}, "seed": 0, "fit": 45.0, "ancestors": ancestors, "budget": 0.1}
    save_tensors(folder / "checkpoint.safetensors", {}, {"config": config})
    cycle = next_cycle(tmp_path, 30)
    assert cycle.begun
    wanted = "rlcsc_k25 --recipe core --seed 0 --fit 45 --start-from"
    assert cycle.arguments == (*wanted.split(), str(parent))
    (folder / "record.json").write_text(
        json.dumps({"kind": "training", "experiment": "rlcsc_k25", "commit": "c", "diverged": "so"})
    )
    assert next_cycle(tmp_path, 30).arguments[0] == "dsrn_t7_x3"
    diverged = record_folder(get_experiment("dsrn_t7_x3"), 0, "core", fit=30, root=tmp_path)
    diverged.mkdir(parents=True)
    (diverged / "record.json").write_text(
        json.dumps({"kind": "training", "experiment": "dsrn_t7_x3", "commit": "c", "diverged": "so"})
    )
    assert next_cycle(tmp_path, 40).arguments[0] == "drrn_b1u9"  # each network has its turn
    (folder / "checkpoint.safetensors").write_bytes(b"damaged")
    (folder / "record.json").unlink()
    assert next_cycle(tmp_path, 30).arguments[0] == "drrn_b1u9"
    own = record_folder(get_experiment("drrn_b1u9"), 0, root=tmp_path)  # somebody's `train drrn_b1u9`, no cycle
    save_tensors(own / "checkpoint.safetensors", {}, {"config": config | {"recipe": {"name": "fast"}}})
    assert not next_cycle(tmp_path, 30).begun


@pytest.fixture
def small(results, dataset, monkeypatch):
    """Two tiny runs as the whole queue."""
    dataset("T91")
    group = Group("tiny", "a test", ("drrn_b1u1_w4", "drrn_b1u2_w4"), 0.0005)
    for module in (campaign, work):
        monkeypatch.setattr(module, "CPU_GROUPS", (group,))
        monkeypatch.setattr(module, "GROUPS", ())
    monkeypatch.setattr(work, "TEST_SETS", ())
    return group


@pytest.mark.slow
def test_work_goes_through_the_queue_side_by_side_and_goes_on(small, tmp_path, capsys):
    """Behaviour: two runs at once; what is finished is left alone; a folder that another holds is passed over."""
    out = ["--out", str(tmp_path / "out"), "--device", "cpu", "--list", "orders"]
    held = record_folder(get_experiment("drrn_b1u1_w4"), 0, budget=0.0005, root=tmp_path / "out")
    with lock(held):
        assert main(["work", "--minutes", "3", *out]) == 0
    said = capsys.readouterr().out
    assert "is being trained by another process" in said
    assert "10 of 10 iterations" in (tmp_path / "out" / "logs" / "job1.log").read_text()
    assert [r.info["experiment"] for r in find_records(tmp_path / "out")] == ["drrn_b1u2_w4"]
    assert main(["work", "--minutes", "3", "--jobs", "2", *out]) == 0
    assert len(find_records(tmp_path / "out")) == 2
    capsys.readouterr()
    assert main(["work", "--minutes", "3", *out]) == 0
    assert "Nothing is left" in capsys.readouterr().out


def test_what_was_stopped_while_it_was_scored_is_scored_first(trained, results):
    """Behaviour: a set that is missing is asked for once a session, before anything is trained."""
    part = trained("drrn_b3u3_w16", 32.0)
    assert not work._unscored(part, ("Set5",))
    shared = work._Shared(results, time.monotonic() + 60, "cpu", None, print, test_sets=("Set5", "Set14"))
    command, _ = work._pick(shared, "orders")
    assert command == ["score", str(part.folder), "--data", "Set5", "Set14"]
    shared.commands.add(" ".join(command))
    assert (work._pick(shared, "orders") or [["train"]])[0][0] == "train"


@pytest.mark.slow
def test_work_is_stopped_by_a_signal_and_nothing_is_lost(tmp_path, dataset):
    """Behaviour: SIGTERM to the one command ends its runs with their states saved, and its own word is one sentence."""
    dataset("T91")
    command = [sys.executable, "-m", "srlib", "work", "--minutes", "5", "--list", "orders", "--out", str(tmp_path)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, cwd=ROOT) as process:
        log = tmp_path / "logs" / "job1.log"
        while "img/s" not in (log.read_text() if log.exists() else ""):
            assert process.poll() is None
            time.sleep(0.2)
        process.send_signal(signal.SIGTERM)
        said = process.stderr.read()
    assert process.returncode == 130
    assert "holds everything, and the same command goes on" in said
    assert list(Path(tmp_path).rglob("checkpoint.safetensors"))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("--minutes 0", "minutes 0.0 is no time to work"),
        ("--minutes 1 --jobs 0", "0 jobs of 1 threads are none"),
        ("--minutes 1 --list grid", "List 'grid' is unknown: choose of orders, flagships"),
        ("--minutes 1 --group none", "Group 'none' is unknown: choose one of drrn"),
    ],
)
def test_bad_options_get_one_sentence(options, said, results, tmp_path, capsys):
    """Status 2, and nothing is written."""
    assert main(["work", *options.split(), "--out", str(tmp_path / "out")]) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
