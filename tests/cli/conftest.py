"""What the tests of all commands share: a command line that is run, a folder of images, and one of odd pictures."""

import numpy as np
import png
import pytest
from odd_pictures import MODEL, PROFILE
from PIL import Image

from srlib.__main__ import main
from srlib.training.checkpoint import save_tensors


@pytest.fixture
def run(capsys):
    """A function that runs a command line, checks its status, and returns its output `out` and its messages `err`."""

    def run_words(*words, status=0):
        assert main([str(word) for word in words]) == status
        return capsys.readouterr()

    return run_words


@pytest.fixture
def refused(run):
    """A function that checks that a command line ends in a sentence, status 2, and changes nothing in a folder."""

    def check(command, said, place):
        before = {path: path.is_file() and path.read_bytes() for path in place.rglob("*")}
        message = run(*command.split(), status=2).err
        assert said in message
        assert message.strip().count("\n") <= 1
        assert {path: path.is_file() and path.read_bytes() for path in place.rglob("*")} == before

    return check


@pytest.fixture
def folder(tmp_path, photo, monkeypatch):
    """The folder `mine` of two images, one of them grey; relative paths lead to where it lies."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()
    Image.fromarray(photo).save("mine/b.png")
    Image.fromarray(photo[..., 1]).save("mine/a.png")
    return tmp_path / "mine"


@pytest.fixture
def odd(tmp_path, photo, monkeypatch):
    """The folder `odd` of ten odd pictures, and the weights `w.safetensors` of a small DRRN; relative paths lead to them."""
    monkeypatch.chdir(tmp_path)
    save_tensors("w.safetensors", MODEL.state_dict(), {"experiment": "drrn_b1u1_w4"})
    folder = tmp_path / "odd"
    folder.mkdir()
    image = Image.fromarray(photo[:40, :50])
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "Camera"  # turned by 90 degrees
    image.save(folder / "turned.jpg", exif=exif, icc_profile=PROFILE, quality=95)
    for mode, name in (
        ("RGB", "plain.bmp"),
        ("L", "grey.png"),
        ("1", "one_bit.png"),
        ("P", "palette.png"),
        ("P", "palette.gif"),
    ):
        image.convert(mode).save(folder / name)
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    image.save(folder / "alpha.webp", lossless=True)
    image.convert("LA").save(folder / "grey_alpha.png")
    Image.fromarray(photo[:40, :50, 0].astype(np.uint16) * 257).save(folder / "deep.tif")
    png.from_array(photo[:40, :50].reshape(40, -1).astype(int) * 257, "RGB;16").save(folder / "deep.png")
    return folder
