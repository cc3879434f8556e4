"""Training on given LR images: what the network sees, what is refused, what the record says, and that no paper's row has it."""

import math
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from srlib.datasets import open_images
from srlib.errors import InputError
from srlib.images import imresize, read_image
from srlib.papers import drrn, get_experiment
from srlib.protocol import PROTOCOLS
from srlib.records.plan import cycles, next_cycle
from srlib.records.record import Record, find_record, find_records
from srlib.records.run import run_experiment, snapshots
from srlib.records.scores import Runs
from srlib.training.loop import train
from srlib.training.patches import make_patches, open_lr

TINY = get_experiment("drrn_b1u2_w4")
SMALL = replace(drrn.FAST, scales=(3,), patch=24, stride=12, batch=4)


@pytest.fixture(autouse=True)
def no_validation(monkeypatch):
    """Validation takes longer than these trainings."""
    monkeypatch.setattr("srlib.training.loop.validation", lambda *_: lambda model: math.nan)


@pytest.fixture
def hr(tmp_path, photo):
    """A folder of two training images, whose sides are no multiples of 2 or 3."""
    folder = tmp_path / "hr"
    folder.mkdir()
    Image.fromarray(photo[:79, :85]).save(folder / "a.png")
    Image.fromarray(photo[60:133, 80:151]).save(folder / "b.png")
    return folder


@pytest.fixture
def lr(tmp_path, hr):
    """A function that writes LR images of `hr`, made by a protocol of 8 bits, for some scales."""

    def write(*scales, protocol="rgb_floaty", folder="lr", name="{}x{}.png"):
        (tmp_path / folder).mkdir()
        for path in hr.iterdir():
            for scale in scales:
                image = PROTOCOLS[protocol].degrade(read_image(path), scale)
                Image.fromarray(image).save(tmp_path / folder / name.format(path.stem, scale))
        return tmp_path / folder

    return write


def run(root, hr, lr, experiment=TINY, **options):
    """A record of a few iterations."""
    options = {"budget": 0.0005, "data": str(hr), "device": "cpu", "progress": False} | options
    return run_experiment(experiment, root, lr=lr, **options)


@pytest.mark.parametrize(("domain", "colour"), [("lr+ilr", "luma"), ("lr", "rgb"), ("ilr", "luma")])
def test_the_protocols_own_lr_images_change_nothing(hr, lr, domain, colour):
    """Identity: given the 8-bit images that the protocol itself makes, every pixel is the same as without."""
    images, folder = open_images(hr), lr(3)
    own = make_patches(images, SMALL, domain, colour, "rgb_floaty")
    given = make_patches(images, SMALL, domain, colour, "rgb_floaty", lr=open_lr(folder, images, (3,)))
    for a, b in ((own.hr, given.hr), *((own.inputs[kind], given.inputs[kind]) for kind in own.inputs)):
        assert torch.equal(a.pixels, b.pixels)
        assert torch.equal(a.start, b.start)


def test_a_given_image_and_its_interpolation_are_what_the_network_sees(hr, lr):
    """Arithmetic: LR images are inverted; the inputs are their rounded luma and its bicubic image, and HR stays."""
    images, folder = open_images(hr), lr(3)
    own = make_patches(images, SMALL, "lr+ilr")
    for path in folder.iterdir():
        Image.fromarray(255 - read_image(path)).save(path)
    given = make_patches(images, SMALL, "lr+ilr", lr=open_lr(folder, images, (3,)))
    inverted = 255.0 - PROTOCOLS["rgb_floaty"].degrade(images.read(0), 3)
    luma = np.floor(inverted @ [65.481, 128.553, 24.966] / 255 + 16.5) / 255  # MATLAB's, of the first image
    for kind, wanted in (("lr", luma), ("ilr", imresize(luma, 3))):
        seen = given.inputs[kind].pixels[: wanted.size].reshape(wanted.shape)
        np.testing.assert_allclose(seen, wanted, atol=1e-6)
    assert torch.equal(own.hr.pixels, given.hr.pixels)


