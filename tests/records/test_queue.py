"""The campaign and training in the background: the plan, what is picked from the two lists, stopping and going on."""

import re
import signal
import subprocess
import sys
import time

import pytest

from srlib.__main__ import main
from srlib.files import lock
from srlib.models import MODELS
from srlib.papers import EXPERIMENTS, PAPERS, full_size_name, get_experiment
from srlib.papers.orderings import ORDERS
from srlib.records import plan as campaign
from srlib.records import queue as work
from srlib.records.plan import FLAGSHIPS, Group, next_cycle
from srlib.records.provenance import ROOT
from srlib.records.record import Record, find_records, record_folder, write_record
from srlib.training.checkpoint import load_tensors, save_tensors


def test_every_table_and_figure_has_its_runs():
    """Arithmetic, from the lists of the issue: eleven of Figure 6, fifteen structures of Figure 8, and so on, each run once."""
    groups = {group.name: group for group in campaign.GROUPS}
    sizes = {"drrn grid": 11, "drrn components": 12, "dsrn unrolling": 6, "rlcsc recursions": 5, "dsrn components": 12}
    assert {name: len(groups[name].experiments) for name in sizes} == sizes
    figure_8 = {*groups["drrn components"].experiments, "drrn_b3u2", "drrn_b3u3", "drrn_b3u4"}
    assert len(figure_8) == 15
    assert groups["drrn components"].budget == groups["drrn grid"].budget  # so that they compare
    planned = [(r.experiment, r.seed, r.group.budget) for r in campaign.runs()]
    assert len(set(planned)) == len(planned)
    assert {r.experiment for r in campaign.runs()} >= set(EXPERIMENTS)  # nothing declared is forgotten
    assert {EXPERIMENTS[name].paper for name in campaign.PROFILE.experiments} == set(PAPERS)
    narrow = [full_size_name(name) for group in campaign.ORDERS[:2] for name in group.experiments]
    assert sorted(narrow) == sorted([*groups["drrn grid"].experiments, *groups["drrn components"].experiments])


def test_the_orders_list_has_a_narrow_form_of_every_pair_that_training_decides():
    """Identity with the rules: what decides a claim of order is on the list, in pairs of seeds, each group at one budget."""
    names = [name for group in campaign.ORDERS for name in group.experiments]
    assert all(group.seeds == (0, 1) for group in campaign.ORDERS)
    pairs = (pair for order in ORDERS.values() for pair in order.pairs)
    asked = {re.sub(r"_epoch(1|5|10)$", "", name) for pair in pairs for name in pair} - {"bicubic"}  # kept on the way
    full = {"drn_plus_x2", "drn_plus_x4", "drn_x2", "drn_x4", "srcnn_955"}  # DRN+ at x3 stands for them; SRCNN has one width
    assert asked - full <= set(map(full_size_name, names))
    for experiment in map(get_experiment, names):
        assert [r.name for r in experiment.recipes][:2] == ["fast", "adam"]
        assert experiment.data == "T91"


def test_the_queue_of_an_empty_folder(results, monkeypatch, tmp_path, capsys):
    """What to do first is what a reader gains most by, on a CPU what a CPU can do; without data at hand there is nothing."""
    rows = campaign.queue("cpu", all_runs=True)
    assert {row["group"] for row in rows[:22]} == {"drrn narrow grid"}
    narrow = sum(len(group.experiments) * len(group.seeds) for group in campaign.CPU_GROUPS)
    assert rows[narrow]["experiment"] == "drrn_b1u9"
    assert all(row["done"] == 0 for row in rows)
    assert next(campaign.runs(gpu=True)).experiment == "drrn_b1u9"
    assert main(["queue", "--device", "cpu", "--all"]) == 0
    assert "runs in all" in capsys.readouterr().out
    monkeypatch.setenv("SRLIB_DATA", str(tmp_path))
    assert campaign.queue("cpu") == []
    assert {row["state"] for row in campaign.queue("cpu", all_runs=True)} >= {"T91 is not at hand", "DIV2K is not at hand"}
    assert main(["queue", "--device", "cpu"]) == 0
    assert "Nothing is left" in capsys.readouterr().out


