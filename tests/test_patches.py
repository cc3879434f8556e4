"""Patches: cut where the papers cut them, turned as the square turns, counted as the papers count."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from srlib.checkpoint import load_tensors
from srlib.datasets import open_images
from srlib.errors import InputError
from srlib.experiment import REFLECTIONS, ROTATIONS
from srlib.images import rgb_to_luma
from srlib.papers import drrn, rlcsc
from srlib.patches import Sampler, make_patches
from srlib.protocol import PROTOCOLS

SMALL = replace(drrn.FAST, scales=(3,), patch=31, stride=21, batch=28)
LOW = replace(SMALL, patch=24, stride=12)
TURNS = ROTATIONS + REFLECTIONS


@pytest.fixture
def images(photo):
    return [("cat", photo), ("tac", photo[:, ::-1])]


def passed(patches, recipe, iterations, seed=3, part=(0, 1)):
    """HR patches of the first iterations."""
    sampler = Sampler(patches, recipe.batch, recipe.turns, seed, part)
    drawn = []
    for k in range(iterations):
        sampler.seek(k)
        drawn.append(sampler.draw(torch.tensor(k))[1])
    return drawn


def test_patches_are_cut_from_whole_interpolated_images(images):
    """Identity: a patch with all turns undone is a crop of the protocol's own images."""
    patches = make_patches(images, SMALL)
    hr = PROTOCOLS["drrn"].reference(images[0][1], 3)
    ilr = PROTOCOLS["drrn"].interpolate(PROTOCOLS["drrn"].degrade(images[0][1], 3), 3)
    assert len(patches) == 2 * 6 * 7
    which, turn = torch.tensor([8]), torch.tensor([0])  # second row, second column of the first image
    np.testing.assert_array_equal(patches.hr.crop(which, turn)[0, 0], hr[21:52, 21:52].astype(np.float32) / 255)
    np.testing.assert_array_equal(patches.inputs["ilr"].crop(which, turn)[0, 0], ilr[21:52, 21:52].astype(np.float32))


@pytest.mark.parametrize(
    ("domain", "colour", "degradation"),
    [("lr+ilr", "luma", "drrn"), ("lr", "rgb", "rgb_floaty"), ("lr+ilr", "luma", "div2k_rgb")],
)
def test_low_and_high_resolution_patches_show_the_same_place(images, domain, colour, degradation):
    """Identity: with every symmetry, both are that symmetry of crops of the protocol's images."""
    patches = make_patches(images, LOW, domain, colour, degradation)
    protocol, image = PROTOCOLS[degradation], images[0][1]
    lr = protocol.degrade(image, 3)
    whole = {"hr": protocol.reference(image, 3), "lr": lr, "ilr": protocol.interpolate(lr, 3)}
    which = torch.full((8,), 14)  # second row, second column: thirteen a row
    for kind, plane in {"hr": patches.hr, **patches.inputs}.items():
        x = whole[kind] / 255 if whole[kind].dtype == np.uint8 else whole[kind]
        if colour == "luma" and x.ndim == 3:
            x = rgb_to_luma(255 * x) / 255
        at, size = (4, 8) if kind == "lr" else (12, 24)
        square = x[at : at + size, at : at + size].reshape(size, size, -1)
        for turn, drawn in zip(range(8), plane.crop(which, torch.arange(8)), strict=True):
            expected = square.swapaxes(0, 1) if turn & 4 else square
            expected = expected[::-1] if turn & 1 else expected
            expected = expected[:, ::-1] if turn & 2 else expected
            # HR is kept in 8 bits, so a luma of RGB is rounded
            np.testing.assert_allclose(drawn.permute(1, 2, 0), expected, atol=0.51 / 255 if kind == "hr" else 1e-6)


def test_augmentation_is_the_eight_symmetries_of_the_square(images):
    """Witness: numpy's rot90 and fliplr; the first four of `TURNS` are the rotations."""
    patches = make_patches(images, replace(SMALL, patch=16, stride=16))
    drawn = [x.numpy().tobytes() for x in patches.hr.crop(torch.full((8,), 5), torch.tensor(TURNS))[:, 0]]
    square = patches.hr.crop(torch.tensor([5]), torch.tensor([0]))[0, 0].numpy()
    assert set(drawn[:4]) == {np.rot90(square, k).tobytes() for k in range(4)}
    assert set(drawn[4:]) == {np.rot90(np.fliplr(square), k).tobytes() for k in range(4)}


