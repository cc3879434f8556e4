"""The command line as a user meets it: outputs, files, and one sentence for bad input."""

import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from srlib.__main__ import main
from srlib.images import read_image
from srlib.protocol import PROTOCOLS
from srlib.records.record import find_records


@pytest.fixture
def folder(tmp_path, photo):
    """A folder of two images, one of them grey."""
    (tmp_path / "mine").mkdir()
    Image.fromarray(photo).save(tmp_path / "mine" / "b.png")
    Image.fromarray(photo[..., 1]).save(tmp_path / "mine" / "a.png")
    return tmp_path / "mine"


def test_list_tells_what_there_is(capsys):
    """Models with the papers' counts, datasets, protocols and experiments."""
    assert main(["list", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    models = {m["name"]: m for m in listed["models"]}
    assert models["drrn_b1u9"] | {"params_total": 0} == {
        "name": "drrn_b1u9", "params": 297_216, "params_total": 0, "depth": 20, "receptive_field": 41, "domain": "ilr"
    }  # fmt: skip
    assert [p["name"] for p in listed["protocols"]] == list(PROTOCOLS)
    assert {"Set5", "DIV2K", "Manga109", "Sample"} <= {d["name"] for d in listed["datasets"]}
    assert main(["list"]) == 0
    assert "drrn_b17u1" in capsys.readouterr().out


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_evaluate_writes_a_row_an_image_and_the_mean_last(folder, capsys, protocol):
    """Identity: the file holds what Protocol.evaluate returns, to the last bit."""
    path = folder.parent / "scores.csv"
    assert main(["evaluate", "bicubic", "--data", str(folder), "--scale", "2", "--protocol", protocol, "--csv", str(path)]) == 0
    table = pd.read_csv(path)
    assert list(table.columns) == ["image", "psnr", "ssim", "ifc"]
    assert list(table.image) == ["a", "b", "mean"]
    expected = PROTOCOLS[protocol].evaluate(read_image(folder / "b.png"), 2)
    np.testing.assert_allclose(table.iloc[1, 1:].astype(float), expected, rtol=1e-15)
    np.testing.assert_allclose(table.iloc[2, 1:].astype(float), table.iloc[:2, 1:].mean().astype(float), rtol=1e-15)


def test_evaluate_speaks_json_and_skips_metrics(folder, capsys):
    """What was not asked for is null."""
    assert main(["evaluate", "bicubic", "--data", str(folder), "--metrics", "psnr,ssim", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["protocol"] == "drrn"
    assert answer["mean"]["ifc"] is None
    assert answer["images"][0]["psnr"] > 20


def test_degrade_makes_what_the_protocol_makes(folder, capsys):
    """8-bit protocols exactly; the others exactly as .npy, and rounded, with a warning, as an image."""
    source, lr = str(folder / "b.png"), folder.parent / "lr.png"
    assert main(["degrade", source, str(lr), "--scale", "3", "--protocol", "selfexsr"]) == 0
    np.testing.assert_array_equal(read_image(lr), PROTOCOLS["selfexsr"].degrade(read_image(source), 3))
    assert main(["degrade", source, str(lr.with_suffix(".npy")), "--scale", "3", "--protocol", "lapsrn"]) == 0
    np.testing.assert_array_equal(np.load(lr.with_suffix(".npy")), PROTOCOLS["lapsrn"].degrade(read_image(source), 3))
    assert capsys.readouterr().err == ""
    assert main(["degrade", source, str(lr), "--scale", "3"]) == 0
    assert ".npy keeps it exact" in capsys.readouterr().err


def test_upscale_enlarges_colour_and_grey(folder):
    """By the scale, and in the kind of the input."""
    for name in ("a.png", "b.png"):
        out = folder.parent / f"large_{name}"
        assert main(["upscale", str(folder / name), str(out), "--model", "bicubic", "--scale", "3"]) == 0
        small = read_image(folder / name)
        assert read_image(out).shape == (3 * small.shape[0], 3 * small.shape[1], *small.shape[2:])


def test_train_then_evaluate_then_upscale(folder, results, capsys):
    """A record made here is a model by name everywhere."""
    command = [
        "train",
        "drrn_b1u1_w4",
        "--budget",
        "0.0005",
        "--data",
        "SampleTrain",
        "--device",
        "cpu",
        "--score",
        str(folder),
    ]
    assert main(command) == 0
    assert "mine x3:" in capsys.readouterr().out
    assert main(["evaluate", "drrn_b1u1_w4", "--data", str(folder), "--scale", "3", "--metrics", "psnr"]) == 0
    assert (
        main(["upscale", str(folder / "b.png"), str(folder.parent / "sr.png"), "--model", "drrn_b1u1_w4", "--scale", "3"]) == 0
    )
    assert main(["evaluate", "drrn_b1u1_w4", "--data", str(folder), "--scale", "2"]) == 2
    assert "is trained for scale 3, not 2" in capsys.readouterr().err


def test_vdsr_takes_its_released_weights(folder, reference, capsys):
    """Behaviour: a learned network beats bicubic on a photograph."""
    psnr = {}
    for model in ("bicubic", "vdsr"):
        command = ["evaluate", model, "--data", str(folder), "--scale", "2", "--metrics", "psnr", "--json"]
        if model == "vdsr":
            command += ["--weights", str(reference / "vdsr_official.npz")]
        assert main(command) == 0
        psnr[model] = json.loads(capsys.readouterr().out)["mean"]["psnr"]
    assert psnr["vdsr"] > psnr["bicubic"] + 0.3


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["evaluate", "srgan"], "'srgan' is unknown"),
        (["evaluate", "drrn_b1u9_w3", "--data", "Sample"], "no record of drrn_b1u9_w3"),
        (["evaluate", "vdsr", "--data", "Sample"], "no record of vdsr"),
        (["evaluate", "vdsr", "--data", "Sample", "--weights", "none.npz"], "none.npz does not exist"),
        (["evaluate", "bicubic", "--data", "Set6"], "'Set6' is unknown"),
        (["evaluate", "bicubic", "--data", "Sample", "--protocol", "matlab"], "'matlab' is unknown"),
        (["evaluate", "bicubic", "--data", "Sample", "--metrics", "lpips"], "'lpips' is unknown"),
        (["train", "drrn_b1u9x"], "'drrn_b1u9x' is unknown"),
        (["train", "drrn_b1u1_w4", "--budget", "-1", "--data", "SampleTrain", "--score"], "budget -1.0 is not above 0"),
        (["fetch", "Set6"], "'Set6' is unknown"),
        (["upscale", "none.png", "out.png", "--model", "bicubic", "--scale", "2"], "none.png does not exist"),
        (["degrade", "{folder}/b.png", "out.xyz", "--scale", "2"], "no known image suffix"),
        (["degrade", "{folder}/b.png", "out.jpg", "--scale", "2"], "JPEG would change the LR image"),
    ],
)
def test_bad_input_is_one_sentence_and_status_2(arguments, said, folder, results, capsys, monkeypatch):
    """Nothing is written, and no traceback is shown."""
    monkeypatch.chdir(folder.parent)
    before = sorted(folder.parent.rglob("*"))
    assert main([a.format(folder=folder) for a in arguments]) == 2
    captured = capsys.readouterr()
    assert said in captured.err
    assert captured.err.strip().count("\n") <= 1
    assert sorted(folder.parent.rglob("*")) == before


@pytest.mark.parametrize("name", ["taken", "below/a.png/x.csv"])
def test_an_output_that_cannot_be_written_is_refused_before_the_work(folder, tmp_path, capsys, name):
    """A folder in its place, and a file where a folder should be."""
    (tmp_path / "taken").mkdir()
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "a.png").write_bytes(b"")
    assert main(["evaluate", "bicubic", "--data", str(folder), "--csv", str(tmp_path / name)]) == 2
    assert "srlib:" in capsys.readouterr().err


