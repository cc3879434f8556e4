"""`upscale`, `degrade` and `export` as a user meets them: folders, names, links, and what cannot be read or written."""

import os
import subprocess
import sys

import numpy as np
import png
import pytest
from odd_pictures import MODEL, PROFILE
from PIL import Image

from srlib.__main__ import main
from srlib.cli import pictures
from srlib.images import imresize, read_image, round_uint8
from srlib.inference.enlarge import super_resolve
from srlib.matching import LR, match
from srlib.protocol import PROTOCOLS

NETWORK = ("--model", "drrn_b1u1_w4", "--weights", "w.safetensors", "--scale", 3)
BICUBIC = ("--model", "bicubic", "--scale", 2)


@pytest.fixture
def tree(odd, photo):
    """The folder `tree` of pictures in sub-folders, and of much else; relative paths lead to it."""
    folder = odd.parent / "tree"
    (folder / "b" / "c").mkdir(parents=True)
    (folder / ".hidden").mkdir()
    for name in ("top.png", "b/c/deep.png", "b/grey.gif", ".hidden/no.png", "._no.png", "n" * 246 + ".png"):
        Image.fromarray(photo[:24, :30, 0] if "grey" in name else photo[:24, :30]).save(folder / name)
    for name in ("notes.txt", "b/photo.heic", "b/README"):
        (folder / name).write_text("no picture")
    os.mkfifo(folder / "pipe.png")  # opened, it would be waited for
    (folder / "link").symlink_to(folder)  # never ends
    return folder


