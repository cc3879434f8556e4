"""Protocols against the published bicubic rows and the published VDSR column."""

import numpy as np
import pytest
from PIL import Image

from srlib.errors import InputError
from srlib.images import imresize, modcrop, rgb_to_luma, round_uint8, shave
from srlib.inference.enlarge import as_method
from srlib.metrics import ifc
from srlib.models import VDSR
from srlib.papers import PAPERS, claims
from srlib.protocol import PROTOCOLS, get_protocol, score_images
from srlib.training.checkpoint import load_weights

SLOW = [("Set5", 3), ("Set5", 4), ("Set14", 2), ("Set14", 3), ("Set14", 4)]
BICUBIC = [c for paper in PAPERS for c in claims(paper) if c.experiment == "bicubic" and c.dataset != "Manga109"]


@pytest.mark.parametrize("name", ["Set5", *(pytest.param(n, marks=pytest.mark.slow) for n in ("Set14", "BSD100", "Urban100"))])
def test_bicubic_rows_come_out_to_the_printed_digit(dataset, name):
    """Witness: the bicubic rows of all four papers; only cells whose note says so may differ."""
    wanted = [c for c in BICUBIC if c.dataset == name]
    means = {}
    for protocol, scale in sorted({(c.protocol, c.scale) for c in wanted}):
        metrics = tuple({c.metric for c in wanted if c.protocol == protocol})
        means[protocol, scale] = score_images(dataset(name), scale, PROTOCOLS[protocol], None, metrics, progress=False)
    wrong = {c.id for c in wanted if not c.printed_alike(means[c.protocol, c.scale][c.metric].mean())}
    assert wrong == {c.id for c in wanted if c.note}


@pytest.mark.parametrize(("name", "scale"), [pytest.param(n, s, marks=pytest.mark.slow) for n, s in [("Set5", 2), *SLOW]])
def test_released_vdsr_scores_what_is_published(dataset, reference, name, scale):
    """Witness: VDSR's released weights; DRRN's Table 2 prints their scores."""
    method = as_method(load_weights(VDSR(), reference / "vdsr_official.npz"))
    scores = score_images(dataset(name), scale, PROTOCOLS["vdsr"], method, ("psnr", "ssim"), progress=False)
    published = [c for c in claims("drrn") if c.id.startswith(f"drrn.t2.{name.lower()}.x{scale}.vdsr.")]
    assert len(published) == 2
    for claim in published:
        assert abs(claim.gap(scores[claim.metric].mean())) < {"psnr": 0.01, "ssim": 1e-4}[claim.metric]


@pytest.mark.parametrize("name", PROTOCOLS)
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_every_protocol_scores_colour_and_grey(photo, name, scale):
    """Identity: LR has the size of HR over scale, ILR that of the cropped HR, and HR itself scores best."""
    protocol = PROTOCOLS[name]
    for image in (photo, photo[..., 1]):
        lr = protocol.degrade(image, scale)
        ilr = protocol.interpolate(lr, scale)
        reference = protocol.reference(image, scale)
        assert ilr.shape == reference.shape
        assert [n * scale for n in lr.shape[:2]] == list(reference.shape[:2])
        bicubic = protocol.score(image, ilr, scale)
        assert protocol.evaluate(image, scale)[:2] == bicubic[:2]
        assert 20 < bicubic.psnr < 45
        assert protocol.score(image, reference, scale).psnr == float("inf")
        assert np.isfinite(bicubic).all()


def test_drrn_is_luma_first_and_lapsrn_colour_first(photo):
    """Identity: the steps of both protocols, written out."""
    y = round_uint8(rgb_to_luma(modcrop(photo, 3))) / 255
    np.testing.assert_array_equal(PROTOCOLS["drrn"].degrade(photo, 3), imresize(y, 1 / 3))
    rgb = modcrop(photo, 3) / 255
    np.testing.assert_array_equal(PROTOCOLS["lapsrn"].degrade(photo, 3), imresize(rgb, 1 / 3, "replicate"))
    assert PROTOCOLS["selfexsr"].degrade(photo, 3).dtype == np.uint8