def test_csv_to_the_output(folder, capsys):
    """`--csv -` is for pipes."""
    assert main(["evaluate", "bicubic", "--data", str(folder), "--metrics", "psnr", "--csv", "-"]) == 0
    assert capsys.readouterr().out.startswith("image,psnr,ssim,ifc\na,")


def test_a_set_that_cannot_be_scored_is_refused_before_training(folder, results, capsys):
    """An image too small for the metrics costs a second, not a night."""
    Image.new("RGB", (60, 60)).save(folder / "small.png")
    assert main(["train", "drrn_b1u1_w4", "--data", "SampleTrain", "--score", str(folder)]) == 2
    assert "small.png is too small to be scored" in capsys.readouterr().err
    assert not results.exists()


def test_training_without_its_data_uses_the_stand_in_and_says_so(results, monkeypatch, tmp_path, capsys):
    """And its record does not stand among those that the book shows."""
    monkeypatch.setenv("SRLIB_DATA", str(tmp_path / "nowhere"))
    assert main(["train", "drrn_b1u1_w4", "--budget", "0.0002", "--device", "cpu"]) == 0
    captured = capsys.readouterr()
    assert "SampleTrain stands in for it" in captured.err
    assert "Sample x3:" in captured.out
    assert (results / "runs" / "drrn" / "drrn_b1u1_w4" / "seed0_fast_0.0002" / "record.json").exists()
    assert not find_records(results)