def files_of(folder):
    """The paths of the files of a folder and its sub-folders, below it."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


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


def test_a_folder_is_enlarged_with_its_sub_folders(tree, run):
    """Identity: a file in a sub-folder is what super_resolve makes of it; the output folder, below the input, is not read."""
    said = run("upscale", "tree", "tree/b/out", *NETWORK)
    names = {"top.png", "b/c/deep.png", "b/grey.png", "n" * 246 + ".png"}
    assert files_of(tree / "b" / "out") == names
    np.testing.assert_array_equal(
        read_image("tree/b/out/b/c/deep.png"), super_resolve("tree/b/c/deep.png", MODEL, 3).to_array()
    )
    assert said.err.count("\n") == 1
    assert "left out: .heic, .txt, link (a link to a folder), pipe.png (no file), without a suffix" in said.err
    run("upscale", "tree", "tree/b/out", *NETWORK)
    assert files_of(tree / "b" / "out") == names


def test_what_is_there_is_skipped(tree, run):
    """It keeps its bytes and its time; the one that was missing is made."""
    run("upscale", "tree", "out", *BICUBIC)
    out = tree.parent / "out"
    (out / "b" / "c" / "deep.png").unlink()
    before = {name: (out / name).stat() for name in files_of(out)}
    assert "3 of 4 pictures are there already" in run("upscale", "tree", "out", *BICUBIC, "--skip-existing").err
    assert {name: (out / name).stat() for name in before} == before
    assert files_of(out) == {*before, "b/c/deep.png"}
    run("upscale", "tree", "out", *BICUBIC)
    assert (out / "top.png").stat().st_mtime_ns > before["top.png"].st_mtime_ns


@pytest.mark.parametrize(("form", "name"), [("png", "PNG"), ("tif", "TIFF"), ("jpg", "JPEG"), ("bmp", "BMP"), ("webp", "WEBP")])
def test_a_format_is_that_of_all_files_of_a_folder(odd, run, form, name):
    """One picture goes into a folder, too, which is made."""
    run("upscale", "odd/plain.bmp", "out", *BICUBIC, "--format", form)
    with Image.open(f"out/plain.{form}") as image:
        assert (image.format, image.size) == (name, (100, 80))
    assert "wants a folder" in run("upscale", "odd/plain.bmp", "x.png", *BICUBIC, "--format", form, status=2).err


def test_pictures_that_do_not_fit_a_format_do_not_end_the_rest(odd, run):
    """JPEG holds no transparency and no 16 bits; the other five are written."""
    (odd / "palette.gif").unlink()
    (odd / "deep.png").unlink()
    said = run("upscale", "odd", "out", *BICUBIC, "--format", "jpg", status=2).err
    assert all(name in said for name in ("alpha.webp", "grey_alpha.png", "deep.tif"))
    assert files_of(odd.parent / "out") == {f"{name}.jpg" for name in ("grey", "one_bit", "palette", "plain", "turned")}


@pytest.mark.parametrize("name", ["图片.png", "😀.png", "new\nline.png", os.fsdecode(b"\xff.png"), "b" * 251 + ".png"])
def test_odd_names_and_bad_pictures_go_through(tree, run, name):
    """Names of any bytes; what cannot be read in a sub-folder is listed at the end, and the rest goes on."""
    Image.new("L", (5, 4), 7).save(tree / "b" / "c" / name, format="PNG")
    (tree / "a.png").write_bytes(b"no picture")
    (tree / "b" / "nowhere.png").symlink_to("gone.png")
    Image.new("L", (1, 9)).save(tree / "b" / "thin.png")
    lines = run("upscale", "tree", "out", *BICUBIC, status=2).err.splitlines()[1:]
    assert [line.split()[1] for line in lines] == ["tree/a.png", "tree/b/nowhere.png", "tree/b/thin.png"]
    assert (read_image(tree.parent / "out" / "b" / "c" / name) == np.full((8, 10), 7)).all()
    assert len(files_of(tree.parent / "out")) == 5


def test_a_folder_that_may_not_be_read_does_not_end_the_rest(tree, run, monkeypatch):
    """As the system says it: who runs the tests may be allowed everything."""
    scandir = os.scandir

    def refuse(path):
        if str(path).endswith("c"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    said = run("upscale", "tree", "out", *BICUBIC, status=2).err
    assert "tree/b/c cannot be read (Permission denied)" in said
    monkeypatch.undo()
    assert files_of(tree.parent / "out") == {"top.png", "b/grey.png", "n" * 246 + ".png"}


@pytest.mark.parametrize("trouble", [MemoryError, KeyboardInterrupt])
def test_one_picture_too_many_and_a_stop(tree, capsys, monkeypatch, trouble):
    """A picture that wants too much memory is left out; Ctrl-C ends the command, and the next one goes on."""

    def enlarge(picture, *arguments, **options):
        if "grey" in picture.name:
            raise trouble
        return super_resolve(picture, None, 2)

    monkeypatch.setattr(pictures, "enlarge", enlarge)
    status = main(["upscale", "tree", "out", *map(str, BICUBIC)])
    said = capsys.readouterr().err
    if trouble is MemoryError:
        assert (status, len(files_of(tree.parent / "out"))) == (2, 3)
        assert "tree/b/grey.gif needs more memory" in said
    else:
        assert (status, files_of(tree.parent / "out")) == (130, {"top.png", "n" * 246 + ".png"})
        assert "stopped: 2 of 4 are done; the same command with --skip-existing goes on" in said


def test_a_benchmarks_lr_pictures_become_results_that_evaluate_finds(folder, run):
    """Identity: what is made of the LR files of one scale, under the originals' names, has bicubic's own scores."""
    (folder / "a.png").rename(folder / "a_GT.png")
    Image.fromarray(read_image("mine/b.png")).save("mine/img_001_SRF_4_HR.png")
    run("degrade", "mine", "lr", "--scale", 2, 3, "--protocol", "rgb_floaty")
    said = run("upscale", "--lr", "lr", "sr", "--model", "bicubic", "--scale", 3)
    assert "another scale than 3, left out: ax2.png, bx2.png, img_001x2.png" in said.err
    assert files_of(folder.parent / "sr") == {"a.png", "b.png", "img_001.png"}
    np.testing.assert_array_equal(read_image("sr/b.png"), round_uint8(255 * imresize(read_image("lr/bx3.png") / 255, 3)))
    options = ("--data", "mine", "--scale", 3, "--protocol", "rgb_floaty", "--metrics", "psnr", "--csv")
    run("evaluate", "--results", "sr", *options, "sr.csv")
    run("evaluate", "bicubic", "--lr", "lr", *options, "lr.csv")
    ours, given = (np.genfromtxt(name, delimiter=",", skip_header=1) for name in ("sr.csv", "lr.csv"))
    np.testing.assert_allclose(ours[:, 1], given[:, 2], atol=0.01)  # one is interpolated in 8 bits, the other in floats


def test_two_pictures_of_one_output_are_named_and_the_rest_goes_on(odd, run):
    """By their names, or because one output is a link to the other; a file that is given twice is one picture."""
    (odd.parent / "out").mkdir()
    (odd.parent / "out" / "plain.bmp").symlink_to("grey.png")
    failures = run("upscale", "odd/grey.png", "odd", "out", "--model", "bicubic", "--scale", 2, status=2).err
    named = ("palette.gif", "palette.png", "plain.bmp", "grey.png")
    assert all(f"odd/{name}: out/" in failures for name in named)
    assert failures.count("would be written of another picture, too") == len(named)
    assert files_of(odd.parent / "out") == {p.name for p in odd.iterdir()} - {*named}
    assert not (odd.parent / "out" / "grey.png").exists()


def test_what_is_read_is_never_written(odd, run):
    """Through links of both kinds and a linked folder; nothing at all is written."""
    Image.new("RGB", (20, 20)).save(odd.parent / "one.png")
    targets = [odd.parent / name for name in ("soft", "hard", "weights")]
    for target in targets:
        target.mkdir()
    soft, hard, weights = targets
    (soft / "plain.bmp").symlink_to("../odd/plain.bmp")
    (hard / "plain.bmp").hardlink_to(odd / "grey.png")
    (weights / "plain.bmp").symlink_to("../w.safetensors")
    (odd.parent / "same").symlink_to("odd")
    (odd.parent / "w.onnx").symlink_to("w.safetensors")
    (odd / "palette.gif").unlink()
    before = {path: path.is_file() and path.read_bytes() for path in odd.parent.rglob("*")}
    for words, said in {
        ("upscale", "odd", "soft", *NETWORK): "soft/plain.bmp is read here, and would be replaced",
        ("upscale", "odd", "hard", *NETWORK): "hard/plain.bmp is read here, and would be replaced",
        ("upscale", "odd", "weights", *NETWORK): "weights/plain.bmp is read here",
        ("upscale", "odd", "same", *NETWORK, "--format", "tif"): "same is read here",
        ("upscale", "same", "odd", *NETWORK): "odd is read here",
        ("upscale", "--lr", "odd", "same", *NETWORK): "same is read here",
        ("degrade", "odd", "same", "--scale", 2): "same is read here",
        ("degrade", "odd/grey.png", "hard/plain.bmp", "--scale", 2): "hard/plain.bmp is read here",
        ("degrade", "one.png", "one.png", "--scale", 2): "one.png is read here",
        ("export", "drrn_b1u1_w4", "w.onnx", "--weights", "w.safetensors"): "w.onnx is read here",
        ("export", "drrn_b1u1_w4", "w.onnx"): "another suffix than .onnx",
    }.items():
        assert said in run(*words, status=2).err
    assert {path: path.is_file() and path.read_bytes() for path in odd.parent.rglob("*")} == before


@pytest.mark.slow
def test_two_processes_enlarge_one_folder_at_once(tree):
    """Both end well, and every file is whole."""
    words = [sys.executable, "-m", "srlib", "upscale", "tree", "out", *map(str, BICUBIC)]
    both = [subprocess.Popen(words, stderr=subprocess.PIPE) for _ in range(2)]
    assert [process.communicate() and process.returncode for process in both] == [0, 0]
    out = tree.parent / "out"
    assert files_of(out) == {"top.png", "b/c/deep.png", "b/grey.png", "n" * 246 + ".png"}
    assert all(read_image(out / name).shape[:2] == (48, 60) for name in files_of(out))


def test_degrade_makes_what_the_protocol_makes(folder, run):
    """8-bit protocols exactly; the others exactly as .npy, and rounded, with a warning, as an image."""
    hr = read_image("mine/b.png")
    assert run("degrade", "mine/b.png", "lr.png", "--scale", 3, "--protocol", "selfexsr") == ("", "")
    np.testing.assert_array_equal(read_image("lr.png"), PROTOCOLS["selfexsr"].degrade(hr, 3))
    assert run("degrade", "mine/b.png", "lr.npy", "--scale", 3, "--protocol", "lapsrn") == ("", "")
    np.testing.assert_array_equal(np.load("lr.npy"), PROTOCOLS["lapsrn"].degrade(hr, 3))
    assert ".npy, for NumPy, keeps them exact" in run("degrade", "mine/b.png", "lr.png", "--scale", 3).err
    np.testing.assert_array_equal(read_image("lr.png"), round_uint8(255 * PROTOCOLS["drrn"].degrade(hr, 3)))


@pytest.mark.parametrize("form", ["png", "tif", "bmp", "npy"])
def test_degrade_takes_folders_and_several_scales(tree, run, form):
    """Identity: each file is what the protocol makes, in 8 bits or exactly; its name is found as that of the original's LR."""
    run("degrade", "tree", "lr", "--scale", 4, 2, "--format", form)
    names = {f"{name}x{scale}.{form}" for name in ("top", "b/c/deep", "b/grey", "n" * 246) for scale in (2, 4)}
    assert files_of(tree.parent / "lr") == names
    for scale in (2, 4):
        lr = PROTOCOLS["drrn"].degrade(read_image("tree/b/c/deep.png"), scale)
        path = f"lr/b/c/deepx{scale}.{form}"
        if form == "npy":
            np.testing.assert_array_equal(np.load(path), lr)
        else:
            np.testing.assert_array_equal(read_image(path), round_uint8(255 * lr))
            assert match(["deep"], "lr/b/c", scale, without=LR).files["deep"].name == f"deepx{scale}.{form}"


