"""Pictures in and out, against PIL, tifffile and pypng as outside witnesses."""

import io
from pathlib import Path

import numpy as np
import png
import pytest
import tifffile
from PIL import Image, ImageCms, ImageOps, PngImagePlugin

from srlib import files
from srlib.errors import InputError
from srlib.inference.pictures import open_picture

PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
CHANNELS = {"L": 1, "LA": 2, "RGB": 3, "RGBA": 4}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Relative paths lead to an empty folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def noise(channels, dtype=np.uint8, seed=0):
    """Noise, (12, 17) or (12, 17, channels)."""
    x = np.random.default_rng(seed).integers(0, np.iinfo(dtype).max, (12, 17, channels), dtype, endpoint=True)
    return x[..., 0] if channels == 1 else x


def exif(orientation=1):
    """EXIF with names, a date, a maker's note and a place."""
    tags = Image.Exif()
    tags.update({271: "Maker", 274: orientation, 315: "J\xf6rg".encode("latin-1")})
    tags.update({34665: {36867: "2020:02:02 02:02:02", 37500: b"as it was"}, 34853: {1: "N", 2: (46.0, 57.0, 8.0)}})
    return tags


def entry(orientation):
    """What stands in EXIF for an orientation, big-endian as PIL writes it."""
    return bytes([1, 18, 0, 3, 0, 0, 0, 1, 0, orientation])


def read_16_bit(path):
    """What pypng or tifffile find."""
    if path.endswith(".tif"):
        return tifffile.imread(path)
    width, height, rows, info = png.Reader(bytes=Path(path).read_bytes()).read()
    assert info["bitdepth"] == 16
    return np.array([np.asarray(row) for row in rows]).reshape(height, width, -1).squeeze()


def noted(path, *kinds):
    """The chunks of these kinds in a PNG, by pypng."""
    return [chunk for chunk in png.Reader(bytes=Path(path).read_bytes()).chunks() if chunk[0] in kinds]


@pytest.mark.parametrize("mode", CHANNELS)
@pytest.mark.parametrize("suffix", [".png", ".tif", ".webp", ".bmp"])
def test_8_bits_come_back_exactly(mode, suffix):
    """Witness: PIL, which writes the file that is read and reads the one that is written."""
    x = noise(CHANNELS[mode])
    Image.fromarray(x).save("in.png")
    picture = open_picture("in.png")
    assert (picture.pixels.ndim, picture.alpha is None) == (2 + ("RGB" in mode), "A" not in mode)
    if suffix == ".bmp" and "A" in mode:
        with pytest.raises(InputError, match=r"out.bmp cannot hold the transparency of in.png as BMP: write .png"):
            picture.save("out.bmp")
        return
    picture.save("out" + suffix)
    with Image.open("out" + suffix) as image:
        np.testing.assert_array_equal(np.asarray(image.convert(mode)), x)
    if suffix != ".webp" or "RGB" in mode:  # WebP knows no grey
        np.testing.assert_array_equal(open_picture("out" + suffix).to_array(), x)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_16_bits_come_back_exactly(channels, suffix):
    """Witnesses: pypng and tifffile, which write the file that is read and read the one that is written."""
    x = noise(channels, np.uint16)
    if channels == 2 and suffix == ".tif":
        with pytest.raises(InputError, match=r"out.tif cannot hold the 16 bits"):
            open_picture(x).check_writable("out.tif")
        return
    if suffix == ".png":
        png.from_array(x.reshape(12, -1), ["", "L", "LA", "RGB", "RGBA"][channels] + ";16").save("in.png")
    else:
        tifffile.imwrite("in.tif", x, photometric="rgb" if channels > 2 else "minisblack")
    picture = open_picture("in" + suffix)
    np.testing.assert_array_equal(picture.to_array(), x)
    picture.save("out" + suffix)
    np.testing.assert_array_equal(read_16_bit("out" + suffix), x)


