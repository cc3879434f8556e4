"""Images against MATLAB's files, PIL, scikit-image and identities."""

import struct
import zlib

import numpy as np
import pytest
import skimage.color
from PIL import Image

from srlib.errors import InputError
from srlib.images import imresize, modcrop, read_image, rgb_to_luma, rgb_to_ycbcr, round_uint8, shave, ycbcr_to_rgb


@pytest.mark.parametrize("name", ["Set5", "Set14"])
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_lr_images_equal_matlab_bit_for_bit(dataset, reference, name, scale):
    """Witness: LR files made by MATLAB imresize (SelfExSR's release), every pixel of every image."""
    for image_name, image in dataset(name):
        matlab = read_image(reference / "matlab_lr" / name / f"x{scale}" / f"{image_name}.png")
        np.testing.assert_array_equal(imresize(modcrop(image, scale), 1 / scale, "replicate"), matlab, err_msg=image_name)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_the_borders_differ_only_near_the_edge(photo, scale):
    """Identity: how the image continues beyond its edge cannot matter farther inside than the kernel reaches."""
    image = modcrop(photo, scale)
    symmetric, replicate = (imresize(image, 1 / scale, border) for border in ("symmetric", "replicate"))
    assert (symmetric != replicate).any()
    np.testing.assert_array_equal(symmetric[3:-3, 3:-3], replicate[3:-3, 3:-3])


@pytest.mark.parametrize("scale", [0.5, 1 / 3, 0.25, 2.0, 3.0, 4.0])
def test_imresize_agrees_with_pil_away_from_the_border(photo, scale):
    """Witness: PIL's float bicubic, the same kernel with another border."""
    image = photo[:144, :168, 0].astype(np.float64)
    ours = imresize(image, scale)
    height, width = ours.shape
    theirs = np.asarray(Image.fromarray(image.astype(np.float32), "F").resize((width, height), Image.Resampling.BICUBIC))
    edge = 4 if scale < 1 else int(4 * scale)
    np.testing.assert_allclose(ours[edge:-edge, edge:-edge], theirs[edge:-edge, edge:-edge], atol=2e-3)


def test_imresize_keeps_a_constant_and_the_size_rounds_up():
    """Identity: weights sum to one; MATLAB's output size is ceil(scale n)."""
    np.testing.assert_allclose(imresize(np.full((20, 31), 0.3), 1 / 3), np.full((7, 11), 0.3), rtol=1e-14)
    for n in range(3, 3000, 3):
        assert int(np.ceil(n * (1 / 3))) == n // 3


def test_imresize_treats_channels_and_directions_alike(photo):
    """Identity: a colour image is its channels; for one scale, double precision knows no first direction."""
    x = photo / 255
    whole = imresize(x, 1 / 3)
    np.testing.assert_array_equal(whole[..., 1], imresize(x[..., 1], 1 / 3))
    np.testing.assert_allclose(imresize(x[..., 0].T, 1 / 3).T, imresize(x[..., 0], 1 / 3), atol=1e-15)


def test_luma_equals_scikit_images_and_rounds_half_up(photo):
    """Witness: skimage.color.rgb2ycbcr, which equals MATLAB's; MATLAB's uint8() for the rounding."""
    np.testing.assert_allclose(rgb_to_luma(photo), skimage.color.rgb2ycbcr(photo)[..., 0], atol=1e-12)
    np.testing.assert_array_equal(round_uint8(np.array([-3.0, 0.5, 1.5, 2.4999, 254.5, 300.0])), [0, 1, 2, 2, 255, 255])


def test_ycbcr_and_back_is_the_identity(photo):
    """Identity; and scikit-image is the witness for the forward matrix."""
    x = photo / 255
    np.testing.assert_allclose(rgb_to_ycbcr(x) * 255, skimage.color.rgb2ycbcr(photo), atol=1e-10)
    np.testing.assert_allclose(ycbcr_to_rgb(rgb_to_ycbcr(x)), x, atol=1e-12)


def test_modcrop_keeps_the_top_left_and_shave_removes_every_side():
    """Identity."""
    x = np.arange(11 * 14).reshape(11, 14)
    np.testing.assert_array_equal(modcrop(x, 4), x[:8, :12])
    np.testing.assert_array_equal(shave(x, 2), x[2:9, 2:12])
    with pytest.raises(InputError, match="leaves nothing to score after 6 pixels"):
        shave(x, 6)
    with pytest.raises(InputError, match="too small for scale 4"):
        modcrop(x[:3], 4)


@pytest.mark.parametrize(
    ("mode", "said"), [("P", "palette"), ("RGBA", "transparent"), ("I;16", "16-bit"), ("LA", "transparent"), ("1", "1-bit")]
)
def test_an_image_of_another_kind_is_refused_by_name(tmp_path, mode, said):
    """The sentence names the file, what it is and what is wanted."""
    path = tmp_path / "image.png"
    Image.new(mode, (20, 20)).save(path)
    with pytest.raises(InputError, match=rf"image.png is .*{said}.*8-bit grey or RGB is wanted"):
        read_image(path)


def test_16_bit_colour_is_refused_though_pil_would_truncate_it(tmp_path):
    """PIL opens a 16-bit RGB PNG as 8-bit without a word; here the file is written by hand."""

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", 8, 8, 16, 2, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + bytes(range(48)) for _ in range(8)))
    path = tmp_path / "deep.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b""))
    with pytest.raises(InputError, match=r"deep.png is a 16-bit image"):
        read_image(path)


def test_grey_and_rgb_are_read_and_damage_is_named(tmp_path):
    """Grey is an image like any other (Set14's bridge); a torn file is not."""
    Image.new("L", (20, 10)).save(tmp_path / "grey.png")
    assert read_image(tmp_path / "grey.png").shape == (10, 20)
    whole = (tmp_path / "grey.png").read_bytes()
    (tmp_path / "torn.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"torn.png cannot be read"):
        read_image(tmp_path / "torn.png")
    with pytest.raises(InputError, match=r"none.png does not exist"):
        read_image(tmp_path / "none.png")