def test_one_picture_is_degraded_into_a_file_or_a_folder(folder, run):
    """A folder that exists, several scales or a format give names; `_HR` of an original is left out."""
    (folder / "b.png").rename(folder / "b_HR.png")
    run("degrade", "mine/b_HR.png", "lr.tif", "--scale", 2)
    run("degrade", "mine/b_HR.png", folder, "--scale", 2)
    run("degrade", "mine/b_HR.png", "out", "--scale", 2, 3)
    run("degrade", "mine/b_HR.png", "out", "--scale", 4, "--format", "bmp")
    assert files_of(folder.parent) == {"lr.tif", "mine/a.png", "mine/b_HR.png", "mine/bx2.png"} | {
        f"out/{name}" for name in ("bx2.png", "bx3.png", "bx4.bmp")
    }
    np.testing.assert_array_equal(read_image("lr.tif"), read_image("mine/bx2.png"))


def test_degrade_names_what_it_cannot_take_and_goes_on(odd, run):
    """Transparent and 16-bit pictures; one that is turned by EXIF is turned first; one is too small for scale 4 alone."""
    (odd / "palette.gif").unlink()
    (odd / "deep.png").rename(odd / "dark.png")
    Image.new("L", (3, 9)).save(odd / "thin.png")
    lines = run("degrade", "odd", "lr", "--scale", 2, 4, "--protocol", "selfexsr", status=2).err.splitlines()
    kinds = {line.split()[1].strip(":"): line for line in lines}
    assert list(kinds) == [
        f"odd/{name}" for name in ("alpha.webp", "dark.png", "deep.tif", "grey_alpha.png", "one_bit.png", "thin.png")
    ]
    for name, said in {
        "alpha.webp": "transparent",
        "dark.png": "16-bit",
        "one_bit.png": "1-bit",
        "thin.png": "scale 4",
    }.items():
        assert said in kinds[f"odd/{name}"]
    written = {f"{name}x{scale}.png" for name in ("grey", "palette", "plain", "turned") for scale in (2, 4)}
    assert files_of(odd.parent / "lr") == written | {"thinx2.png"}
    assert read_image("lr/turnedx2.png").shape == (25, 20, 3)