def test_the_queue_knows_what_is_done_and_what_is_begun(results, dataset):
    """A finished record leaves the queue; an unfinished one and a mere checkpoint are begun."""
    dataset("T291")
    for name, info in (("drrn_b1u3_w32", {"finished": True}), ("drrn_b1u9", {"finished": False, "iterations_done": 40_000})):
        info |= {"kind": "training", "experiment": name, "iterations": 160_000}
        write_record(record_folder(EXPERIMENTS[name], 0), info)
    folder = record_folder(EXPERIMENTS["drrn_b1u3"], 0, budget=0.25)
    save_tensors(folder / "checkpoint.safetensors", {}, {"config": {}})
    (folder / "record.json").write_text("{")
    rows = {(row["experiment"], row["budget"]): row for row in campaign.queue("cpu") if row["seed"] == 0}
    assert ("drrn_b1u3_w32", 1.0) not in rows
    assert rows["drrn_b1u9", 1.0]["done"] == 0.25
    assert {rows[key]["state"] for key in (("drrn_b1u9", 1.0), ("drrn_b1u3", 0.25))} == {"started"}
    assert rows["drrn_b1u3", 0.25]["command"] == "python -m srlib train drrn_b1u3 --budget 0.25"
    assert rows["drrn_b1u9", 0.25]["state"] == "next"  # another budget is another run


@pytest.fixture
def flagship(results, monkeypatch):
    """A function that lays down a finished record of a flagship's cycle; all data are taken to be at hand."""
    monkeypatch.setattr(campaign, "is_available", lambda name: True)

    def write(name, root=None):
        experiment = get_experiment(name)
        recipe = experiment.recipe("core")
        folder = record_folder(experiment, 0, "core", fit=30, root=root)
        sha256 = save_tensors(folder / "weights.safetensors", {}, {})
        info = {"kind": "training", "experiment": name, "finished": True, "weights_sha256": sha256, "iterations_done": 100}
        return write_record(folder, info | {"recipe": {"name": "core", "batch": recipe.batch, "patch": recipe.patch}}).folder

    return write


def test_the_flagships_are_networks_of_the_papers_sizes_and_each_paper_has_one():
    """Witness: the papers' own models, by name."""
    experiments = [get_experiment(flagship.experiment) for flagship in FLAGSHIPS]
    assert {e.paper for e in experiments} == {"drrn", "dsrn", "rlcsc", "drn", "baselines"}
    assert all(e.name.removesuffix("_standin") in MODELS and e.recipe("core") for e in experiments)


def test_the_flagship_with_the_fewest_cycles_is_next_and_builds_on_its_last(flagship, tmp_path):
    """Behaviour: first cycles in the list's order; networks that wait for another one are passed over; then second cycles."""
    assert next_cycle(tmp_path, 30).arguments == ("dsrn_t7_x3", "--recipe", "core", "--fit", "30")
    folder = flagship("dsrn_t7_x3")
    assert next_cycle(tmp_path, 30).arguments[0] == "drrn_b1u9"
    assert next_cycle(tmp_path, 30, in_training={"drrn_b1u9"}).arguments[0] == "dsrn_t7_x2"
    for name in ("dsrn_t7_x2", "dsrn_t7_x4", "drn_x3_standin", "rlcsc_k25"):
        flagship(name)
    # B1U25 and the baselines wait for B1U9.
    assert next_cycle(tmp_path, 30, in_training={"drrn_b1u9"}).arguments[0] == "dsrn_t7_x3"
    out = tmp_path / "out"  # the folder of this work
    u9 = flagship("drrn_b1u9", root=out)
    assert next_cycle(out, 30).arguments == ("drrn_b1u25", "--recipe", "core", "--fit", "30", "--start-from", str(u9))
    flagship("drrn_b1u25")
    vdsr, b1u9 = (get_experiment(name).recipe("core") for name in ("vdsr", "drrn_b1u9"))
    budget = 100 * b1u9.batch * b1u9.patch**2 / (vdsr.iterations * vdsr.batch * vdsr.patch**2)
    assert next_cycle(out, 30).arguments == ("vdsr", "--recipe", "core", "--budget", f"{budget:.3g}")
    flagship("vdsr")
    flagship("srcnn_955")
    assert next_cycle(out, 30).arguments[-2:] == ("--start-from", str(folder))


