"""Pictures in and out, against PIL, tifffile and pypng as outside witnesses."""

import io
import resource
from dataclasses import replace
from pathlib import Path

import numpy as np
import png
import pytest
import tifffile
from PIL import Image, ImageCms, ImageOps, PngImagePlugin

from srlib import files
from srlib.errors import InputError
from srlib.inference.pictures import open_picture, to_samples

PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
MODES = ("L", "LA", "RGB", "RGBA")
KINDS = {"CMYK": "CMYK", "LAB": "LAB", "I": "int32, a 32-bit integer", "F": "float32, a 32-bit float"}


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


def chunks(path):
    """The chunks of a PNG, by pypng."""
    return list(png.Reader(bytes=Path(path).read_bytes()).chunks())


def write(path, x):
    """Write a file with a witness: 8 bits with PIL, 16 with pypng or tifffile."""
    if x.dtype == np.uint8:
        Image.fromarray(x).save(path)
    elif path.endswith(".png"):
        png.from_array(x.reshape(len(x), -1), MODES[np.atleast_3d(x).shape[2] - 1] + ";16").save(path)
    else:
        tifffile.imwrite(path, x, photometric="rgb" if x.shape[2:] > (2,) else "minisblack")


def read(path, deep, channels):
    """What PIL finds in a file, or pypng and tifffile in a deep one."""
    if deep and path.endswith(".tif"):
        return tifffile.imread(path)
    if deep:
        width, height, rows, info = png.Reader(bytes=Path(path).read_bytes()).read()
        assert info["bitdepth"] == 16
        return np.array([np.asarray(row) for row in rows]).reshape(height, width, -1).squeeze()
    with Image.open(path) as image:
        return np.asarray(image.convert(MODES[channels - 1]))


def refused(said):
    """What a refusal says."""
    return pytest.raises(InputError, match=said)


@pytest.mark.parametrize(
    ("suffix", "dtype", "channels"),
    [
        *((suffix, np.uint8, channels) for suffix in (".png", ".tif", ".webp") for channels in (1, 2, 3, 4)),
        *((".bmp", np.uint8, channels) for channels in (1, 3)),
        *((".png", np.uint16, channels) for channels in (1, 2, 3, 4)),
        *((".tif", np.uint16, channels) for channels in (1, 3, 4)),
    ],
)
def test_samples_come_back_exactly(suffix, dtype, channels):
    """Witnesses write the file that is read, and read the one that is written."""
    x, deep = noise(channels, dtype), dtype == np.uint16
    source = "in.tif" if deep and suffix == ".tif" else "in.png"
    write(source, x)
    picture = open_picture(source)
    assert (picture.pixels.ndim, picture.alpha is None) == (2 + (channels > 2), channels % 2 == 1)
    np.testing.assert_array_equal(picture.to_array(), x)
    picture.save("out" + suffix)
    np.testing.assert_array_equal(read("out" + suffix, deep, channels), x)
    if suffix != ".webp" or channels > 2:  # WebP knows no grey
        np.testing.assert_array_equal(open_picture("out" + suffix).to_array(), x)


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
    Image.fromarray(x[..., 0]).save("x.tif", compression="tiff_lzw")
    np.testing.assert_array_equal(open_picture("x.tif").to_array(), x[..., 0])
    x[..., 3] = 32768
    multiplied = np.dstack([x[..., :3] * (32768 / 65535), x[..., 3]]).round().astype(np.uint16)
    tifffile.imwrite("x.tif", multiplied, photometric="rgb", extrasamples=["assocalpha"])
    np.testing.assert_allclose(open_picture("x.tif").to_array(), x, atol=1)


@pytest.mark.parametrize("dtype", ["u1", "u2", ">u2", "f4", "f8"])
@pytest.mark.parametrize("channels", [(), (1,), (2,), (3,), (4,)])
def test_an_array_comes_back_in_its_dtype_and_shape(dtype, channels):
    """Identity; half rounds up (MATLAB's rule: numpy rounds to even) and integers saturate; floats are clipped."""
    top = np.iinfo(dtype).max if "u" in dtype else 1
    x = (np.random.default_rng(0).random((5, 7, *channels)) * top).astype(dtype)
    picture = open_picture(x)
    back = picture.as_given()
    assert back.dtype == x.dtype
    np.testing.assert_array_equal(back, x)
    outside = to_samples(np.array([1.5, -0.5]), x.dtype)
    assert (outside.dtype, *outside) == (x.dtype, top, 0)
    if top > 1:
        np.testing.assert_array_equal(to_samples(np.array([0.5, 2.5, 1.5, 1.4999]) / top, x.dtype), [1, 3, 2, 1])