def test_whatever_a_tiff_lays_out_otherwise_is_read_alike():
    """Witness: tifffile, which writes white as zero, planes, big-endian, BigTIFF, alpha multiplied in, and predicted."""
    x = noise(4, np.uint16)
    for options in ({"byteorder": ">"}, {"bigtiff": True}, {"compression": "deflate", "predictor": True}):
        tifffile.imwrite("x.tif", x, photometric="rgb", **options)
        np.testing.assert_array_equal(open_picture("x.tif").to_array(), x)
    tifffile.imwrite("x.tif", np.moveaxis(x, 2, 0), photometric="rgb", planarconfig="separate")
    np.testing.assert_array_equal(open_picture("x.tif").to_array(), x)
    tifffile.imwrite("x.tif", x[..., 0], photometric="miniswhite")
    np.testing.assert_array_equal(open_picture("x.tif").to_array(), 65535 - x[..., 0])
    x[..., 3] = 32768
    multiplied = np.dstack([x[..., :3] * (32768 / 65535), x[..., 3]]).round().astype(np.uint16)
    tifffile.imwrite("x.tif", multiplied, photometric="rgb", extrasamples=["assocalpha"])
    np.testing.assert_allclose(open_picture("x.tif").to_array(), x, atol=1)
    Image.fromarray(x[..., 0]).save("x.tif", compression="tiff_lzw")
    np.testing.assert_array_equal(open_picture("x.tif").to_array(), x[..., 0])


@pytest.mark.parametrize("dtype", ["u1", "u2", ">u2", "f4", "f8"])
@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 1), (5, 7, 2), (5, 7, 3), (5, 7, 4)])
def test_an_array_comes_back_in_its_dtype_and_shape(dtype, shape):
    """Identity; half rounds up and integers saturate; floats are clipped."""
    x = np.random.default_rng(0).random(shape)
    x = (x * np.iinfo(dtype).max if "u" in dtype else x).astype(dtype)
    picture = open_picture(x)
    back = picture.as_given()
    assert back.dtype == x.dtype
    np.testing.assert_array_equal(back, x)
    top = np.iinfo(dtype).max if "u" in dtype else 1
    outside = picture.with_pixels(np.full_like(picture.pixels, 1.5), None if picture.alpha is None else -picture.alpha - 1)
    assert set(np.unique(outside.to_array())) == ({top} if picture.alpha is None else {0, top})


def test_integers_round_half_up():
    """MATLAB's rule, at 8 and at 16 bits: numpy's would round half to even."""
    for dtype, top in ((np.uint8, 255), (np.uint16, 65535)):
        picture = open_picture(np.zeros((2, 2), dtype))
        result = picture.with_pixels(np.array([[0.5, 2.5], [1.5, 1.4999]]) / top).to_array()
        np.testing.assert_array_equal(result, [[1, 3], [2, 1]])


@pytest.mark.parametrize("mode", ["1", "P", "PA", "L", "LA", "RGB", "RGBA", "I;16"])
def test_a_pil_image_comes_back_as_one_with_its_notes(mode):
    """Witness: PIL's own conversion; 1 bit becomes grey, a palette colour."""
    image = Image.fromarray(noise(3)).convert("L" if mode in ("1", "I;16") else "P" if mode == "PA" else mode).convert(mode)
    image.info.update(icc_profile=PROFILE, dpi=(300, 300))
    wanted = {"1": "L", "P": "RGB", "PA": "RGBA"}.get(mode, mode)
    result = open_picture(image).as_given()
    assert result.mode == wanted
    assert (result.info["icc_profile"], result.info["dpi"]) == (PROFILE, (300, 300))
    np.testing.assert_array_equal(np.asarray(result), np.asarray(image.convert(wanted)))


def test_transparent_colours_become_alpha():
    """Witness: PIL for palettes, greys and colours; for a grey of 4 bits the PNG standard, which PIL misreads."""
    x = noise(1) // 32 * 32
    Image.fromarray(x).convert("P").save("p.png", transparency=3)
    Image.fromarray(x).save("l.png", transparency=64)
    Image.fromarray(np.dstack([x] * 3)).save("rgb.png", transparency=(64, 64, 64))
    for name in ("p.png", "l.png", "rgb.png"):
        with Image.open(name) as image:
            np.testing.assert_array_equal(open_picture(name).alpha * 255, np.asarray(image.convert("RGBA"))[..., 3])
    for bits, values in ((4, [[5, 0, 15], [1, 5, 2]]), (16, [[5, 0, 65535], [1, 5, 2]])):
        with Path("key.png").open("wb") as file:
            png.Writer(3, 2, greyscale=True, bitdepth=bits, transparent=5).write(file, values)
        picture = open_picture("key.png")
        np.testing.assert_array_equal(picture.alpha, [[0, 1, 1], [1, 0, 1]])
        np.testing.assert_array_equal(picture.pixels * (2**bits - 1), values)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif", "16.png", "16.tif"])