def test_a_cycle_that_was_stopped_goes_on_first(flagship, tmp_path):
    """Behaviour: with its own length, seed and ancestor; a finished or diverged one does not."""
    parent = flagship("rlcsc_k25")
    ancestors = [{"experiment": "rlcsc_k25", "weights_sha256": Record(parent).info["weights_sha256"], "pixels": 1}]
    folder = record_folder(get_experiment("rlcsc_k25"), 0, "core", fit=45, root=tmp_path, ancestors=ancestors)
    config = {"recipe": {"name": "core"}, "seed": 0, "fit": 45.0, "ancestors": ancestors, "budget": 0.1}
    save_tensors(folder / "checkpoint.safetensors", {}, {"config": config})
    cycle = next_cycle(tmp_path, 30)
    assert cycle.begun
    wanted = "rlcsc_k25 --recipe core --seed 0 --fit 45 --start-from"
    assert cycle.arguments == (*wanted.split(), str(parent))
    write_record(folder, {"kind": "training", "experiment": "rlcsc_k25", "diverged": "so"})
    assert next_cycle(tmp_path, 30).arguments[0] == "dsrn_t7_x3"
    diverged = record_folder(get_experiment("dsrn_t7_x3"), 0, "core", fit=30, root=tmp_path)
    write_record(diverged, {"kind": "training", "experiment": "dsrn_t7_x3", "diverged": "so"})
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
        assert main(["work", "--minutes", "30", *out]) == 0
    assert "is in use by another process" in capsys.readouterr().out
    assert "10 of 10 iterations" in (tmp_path / "out" / "logs" / "job1.log").read_text()
    assert [r.info["experiment"] for r in find_records(tmp_path / "out")] == ["drrn_b1u2_w4"]
    assert main(["work", "--minutes", "30", "--jobs", "2", *out]) == 0
    assert len(find_records(tmp_path / "out")) == 2
    capsys.readouterr()
    assert main(["work", "--minutes", "30", *out]) == 0
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
        message = process.stderr.read()
    assert process.returncode == 130
    assert "holds everything, and the same command goes on" in message
    assert list(tmp_path.rglob("checkpoint.safetensors"))


@pytest.mark.slow
def test_training_needs_only_what_a_bare_machine_has(tmp_path):
    """Behaviour: with notebooks' and pictures' packages made absent, train and queue run."""
    absent = ("IPython", "ipywidgets", "jupytext", "matplotlib", "onnx", "pyvips", "papermill", "png", "pooch", "seaborn")
    program = f"import sys\nfor name in {(*absent, 'snakemake')}: sys.modules[name] = None\n"
    program += "from srlib.__main__ import main\nsys.exit(main(sys.argv[1:]))"
    train = f"train drrn_b1u1_w4 --budget 0.0005 --data SampleTrain --out {tmp_path} --device cpu --score"
    for arguments in (train.split(), ["queue"]):
        done = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    (path,) = tmp_path.rglob("weights.safetensors")
    load_tensors(path)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("queue --device tpu", "device 'tpu' is unknown"),
        ("score /nonexistent", "record.json is missing or damaged"),
        ("merge /nonexistent", "holds no record.json"),
        ("work --minutes 0", "minutes 0.0 is no time to work"),
        ("queue --number 0", "number 0 is no number of runs"),
        ("queue --number -3 --all", "number -3 is no number of runs"),
        ("work --minutes nan", "minutes nan is no time to work"),
        ("work --minutes inf", "minutes inf is no time to work"),
        ("work --minutes 1 --jobs 0", "0 jobs of 1 threads are out of range: give 1 to 256"),
        ("work --minutes 1 --jobs 1000", "1000 jobs of 1 threads are out of range"),
        ("work --minutes 1 --threads -1", "1 jobs of -1 threads are out of range"),
        ("train drrn_b1u1_w4 --threads 0 --score", "0 threads are out of range: give 1 to 256"),
        ("train drrn_b1u1_w4 --threads 257 --score", "257 threads are out of range"),
        ("train drrn_b1u1_w4 --data SampleTrain --fit inf --score", "fit inf is too long: give 10,080 minutes"),
        ("train drrn_b1u1_w4 --name {name}_x3 --score", "--name says how LR pictures are called: give --lr, too"),
        ("train drrn_b1u1_w4 --data SampleTrain --lr /nonexistent --score", "/nonexistent does not exist"),
        ("work --minutes 1 --list grid", "List 'grid' is unknown: choose of orders, flagships"),
        ("work --minutes 1 --group none", "Group 'none' is unknown: choose one of drrn"),
    ],
)
def test_bad_options_get_one_sentence(arguments, sentence, results, capsys):
    """Status 2, and nothing is written."""
    assert main(arguments.split()) == 2
    assert sentence in capsys.readouterr().err
    assert not results.exists()
