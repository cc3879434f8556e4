"""Files in, enlarged files out: one, several, a folder; odd ones; and what is refused."""

import io

import numpy as np
import png
import pytest
from PIL import Image, ImageCms

from srlib.__main__ import main
from srlib.cli.upscale import upscale
from srlib.images import imresize, read_image, round_uint8
from srlib.inference.enlarge import super_resolve
from srlib.inference.pictures import open_picture
from srlib.models import DRN, DRRN
from srlib.training.checkpoint import save_tensors

MODEL = DRRN(1, 1, 4)
MODEL.reconstruction.weight.data *= 0.01  # near bicubic, as a trained network is
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


@pytest.fixture
def weights(tmp_path):
    """Weights of a small DRRN in a file."""
    path = tmp_path / "w.safetensors"
    save_tensors(path, MODEL.state_dict(), {"experiment": "drrn_b1u1_w4"})
    return path


@pytest.fixture
def odd(tmp_path, photo):
    """A folder of ten odd files."""
    folder = tmp_path / "odd"
    folder.mkdir()
    image = Image.fromarray(photo[:40, :50])
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "Camera"  # turned by 90 degrees
    image.save(folder / "turned.jpg", exif=exif, icc_profile=PROFILE, quality=95)
    image.save(folder / "plain.bmp")
    image.convert("L").save(folder / "grey.png")
    image.convert("1").save(folder / "one_bit.png")
    image.convert("P").save(folder / "palette.png")
    image.convert("P").save(folder / "palette.gif")
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    image.save(folder / "alpha.webp", lossless=True)
    image.convert("LA").save(folder / "grey_alpha.png")
    Image.fromarray(photo[:40, :50, 0].astype(np.uint16) * 257).save(folder / "deep.tif")
    with (folder / "deep.png").open("wb") as file:
        png.Writer(50, 40, greyscale=False, bitdepth=16).write(file, photo[:40, :50].reshape(40, -1).astype(int) * 257)
    return folder


def test_ten_odd_files_keep_what_they_are(odd, tmp_path, weights):
    """Depth, transparency, profile and orientation; formats that cannot be written become PNG."""
    out = tmp_path / "out"
    arguments = ["--model", "drrn_b1u1_w4", "--weights", str(weights), "--scale", "3"]
    assert main(["upscale", str(odd), str(out), *arguments]) == 2  # the GIF and the PNG of one name would be one file
    (odd / "palette.gif").rename(odd / "animated_not.gif")
    assert main(["upscale", str(odd), str(out), *arguments]) == 0
    assert {path.name: _facts(path) for path in sorted(out.iterdir())} == {
        "alpha.webp": ("RGBA", (150, 120)),
        "animated_not.png": ("RGB", (150, 120)),
        "deep.png": ("RGB", (150, 120)),  # as PIL shows it; see below
        "deep.tif": ("I;16", (150, 120)),
        "grey.png": ("L", (150, 120)),
        "grey_alpha.png": ("LA", (150, 120)),
        "one_bit.png": ("L", (150, 120)),
        "palette.png": ("RGB", (150, 120)),
        "plain.bmp": ("RGB", (150, 120)),
        "turned.jpg": ("RGB", (120, 150)),
    }
    with Image.open(out / "turned.jpg") as turned:
        assert turned.info["icc_profile"] == PROFILE
        assert turned.getexif()[0x010F] == "Camera"
    width, height, rows, info = png.Reader(bytes=(out / "deep.png").read_bytes()).asDirect()
    assert (width, height, info["bitdepth"]) == (150, 120, 16)
    deep = np.vstack([np.asarray(row) for row in rows])
    assert len(np.unique(deep)) > 1000  # more levels than 8 bits have


def _facts(path):
    with Image.open(path) as image:
        return image.mode, image.size


def test_bicubic_of_a_file_is_matlabs(odd, tmp_path):
    """Identity: the written pixels are imresize's, rounded."""
    assert main(["upscale", str(odd / "plain.bmp"), str(tmp_path / "out.png"), "--model", "bicubic", "--scale", "2"]) == 0
    wanted = round_uint8(255 * imresize(read_image(odd / "plain.bmp") / 255, 2))
    np.testing.assert_array_equal(read_image(tmp_path / "out.png"), wanted)


def test_tile_and_ensemble_are_passed_on(odd, tmp_path, weights):
    """The same picture with tiles, another with the self-ensemble."""
    source, common = odd / "grey.png", ["--model", "drrn_b1u1_w4", "--weights", str(weights), "--scale", "3"]
    for name, options in {"a": [], "b": ["--tile", "16"], "c": ["--self-ensemble"]}.items():
        assert main(["upscale", str(source), str(tmp_path / f"{name}.png"), *common, *options]) == 0
    a, b, c = (read_image(tmp_path / f"{name}.png") for name in "abc")
    np.testing.assert_array_equal(a, b)
    assert (a != c).any()