def test_a_picture_comes_upright_and_is_not_turned_again(orientation, suffix):
    """Witness: PIL's exif_transpose; the rest of EXIF stays, byte for byte but for a TIFF."""
    name, tags, x = f"in{suffix}", exif(orientation), noise(3)
    if suffix == "16.tif":
        tifffile.imwrite(name, x * np.uint16(257), photometric="rgb", extratags=[(274, 3, 1, orientation, True)])
    else:
        options = {"lossless": True} if suffix == ".webp" else {}
        Image.fromarray(x).save(name, exif=tags.tobytes(), **options)
    if suffix == "16.png":
        open_picture(x * np.uint16(257)).with_pixels(x / 255).save("deep.png")
        chunks = list(png.Reader(bytes=Path("deep.png").read_bytes()).chunks())
        chunks[1:1] = noted(name, b"eXIf")
        with Path(name).open("wb") as file:
            png.write_chunks(file, chunks)
    with Image.open(name) as image:
        raw = image.info.get("exif", b"")
        upright = np.asarray(ImageOps.exif_transpose(image))
    picture = open_picture(name)
    np.testing.assert_array_equal(picture.to_array() // (257 if "16" in suffix else 1), upright)
    if "tif" not in suffix:
        rest = raw.removeprefix(b"Exif\0\0").replace(entry(orientation), entry(1))
        assert picture.notes["exif"].removeprefix(b"Exif\0\0") == rest
    picture.save("out.png")
    with Image.open("out.png") as image:
        assert image.getexif().get(274, 1) == 1
        assert suffix == "16.tif" or image.getexif().get_ifd(34853)[2] == (46.0, 57.0, 8.0)
    assert open_picture("out.png").pixels.shape == picture.pixels.shape


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".webp", "16.png", "16.tif"])
@pytest.mark.parametrize("source", [".png", ".jpg", ".tif", ".webp"])
def test_profile_exif_and_resolution_survive(source, suffix):
    """Witness: PIL; the profile byte for byte, names beyond ASCII, the maker's note, the place."""
    Image.fromarray(noise(3)).save("in" + source, icc_profile=PROFILE, exif=exif().tobytes(), dpi=(300, 200), xmp=b"<x/>")
    picture = open_picture("in" + source)
    if "16" in suffix:
        deep = open_picture(noise(3, np.uint16))
        deep.notes.update(picture.notes)
        picture = deep
    picture.save("out" + suffix)
    with Image.open("out" + suffix) as image:
        tags = image.getexif()
        assert image.info["icc_profile"] == PROFILE
        assert (tags[271], tags[315]) == ("Maker", "J?rg" if source == ".tif" else "J\xf6rg")  # so PIL wrote the TIFF
        assert tags.get_ifd(34665)[37500] == b"as it was"
        assert tags.get_ifd(34853)[2] == (46.0, 57.0, 8.0)
        if source != ".webp" and suffix != ".webp":  # which has no place for it
            np.testing.assert_allclose([float(value) for value in image.info["dpi"]], (300, 200), atol=0.01)
        if source in (".jpg", ".webp"):  # PIL writes none into the others
            assert image.info["xmp"] == b"<x/>"


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_texts_and_gamma_of_a_png_survive(dtype):
    """Witness: PIL reads what PIL wrote; two texts may have one name; at 16 bits the chunks are moved by pypng."""
    notes = PngImagePlugin.PngInfo()
    notes.add_text("Comment", "first")
    notes.add_text("Comment", "second", zip=True)
    notes.add_itxt("Title", "\u5bcc\u58eb", "ja", "\u984c")
    notes.add(b"gAMA", (45455).to_bytes(4, "big"))
    Image.fromarray(noise(3)).save("in.png", pnginfo=notes)
    picture = open_picture(noise(3, dtype))
    picture.notes.update(open_picture("in.png").notes)
    picture.save("out.png")
    kept = noted("out.png", b"tEXt", b"zTXt", b"iTXt", b"gAMA")
    assert kept == noted("in.png", b"tEXt", b"zTXt", b"iTXt", b"gAMA")
    assert len(kept) == 4
    with Image.open("out.png") as image:
        assert (image.text["Title"], image.info["gamma"]) == ("\u5bcc\u58eb", 0.45455)


def test_a_jpeg_has_quality_95_and_full_colour():
    """Witness: PIL writing the same."""
    open_picture(noise(3)).save("out.jpg")
    Image.fromarray(noise(3)).save(buffer := io.BytesIO(), "JPEG", quality=95, subsampling=0)
    with Image.open("out.jpg") as ours, Image.open(buffer) as theirs:
        np.testing.assert_array_equal(np.asarray(ours), np.asarray(theirs))


@pytest.mark.slow
def test_a_large_tiff_of_one_strip_is_read():
    """As ours are written; libtiff alone would stop at 50 MB of packed noise, though PIL's limit of pixels is meant."""
    x = np.random.default_rng(0).integers(0, 65536, (3000, 3300, 3), np.uint16)
    open_picture(x).save("x.tif")
    np.testing.assert_array_equal(open_picture("x.tif").to_array(), x)


