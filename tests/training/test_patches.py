"""Patches: cut where the papers cut them, turned as the square turns, counted as the papers count."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from srlib.datasets import open_images
from srlib.errors import InputError
from srlib.images import rgb_to_luma
from srlib.papers import drrn, rlcsc
from srlib.protocol import PROTOCOLS
from srlib.training.checkpoint import load_tensors
from srlib.training.patches import Sampler, make_patches
from srlib.training.recipe import REFLECTIONS, ROTATIONS

SMALL = replace(drrn.FAST, scales=(3,), patch=31, stride=21, batch=28)
LOW = replace(SMALL, patch=24, stride=12)
TURNS = ROTATIONS + REFLECTIONS


@pytest.fixture
def images(photo):
    return [("cat", photo), ("tac", photo[:, ::-1])]


def draw(sampler, *iterations):
    """HR patches of some iterations."""
    for k in iterations:
        sampler.seek(k)
        yield sampler.draw(torch.tensor(k))[1]


def turned(image, turn):
    """A whole image under a symmetry of the square, as `srlib.training.recipe` numbers them: a copy that the papers store."""
    image = image.swapaxes(0, 1) if turn & 4 else image
    image = image[::-1] if turn & 1 else image
    return image[:, ::-1] if turn & 2 else image


@pytest.mark.parametrize("turn", range(8))
@pytest.mark.parametrize(
    ("domain", "colour", "degradation"),
    [("ilr", "luma", "drrn"), ("lr+ilr", "luma", "drrn"), ("lr", "rgb", "rgb_floaty"), ("lr+ilr", "luma", "div2k_rgb")],
)
def test_every_patch_is_a_crop_of_the_turned_whole_image(images, domain, colour, degradation, turn):
    """Identity: at every place of the lattice that is laid over that copy from its own first pixel; HR, LR and ILR alike."""
    patches = make_patches(images, LOW, domain, colour, degradation)
    protocol, image = PROTOCOLS[degradation], images[0][1]
    lr = protocol.degrade(image, 3)
    whole = {"hr": protocol.reference(image, 3), "lr": lr, "ilr": protocol.interpolate(lr, 3)}
    rows, columns = ((n - LOW.patch) // LOW.stride + 1 for n in image.shape[:2])
    which = torch.arange(rows * columns)
    assert len(patches) == 2 * len(which)  # so many as in the papers, whatever the copy
    for kind, source in {"hr": patches.hr, **patches.inputs}.items():
        x, atol = whole[kind] / 255 if whole[kind].dtype == np.uint8 else whole[kind], 1e-6
        if colour == "luma" and x.ndim == 3:
            x, atol = rgb_to_luma(255 * x) / 255, 0.51 / 255 if kind == "hr" else 1e-6  # HR is kept in 8 bits
        zoom = 3 if kind == "lr" else 1
        size, stride = LOW.patch // zoom, LOW.stride // zoom
        copy = turned(x.reshape(*x.shape[:2], -1), turn)
        drawn = source.crop(which, torch.full_like(which, turn)).permute(0, 2, 3, 1)
        for k in which.tolist():
            r, c = k // columns * stride, k % columns * stride
            r, c = (c, r) if turn & 4 else (r, c)
            np.testing.assert_allclose(drawn[k], copy[r : r + size, c : c + size], atol=atol, err_msg=f"{kind}, patch {k}")


def test_augmentation_is_the_eight_symmetries_of_the_square(photo):
    """Witness: numpy's rot90 and fliplr, on an image of one patch; the first four of `TURNS` are the rotations."""
    patches = make_patches([("middle", photo[48:72, 48:72])], replace(SMALL, patch=24))
    drawn = [x.numpy().tobytes() for x in patches.hr.crop(torch.zeros(8, dtype=int), torch.tensor(TURNS))[:, 0]]
    square = patches.hr.crop(torch.tensor([0]), torch.tensor([0]))[0, 0].numpy()
    assert set(drawn[:4]) == {np.rot90(square, k).tobytes() for k in range(4)}
    assert set(drawn[4:]) == {np.rot90(np.fliplr(square), k).tobytes() for k in range(4)}


def test_every_pass_shows_every_patch_once_and_is_a_function_of_the_seed(images):
    """Identity: the sampler's order of a pass depends on the seed and the pass alone."""
    patches = make_patches(images, SMALL)
    assert len(patches) == 84

    def sampler(seed=3):
        return Sampler(patches, SMALL.batch, SMALL.transforms, seed)

    batches, passes = list(draw(sampler(), *range(6))), []
    for k in (0, 3):
        of_pass = sampler()
        of_pass.seek(k)
        passes.append((of_pass.order.tolist(), of_pass.transform.tolist()))
        assert sorted(passes[-1][0]) == list(range(84))
        assert set(passes[-1][1]) == set(range(8))
        assert torch.equal(patches.hr.crop(of_pass.order, of_pass.transform), torch.cat(batches[k : k + 3]))
    assert passes[0] != passes[1]
    assert torch.equal(next(draw(sampler(), 4)), batches[4])  # as after a restart
    assert not torch.equal(next(draw(sampler(seed=4), 0)), batches[0])


def test_a_set_smaller_than_a_batch_repeats(images):
    """Edge: one image of few patches still fills a batch."""
    patches = make_patches(images[:1], replace(SMALL, stride=100))
    assert len(patches) == 4
    assert next(draw(Sampler(patches, SMALL.batch, SMALL.transforms, 3), 2)).shape == (28, 1, 31, 31)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("recipe", "count", "whole_batches"),
    [
        # 291 images x 8 x 3 scales; the released solver's 6,536 iterations of 128 fit stride 31.
        (replace(drrn.PUBLISHED, stride=21), 1_722_720, 1_722_688),
        (replace(drrn.PUBLISHED, stride=31), 836_648, 6_536 * 128),
        # Section 5.2, "a total of 1,929,728 LR-HR training pairs".
        (rlcsc.EXPERIMENTS[0].recipe("published"), 1_929_744, 1_929_728),
    ],
    ids=["drrn-21", "drrn-31", "rlcsc"],
)
def test_pairs_are_as_many_as_the_papers(dataset, recipe, count, whole_batches):
    """Witness: the text or the released solver; scripts of this lineage keep whole batches of 64."""
    pairs = len(recipe.transforms) * len(make_patches(dataset("T291"), recipe))
    assert (pairs, pairs // 64 * 64) == (count, whole_batches)


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
    with monkeypatch.context() as patch:
        patch.setattr("srlib.training.patches._pair", None)  # nothing is resized again
        assert torch.equal(first.hr.pixels, make_patches(images, SMALL).hr.pixels)
    path.write_bytes(path.read_bytes()[:-1])
    assert torch.equal(make_patches(images, SMALL).inputs["ilr"].pixels, first.inputs["ilr"].pixels)
    assert f"{path} is damaged" in capsys.readouterr().err
    load_tensors(path)