def test_every_pass_shows_every_patch_once_and_is_a_function_of_the_seed(images):
    """Identity: the sampler's order of a pass depends on the seed and the pass alone."""
    patches = make_patches(images, SMALL)
    assert len(patches) == 84
    batches = passed(patches, SMALL, 6)
    everything = patches.hr.crop(torch.arange(84), torch.zeros(84, dtype=int)).mean((1, 2, 3)).sort().values
    for whole in (batches[:3], batches[3:]):
        torch.testing.assert_close(torch.cat(whole).mean((1, 2, 3)).sort().values, everything)
    assert not torch.equal(batches[0], batches[3])
    sampler = Sampler(patches, SMALL.batch, SMALL.turns, seed=3)
    sampler.seek(4)  # as after a restart
    assert torch.equal(sampler.draw(torch.tensor(4))[1], batches[4])
    assert not torch.equal(passed(patches, SMALL, 1, seed=4)[0], batches[0])


def test_processes_share_each_batch(images):
    """Identity: the parts of two processes are the batch of one."""
    patches = make_patches(images, SMALL)
    whole, parts = passed(patches, SMALL, 2), [passed(patches, SMALL, 2, part=(k, 2)) for k in (0, 1)]
    for k in range(2):
        assert torch.equal(whole[k][0::2], parts[0][k])
        assert torch.equal(whole[k][1::2], parts[1][k])


def test_a_set_smaller_than_a_batch_repeats(images):
    """Edge: one image of few patches still fills a batch."""
    patches = make_patches(images[:1], replace(SMALL, stride=100))
    assert len(patches) == 4
    assert passed(patches, SMALL, 3)[2].shape == (28, 1, 31, 31)


@pytest.mark.slow
@pytest.mark.parametrize(("stride", "count"), [(21, 1_722_720), (31, 836_648)])
def test_drrns_patch_counts(dataset, stride, count):
    """Arithmetic: 291 images x 8 x 3 scales; the released solver's 6,536 iterations of 128 fit stride 31 (floored to 64)."""
    recipe = replace(drrn.PUBLISHED, stride=stride)
    assert len(recipe.turns) * len(make_patches(dataset("T291"), recipe)) == count
    assert 836_648 // 64 * 64 == 6_536 * 128


@pytest.mark.slow
def test_rlcscs_pair_count(dataset):
    """Witness: RL-CSC, Section 5.2, "a total of 1,929,728 LR-HR training pairs"; its lineage's script keeps batches of 64."""
    recipe = rlcsc.EXPERIMENTS[0].recipe("published")
    pairs = len(recipe.turns) * len(make_patches(dataset("T291"), recipe))
    assert pairs == 1_929_744
    assert pairs // 64 * 64 == 1_929_728


def test_small_images_are_left_out_and_counted(images, capsys):
    """The sentence says how many; where none is left, what is wanted."""
    small = [*images, ("small", images[0][1][:30])]
    assert len(make_patches(small, SMALL)) == len(make_patches(images, SMALL))
    assert "1 of 3 images are smaller than a patch of 31: left out" in capsys.readouterr().err
    with pytest.raises(InputError, match="No training image is as large as one patch of 31"):
        make_patches(small[2:], SMALL)
    with pytest.raises(InputError, match="one scale that divides its patch and stride"):
        make_patches(images, SMALL, "lr")


def test_prepared_images_are_kept_and_made_anew_when_damaged(tmp_path, monkeypatch, capsys):
    """Behaviour: the second call reads what the first wrote; a damaged file is named and replaced."""
    monkeypatch.setenv("SRLIB_CACHE", str(tmp_path))
    images = open_images("SampleTrain")
    first = make_patches(images, SMALL)
    (path,) = tmp_path.iterdir()
    load_tensors(path)
    monkeypatch.setattr("srlib.patches._pair", None)  # nothing is resized again
    again = make_patches(images, SMALL)
    assert torch.equal(first.hr.pixels, again.hr.pixels)
    monkeypatch.undo()
    monkeypatch.setenv("SRLIB_CACHE", str(tmp_path))
    path.write_bytes(path.read_bytes()[:-1])
    assert torch.equal(make_patches(images, SMALL).inputs["ilr"].pixels, first.inputs["ilr"].pixels)
    assert f"{path} is damaged" in capsys.readouterr().err
    load_tensors(path)