def test_a_description_of_the_layout_does_not_outlive_it():
    """tifffile notes the shape of what it writes; on an enlarged picture the note would mislead it."""
    tifffile.imwrite("in.tif", noise(3, np.uint16), photometric="rgb", software="a scanner")
    picture = open_picture("in.tif")
    picture.with_pixels(np.zeros((24, 34, 3))).save("out.tif")
    with tifffile.TiffFile("out.tif") as file:
        assert file.asarray().shape == (24, 34, 3)
        assert (file.pages.first.description, file.pages.first.software) == ("", "a scanner")


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (np.zeros((0, 5)), "shape .0, 5."),
        (np.zeros((3, 5, 7)), "shape .3, 5, 7. is no picture"),
        (np.zeros(5), "shape .5,."),
        (np.zeros((1, 1)), "1 x 1 pixels"),
        (np.zeros((2, 1)), "1 x 2 pixels"),
        (np.full((4, 4), np.nan), "NaN or infinite"),
        (np.full((4, 4), np.inf, np.float32), "NaN or infinite"),
        (np.full((4, 4), 255.0), "must stay in 0..1, this one has 255 to 255"),
        (np.zeros((4, 4), bool), "array of bool"),
        (np.zeros((4, 4), np.int64), "array of int64"),
        (np.zeros((4, 4), complex), "array of complex128"),
        (b"bytes", "bytes is no kind of picture"),
        ("none.png", "none.png does not exist"),
        (".", "is a folder"),
    ],
)
def test_what_is_no_picture_is_refused(array, said):
    """The sentence names what was given."""
    with pytest.raises(InputError, match=said):
        open_picture(array)


@pytest.mark.parametrize(
    ("mode", "name", "said"),
    [
        ("CMYK", "x.jpg", "mode CMYK"),
        ("CMYK", "x.tif", "mode CMYK"),
        ("LAB", "x.tif", "mode LAB"),
        ("HSV", None, "mode HSV"),
        ("YCbCr", None, "mode YCbCr"),
        ("I", "x.tif", "int32"),
        ("F", "x.tif", "float32"),
        ("I", None, "32-bit integer"),
        ("F", None, "32-bit float"),
        ("L", "one.png", "1 x 1 pixels"),
    ],
)
def test_other_kinds_are_refused_by_name(mode, name, said):
    """From a file, or as a PIL image."""
    image = Image.new(mode, (1, 1) if name == "one.png" else (9, 9))
    if name:
        image.save(name)
    with pytest.raises(InputError, match=said):
        open_picture(name or image)


@pytest.mark.parametrize("name", ["x.gif", "x.tif", "x.webp", "x.png"])
def test_several_frames_are_refused_with_their_number(name):
    """Animations and pages; the file of a camera with a second view, MPO, gives its main image."""
    frames = [Image.fromarray(noise(3, seed=seed)) for seed in range(3)]
    frames[0].save(name, save_all=True, append_images=frames[1:])
    with pytest.raises(InputError, match=f"{name} has 3 frames or pages"):
        open_picture(name)
    frames[0].save("x.jpg", "MPO", save_all=True, append_images=frames[1:])
    assert open_picture("x.jpg").pixels.shape == (12, 17, 3)


def test_16_bit_colour_that_pil_would_cut_is_refused():
    """A PIL image of such a file is no longer it; PPM is read by PIL alone."""
    png.from_array(noise(3, np.uint16).reshape(12, -1), "RGB;16").save("x.png")
    with Image.open("x.png") as image, pytest.raises(InputError, match=r"16 bits, of which PIL drops some: give the path"):
        open_picture(image)
    Path("x.ppm").write_bytes(b"P6 2 2 65535\n" + bytes(24))
    with pytest.raises(InputError, match=r"x.ppm has 16 bits"):
        open_picture("x.ppm")
    with pytest.raises(InputError, match=r"16 bits with colour or alpha, which PIL cannot hold"):
        open_picture("x.png").to_pil()


