"""The command line as a user meets it: outputs, files, and one sentence for bad input."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from srlib import __version__
from srlib.__main__ import main
from srlib.protocol import PROTOCOLS
from srlib.records.provenance import ROOT
from srlib.records.record import find_records


def test_list_tells_what_there_is(run):
    """Models with the papers' counts, datasets, protocols and experiments."""
    listed = json.loads(run("list", "--json").out)
    drrn = next(m for m in listed["models"] if m["name"] == "drrn_b1u9")
    wanted = {"name": "drrn_b1u9", "params": 297_216, "params_total": 0, "depth": 20, "receptive_field": 41, "domain": "ilr"}
    assert drrn | {"params_total": 0} == wanted
    assert [p["name"] for p in listed["protocols"]] == list(PROTOCOLS)
    assert {"Set5", "DIV2K", "Manga109", "Sample"} <= {d["name"] for d in listed["datasets"]}
    assert "drrn_b17u1" in run("list").out


def test_train_then_evaluate_then_upscale(folder, results, run):
    """A record made here is a model by name everywhere."""
    options = ("--budget", "0.0005", "--data", "SampleTrain", "--device", "cpu", "--score", "mine")
    assert "mine x3:" in run("train", "drrn_b1u1_w4", *options).out
    run("evaluate", "drrn_b1u1_w4", "--data", "mine", "--scale", 3, "--metrics", "psnr")
    run("upscale", "mine/b.png", "sr.png", "--model", "drrn_b1u1_w4", "--scale", 3)
    refusal = run("evaluate", "drrn_b1u1_w4", "--data", "mine", "--scale", 2, status=2).err
    assert "is trained for scale 3, not 2" in refusal


def test_vdsr_takes_its_released_weights(folder, reference, run):
    """Behaviour: a learned network beats bicubic on a photograph."""
    options = ("--data", "mine", "--scale", 2, "--metrics", "psnr", "--json")
    bicubic = run("evaluate", "bicubic", *options).out
    vdsr = run("evaluate", "vdsr", *options, "--weights", reference / "vdsr_official.npz").out
    assert json.loads(vdsr)["mean"]["psnr"] > json.loads(bicubic)["mean"]["psnr"] + 0.3


BICUBIC = "evaluate bicubic --data"


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("evaluate srgan", "'srgan' is unknown"),
        ("evaluate drrn_b1u9_w3 --data Sample", "no record of drrn_b1u9_w3"),
        ("evaluate vdsr --data Sample", "no record of vdsr"),
        ("evaluate vdsr --data Sample --weights none.npz", "none.npz does not exist"),
        (f"{BICUBIC} Set6", "'Set6' is neither a dataset nor a folder that exists"),
        (f"{BICUBIC} Sample --protocol matlab", "'matlab' is unknown"),
        (f"{BICUBIC} Sample --metrics lpips", "'lpips' is unknown"),
        (f"{BICUBIC} Sample --csv odd", "odd is not a file"),
        (f"{BICUBIC} Sample --csv odd/grey.png/x.csv", "grey.png is not a folder"),
        ("train drrn_b1u9x", "'drrn_b1u9x' is unknown"),
        ("train drrn_b1u1_w4 --budget -1 --data SampleTrain --score", "budget -1.0 is not above 0"),
        ("fetch Set6", "'Set6' is unknown"),
        ("verify --reference /nonexistent", "/nonexistent does not exist"),
        ("verify --vdsr-weights /nonexistent", "/nonexistent does not exist"),
    ],
)
def test_bad_input_is_one_sentence_and_status_2(command, said, odd, results, refused):
    """Nothing is written, and no traceback is shown."""
    (odd.parent / "empty").mkdir()
    refused(command, said, odd.parent)


@pytest.mark.parametrize("command", [f"{BICUBIC} Sample --scale 5", "frobnicate", ""])
def test_bad_usage_is_status_2(command, capsys):
    """As argparse says it."""
    with pytest.raises(SystemExit) as stop:
        main(command.split())
    assert stop.value.code == 2
    assert "usage:" in capsys.readouterr().err


def test_a_set_that_cannot_be_scored_is_refused_before_training(folder, results, run):
    """An image too small for the metrics costs a second, not a night."""
    Image.new("RGB", (60, 60)).save("mine/small.png")
    refusal = run("train", "drrn_b1u1_w4", "--data", "SampleTrain", "--score", "mine", status=2).err
    assert "small.png is too small to be scored" in refusal
    assert not results.exists()


