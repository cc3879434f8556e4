"""The command line as a user meets it: outputs, files, and one sentence for bad input."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import png
import pytest
from odd_pictures import MODEL, PROFILE
from PIL import Image

from srlib import __version__
from srlib.__main__ import main
from srlib.images import imresize, read_image, round_uint8
from srlib.inference.enlarge import super_resolve
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


def test_degrade_makes_what_the_protocol_makes(folder, run):
    """8-bit protocols exactly; the others exactly as .npy, and rounded, with a warning, as an image."""
    hr = read_image("mine/b.png")
    assert run("degrade", "mine/b.png", "lr.png", "--scale", 3, "--protocol", "selfexsr") == ("", "")
    np.testing.assert_array_equal(read_image("lr.png"), PROTOCOLS["selfexsr"].degrade(hr, 3))
    assert run("degrade", "mine/b.png", "lr.npy", "--scale", 3, "--protocol", "lapsrn") == ("", "")
    np.testing.assert_array_equal(np.load("lr.npy"), PROTOCOLS["lapsrn"].degrade(hr, 3))
    assert ".npy keeps it exact" in run("degrade", "mine/b.png", "lr.png", "--scale", 3).err
    np.testing.assert_array_equal(read_image("lr.png"), round_uint8(255 * PROTOCOLS["drrn"].degrade(hr, 3)))


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


def test_ten_odd_files_keep_what_they_are(odd, run):
    """Depth, transparency, profile and orientation; formats that cannot be written become PNG."""
    words = ("upscale", "odd", "out", "--model", "drrn_b1u1_w4", "--weights", "w.safetensors", "--scale", 3)
    run(*words, status=2)  # the GIF and the PNG of one name would be one file
    (odd / "palette.gif").rename(odd / "animated_not.gif")
    run(*words)
    modes = {"alpha.webp": "RGBA", "animated_not.png": "RGB", "grey.png": "L", "grey_alpha.png": "LA", "one_bit.png": "L"}
    modes |= {"palette.png": "RGB", "plain.bmp": "RGB", "turned.jpg": "RGB", "deep.tif": "I;16"}
    modes |= {"deep.png": "RGB"}  # as PIL shows it; see below
    assert {path.name for path in (odd.parent / "out").iterdir()} == modes.keys()
    for name, mode in modes.items():
        with Image.open(f"out/{name}") as image:
            assert (image.mode, image.size) == (mode, (120, 150) if name == "turned.jpg" else (150, 120)), name
    with Image.open("out/turned.jpg") as turned:
        assert (turned.info["icc_profile"], turned.getexif()[0x010F]) == (PROFILE, "Camera")
    width, height, rows, info = png.Reader(bytes=(odd.parent / "out" / "deep.png").read_bytes()).asDirect()
    assert (width, height, info["bitdepth"]) == (150, 120, 16)
    assert len(np.unique(np.vstack([np.asarray(row) for row in rows]))) > 1000  # more levels than 8 bits have


def test_bicubic_of_a_file_is_matlabs(odd, run):
    """Identity: the written pixels are imresize's, rounded."""
    run("upscale", "odd/plain.bmp", "out.png", "--model", "bicubic", "--scale", 2)
    np.testing.assert_array_equal(read_image("out.png"), round_uint8(255 * imresize(read_image("odd/plain.bmp") / 255, 2)))


def test_weights_tile_and_ensemble_are_passed_on(odd, run):
    """The picture that the network of the file makes, the same with tiles, and another with the self-ensemble."""
    for name, options in {"a": [], "b": ["--tile", 16], "c": ["--self-ensemble"]}.items():
        words = ("--model", "drrn_b1u1_w4", "--weights", "w.safetensors", "--scale", 3)
        run("upscale", "odd/grey.png", f"{name}.png", *words, *options)
    a, b, c = (read_image(f"{name}.png") for name in "abc")
    np.testing.assert_array_equal(a, super_resolve(read_image("odd/grey.png"), MODEL, 3))
    np.testing.assert_array_equal(a, b)
    assert (a != c).any()