def test_a_result_of_another_size_or_kind_is_an_error(photo):
    """Sentences for a wrong result, a wrong scale and a wrong protocol."""
    protocol = PROTOCOLS["drrn"]
    nan = protocol.reference(photo, 3) / 255
    nan[5, 5] = np.nan
    for function, arguments, said in (
        (protocol.score, (photo, np.zeros((30, 30)), 3), r"The result has 30 x 30 pixels, but"),
        (protocol.score, (photo, nan, 3), "NaN or infinite pixels"),
        (protocol.degrade, (photo, 5), "Scale 5 is not defined"),
        (protocol.degrade, (photo / 255, 3), "The original is float64 of shape .* uint8 is wanted"),
        (get_protocol, ("drn",), "'drn' is unknown: choose one of drrn, vdsr"),
    ):
        with pytest.raises(InputError, match=said):
            function(*arguments)


@pytest.mark.parametrize("name", PROTOCOLS)
def test_a_grey_result_is_the_same_saved_as_rgb(photo, name):
    """Identity: the numbers of a grey original do not depend on how many equal channels its result is saved in."""
    protocol, grey = PROTOCOLS[name], photo[..., 1]
    sr = imresize(imresize(modcrop(grey, 3), 1 / 3), 3)
    rgb = np.repeat(sr[..., None], 3, axis=2)
    score = protocol.score(grey, sr, 3)
    assert protocol.score(grey, rgb, 3) == score == protocol.score(grey, rgb / 255, 3)
    assert score.psnr == pytest.approx(protocol.evaluate(grey, 3, metrics=("psnr",)).psnr, abs=0.6)
    if protocol.grey_as_rgb:
        assert score == protocol.score(np.repeat(grey[..., None], 3, axis=2), rgb, 3)


def test_colours_that_do_not_go_together_are_refused(photo):
    """A colour result of a grey original where it is luma, a grey one of a colour original where RGB is compared."""
    sr = modcrop(photo, 3)
    for name in ("drrn", "vdsr", "selfexsr"):
        with pytest.raises(InputError, match="The result has colour, but the original is grey"):
            PROTOCOLS[name].score(photo[..., 1], sr, 3)
    for name in ("lapsrn", "rgb_floaty", "selfexsr", "div2k_rgb"):
        with pytest.raises(InputError, match="The result is grey, but the original has colour"):
            PROTOCOLS[name].score(photo, sr[..., 1], 3)
    luma = round_uint8(rgb_to_luma(sr))
    assert PROTOCOLS["drrn"].score(photo, luma, 3) == PROTOCOLS["drrn"].score(photo, sr, 3)
    assert PROTOCOLS["drrn"].score(photo, np.dstack([luma] * 3), 3) == PROTOCOLS["drrn"].score(photo, sr, 3)


@pytest.mark.parametrize("name", PROTOCOLS)
def test_luma_and_grey_are_not_taken_for_each_other(photo, name):
    """Whatever the quality: a blurred, noisy or dark result in its range is scored, and in the other range it is refused."""
    protocol, noise = PROTOCOLS[name], np.random.default_rng(0).normal(0, 25, photo.shape[:2])
    grey, luma = photo[..., 1] / 1.0, rgb_to_luma(photo)
    blurred = imresize(imresize(modcrop(grey, 4) / 255, 1 / 4), 4) * 255
    for hr, ours, theirs in (
        (photo[..., 1], grey, lambda x: 16 + x * 219 / 255),
        (photo, luma, lambda x: (x - 16) * 255 / 219),
    ):
        if hr.ndim == 3 and protocol.colour == "rgb":
            continue
        soft = blurred if hr.ndim == 2 else imresize(imresize(modcrop(luma, 4) / 255, 1 / 4), 4) * 255
        for result in (ours, soft, ours + noise, ours - 12):
            hr_part = hr[: result.shape[0], : result.shape[1]]
            sr = modcrop(result, 3)
            assert protocol.score(hr_part, round_uint8(sr), 3, "psnr").psnr > 15
            for other in (round_uint8(theirs(sr)), np.clip(theirs(sr) / 255, 0, 1)) if result.mean() > ours.mean() - 6 else ():
                with pytest.raises(InputError, match=r"The result is (luma|grey) of"):
                    protocol.score(hr_part, other, 3, "psnr")
    assert protocol.score(photo, np.zeros_like(protocol.reference(photo, 3)), 3, "psnr").psnr < 10  # a dead network


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda x: 255 * x, "floats from .* but 0..1 is wanted"),
        (lambda x: 2 * x - 1, "floats from -1 to"),
        (lambda x: (255 * x).astype(int), "is int64 of shape"),
        (lambda x: (65535 * x).astype(np.uint16), "is uint16 of shape"),
        (lambda x: x > 0.5, "is bool of shape"),
        (lambda x: x.transpose(2, 0, 1), "is float64 of shape"),
        (lambda x: x[None], "is float64 of shape"),
        (lambda x: Image.fromarray(round_uint8(255 * x)), "is a Image"),
        (lambda x: x.tolist(), "is a list"),
        (lambda x: None, "is a NoneType"),
        (lambda x: x - 1j, "is complex128"),
        (lambda x: x - 0.5, "floats from -0.5 to"),
        (lambda x: np.ma.masked_greater(x, 0.5), "is a MaskedArray"),
    ],
)
def test_a_result_in_another_range_or_type_is_refused(photo, change, said):
    """A method that returns it is, too; half and single precision are floats as double is."""
    protocol, sr = PROTOCOLS["rgb_floaty"], modcrop(photo, 3) / 255
    sr[0, 0] = 0, 0, 1  # the ends of the range
    with pytest.raises(InputError, match=said):
        protocol.score(photo, change(sr), 3, ("psnr",))
    with pytest.raises(InputError, match=said):
        protocol.evaluate(photo, 3, lambda lr, ilr, scale: change(sr), ("psnr",))
    assert protocol.score(photo, sr.astype(np.float32), 3, ("psnr",)) == protocol.score(photo, sr, 3, ("psnr",))