@pytest.mark.parametrize("name", ["x.png", "x.jpg", "x.tif", "x.bmp", "x.gif", "x.webp", "x.ppm", "deep.png", "deep.tif"])
def test_a_torn_file_is_refused(name, folder):
    """Wherever it is torn."""
    open_picture(noise(3, np.uint16)).save(name) if "deep" in name else Image.fromarray(noise(3)).save(name)
    whole = (folder / name).read_bytes()
    for size in range(0, len(whole), 1 + len(whole) // 20):
        (folder / name).write_bytes(whole[:size])
        with pytest.raises(InputError, match=name):
            open_picture(name)


def test_too_many_pixels_are_refused_before_they_are_unpacked(monkeypatch):
    """PIL's limit, brought down; twice the limit is its error."""
    Image.new("L", (30, 30)).save("x.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 449)
    with pytest.raises(InputError, match=r"x.png has too many pixels"):
        open_picture("x.png")


@pytest.mark.parametrize(
    ("shape", "dtype", "scale", "name", "said"),
    [
        ((9, 9, 3), np.uint16, 1, "x.jpg", "cannot hold the 16 bits of The array as JPEG"),
        ((9, 9, 3), np.uint16, 1, "x.bmp", "cannot hold the 16 bits"),
        ((9, 9, 3), np.uint16, 1, "x.webp", "cannot hold the 16 bits"),
        ((9, 9, 4), np.uint8, 1, "x.jpeg", "cannot hold the transparency of The array as JPEG"),
        ((9, 9), np.uint8, 1, "x.xyz", "no known image suffix: use one of .png, .tif"),
        ((9, 9), np.uint8, 1, ".", "is not a file"),
        ((9, 5000), np.uint8, 4, "x.webp", "cannot have that many pixels a side as WEBP"),
    ],
)
def test_what_a_file_cannot_hold_is_refused_before_any_work(shape, dtype, scale, name, said, folder):
    """Nothing is written."""
    with pytest.raises(InputError, match=said):
        open_picture(np.zeros(shape, dtype)).check_writable(name, scale)
    assert not list(folder.iterdir())


def test_nothing_is_left_behind_when_writing_fails(folder, monkeypatch):
    """Neither half a file nor a temporary one, and an older file stays."""
    picture = open_picture(noise(3))
    picture.notes["exif"] = b"Exif\0\0" + bytes(70000)
    with pytest.raises(InputError, match=r"x.jpg cannot be written as JPEG"):
        picture.save("x.jpg")
    (folder / "x.png").write_bytes(b"old")

    def fail(_):
        raise OSError("disk full")

    monkeypatch.setattr(files.os, "fsync", fail)
    with pytest.raises(InputError, match=r"x.png cannot be written .disk full"):
        picture.save("x.png")
    assert [path.name for path in folder.iterdir()] == ["x.png"]
    assert (folder / "x.png").read_bytes() == b"old"


def test_new_pixels_must_have_the_old_channels():
    """Grey stays grey, alpha stays alpha; the size is free, but one for both."""
    picture = open_picture(noise(4))
    enlarged = picture.with_pixels(np.zeros((24, 34, 3)), np.ones((24, 34)))
    assert (enlarged.kind, enlarged.to_array().shape) == ("array", (24, 34, 4))
    for pixels, alpha in (
        (np.zeros((24, 34)), np.ones((24, 34))),
        (np.zeros((24, 34, 3)), None),
        (np.zeros((4, 4, 3)), noise(1)),
    ):
        with pytest.raises(InputError, match="new pixels with the channels of the old"):
            picture.with_pixels(pixels, alpha)
    with pytest.raises(InputError, match="NaN"):
        picture.with_pixels(np.full((4, 4, 3), np.nan), np.ones((4, 4)))


def test_an_orientation_in_xmp_is_applied_once():
    """PIL heeds it, too; a PNG that was a PNG before has one XMP and not two."""
    xmp = b'<x tiff:Orientation="6"/>'
    Image.fromarray(noise(3)).save("in.jpg", xmp=xmp)
    for source, target in (("in.jpg", "out.png"), ("out.png", "again.png"), ("again.png", "16.tif")):
        picture = open_picture(source)
        assert (picture.pixels.shape, picture.notes["xmp"]) == ((17, 12, 3), xmp.replace(b"6", b"1"))
        picture.save(target)
    assert len(noted("again.png", b"iTXt")) == 1


def test_12_bits_are_refused_though_pil_would_read_them_dark():
    """A TIFF of 16 bits, called one of 12: PIL leaves 0..4095 as they are."""
    tifffile.imwrite("x.tif", noise(1, np.uint16))
    tag = bytes([2, 1, 3, 0, 1, 0, 0, 0])  # 258, a short, one of it
    whole = Path("x.tif").read_bytes()
    assert whole.count(tag + bytes([16])) == 1
    Path("x.tif").write_bytes(whole.replace(tag + bytes([16]), tag + bytes([12])))
    with pytest.raises(InputError, match=r"x.tif has samples of"):
        open_picture("x.tif")
