"""Metrics against MATLAB's scores, scikit-image, pyrtools and identities."""

import json

import numpy as np
import pyrtools
import pytest
import skimage.metrics
from PIL import Image

from srlib.errors import InputError
from srlib.images import imresize, rgb_to_luma
from srlib.metrics import _subbands, ifc, psnr, ssim
from srlib.protocol import PROTOCOLS, score_images


@pytest.fixture
def pair(photo):
    """A luma image and its bicubic counterpart, 0..255."""
    image = rgb_to_luma(photo)[:, :168]
    return image, imresize(imresize(image, 0.5), 2)


@pytest.mark.parametrize("name", ["Set5", pytest.param("Set14", marks=pytest.mark.slow)])
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_scores_equal_matlabs_image_by_image(dataset, reference, name, scale):
    """Witness: MATLAB's scores of bicubic (SelfExSR's released tables), printed to six decimals."""
    theirs = json.loads((reference / "bicubic_matlab_set5_set14.json").read_text())[name][f"x{scale}"]
    ours = score_images(dataset(name), scale, PROTOCOLS["selfexsr"], progress=False)
    assert list(ours.image) == theirs["images"]
    for metric in ("psnr", "ssim", "ifc"):
        np.testing.assert_allclose(ours[metric], theirs[metric], rtol=0, atol=5.1e-7, err_msg=metric)


def test_psnr_equals_scikit_images(pair):
    """Witness: skimage.metrics; infinite for equal images by definition."""
    assert psnr(*pair) == pytest.approx(skimage.metrics.peak_signal_noise_ratio(*pair, data_range=255), abs=1e-12)
    assert psnr(pair[0], pair[0]) == float("inf")


def test_the_pyramid_is_pyrtools(photo):
    """Witness: pyrtools' steerable pyramid, bands 0 and 3 of each level up to sign, on a side that is no power of two."""
    image = rgb_to_luma(photo)
    pyramid = pyrtools.pyramids.SteerablePyramidSpace(image, height=4, order=5, edge_type="reflect1")
    theirs = [pyramid.pyr_coeffs[level, band] for level in range(4) for band in (0, 3)]
    for ours, other in zip(_subbands(image), theirs, strict=True):
        np.testing.assert_allclose(ours * np.sign((ours * other).sum()), other, atol=1e-10)


def test_ifc_falls_with_quality_and_does_not_depend_on_brightness(pair):
    """Identity: an image tells most about itself, a stronger blur less, a flat copy nothing; bands of a constant are zero."""
    image, good = pair
    poor = imresize(imresize(image, 1 / 3), 3)[:, : image.shape[1]]
    assert ifc(image, image) > ifc(image, good) > ifc(image, poor[: image.shape[0]]) > 0
    assert ifc(image, np.full_like(image, 128)) == 0
    assert ifc(image + 10, good + 10) == pytest.approx(ifc(image, good), rel=1e-9)
    with pytest.raises(InputError, match="undefined for a flat image"):
        ifc(np.full((100, 100), 77.0), np.full((100, 100), 77.0))


@pytest.mark.parametrize(("metric", "side"), [(psnr, 1), (ssim, 11), (ifc, 72)])
def test_sizes_that_differ_or_are_too_small_and_nan_are_errors(metric, side):
    """The sentence gives both shapes, or the size that is needed."""
    x = np.random.default_rng(0).uniform(0, 255, (80, 90))
    with pytest.raises(InputError, match=r"one size, but got \(80, 90\) and \(80, 89\)"):
        metric(x, x[:, :-1])
    with pytest.raises(InputError, match=f"at least {side} pixels a side"):
        metric(x[: side - 1], x[: side - 1])
    with pytest.raises(InputError, match="NaN or infinity"):
        metric(x, np.where(x > 254, np.nan, x))


@pytest.mark.parametrize("metric", [psnr, ssim])
def test_another_range_is_refused(photo, metric):
    """0..1 would be 48 dB too good, 16 bits 48 dB too bad; a PIL image is the array that it holds."""
    grey = photo[..., 1]
    for wrong in (grey / 255, grey.astype(np.uint16) * 257, grey / 127.5 - 1, grey > 99):
        with pytest.raises(InputError, match=r"is of 0..255, but an image has|compares arrays of numbers"):
            metric(wrong, wrong)
        with pytest.raises(InputError, match=r"is of 0..255, but an image has|compares arrays of numbers"):
            metric(grey, wrong)
    assert metric(Image.fromarray(grey), grey.astype(int) // 2) == metric(grey, grey // 2)
