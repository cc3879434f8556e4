"""The pipeline: what Snakemake plans for the book's own commands, and a campaign that is killed half way and goes on."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from shared import until

from srlib.records.plan import CPU_GROUPS, GROUPS, PROFILE
from srlib.records.provenance import ROOT

BIN = Path(sys.executable).parent
PAGE = (ROOT / "book" / "clusters.md").read_text()
COMMANDS = list(dict.fromkeys(re.findall(r"^ *snakemake (-.*)$", PAGE, re.MULTILINE)))
CAMPAIGNS = [command for command in COMMANDS if "campaign" in command]


def snakemake(*options, **environment):
    """Run Snakemake in the checkout."""
    return subprocess.run(
        [BIN / "snakemake", *options], capture_output=True, text=True, cwd=ROOT, env=os.environ | environment, check=False
    )


def jobs(done) -> dict[str, int]:
    """Jobs by rule, as a dry run counts them."""
    assert done.returncode == 0, done.stdout + done.stderr
    return {rule: int(count) for rule, count in re.findall(r"^(\w+) +(\d+)$", done.stdout + done.stderr, re.MULTILINE)}


def plan(command: str, folder: Path):
    """Dry-run a command that says `campaign`, with training data that is always at hand, away from the committed records."""
    options = shlex.split(command.replace("--config", "--config data=SampleTrain"))
    return snakemake("--directory", folder, "--dry-run", *options, SRLIB_DATA=str(folder), SRLIB_COMMIT="some")


@pytest.fixture
def record(tmp_path):
    """A function that lays down the record of a CPU profile, as a campaign with other data leaves it."""

    def write(**info):
        folder = tmp_path / "results" / "runs" / "drrn" / "drrn_b1u3_w32" / "seed0"
        folder.mkdir(parents=True, exist_ok=True)
        info = {"experiment": "drrn_b1u3_w32", "kind": "training", "commit": "", **info}
        (folder / "record.json").write_text(json.dumps(info))
        (folder / "scores.csv").touch()

    return write


def test_make_book_trains_nothing():
    """Identity: of all jobs of the Makefile's own command, even if each were forced, none trains."""
    command = re.search(r"snakemake (.*-- book)", (ROOT / "Makefile").read_text())[1]
    options = command.replace("$(CORES)", "2").replace("--quiet rules host", "--dry-run --forceall")
    notebooks = len([path for path in (ROOT / "notebooks").glob("*.py") if path.stem != "start"])
    assert jobs(snakemake(*options.split())) == {"notebook": notebooks, "book": 1, "total": notebooks + 1}


def test_the_page_has_a_command_for_each_place():
    """One machine, several GPUs, SLURM and Kubernetes."""
    assert len(CAMPAIGNS) >= 5
    for option in ("--cores 2", "--resources gpu=4", "--profile profiles/slurm", "--profile profiles/kubernetes"):
        assert any(option in command for command in CAMPAIGNS)


@pytest.mark.slow
@pytest.mark.parametrize("command", [pytest.param(c, marks=[pytest.mark.weekly] * ("profiles/" in c)) for c in CAMPAIGNS])
def test_documented_campaigns_plan_each_run_once(command, tmp_path):
    """srlib.records.plan: a job for each experiment and seed of the group, and a GPU for each network of a paper's size."""
    done = plan(command, tmp_path)
    name = re.search('group="(.*?)"', command)[1]
    (group,) = (group for group in (*GROUPS, *CPU_GROUPS) if group.name == name)
    number = len(group.experiments) * len(group.seeds)
    assert jobs(done) == {"train": number, "campaign": 1, "total": number + 1}
    assert done.stdout.count(f"gpu={int(group not in CPU_GROUPS)}, ") == number
    if "profiles/slurm" in command:
        assert done.stdout.count("slurm_partition=your_partition, gpu=1") == number
    if "profiles/kubernetes" in command:
        assert done.stdout.count("scale=0, gpu=1") == number
        assert len(re.findall(r"output: /srlib/checkout/results/\S+/record.json \(send to storage\)", done.stdout)) == number


@pytest.mark.slow
def test_a_finished_record_is_out_of_reach_and_an_unfinished_one_refused(tmp_path, record):
    """Identity: the one is not made again, even by force; the other exists, so Snakemake would take it for done."""
    record(finished=True)
    done = plan('--cores 2 --forceall campaign --config group="cpu profile"', tmp_path)
    assert jobs(done)["train"] == len(PROFILE.experiments) - 1
    assert "drrn_b1u3_w32" not in done.stdout
    record(finished=False)
    done = plan('--cores 2 campaign --config group="cpu profile"', tmp_path)
    assert done.returncode != 0
    assert re.search(r"drrn_b1u3_w32/seed0 holds an unfinished record: delete its record.json", done.stdout + done.stderr)