def test_each_scale_has_its_own_images(hr, lr):
    """Behaviour: of one folder for three scales each image is used at its scale; where one is missing, it is named."""
    images, folder, recipe = open_images(hr), lr(2, 3, 4), replace(SMALL, scales=(2, 3, 4))
    own = make_patches(images, recipe, "ilr", "luma", "rgb_floaty").inputs["ilr"].pixels
    given = make_patches(images, recipe, "ilr", "luma", "rgb_floaty", lr=open_lr(folder, images, recipe.scales))
    assert torch.equal(own, given.inputs["ilr"].pixels)
    (folder / "bx4.png").unlink()
    with pytest.raises(InputError, match=r"missing or do not fit \(b x4\): b has no file in .*lr for scale 4"):
        open_lr(folder, images, recipe.scales)


def test_files_of_no_training_image_are_told(hr, lr, capsys):
    """And a pattern says which files are meant where names leave a choice."""
    images, folder = open_images(hr), lr(3)
    shutil.copy(folder / "ax3.png", folder / "a_x3_mine.png")
    shutil.copy(folder / "ax3.png", folder / "other.png")
    with pytest.raises(InputError, match=r"\(a x3\): a has 2 files in .*lr \(a_x3_mine.png, ax3.png\)"):
        open_lr(folder, images, (3,))
    assert open_lr(folder, images, (3,), "{name}x{scale}").images[3].paths == (folder / "ax3.png", folder / "bx3.png")
    assert "left out: a_x3_mine.png, other.png" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (
            lambda p: Image.open(p).resize((20, 20)).save(p),
            r"ax3.png: The LR image gives 60 x 60 pixels at scale 3, .*84 x 78",
        ),
        (lambda p: Image.open(p).convert("L").save(p), r"ax3.png: The LR image is grey of 0..255"),
        (lambda p: Image.open(p).convert("1").save(p), r"ax3.png is a 1-bit image"),
        (lambda p: p.write_bytes(p.read_bytes()[:90]), r"ax3.png cannot be read as an image"),
    ],
)
def test_lr_images_that_do_not_fit_are_named(tmp_path, hr, lr, spoil, said):
    """All of them, with the reason of the first, in one sentence; nothing is trained."""
    folder = lr(3)
    for path in folder.iterdir():
        spoil(path)
    with pytest.raises(InputError, match=rf"missing or do not fit \(a x3, b x3\): .*{said}"):
        run(tmp_path / "out", hr, folder)
    assert not list((tmp_path / "out").rglob("*.safetensors"))


def test_the_record_says_so_and_is_no_evidence(results, hr, lr):
    """Behaviour: the folder and its digest are in the record; with other files it is another run; no score or method is its."""
    first = run(results, hr, lr(3))
    second = run(results, hr, lr(3, folder="others", protocol="selfexsr"))
    plain = run(results, hr, None)
    assert len({first.folder, second.folder, plain.folder}) == 3
    assert first.folder.name == f"{plain.folder.name}_lr{first.info['lr_sha256'][:8]}"
    assert (Path(first.info["lr"]).name, first.info["finished"]) == ("lr", True)
    assert not {"lr", "lr_sha256"} & plain.info.keys()
    assert first.info["weights_sha256"] != plain.info["weights_sha256"]
    assert [r.folder for r in find_records()] == [plain.folder]
    assert [[r.folder for r in group] for group in Runs().groups(TINY.name).values()] == [[plain.folder]]
    shutil.rmtree(plain.folder)
    assert find_record(TINY.name) is None