@pytest.mark.parametrize("option", ["--reference", "--vdsr-weights"])
def test_verify_refuses_a_witness_that_is_not_there(option, capsys):
    """A path that was given is not skipped."""
    assert main(["verify", option, "/nonexistent"]) == 2
    assert "/nonexistent does not exist" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["evaluate", "bicubic", "--scale", "5"], ["frobnicate"], []])
def test_bad_usage_is_status_2(arguments, capsys):
    """As argparse says it."""
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    assert "usage:" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Image.new("I;16", (90, 90)), "16-bit"),
        (lambda: Image.new("RGBA", (90, 90)), "transparent"),
        (lambda: Image.new("P", (90, 90)), "palette"),
        (lambda: Image.new("RGB", (40, 90), (9, 99, 3)), "at least 72 pixels a side"),
        (lambda: Image.new("RGB", (90, 90), (9, 99, 3)), "undefined for a flat image"),
        (lambda: Image.new("RGB", (3, 90)), "leaves nothing to score"),
    ],
)
def test_an_image_that_cannot_be_scored_is_named(tmp_path, capsys, make, said):
    """The file is in the sentence; no table is written."""
    make().save(tmp_path / "odd.png")
    assert main(["evaluate", "bicubic", "--data", str(tmp_path), "--scale", "2", "--csv", str(tmp_path / "s.csv")]) == 2
    error = capsys.readouterr().err
    assert "odd.png" in error
    assert said in error
    assert not (tmp_path / "s.csv").exists()


def test_verify_passes_and_skips_with_reasons(capsys, monkeypatch, tmp_path, results):
    """Without data nothing fails and nothing passes silently."""
    monkeypatch.setenv("SRLIB_DATA", str(tmp_path / "nowhere"))
    assert main(["verify", "--json"]) == 0
    checks = json.loads(capsys.readouterr().out)
    assert [c["passed"] for c in checks] == [None, None, True]
    assert "python -m srlib fetch Set5" in checks[0]["detail"]


@pytest.mark.parametrize(
    "sets", [pytest.param(("Set5",), marks=pytest.mark.slow), pytest.param(("Set5", "Set14"), marks=pytest.mark.weekly)]
)
def test_verify_holds_here(dataset, reference, capsys, monkeypatch, sets):
    """Every golden check on the real data; the tests of images, metrics and protocols compute the same scores of Set14."""
    monkeypatch.setattr("srlib.cli.commands.TEST_SETS", tuple(dataset(name).name for name in sets))
    assert (
        main(["verify", "--vdsr-weights", str(reference / "vdsr_official.npz"), "--reference", str(reference), "--json"]) == 0
    )
    checks = json.loads(capsys.readouterr().out)
    assert len(checks) == 4 * len(sets) + 1
    assert all(c["passed"] for c in checks)


def test_verify_fails_on_a_damaged_record(capsys, monkeypatch, tmp_path, results):
    """Status 1, and the file is named."""
    monkeypatch.setenv("SRLIB_DATA", str(tmp_path / "nowhere"))
    folder = results / "drrn" / "drrn_b1u1_w4" / "seed0"
    folder.mkdir(parents=True)
    (folder / "record.json").write_text("{")
    assert main(["verify"]) == 1
    assert "record.json is missing or damaged" in capsys.readouterr().out