@pytest.mark.slow
def test_export_writes_a_file_that_a_stranger_can_run(odd, run):
    """Witness: ONNX Runtime, on a size of its own."""
    onnxruntime = pytest.importorskip("onnxruntime")
    assert "differ by" in run("export", "drrn_b1u1_w4", "drrn.onnx", "--weights", "w.safetensors", "--scale", 3).out
    ilr = np.random.default_rng(0).random((1, 1, 33, 47), np.float32)
    assert onnxruntime.InferenceSession("drrn.onnx").run(None, {"ilr": ilr})[0].shape == ilr.shape


ENLARGE = "upscale --scale 3 --weights w.safetensors --model drrn_b1u1_w4"


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("degrade odd/plain.bmp out.xyz --scale 2", "another suffix than .png, .tif, .tiff, .bmp or .npy"),
        ("degrade odd/plain.bmp out.jpg --scale 2", "another suffix than .png, .tif, .tiff, .bmp or .npy"),
        ("degrade odd/plain.bmp out.gif --scale 2", "another suffix than .png, .tif, .tiff, .bmp or .npy"),
        ("degrade odd/plain.bmp out.png --scale 2 3", "wants a folder"),
        ("degrade odd w.safetensors --scale 2", "wants a folder"),
        ("degrade odd/plain.bmp --scale 2", "give a picture"),
        ("degrade odd/none.png out.png --protocol selfexsr --scale 2", "odd/none.png does not exist"),
        ("degrade odd/plain.bmp out.png --scale 2 --protocol matlab", "'matlab' is unknown"),
        ("export bicubic x.onnx", "is no network"),
        ("export drrn_b1u1_w4 x.pth --weights w.safetensors", "another suffix than .onnx"),
        (f"{ENLARGE} odd/grey.png", "give a picture"),
        (f"{ENLARGE} odd/grey.png odd/grey.png", "would be replaced"),
        (f"{ENLARGE} odd odd", "write into another folder"),
        (f"{ENLARGE} odd/grey.png odd/plain.bmp out/one.png", "wants a folder"),
        (f"{ENLARGE} empty out", "holds no picture"),
        (f"{ENLARGE} odd/none.png out/x.png", "does not exist"),
        (f"{ENLARGE} {'n' * 300}.png out/x.png", "too long"),
        (f"{ENLARGE} odd/grey.png {'n' * 300}.png", "too long"),
        (f"{ENLARGE} odd/grey.png odd/grey.png/x.png", "is not a folder"),
        (f"{ENLARGE} odd/alpha.webp out/x.jpg", "transparency"),
        (f"{ENLARGE} odd/deep.png out/x.jpg", "16"),
        (f"{ENLARGE} odd/grey.png out/x.xyz", "no known image suffix"),
        (f"{ENLARGE} odd/grey.png out/x.png --tile 3", "smaller than the overlap of 4"),
        (f"{ENLARGE} odd/grey.png out/x.png --tile 0", "A tile of 0 pixels cannot be"),
        (f"{ENLARGE} odd/grey.png out/x.png --tile -5", "A tile of -5 pixels cannot be"),
        (f"{ENLARGE} odd/grey.png out/x.png --weights none.pth", "none.pth does not exist"),
        (f"{ENLARGE} odd/grey.png out/x.png --model bicubic", "Bicubic interpolation has no weights"),
        (f"{ENLARGE} odd/grey.png out/x.png --model dsrn_t7_x2", "is trained for scale 2, not 3"),
        (f"{ENLARGE} odd/grey.png out/x.png --model rlcsc_k25", "does not fit rlcsc_k25"),
        (f"{ENLARGE} --lr odd odd/grey.png out", "one of the two"),
        (f"{ENLARGE} --lr empty out", "holds no image"),
        ("upscale odd/grey.png out/x.png --scale 3 --model rlcsc_k25", "no record of rlcsc_k25 with weights"),
    ],
)
def test_bad_input_is_one_sentence_and_status_2(command, said, odd, results, refused):
    """Nothing is written, and no traceback is shown."""
    (odd.parent / "empty").mkdir()
    refused(command, said, odd.parent)


def test_a_scale_that_is_none_is_status_2(capsys):
    """As argparse says it."""
    for command in ("upscale a b --model bicubic --scale 5", "degrade a b --scale 2 5"):
        with pytest.raises(SystemExit) as stop:
            main(command.split())
        assert stop.value.code == 2
        assert "invalid choice: 5" in capsys.readouterr().err