def test_a_flat_grey_result_saved_as_rgb_is_grey():
    """Identity: all of one level, as a clear sky is; equal images have an infinite PSNR under every protocol."""
    flat = np.full((60, 60), 90, np.uint8)
    for protocol in PROTOCOLS.values():
        assert protocol.score(flat, np.dstack([flat] * 3), 3, "psnr").psnr == float("inf")


def test_ifc_of_a_finished_result_is_on_the_variants_range(photo):
    """LapSRN's IFC is of luma in 0..1, whoever made the result; the numbers of the two ranges differ."""
    sr = PROTOCOLS["lapsrn"].interpolate(PROTOCOLS["lapsrn"].degrade(photo, 3), 3)
    score = PROTOCOLS["lapsrn"].score(photo, sr, 3, ("ifc",))
    x, y = (shave(rgb_to_luma(image) / 255, 3) for image in (modcrop(photo, 3), round_uint8(255 * sr)))
    assert score.ifc == ifc(x, y)
    assert abs(score.ifc - ifc(255 * x, 255 * y)) > 1e-4


@pytest.mark.parametrize("name", PROTOCOLS)
def test_a_given_lr_image_takes_the_place_of_the_protocols(photo, name):
    """Identity: with its own LR image an 8-bit protocol scores as always; sizes and colours are checked."""
    protocol = PROTOCOLS[name]
    small = imresize(modcrop(photo, 3), 1 / 3, protocol.border)
    score = protocol.evaluate(photo, 3, metrics=("psnr",), lr=small)
    if protocol.lr_uint8:
        assert score == protocol.evaluate(photo, 3, metrics=("psnr",))
    else:
        assert score.psnr == pytest.approx(protocol.evaluate(photo, 3, metrics=("psnr",)).psnr, abs=0.2)
    with pytest.raises(
        InputError, match="The LR image gives 168 x 150 pixels at scale 3, but the cropped original has 171 x 150"
    ):
        protocol.evaluate(photo, 3, lr=small[:, 1:])
    with pytest.raises(InputError, match="The LR image is grey"):
        protocol.evaluate(photo, 3, lr=np.asarray(Image.fromarray(small).convert("L")))
    if protocol.colour == "luma":  # what `degrade` writes of a colour original
        luma = round_uint8(255 * protocol.degrade(photo, 3))
        assert protocol.evaluate(photo, 3, metrics="psnr", lr=luma).psnr == pytest.approx(score.psnr, abs=0.2)


def test_unknown_metrics_are_refused(photo):
    """Never left out in silence."""
    for metrics in (("psnr", "lpips"), "lpips"):
        with pytest.raises(InputError, match="'lpips' is unknown: choose some of psnr,ssim,ifc"):
            PROTOCOLS["drrn"].evaluate(photo, 3, metrics=metrics)
    assert PROTOCOLS["drrn"].evaluate(photo, 3, metrics="psnr") == PROTOCOLS["drrn"].evaluate(photo, 3, metrics=("psnr",))
