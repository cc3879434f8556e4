"""The queue, and records that come back from elsewhere."""

import json
import re
import subprocess
import sys
from collections import Counter

import pytest

from srlib.__main__ import main
from srlib.errors import InputError
from srlib.ledger.comparisons import full_size_name
from srlib.papers import EXPERIMENTS, PAPERS, get_experiment
from srlib.papers.orderings import ORDERS
from srlib.records import plan as campaign
from srlib.records.merge import merge
from srlib.records.record import Record, find_records, record_folder
from srlib.records.run import run_experiment
from srlib.training.checkpoint import load_tensors, save_tensors

TINY = "drrn_b1u1_w4"


@pytest.fixture
def tiny(tmp_path):
    """A function that trains the tiny network below a folder and returns its record."""

    def train(name, **options):
        options = {"budget": 0.0005, "data": "SampleTrain", "device": "cpu", "progress": False} | options
        return run_experiment(get_experiment(TINY), tmp_path / name, **options)

    return train


def test_every_table_and_figure_has_its_runs():
    """Arithmetic, from the lists of the issue: eleven of Figure 6, fifteen structures of Figure 8, and so on, each run once."""
    groups = {group.name: group for group in campaign.GROUPS}
    assert len(groups["drrn grid"].experiments) == 11
    figure_8 = {*groups["drrn components"].experiments, "drrn_b3u2", "drrn_b3u3", "drrn_b3u4"}
    assert len(figure_8) == 15
    assert groups["drrn components"].budget == groups["drrn grid"].budget  # so that they compare
    assert len(groups["dsrn unrolling"].experiments) == 6
    assert len(groups["rlcsc recursions"].experiments) == 5
    assert len(groups["dsrn components"].experiments) == 12
    planned = [(r.experiment, r.seed, r.group.budget) for r in campaign.runs()]
    assert max(Counter(planned).values()) == 1
    assert {r.experiment for r in campaign.runs()} >= set(EXPERIMENTS)  # nothing declared is forgotten
    assert {EXPERIMENTS[name].paper for name in campaign.PROFILE.experiments} == set(PAPERS)
    grid, components = campaign.ORDERS[:2]
    assert (len(grid.experiments), len(components.experiments)) == (11, 12)
    assert {full_size_name(name) for name in (*grid.experiments, *components.experiments)} == {
        *groups["drrn grid"].experiments,
        *figure_8,
    }


def test_the_orders_list_has_a_narrow_form_of_every_pair_that_training_decides():
    """Identity with the rules: what decides a claim of order is on the list, in pairs of seeds, each group at one budget."""
    listed = {full_size_name(name) for group in campaign.ORDERS for name in group.experiments}
    assert all(group.seeds == (0, 1) for group in campaign.ORDERS)
    pairs = (pair for order in ORDERS.values() for pair in order.pairs)
    asked = {re.sub(r"_epoch(1|5|10)$", "", name) for pair in pairs for name in pair} - {"bicubic"}  # kept on the way
    full = {"drn_plus_x2", "drn_plus_x4", "drn_x2", "drn_x4", "srcnn_955"}  # DRN+ at x3 stands for them; SRCNN has one width
    assert asked - full <= listed
    for group in campaign.ORDERS:
        for name in group.experiments:
            experiment = get_experiment(name)
            assert [r.name for r in experiment.recipes][:2] == ["fast", "adam"]
            assert experiment.data == "T91"


def test_the_queue_of_an_empty_folder(results, capsys):
    """What to do first is what a reader gains most by; on a CPU what a CPU can do."""
    rows = campaign.queue("cpu", all_runs=True)
    assert {row["group"] for row in rows[:22]} == {"drrn narrow grid"}
    narrow = sum(len(group.experiments) * len(group.seeds) for group in campaign.CPU_GROUPS)
    assert rows[narrow]["experiment"] == "drrn_b1u9"
    assert all(row["done"] == 0 for row in rows)
    assert next(campaign.runs(gpu=True)).experiment == "drrn_b1u9"
    assert main(["queue", "--device", "cpu", "--all"]) == 0
    assert "runs in all" in capsys.readouterr().out


def test_runs_without_their_data_are_not_proposed(results, monkeypatch, tmp_path, capsys):
    """Behaviour: nothing at hand, nothing to do; all of it with the reason."""
    monkeypatch.setenv("SRLIB_DATA", str(tmp_path))
    assert campaign.queue("cpu") == []
    assert {row["state"] for row in campaign.queue("cpu", all_runs=True)} >= {"T91 is not at hand", "DIV2K is not at hand"}
    assert main(["queue", "--device", "cpu"]) == 0
    assert "Nothing is left" in capsys.readouterr().out


