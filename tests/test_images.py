"""Images against MATLAB's files, PIL, scikit-image and identities."""

import numpy as np
import png
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
    image = photo[:144, :168, 0].astype(np.float32)
    ours = imresize(image, scale)
    theirs = np.asarray(Image.fromarray(image).resize(ours.shape[::-1], Image.Resampling.BICUBIC))
    edge = 4 if scale < 1 else int(4 * scale)
    np.testing.assert_allclose(ours[edge:-edge, edge:-edge], theirs[edge:-edge, edge:-edge], atol=2e-3)


def test_imresize_keeps_a_constant_and_treats_channels_and_directions_alike(photo):
    """Identity: weights sum to one; MATLAB's size is ceil(scale n); double precision knows no first direction."""
    np.testing.assert_allclose(imresize(np.full((20, 31), 0.3), 1 / 3), np.full((7, 11), 0.3), rtol=1e-14)
    assert all(int(np.ceil(n * (1 / 3))) == n // 3 for n in range(3, 3000, 3))
    x = photo / 255
    np.testing.assert_array_equal(imresize(x, 1 / 3)[..., 1], imresize(x[..., 1], 1 / 3))
    np.testing.assert_allclose(imresize(x[..., 0].T, 1 / 3).T, imresize(x[..., 0], 1 / 3), atol=1e-15)


def test_colours_are_scikit_images_and_rounding_is_matlabs(photo):
    """Witness: skimage.color.rgb2ycbcr, which equals MATLAB's; MATLAB's uint8() for the rounding; there and back."""
    theirs, x = skimage.color.rgb2ycbcr(photo), photo / 255
    np.testing.assert_allclose(rgb_to_luma(photo), theirs[..., 0], atol=1e-12)
    np.testing.assert_allclose(rgb_to_ycbcr(x) * 255, theirs, atol=1e-10)
    np.testing.assert_allclose(ycbcr_to_rgb(rgb_to_ycbcr(x)), x, atol=1e-12)
    np.testing.assert_array_equal(round_uint8(np.array([-3.0, 0.5, 1.5, 2.4999, 254.5, 300.0])), [0, 1, 2, 2, 255, 255])


def test_modcrop_keeps_the_top_left_and_shave_removes_every_side():
    """Identity."""
    x = np.arange(11 * 14).reshape(11, 14)
    np.testing.assert_array_equal(modcrop(x, 4), x[:8, :12])
    np.testing.assert_array_equal(shave(x, 2), x[2:9, 2:12])
    with pytest.raises(InputError, match="leaves nothing to score after 6 pixels"):
        shave(x, 6)
    with pytest.raises(InputError, match="too small for scale 4"):
        modcrop(x[:3], 4)


def test_grey_and_rgb_are_read_and_all_else_is_refused_by_name(tmp_path, monkeypatch, photo):
    """The sentence names the file, what it is and what is wanted; PIL would cut 16-bit colour to 8 without a word."""
    monkeypatch.chdir(tmp_path)
    for mode in ("L", "RGBA", "I;16", "LA", "1", "CMYK"):
        Image.new(mode, (20, 10)).save(f"{mode.replace(';', '')}.tif")
    assert read_image("L.tif").shape == (10, 20)
    png.from_array([range(24)] * 8, "RGB;16").save("deep.tif")
    Image.new("L", (20, 10)).save("pages.tif", save_all=True, append_images=[Image.new("L", (20, 10))])
    kinds = {"RGBA": "transparent", "LA": "transparent", "1": "1-bit", "I16": "16-bit", "deep": "16-bit", "pages": "2-page"}
    for name, kind in (kinds | {"CMYK": "CMYK"}).items():
        with pytest.raises(InputError, match=rf"{name}.tif is a {kind} image, but 8-bit grey or RGB is wanted"):
            read_image(f"{name}.tif")
    Image.new("L", (20, 10)).save("L.png")
    (tmp_path / "torn.png").write_bytes((tmp_path / "L.png").read_bytes()[:40])
    with pytest.raises(InputError, match=r"torn.png cannot be read"):
        read_image("torn.png")
    with pytest.raises(InputError, match=r"none.png does not exist"):
        read_image("none.png")


def test_a_palette_and_alpha_that_hides_nothing_lose_nothing(tmp_path, photo):
    """Every pixel is the one that was saved."""
    image = Image.fromarray(photo[:20, :30])
    indexed = image.quantize(64)
    indexed.save(tmp_path / "p.png")
    image.convert("RGBA").save(tmp_path / "a.png")
    image.convert("L").convert("LA").save(tmp_path / "la.png")
    np.testing.assert_array_equal(read_image(tmp_path / "p.png"), np.asarray(indexed.convert("RGB")))
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), photo[:20, :30])
    np.testing.assert_array_equal(read_image(tmp_path / "la.png"), np.asarray(image.convert("L")))


@pytest.mark.parametrize("suffix", ["png", "tif", "webp"])
def test_images_are_read_upright(tmp_path, photo, suffix):
    """The eight orientations of EXIF, each against PIL's own turn; damaged EXIF is none."""
    image = Image.fromarray(photo[:20, :31])
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[274] = orientation
        image.save(tmp_path / f"x.{suffix}", exif=exif, **({"lossless": True} if suffix == "webp" else {}))
        turns = {2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}  # numbers of PIL's transpositions
        expected = image if orientation == 1 else image.transpose(turns[orientation])
        np.testing.assert_array_equal(read_image(tmp_path / f"x.{suffix}"), np.asarray(expected))
    image.save(tmp_path / "torn.png", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff")
    np.testing.assert_array_equal(read_image(tmp_path / "torn.png"), photo[:20, :31])


def test_what_is_no_image_is_a_sentence(photo):
    """Another type, dtype, shape or scale: never a number that looks right."""
    for function, arguments, said in (
        (imresize, (Image.fromarray(photo), 2), "The image is a Image, but uint8 or floats"),
        (imresize, (photo.astype(np.uint16), 2), "The image is uint16 of shape"),
        (imresize, (photo[None], 2), "of shape"),
        (imresize, (photo, 0), "a scale of 0 are none"),
        (imresize, (photo, float("nan")), "a scale of nan are none"),
        (imresize, (photo, "2"), "a scale of 2 are none"),
        (imresize, (photo, 1e-9), "a scale of 1e-09 are none"),
        (imresize, (photo[:0], 2), "An image of shape"),
        (shave, (photo, -3), "leaves nothing to score"),
        (rgb_to_luma, (np.dstack([photo, photo[..., 0]]),), "leave alpha out, channels last"),
        (rgb_to_luma, (photo.transpose(2, 0, 1),), "leave alpha out, channels last"),
    ):
        with pytest.raises(InputError, match=said):
            function(*arguments)