@pytest.mark.parametrize("dtype", ["u1", "u2", ">u2", "f4", "f8"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_a_window_is_part_of_the_pixels_and_alpha(dtype, channels):
    """Identity: samples over the largest, alpha apart; and an array that is taken out may be changed."""
    top = np.iinfo(dtype).max if "u" in dtype else 1
    x = (np.random.default_rng(0).random((5, 7, channels)) * top).astype(dtype)
    picture, wanted = open_picture(x), x.astype(np.float64) / top
    np.testing.assert_array_equal(picture.read((slice(1, 4), slice(2, 7))), wanted[1:4, 2:7])
    np.testing.assert_array_equal(picture.pixels, wanted[..., :3] if channels > 2 else wanted[..., 0])
    if channels in (2, 4):
        np.testing.assert_array_equal(picture.alpha, wanted[..., -1])
    picture.to_array()[:] = 0
    assert x.any()


@pytest.mark.parametrize("mode", ["1", "P", "PA", "L", "LA", "RGB", "RGBA", "I;16"])
def test_a_pil_image_comes_back_as_one_with_its_notes(mode):
    """Witness: PIL's own conversion; 1 bit becomes grey, a palette colour."""
    image = Image.fromarray(noise(3)).convert("L" if mode in ("1", "I;16") else "P" if mode == "PA" else mode).convert(mode)
    image.info.update(icc_profile=PROFILE, dpi=(300, 300))
    wanted = {"1": "L", "P": "RGB", "PA": "RGBA"}.get(mode, mode)
    result = open_picture(image).as_given()
    assert (result.mode, result.info["icc_profile"], result.info["dpi"]) == (wanted, PROFILE, (300, 300))
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
        Image.fromarray(x).save(name, exif=tags.tobytes(), **({"lossless": True} if suffix == ".webp" else {}))
    if suffix == "16.png":
        deep = open_picture(x * np.uint16(257))
        deep.notes["exif"] = tags.tobytes()
        deep.save(name)
    with Image.open(name) as image:
        raw = image.info.get("exif", b"")
        upright = np.asarray(ImageOps.exif_transpose(image))
    picture = open_picture(name)
    np.testing.assert_array_equal(picture.to_array() // (257 if "16" in suffix else 1), upright)
    if "tif" not in suffix:
        entry = bytes([1, 18, 0, 3, 0, 0, 0, 1, 0])  # of the orientation, big-endian as PIL writes it
        rest = raw.removeprefix(b"Exif\0\0").replace(entry + bytes([orientation]), entry + bytes([1]))
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
    picture = open_picture(noise(3, np.uint16 if "16" in suffix else np.uint8))
    picture.notes.update(open_picture("in" + source).notes)
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
    written, kept = (
        [c for c in chunks(f"{name}.png") if c[0] in (b"tEXt", b"zTXt", b"iTXt", b"gAMA")] for name in ("in", "out")
    )
    assert kept == written
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
    """libtiff alone would stop at 50 MB of packed noise, though PIL's limit of pixels is meant."""
    x = np.random.default_rng(0).integers(0, 65536, (3000, 3300, 3), np.uint16)
    tifffile.imwrite("x.tif", x, photometric="rgb", compression="deflate", rowsperstrip=3000)
    np.testing.assert_array_equal(open_picture("x.tif").to_array(), x)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("tags", [{}, {"exif": exif().tobytes(), "dpi": (300, 200), "icc_profile": PROFILE}])
def test_a_tiff_is_written_in_strips(dtype, tags):
    """Witnesses: tifffile and PIL, which find each strip behind the tags; a picture of floats is written in 8 bits."""
    x = np.random.default_rng(0).integers(0, np.iinfo(dtype).max, (701, 900, 3), dtype)
    picture = open_picture(x)
    picture.notes.update(tags)
    picture.save("x.tif")
    with tifffile.TiffFile("x.tif") as file:
        assert len(file.pages.first.dataoffsets) > 1
        np.testing.assert_array_equal(file.asarray(), x)
    np.testing.assert_array_equal(open_picture("x.tif").to_array(), x)
    if dtype == np.uint8:
        open_picture(x / 255).save("floats.tif")
        np.testing.assert_array_equal(tifffile.imread("floats.tif"), x)


def test_a_description_of_the_layout_does_not_outlive_it():
    """tifffile notes the shape of what it writes; on an enlarged picture the note would mislead it."""
    tifffile.imwrite("in.tif", noise(3, np.uint16), photometric="rgb", software="a scanner")
    replace(open_picture("in.tif"), samples=np.zeros((24, 34, 3), np.uint16)).save("out.tif")
    with tifffile.TiffFile("out.tif") as file:
        assert file.asarray().shape == (24, 34, 3)
        assert (file.pages.first.description, file.pages.first.software) == ("", "a scanner")


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (np.zeros((0, 5)), "shape .0, 5. is no picture"),
        (np.zeros((3, 5, 7)), "shape .3, 5, 7. is no picture"),
        (np.zeros(5), "shape .5,."),
        (np.zeros((1, 1)), "1 x 1 pixels"),
        (np.zeros((2, 1)), "1 x 2 pixels"),
        (np.full((4, 4), np.nan), "NaN or infinite"),
        (np.full((4, 4), np.inf, np.float32), "NaN or infinite"),
        (np.full((4, 4), 255.0), "must stay in 0..1, this one has 255 to 255"),
        *((np.zeros((4, 4), kind), f"array of {kind}") for kind in ("bool", "int64", "complex128")),
        (b"bytes", "bytes is no kind of picture"),
        ("none.png", "none.png does not exist"),
        (".", "is a folder"),
        *((Image.new(mode, (9, 9)), f"The PIL image has mode {mode}") for mode in ("HSV", "YCbCr", "I", "F")),
        *((f"{mode}.tif", f"{mode}.tif has mode .*{said}") for mode, said in KINDS.items()),
    ],
)
def test_what_is_no_picture_is_refused(source, said):
    """The sentence names what was given."""
    for mode in KINDS:
        Image.new(mode, (9, 9)).save(f"{mode}.tif")
    with refused(said):
        open_picture(source)


@pytest.mark.parametrize("name", ["x.gif", "x.tif", "x.webp", "x.png"])
def test_several_frames_are_refused_with_their_number(name):
    """Animations and pages; the file of a camera with a second view, MPO, gives its main image."""
    frames = [Image.fromarray(noise(3, seed=seed)) for seed in range(3)]
    frames[0].save(name, save_all=True, append_images=frames[1:])
    with refused(f"{name} has 3 frames or pages"):
        open_picture(name)
    frames[0].save("x.jpg", "MPO", save_all=True, append_images=frames[1:])
    assert open_picture("x.jpg").pixels.shape == (12, 17, 3)


def test_deep_pictures_that_pil_would_misread_are_refused(folder):
    """A PIL image of 16-bit colour is cut to 8; PPM is read by PIL alone; a TIFF called one of 12 bits would come dark."""
    write("x.png", noise(3, np.uint16))
    with Image.open("x.png") as image, refused(r"16 bits, of which PIL drops some: give the path"):
        open_picture(image)
    with refused(r"16 bits with colour or alpha, which PIL cannot hold"):
        open_picture("x.png").to_pil()
    Path("x.ppm").write_bytes(b"P6 2 2 65535\n" + bytes(24))
    with refused(r"x.ppm has 16 bits"):
        open_picture("x.ppm")
    write("x.tif", noise(1, np.uint16))
    tag, whole = bytes([2, 1, 3, 0, 1, 0, 0, 0]), (folder / "x.tif").read_bytes()  # 258, a short, one of it
    assert whole.count(tag + bytes([16])) == 1
    (folder / "x.tif").write_bytes(whole.replace(tag + bytes([16]), tag + bytes([12])))
    with refused(r"x.tif has samples of"):
        open_picture("x.tif")


@pytest.mark.parametrize("name", ["x.png", "x.jpg", "x.tif", "x.bmp", "x.gif", "x.webp", "x.ppm", "deep.png", "deep.tif"])
def test_a_torn_file_is_refused(name, folder):
    """Wherever it is torn."""
    open_picture(noise(3, np.uint16)).save(name) if "deep" in name else Image.fromarray(noise(3)).save(name)
    whole = (folder / name).read_bytes()
    for size in range(0, len(whole), 1 + len(whole) // 20):
        (folder / name).write_bytes(whole[:size])
        with refused(name):
            open_picture(name)


def test_too_many_pixels_are_refused_before_they_are_unpacked(monkeypatch):
    """PIL's limit, brought down; twice the limit is its error."""
    Image.new("L", (30, 30)).save("x.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 449)
    with refused(r"x.png has too many pixels"):
        open_picture("x.png")


@pytest.mark.parametrize(
    ("shape", "dtype", "name", "said"),
    [
        ((9, 9, 3), np.uint16, "x.jpg", "cannot hold the 16 bits of The array as JPEG"),
        ((9, 9, 3), np.uint16, "x.bmp", "cannot hold the 16 bits"),
        ((9, 9, 3), np.uint16, "x.webp", "cannot hold the 16 bits"),
        ((9, 9, 2), np.uint16, "x.tif", "cannot hold the 16 bits"),
        ((9, 9, 4), np.uint8, "x.jpeg", "cannot hold the transparency of The array as JPEG"),
        ((9, 9, 2), np.uint8, "x.bmp", "x.bmp cannot hold the transparency of The array as BMP: write .png"),
        ((9, 9), np.uint8, "x.xyz", "no known image suffix: use one of .png, .tif"),
        ((9, 9), np.uint8, ".", "is not a file"),
        ((9, 5000), np.uint8, "x.webp", "cannot have that many pixels a side as WEBP"),
    ],
)
def test_what_a_file_cannot_hold_is_refused_before_any_work(shape, dtype, name, said, folder):
    """Nothing is written."""
    with refused(said):
        open_picture(np.zeros(shape, dtype)).check_writable(name, 4)
    assert not list(folder.iterdir())


def test_nothing_is_left_behind_when_writing_fails(folder, monkeypatch):
    """Neither half a file nor a temporary one, and an older file stays."""
    picture = open_picture(noise(3))
    picture.notes["exif"] = b"Exif\0\0" + bytes(70000)
    with refused(r"x.jpg cannot be written as JPEG"):
        picture.save("x.jpg")
    (folder / "x.png").write_bytes(b"old")

    def fail(_):
        raise OSError("disk full")

    monkeypatch.setattr(files.os, "fsync", fail)
    with refused(r"x.png cannot be written .disk full"):
        picture.save("x.png")
    assert [path.name for path in folder.iterdir()] == ["x.png"]
    assert (folder / "x.png").read_bytes() == b"old"


@pytest.mark.parametrize("suffix", [".png", ".tif", ".jpg", ".webp", ".bmp"])
def test_a_full_disk_leaves_no_part_of_a_picture(suffix, folder):
    """Also where PIL or libvips write themselves, and where a block fits in part: a limit stands in for the disk."""
    picture = open_picture(np.random.default_rng(0).integers(0, 256, (150, 150, 3), np.uint8))
    picture.save("whole" + suffix)
    size, limits = (folder / f"whole{suffix}").stat().st_size, resource.getrlimit(resource.RLIMIT_FSIZE)
    for limit in (size - 1, size // 2, 100):
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limits[1]))
        try:
            with refused(f"x{suffix} cannot be written .File too large"):
                picture.save("x" + suffix)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert [path.name for path in folder.iterdir()] == [f"whole{suffix}"]


def test_an_orientation_in_xmp_is_applied_once():
    """PIL heeds it, too; a PNG that was a PNG before has one XMP and not two."""
    xmp = b'<x tiff:Orientation="6"/>'
    Image.fromarray(noise(3)).save("in.jpg", xmp=xmp)
    for source, target in (("in.jpg", "out.png"), ("out.png", "again.png"), ("again.png", "16.tif")):
        picture = open_picture(source)
        assert (picture.pixels.shape, picture.notes["xmp"]) == ((17, 12, 3), xmp.replace(b"6", b"1"))
        picture.save(target)
    assert [kind for kind, _ in chunks("again.png")].count(b"iTXt") == 1