def test_the_queue_knows_what_is_done_and_what_is_begun(results, dataset):
    """A finished record leaves the queue; an unfinished one and a mere checkpoint are begun."""
    dataset("T291")

    def write(experiment, budget=1.0, **info):
        folder = record_folder(EXPERIMENTS[experiment], 0, budget=budget)
        folder.mkdir(parents=True)
        base = {"kind": "training", "experiment": experiment, "commit": "c", "iterations": 160_000, "finished": False}
        (folder / "record.json").write_text(json.dumps(base | info))
        return folder

    write("drrn_b1u3_w32", finished=True)
    write("drrn_b1u9", iterations_done=40_000)
    folder = write("drrn_b1u3", 0.25)
    save_tensors(folder / "checkpoint.safetensors", {}, {"config": {}})
    (folder / "record.json").write_text("{")
    rows = {(row["experiment"], row["budget"]): row for row in campaign.queue("cpu") if row["seed"] == 0}
    assert ("drrn_b1u3_w32", 1.0) not in rows
    assert rows["drrn_b1u9", 1.0]["done"] == 0.25
    assert {rows[key]["state"] for key in (("drrn_b1u9", 1.0), ("drrn_b1u3", 0.25))} == {"started"}
    assert rows["drrn_b1u3", 0.25]["command"] == "python -m srlib train drrn_b1u3 --budget 0.25"
    assert rows["drrn_b1u9", 0.25]["state"] == "next"  # another budget is another run


@pytest.mark.slow
def test_records_from_elsewhere_are_taken_in(tiny, tmp_path, results):
    """Behaviour: a finished record, the same again with scores, an unfinished one that goes on here."""
    away = tiny("away")
    assert merge(tmp_path / "away")[0].endswith("taken in (finished)")
    here = find_records(results)[0]
    assert here.info == away.info
    here.model()
    from srlib.datasets import open_images
    from srlib.records.run import add_scores

    add_scores(away, open_images("Sample"), (3,), ("drrn",), metrics=("psnr",), progress=False)
    assert merge(tmp_path / "away")[0].endswith("the same run, 4 scores added")
    assert merge(tmp_path / "away")[0].endswith("the same run, 0 scores added")
    assert len(Record(here.folder).scores) == 4

    part = tiny("part", seed=1, minutes=0)
    assert not part.info["finished"]
    assert "1 of 10 iterations" in merge(tmp_path / "part")[0]
    assert merge(tmp_path / "part")[0].endswith("the same run, 0 scores added")
    whole = tiny("whole", seed=1)
    merged = run_experiment(get_experiment(TINY), None, 1, budget=0.0005, data="SampleTrain", device="cpu", progress=False)
    assert merged.info["weights_sha256"] == whole.info["weights_sha256"]  # it went on, bit for bit
    assert merge(tmp_path / "part")[0].split(": ")[1].startswith("kept, it is as far (10 iterations)")


@pytest.mark.slow
def test_what_cannot_be_taken_in_is_named(tiny, tmp_path, results, capsys):
    """No record; weights that are not the record's; a finished run that differs; an unfinished one without its checkpoint."""
    (tmp_path / "empty").mkdir()
    assert main(["merge", str(tmp_path / "empty")]) == 2
    assert "holds no record.json" in capsys.readouterr().err
    tiny("one"), tiny("two", data="Sample")
    merge(tmp_path / "one")
    with pytest.raises(InputError, match="holds another finished run than"):
        merge(tmp_path / "two")
    broken = tiny("broken", seed=2)
    path = broken.folder / "weights.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(InputError, match=r"weights.safetensors is damaged"):
        merge(tmp_path / "broken")
    part = tiny("part", seed=3, minutes=0)
    (part.folder / "checkpoint.safetensors").unlink()
    with pytest.raises(InputError, match=r"checkpoint.safetensors does not exist"):
        merge(tmp_path / "part")
    assert len(find_records(results)) == 1


@pytest.mark.slow
def test_score_adds_to_a_record(tiny, results, tmp_path, capsys):
    """Behaviour: one more set, in the protocols asked for; an unfinished run is refused."""
    done = tiny("done")
    assert main(["score", str(done.folder), "--data", "Sample", "--protocol", "drrn", "vdsr"]) == 0
    assert "Sample x3:" in capsys.readouterr().out
    assert set(Record(done.folder).scores.protocol) == {"drrn", "vdsr"}
    part = tiny("part", seed=1, minutes=0)
    assert main(["score", str(part.folder), "--data", "Sample"]) == 2
    assert "is not finished" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["queue", "--device", "tpu"], "device 'tpu' is unknown"),
        (["score", "/nonexistent"], "record.json is missing or damaged"),
        (["merge", "/nonexistent"], "holds no record.json"),
    ],
)
def test_bad_options_get_one_sentence(arguments, said, results, capsys):
    """Status 2."""
    assert main(arguments) == 2
    assert said in capsys.readouterr().err


ABSENT = (
    "IPython",
    "ipywidgets",
    "jupytext",
    "matplotlib",
    "onnx",
    "pyvips",
    "papermill",
    "png",
    "pooch",
    "seaborn",
    "snakemake",
)


@pytest.mark.slow
def test_training_needs_only_what_a_bare_machine_has(tmp_path):
    """Behaviour: with notebooks' and pictures' packages made absent, train and queue run."""
    program = f"import sys\nfor name in {ABSENT}: sys.modules[name] = None\n"
    program += "from srlib.__main__ import main\nsys.exit(main(sys.argv[1:]))"
    train = ["train", TINY, "--budget", "0.0005", "--data", "SampleTrain", "--out", str(tmp_path), "--device", "cpu", "--score"]
    for arguments in (train, ["queue"]):
        done = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    (path,) = tmp_path.rglob("weights.safetensors")
    load_tensors(path)