def test_a_run_goes_on_with_the_same_lr_images_alone(tmp_path, hr, lr):
    """Identity: stopped and resumed it ends in the bits of a whole run; with others, or none, the checkpoint is refused."""
    folder = lr(3)
    whole = run(tmp_path / "whole", hr, folder)
    stopped = run(tmp_path / "stopped", hr, folder, minutes=0)
    assert not stopped.info["finished"]
    assert run(tmp_path / "stopped", hr, folder).info["weights_sha256"] == whole.info["weights_sha256"]
    images = open_images(hr)
    options = {"budget": 0.0005, "data": str(hr), "device": "cpu", "progress": False}
    Image.fromarray(255 - read_image(folder / "ax3.png")).save(folder / "ax3.png")
    for given in (None, open_lr(folder, images, (3,))):
        with pytest.raises(InputError, match=r"belongs to another run \(lr_sha256 was "):
            train(TINY, whole.folder, lr=given, **options)


def test_a_cycle_from_given_lr_images_stays_one(tmp_path, hr, lr):
    """A record without them may be gone on with; one with them is no start for a run that would not say so."""
    folder = lr(3)
    plain, given = run(tmp_path, hr, None), run(tmp_path, hr, folder)
    assert run(tmp_path, hr, folder, start_from=plain.folder).info["lr"] == str(folder)
    with pytest.raises(InputError, match=r"was trained on the LR images in .*lr: give --lr for this run, too"):
        run(tmp_path, hr, None, start_from=given.folder)


def test_resized_copies_are_left_out(tmp_path, hr, lr, capsys):
    """There are LR images of one size: the recipe in the record has that one, and the user is told."""
    recipe = replace(TINY.recipe("fast"), sizes=(1.0, 0.7))
    record = run(tmp_path, hr, lr(3), experiment=replace(TINY, recipes=(recipe,)))
    assert record.info["recipe"]["sizes"] == [1.0]
    assert "no resized copies are used" in capsys.readouterr().err


def test_snapshots_are_no_evidence_either(results, hr, lr):
    """Of a run on given LR images, each says so, too."""
    experiment = get_experiment("rlcsc_k15_w4")
    record = run(results, hr, lr(3), experiment=experiment, keep=(1,))
    (snapshot,) = snapshots(record).values()
    assert Record(snapshot.folder).info["lr"] == record.info["lr"]
    assert find_records() == []


def test_work_leaves_a_users_training_alone(results, hr, lr, monkeypatch):
    """Behaviour: a cycle of a flagship that was begun on given LR images neither goes on nor counts."""
    flagship = replace(get_experiment("dsrn_t7_x3"), arguments={"scale": 3, "T": 1, "width": 4})
    monkeypatch.setattr("srlib.records.plan.is_available", lambda name: True)
    monkeypatch.setattr("srlib.training.loop._iterations_in", lambda *_: 3)
    options = {"experiment": flagship, "recipe": "core", "budget": 1.0, "fit": 30.0}
    assert not run(results, hr, lr(3), minutes=0, **options).info["finished"]
    assert not next_cycle(results, 30).begun
    run(results, hr, results.parent / "lr", **options)
    assert cycles("dsrn_t7_x3", (None,)) == []
    run(results, hr, None, minutes=0, **options)
    assert next_cycle(results, 30).begun


def test_pictures_without_a_pixel_to_train_on_are_named(hr, capsys):
    """Behaviour: smaller than the scale, they are left out like those that are smaller than a patch."""
    images = open_images(hr)
    Image.new("RGB", (1, 1)).save(hr / "dot.png")
    Image.new("L", (23, 200)).save(hr / "strip.png")
    patches = make_patches(open_images(hr), SMALL)
    assert "2 of 4 images are smaller than a patch of 24: left out (dot.png, strip.png)" in capsys.readouterr().err
    assert len(patches) == len(make_patches(images, SMALL))


def test_what_cannot_be_kept_on_the_disk_is_used_all_the_same(hr, tmp_path, monkeypatch, capsys):
    """A home that is read-only or full: the images are prepared each time, and the user is told."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SRLIB_CACHE", str(tmp_path / "file" / "prepared"))
    assert len(make_patches(open_images(hr), SMALL))
    assert "the prepared images are not kept: " in capsys.readouterr().err