@pytest.mark.slow
def test_chosen_experiments_on_a_cpu(tmp_path):
    """Own names, seeds and budget give own folders; `device=cpu` asks for no GPU."""
    done = plan("--cores 2 campaign --config experiments=drrn_b1u9,rlcsc_k25 seeds=0,3 budget=0.5 device=cpu", tmp_path)
    assert jobs(done)["train"] == 4
    assert done.stdout.count("gpu=0, ") == 4
    for folder in ("drrn/drrn_b1u9/seed0_fast_0.5", "rlcsc/rlcsc_k25/seed3_fast_0.5"):
        assert f"output: results/runs/{folder}/record.json" in done.stdout
    first = plan('--cores 2 campaign --config group="grid seeds" seeds=0', tmp_path)
    assert first.stdout.count("/seed0_fast_0.25/record.json\n    log:") == jobs(first)["train"] == 11


@pytest.mark.slow
def test_a_run_without_its_data_is_left_out(tmp_path):
    """Nothing stands in: a record in results/ is of the data that its experiment names."""
    options = ["--directory", tmp_path, "--cores", "2", "--dry-run", "campaign", "--config", "group=drrn"]
    done = snakemake(*options, SRLIB_DATA=str(tmp_path))
    assert "train" not in jobs(done)
    assert "drrn_b1u9 is left out: T291 is not at hand" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("wrong", ["group=drn_grid", "gruop=drrn", "experiments=drrn_b1u"])
def test_misspelt_choices_are_refused(wrong, tmp_path):
    """Snakemake itself takes any --config, and would run the default."""
    done = plan(f"--cores 2 campaign --config {wrong}", tmp_path)
    assert done.returncode != 0
    assert re.search(
        r"--config takes budget, .*; group is one of drrn, |Experiment 'drrn_b1u' is unknown", done.stdout + done.stderr
    )


@pytest.mark.slow
def test_a_killed_campaign_goes_on_to_the_same_bits(tmp_path):
    """Identity: six runs, one stopped by SIGTERM and then all killed by SIGKILL; the weights are those of undisturbed runs."""
    experiments = [f"drrn_b{B}u{U}_w4" for B, U in ((1, 1), (1, 2), (1, 3), (2, 1), (2, 2), (3, 1))]
    # A checkpoint every second in place of every minute.
    code = "import sys\nif 'train' in sys.orig_argv:\n    import srlib.training.loop\n    srlib.training.loop.SAVE_EVERY = 1\n"
    (tmp_path / "sitecustomize.py").write_text(code)
    environment = os.environ | {"PYTHONPATH": str(tmp_path), "OMP_NUM_THREADS": "1"}
    program = [BIN / "snakemake", "--snakefile", ROOT / "Snakefile", "--directory", tmp_path]
    config = ["data=SampleTrain", "budget=0.05", f"out={tmp_path / 'out'}", "score=", f"experiments={','.join(experiments)}"]
    config += ["gpus=7,3"]  # to see who gets which; the trainings are on the CPU
    command = [*program, "--cores", "2", "--resources", "gpu=2", "--set-resources", "train:gpu=1", "--rerun-incomplete"]
    command += ["campaign", "--config", *config]
    folders = {name: tmp_path / "out" / "drrn" / name / "seed0_fast_0.05" for name in experiments}
    log = tmp_path / "log"

    def going():
        return {name for name, folder in folders.items() if (folder / "checkpoint.safetensors").exists()}

    def trainings():
        found = []
        for child in psutil.Process(process.pid).children():
            with suppress(psutil.NoSuchProcess):  # it ended meanwhile
                found += [child] if "srlib" in child.cmdline() else []
        return found

    with log.open("w") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, env=environment, start_new_session=True)
        try:
            until(lambda: len(going()) == 2 or process.poll() is not None, "no two checkpoints", 300)
            assert process.poll() is None, log.read_text()
            killed = going()
            # The trainings are Snakemake's own children: no shell between them would swallow the signal.
            assert {child.environ()["CUDA_VISIBLE_DEVICES"] for child in trainings()} == {"3", "7"}
            trainings()[0].terminate()
            until(lambda: "Trying to restart job" in log.read_text(), "no second try", 300)
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    assert going() >= killed
    assert not any((folder / "record.json").exists() for folder in folders.values())

    again = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert "cannot be locked" in again.stdout + again.stderr
    subprocess.run([*program, "--unlock"], check=True, env=environment)
    subprocess.run(command, check=True, env=environment)
    records = {name: json.loads((folder / "record.json").read_text()) for name, folder in folders.items()}
    assert all(info["finished"] for info in records.values())
    assert all(len(records[name]["sessions"]) >= 2 for name in killed)
    assert all(info["sessions"][0]["device"].endswith("1 threads") for info in records.values())

    for name in killed:
        options = ["--budget", "0.05", "--data", "SampleTrain", "--out", tmp_path / "whole", "--score"]
        subprocess.run([sys.executable, "-m", "srlib", "train", name, *options], check=True, env=environment)
        whole = tmp_path / "whole" / "drrn" / name / "seed0_fast_0.05"
        assert len(json.loads((whole / "record.json").read_text())["sessions"]) == 1
        for file in ("weights.safetensors", "curve.csv"):
            assert (folders[name] / file).read_bytes() == (whole / file).read_bytes()
