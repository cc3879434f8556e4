"""Protocols against the published bicubic rows and the published VDSR column."""

import numpy as np
import pytest

from srlib.errors import InputError
from srlib.images import imresize, modcrop, rgb_to_luma, round_uint8
from srlib.inference.enlarge import as_method
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