def test_training_without_its_data_uses_the_stand_in_and_says_so(results, monkeypatch, tmp_path, run):
    """And its record does not stand among those that the book shows."""
    monkeypatch.setenv("SRLIB_DATA", str(tmp_path / "nowhere"))
    printed = run("train", "drrn_b1u1_w4", "--budget", "0.0002", "--device", "cpu")
    assert "Sample x3:" in printed.out
    assert "SampleTrain stands in for it" in printed.err
    assert (results / "runs" / "drrn" / "drrn_b1u1_w4" / "seed0_fast_0.0002" / "record.json").exists()
    assert not find_records(results)


def test_verify_passes_and_skips_with_reasons(run, monkeypatch, tmp_path, results):
    """Without data nothing fails and nothing passes silently; a damaged record fails, status 1, and is named."""
    monkeypatch.setenv("SRLIB_DATA", str(tmp_path / "nowhere"))
    checks = json.loads(run("verify", "--json").out)
    assert [c["passed"] for c in checks] == [None, None, True]
    assert "python -m srlib fetch Set5" in checks[0]["detail"]
    folder = results / "drrn" / "drrn_b1u1_w4" / "seed0"
    folder.mkdir(parents=True)
    (folder / "record.json").write_text("{")
    assert "record.json is missing or damaged" in run("verify", status=1).out


@pytest.mark.parametrize(
    "sets", [pytest.param(("Set5",), marks=pytest.mark.slow), pytest.param(("Set5", "Set14"), marks=pytest.mark.weekly)]
)
def test_verify_holds_here(dataset, reference, run, monkeypatch, sets):
    """Every golden check on the real data; the tests of images, metrics and protocols compute the same scores of Set14."""
    monkeypatch.setattr("srlib.cli.commands.TEST_SETS", tuple(dataset(name).name for name in sets))
    words = ("verify", "--vdsr-weights", reference / "vdsr_official.npz", "--reference", reference, "--json")
    checks = json.loads(run(*words).out)
    assert len(checks) == 4 * len(sets) + 1
    assert all(c["passed"] for c in checks)


def command(*words, **options):
    """A command in a process of its own, and what came of it."""
    return subprocess.run([sys.executable, "-m", "srlib", *words], capture_output=True, text=True, timeout=120, **options)


def test_a_terminal_of_few_letters_shows_names_by_their_codes(folder):
    """A name in Chinese where the output is Latin-1, and one that is no UTF-8 at all."""
    (folder / "a.png").rename(folder / "\u65e5.png")
    (folder / "b.png").rename(folder / os.fsdecode(b"b\xff.png"))
    words = ("evaluate", "bicubic", "--data", "mine", "--scale", "2", "--metrics", "psnr", "--csv", "-")
    printed = command(*words, env=os.environ | {"PYTHONIOENCODING": "latin-1"})
    assert (printed.returncode, printed.stderr) == (0, "")
    assert [line.split(",")[0] for line in printed.stdout.splitlines()] == ["image", r"b\udcff", r"\u65e5", "mean"]


def test_a_full_disk_behind_the_output_is_a_sentence():
    """Status 2, and Python does not complain again at its end."""
    with Path("/dev/full").open("w") as full:
        words = [sys.executable, "-m", "srlib", "list"]
        printed = subprocess.run(words, stdout=full, stderr=subprocess.PIPE, text=True)
    assert printed.returncode == 2
    assert printed.stderr.startswith("srlib: The system refused it ([Errno 28] No space left on device)")
    assert printed.stderr.count("\n") == 1


def test_a_clone_called_srlib_is_no_obstacle(tmp_path):
    """In the folder that holds the clone, and inside the package itself, the command is the installed one."""
    (tmp_path / "srlib").symlink_to(ROOT)
    for place in (tmp_path, ROOT / "srlib"):
        assert command("--version", cwd=place).stdout.strip() == __version__


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (KeyboardInterrupt(), "srlib: stopped\n"),
        (MemoryError(), "srlib: There is not enough memory"),
        (RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes"), "There is not enough memory"),
        (PermissionError(13, "Permission denied", "x"), "srlib: The system refused it ([Errno 13] Permission denied: 'x')"),
    ],
)
def test_what_the_machine_refuses_is_a_sentence(error, said, monkeypatch, capsys):
    """Of any command; a fault of our own stays a traceback."""

    def fail(*arguments):
        raise error

    monkeypatch.setattr("srlib.cli.commands.params_total", fail)
    assert main(["list"]) == (130 if isinstance(error, KeyboardInterrupt) else 2)
    assert said in capsys.readouterr().err
    error = RuntimeError("a fault")
    with pytest.raises(RuntimeError, match="a fault"):
        main(["list"])