def test_several_files_go_into_a_folder_and_one_bad_one_is_named(odd, run):
    """The others are written, and the status is not 0."""
    (odd / "bad.png").write_bytes(b"no picture")
    sources = [odd / name for name in ("grey.png", "bad.png", "plain.bmp")]
    assert "bad.png" in run("upscale", *sources, "out", "--model", "bicubic", "--scale", 2, status=2).err
    assert sorted(path.name for path in (odd.parent / "out").iterdir()) == ["grey.png", "plain.bmp"]


@pytest.mark.slow
def test_export_writes_a_file_that_a_stranger_can_run(odd, run):
    """Witness: ONNX Runtime, on a size of its own."""
    onnxruntime = pytest.importorskip("onnxruntime")
    assert "differ by" in run("export", "drrn_b1u1_w4", "drrn.onnx", "--weights", "w.safetensors", "--scale", 3).out
    ilr = np.random.default_rng(0).random((1, 1, 33, 47), np.float32)
    assert onnxruntime.InferenceSession("drrn.onnx").run(None, {"ilr": ilr})[0].shape == ilr.shape


BICUBIC = "evaluate bicubic --data"
ENLARGE = "upscale --scale 3 --weights w.safetensors --model drrn_b1u1_w4"


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
        ("degrade odd/plain.bmp out.xyz --scale 2", "no known image suffix"),
        ("degrade odd/plain.bmp out.jpg --scale 2", "JPEG would change the LR image"),
        ("verify --reference /nonexistent", "/nonexistent does not exist"),
        ("verify --vdsr-weights /nonexistent", "/nonexistent does not exist"),
        ("export bicubic x.onnx", "is no network"),
        ("export drrn_b1u1_w4 x.pth --weights w.safetensors", "another suffix than .onnx"),
        (f"{ENLARGE} odd/grey.png", "give a picture"),
        (f"{ENLARGE} odd/grey.png odd/grey.png", "would be replaced"),
        (f"{ENLARGE} odd odd", "would be replaced"),
        (f"{ENLARGE} odd/grey.png odd/plain.bmp out/one.png", "cannot take 2 pictures: give a folder"),
        (f"{ENLARGE} empty out", "holds no picture"),
        (f"{ENLARGE} odd/none.png out/x.png", "does not exist"),
        (f"{ENLARGE} odd/alpha.webp out/x.jpg", "transparency"),
        (f"{ENLARGE} odd/deep.png out/x.jpg", "16"),
        (f"{ENLARGE} odd/grey.png out/x.xyz", "no known image suffix"),
        (f"{ENLARGE} odd/grey.png out/x.png --tile 3", "smaller than the overlap of 4"),
        (f"{ENLARGE} odd/grey.png out/x.png --model dsrn_t7_x2", "is trained for scale 2, not 3"),
        (f"{ENLARGE} odd/grey.png out/x.png --model rlcsc_k25", "does not fit rlcsc_k25"),
        ("upscale odd/grey.png out/x.png --scale 3 --model rlcsc_k25", "no record of rlcsc_k25 with weights"),
    ],
)
def test_bad_input_is_one_sentence_and_status_2(command, said, odd, results, run):
    """Nothing is written, and no traceback is shown."""
    (odd.parent / "empty").mkdir()
    before = {path: path.is_file() and path.read_bytes() for path in odd.parent.rglob("*")}
    message = run(*command.split(), status=2).err
    assert said in message
    assert message.strip().count("\n") <= 1
    assert {path: path.is_file() and path.read_bytes() for path in odd.parent.rglob("*")} == before


@pytest.mark.parametrize("command", [f"{BICUBIC} Sample --scale 5", "upscale a b --model bicubic --scale 5", "frobnicate", ""])
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