def test_several_files_go_into_a_folder_and_one_bad_one_is_named(odd, tmp_path, capsys):
    """The others are written, and the status is not 0."""
    (odd / "bad.png").write_bytes(b"no picture")
    sources = [str(odd / name) for name in ("grey.png", "bad.png", "plain.bmp")]
    assert main(["upscale", *sources, str(tmp_path / "out"), "--model", "bicubic", "--scale", "2"]) == 2
    assert "bad.png" in capsys.readouterr().err
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["grey.png", "plain.bmp"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["{odd}/grey.png"], "give a picture"),
        (["{odd}/grey.png", "{odd}/grey.png"], "would be replaced"),
        (["{odd}", "{odd}"], "would be replaced"),
        (["{odd}/grey.png", "{odd}/plain.bmp", "{out}/one.png"], "cannot take 2 pictures: give a folder"),
        (["{empty}", "{out}/x"], "holds no picture"),
        (["{odd}/none.png", "{out}/x.png"], "does not exist"),
        (["{odd}/alpha.webp", "{out}/x.jpg"], "transparency"),
        (["{odd}/deep.png", "{out}/x.jpg"], "16"),
        (["{odd}/grey.png", "{out}/x.xyz"], "no known image suffix"),
        (["{odd}/grey.png", "{out}/x.png", "--tile", "3"], "smaller than the overlap of 4"),
        (["{odd}/grey.png", "{out}/x.png", "--model", "dsrn_t7_x2"], "is trained for scale 2, not 3"),
        (["{odd}/grey.png", "{out}/x.png", "--model", "rlcsc_k25"], "no record of rlcsc_k25 with weights"),
        (["{odd}/grey.png", "{out}/x.png", "--model", "rlcsc_k25", "--weights", "{weights}"], "does not fit rlcsc_k25"),
    ],
)
def test_what_cannot_be_done_is_said_and_nothing_is_written(arguments, said, odd, tmp_path, weights, capsys):
    """One sentence, status 2."""
    (tmp_path / "empty").mkdir()
    places = {"odd": odd, "out": tmp_path / "out", "empty": tmp_path / "empty", "weights": weights}
    arguments = [a.format(**places) for a in arguments]
    if "--model" not in arguments:
        arguments += ["--model", "drrn_b1u1_w4", "--weights", str(weights)]
    before = {path: path.read_bytes() for path in odd.iterdir()}
    assert main(["upscale", *arguments, "--scale", "3"]) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    assert before == {path: path.read_bytes() for path in odd.iterdir()}


def test_scale_five_is_refused_by_the_command(odd, tmp_path):
    """argparse names the choices; status 2."""
    with pytest.raises(SystemExit) as stop:
        main(["upscale", str(odd / "grey.png"), str(tmp_path / "x.png"), "--model", "bicubic", "--scale", "5"])
    assert stop.value.code == 2


@pytest.mark.slow
def test_export_writes_a_file_that_a_stranger_can_run(tmp_path, weights, capsys):
    """Witness: ONNX Runtime, on a size of its own."""
    onnxruntime = pytest.importorskip("onnxruntime")
    path = tmp_path / "drrn.onnx"
    assert main(["export", "drrn_b1u1_w4", str(path), "--weights", str(weights), "--scale", "3"]) == 0
    assert "differ by" in capsys.readouterr().out
    session = onnxruntime.InferenceSession(path.read_bytes())
    ilr = np.random.default_rng(0).random((1, 1, 33, 47), np.float32)
    assert session.run(None, {"ilr": ilr})[0].shape == ilr.shape
    assert main(["export", "bicubic", str(path)]) == 2
    assert main(["export", "drrn_b1u1_w4", str(tmp_path / "x.pth"), "--weights", str(weights)]) == 2


def test_pil_images_come_back_as_pil_images(photo):
    """With their mode, and RGB networks take grey ones, too."""
    for mode in ("L", "RGB", "RGBA", "P"):
        image = Image.fromarray(photo[:20, :24]).convert(mode)
        sr = super_resolve(image, DRN(2, 8, 1, 1, 2), 2)
        assert (sr.mode, sr.size) == ({"P": "RGB"}.get(mode, mode), (48, 40))


def test_a_picture_from_memory_is_a_file_in_kind(photo):
    """A path leads to a Picture that can be saved; upscale() returns no failures for one file."""
    buffer = io.BytesIO()
    Image.fromarray(photo[:20, :24]).save(buffer, "PNG")
    assert open_picture(Image.open(buffer)).kind == "image"


def test_the_function_raises_for_a_single_file(tmp_path):
    """A caller in Python gets the exception, not a list."""
    from srlib.errors import InputError

    with pytest.raises(InputError, match="does not exist"):
        upscale([tmp_path / "none.png"], tmp_path / "x.png", None, 2)
