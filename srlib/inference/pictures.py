"""Reading and writing pictures of any ordinary kind: depth, transparency, colour profile and metadata are kept.

Users have a file, a PIL image or an array. A `Picture` holds the samples as they are, and all that is needed to return a result
of the same kind; networks take numbers in 0..1, a window at a time. A picture that would lose anything is refused. PIL reads
and writes files and all metadata; libvips reads the files that PIL would cut to 8 bits, and writes the pixels of PNG.
"""

import io
import re
import struct
import warnings
import zlib
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from types import SimpleNamespace
from typing import BinaryIO

import numpy as np
from PIL import Image, UnidentifiedImageError
from PIL.PngImagePlugin import ChunkStream, PngInfo

from srlib.errors import InputError
from srlib.files import check_output, write_atomically
from srlib.images import FORMATS

WRITTEN = {".png": "PNG", ".tif": "TIFF", ".tiff": "TIFF", ".jpg": "JPEG", ".jpeg": "JPEG", ".bmp": "BMP", ".webp": "WEBP"}
OPTIONS = {"JPEG": {"quality": 95, "subsampling": 0}, "WEBP": {"lossless": True, "exact": True}}  # exact: where alpha is 0, too
SIDE = {"JPEG": 65500, "WEBP": 16383}  # at most; others 2**31 - 1
TROUBLE = {
    FileNotFoundError: "does not exist: give the path of an image file.",
    IsADirectoryError: "is a folder: give the path of an image file.",
    Image.DecompressionBombError: "has too many pixels: cut it into parts.",
    UnidentifiedImageError: f"is no image of a known kind: give one of {', '.join(FORMATS)}, whole and undamaged.",
}
GREY, COLOUR = ("1", "L", "LA", "La"), ("P", "PA", "RGB", "RGBA", "RGBa")  # PIL's modes of 8 bits
ODD = {"I": "I (int32, a 32-bit integer)", "F": "F (float32, a 32-bit float)"}
WANTED = "convert it to 8- or 16-bit grey or RGB, with or without alpha"
NOTES = ("icc_profile", "exif", "xmp", "dpi", "comment")  # PIL's names
PNG_NOTES = (b"cHRM", b"gAMA", b"sRGB", b"cICP", b"tEXt", b"zTXt", b"iTXt")
PNG_XMP, PNG_EXIF = b"XML:com.adobe.xmp\0", b"Raw profile type exif\0"  # texts that are kept as xmp and exif
SCENE = {269, 270, 271, 272, 285, 305, 306, 315, 316, 18246, 18249, 33432, 33723, *range(40091, 40096)}  # TIFF's names, dates
LAYOUT = ('{"shape"', "shape=", "ImageJ=", "<?xml", "<OME")  # descriptions by which a program finds the pixels
BITS, ORIENTATION, EXTRA, SIGN, EXIF, GPS, INTEROP = 258, 274, 338, 339, 34665, 34853, 40965  # tags of TIFF and EXIF


@dataclass(frozen=True, eq=False)
class Picture:
    """The samples of a picture, and its kind and metadata.

    Samples are `(H, W, C)` of `uint8`, `uint16`, or finite `float32` or `float64` in 0..1, upright, 2 or more on every side. C
    is 1 to 4: grey or RGB, and then alpha, if any, not multiplied into them. A result is returned in the same `kind` ('file',
    'image' or 'array'), with the metadata `notes`.
    """

    samples: np.ndarray = field(repr=False)
    kind: str = "array"
    name: str = "The array"  # in messages
    notes: dict = field(default_factory=dict, repr=False)
    last_axis: bool = False  # a grey array came as (H, W, 1)

    def __post_init__(self) -> None:
        height, width = self.samples.shape[:2]
        if min(height, width) < 2:
            raise InputError(f"{self.name} has {width} x {height} pixels: give 2 or more a side.")
        if not np.isfinite([self.samples.min(), self.samples.max()]).all():
            raise InputError(f"{self.name} has NaN or infinite pixels: replace them by numbers in 0..1.")

    @property
    def pixels(self) -> np.ndarray:
        """All pixels without alpha in 0..1, `(H, W)` or `(H, W, 3)`, as `float64`."""
        whole = self.read((slice(None), slice(None)))
        return whole[..., :3] if whole.shape[2] > 2 else whole[..., 0]

    @property
    def alpha(self) -> np.ndarray | None:
        """Alpha in 0..1, `(H, W)`, as `float64`, or None."""
        return self.read((slice(None), slice(None)))[..., -1] if self.samples.shape[2] in (2, 4) else None

    def read(self, window: tuple[slice, slice]) -> np.ndarray:
        """The samples in some rows and columns, `(h, w, C)`, as `float64` in 0..1."""
        return self.samples[window].astype(np.float64) / _top(self.samples.dtype)

    def to_array(self) -> np.ndarray:
        """A new array `(H, W[, C])` of the samples, alpha last."""
        return self._given_shape().copy()

    def to_pil(self) -> Image.Image:
        """PIL image of mode L, LA, RGB, RGBA or I;16, floats in 8 bits; an `InputError` for 16-bit colour or alpha."""
        if self.samples.dtype.itemsize == 2 and self.samples.shape[2] > 1:
            raise InputError(f"{self.name} has 16 bits with colour or alpha, which PIL cannot hold: use to_array() or save().")
        image = Image.fromarray(self._levels())
        image.info.update({key: note for key, note in self.notes.items() if key != "chunks"})
        return image

    def as_given(self) -> "Picture | Image.Image | np.ndarray":
        """The picture in its `kind`: the array, not copied, a PIL image, or for a file the `Picture` itself."""
        return {"array": self._given_shape, "image": self.to_pil, "file": lambda: self}[self.kind]()

    def check_writable(self, path: str | Path, scale: float = 1) -> str:
        """The format of a path; an `InputError` if it could not hold this picture enlarged `scale` times."""
        check_output(path)
        form, name = WRITTEN.get(Path(path).suffix.lower()), self.name
        height, width, channels = self.samples.shape
        deep, clear = self.samples.dtype.itemsize == 2, channels in (2, 4)
        shallow = form not in ("PNG", "TIFF") or (form == "TIFF" and channels == 2)  # PIL reads no such TIFF
        for refused, reason in (
            (form is None, f"has no known image suffix: use one of {', '.join(WRITTEN)}"),
            (deep and shallow, f"cannot hold the 16 bits of {name} as {form}: write .png, or .tif for colour"),
            (clear and form in ("JPEG", "BMP"), f"cannot hold the transparency of {name} as {form}: write .png"),
            (scale * max(height, width) > SIDE.get(form, 2**31 - 1), f"cannot have that many pixels a side as {form}"),
        ):
            if refused:
                raise InputError(f"{path} {reason}.")
        return form

    def save(self, path: str | Path) -> None:
        """Write the picture atomically, in the format of the suffix; an `InputError` as for `check_writable`, or if it fails.

        PNG and TIFF (8 or 16 bits; floats get 8), WebP and BMP keep every pixel; JPEG has quality 95 and full colour. Profile,
        EXIF and XMP go into all but BMP, the resolution into all but WebP, texts and gamma into PNG, the comment into JPEG. PNG
        and TIFF take no further memory, the others a PIL image of four bytes a pixel.
        """
        form, x = self.check_writable(path), self._levels()
        options = {key: self.notes[key] for key in NOTES if key in self.notes} | OPTIONS.get(form, {})

        def write(file: BinaryIO) -> None:
            try:
                if form == "PNG":
                    _write_png(file, x, options, self.notes.get("chunks", []))
                elif form == "TIFF":
                    _write_tiff(file, x, options)
                else:
                    # Without a descriptor: PIL's own writer misses it when a full disk takes a part of a block.
                    Image.fromarray(x).save(SimpleNamespace(write=file.write), form, **options)
            except (OSError, ValueError, SyntaxError, struct.error) as error:
                if getattr(error, "errno", None):  # the disk's, not the encoder's
                    raise
                raise InputError(f"{path} cannot be written as {form} ({error}): choose another format.") from None

        write_atomically(path, write)

    def _given_shape(self) -> np.ndarray:
        return self.samples if self.samples.shape[2] > 1 or self.last_axis else self.samples[..., 0]

    def _levels(self) -> np.ndarray:
        """The samples `(H, W[, C])` as files hold them, `uint8` or `uint16`."""
        x = self.samples if self.samples.shape[2] > 1 else self.samples[..., 0]
        if x.dtype.kind == "u":
            return x.astype(x.dtype.newbyteorder("="), copy=False)
        levels = np.empty(x.shape, np.uint8)
        for rows in _bands(x):
            levels[rows] = to_samples(x[rows].astype(np.float64), levels.dtype)
        return levels


def to_samples(x: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Numbers in about 0..1 as samples: integers are rounded half up and saturate, floats clipped to 0..1."""
    if dtype.kind == "f":
        return np.clip(x, 0, 1).astype(dtype)
    levels = _top(dtype) * x
    levels += 0.5
    return np.clip(np.floor(levels, out=levels), 0, _top(dtype), out=levels).astype(dtype)


def open_picture(source: str | Path | Image.Image | np.ndarray) -> Picture:
    """The picture of a file, a PIL image or an array, upright.

    Parameters
    ----------
    source : str, pathlib.Path, PIL.Image.Image or numpy.ndarray
        8- or 16-bit grey or colour, a palette (becomes RGB) or 1 bit (grey), with or without alpha; an array `(H, W)` or
        `(H, W, C)`, C 1 to 4, `uint8`, `uint16`, or `float32` or `float64` in 0..1. Of a camera's MPO file, the main image. An
        orientation in EXIF or XMP is applied and set to 1, upright; every other byte of them stays. An array is not copied.

    Raises
    ------
    InputError
        For all else, by name: missing, damaged or no image; several frames or pages; CMYK, LAB, 32-bit and the like; pixels
        not finite, out of range, too few or too many.
    """
    if isinstance(source, np.ndarray):
        return _from_array(source)
    if not isinstance(source, (str, Path, Image.Image)):
        raise InputError(f"{type(source).__name__} is no kind of picture: give the path of a file, a PIL image or an array.")
    name = "The PIL image" if isinstance(source, Image.Image) else str(source)
    try:
        with warnings.catch_warnings(action="ignore"):  # of decoders
            if isinstance(source, Image.Image):
                return _from_pil(source, name, b"")
            data = Path(source).read_bytes()
            return _from_pil(Image.open(io.BytesIO(data), formats=FORMATS), name, data)
    except (InputError, MemoryError):
        raise
    except Exception as error:  # decoders fail on damaged files in every way there is
        reason = " ".join(dict.fromkeys(line.strip() for line in str(error).splitlines()))  # libvips repeats itself
        unreadable = f"cannot be read as an image ({reason}): replace it if it is damaged, or save it as .png."
        raise InputError(f"{name} {TROUBLE.get(type(error), unreadable)}") from None


def _from_array(x: np.ndarray) -> Picture:
    native = x.dtype.newbyteorder("=")
    if native not in (np.uint8, np.uint16, np.float32, np.float64):
        raise InputError(f"An array of {x.dtype} is no picture: convert it to uint8, uint16, or float32 or float64 in 0..1.")
    if x.ndim not in (2, 3) or x.shape[2:] not in ((), (1,), (2,), (3,), (4,)) or not x.size:
        raise InputError(f"An array of shape {x.shape} is no picture: give (H, W), or (H, W, C) with 1 to 4 channels.")
    if native.kind == "f" and np.isfinite([x.min(), x.max()]).all() and not 0 <= x.min() <= x.max() <= 1:
        raise InputError(f"An array of floats must stay in 0..1, this one has {x.min():g} to {x.max():g}: scale or clip it.")
    return Picture(np.atleast_3d(x), last_axis=x.shape[2:] == (1,))


def _from_pil(image: Image.Image, name: str, data: bytes) -> Picture:
    """The picture of a PIL image and of the bytes of its file, if any: PIL shows neither all bits nor all texts of a file."""
    frames = 1 if image.format == "MPO" else getattr(image, "n_frames", 1)  # MPO: previews, or another camera's view
    tags = getattr(image, "tag_v2", {}) if data else {}  # a TIFF has them
    bits, sign, extra = tags.get(BITS, (8,)), tags.get(SIGN, (1,)), tags.get(EXTRA, ())
    grey16, keyed = image.mode[:4] == "I;16" or (image.mode, image.format) == ("I", "PPM"), "transparency" in image.info
    deep = any(";16" in str(tile[3]) or (tile[0][:3] == "ppm" and tile[3][-1] > 255) for tile in getattr(image, "tile", ()))
    by_vips = data and (16 in bits or (image.format == "PNG" and (deep or keyed)))  # PIL does not scale a key of few bits
    for refused, reason in (
        (frames > 1, f"{frames} frames or pages, but one picture is wanted: save the one you mean by itself"),
        (not grey16 and image.mode not in GREY + COLOUR, f"mode {ODD.get(image.mode, image.mode)}: {WANTED}"),
        ({*bits} - {1, 2, 4, 8, 16}, f"samples of {bits[0]} bits: {WANTED}"),
        ({*sign} != {1} or extra not in ((), (1,), (2,)), f"samples that are signed, or neither colour nor alpha: {WANTED}"),
        (not by_vips and (keyed if grey16 else deep), "16 bits, of which PIL drops some: give the path of a .png or .tif file"),
    ):
        if refused:
            raise InputError(f"{name} has {reason}.")
    if by_vips:
        import pyvips  # here, so that training on a bare machine needs it not

        x = pyvips.Image.new_from_buffer(data, "", fail_on="error", unlimited=True).numpy()
    elif grey16:
        x = np.asarray(image).astype(np.uint16)
    else:
        mode = ("L" if image.mode in GREY else "RGB") + "A" * image.has_transparency_data
        x = np.asarray(image if image.mode == mode else image.convert(mode))
    notes, orientation = _notes(image, data)  # after the pixels: PIL turns those of a TIFF itself, and notes it
    return Picture(_upright(np.atleast_3d(x), orientation), "file" if data else "image", name, notes)


def _upright(x: np.ndarray, orientation: int) -> np.ndarray:
    """A view of the samples that shows them upright."""
    x = x.swapaxes(0, 1) if orientation in (5, 6, 7, 8) else x
    x = x[:, ::-1] if orientation in (2, 3, 6, 7) else x
    return x[::-1] if orientation in (3, 4, 7, 8) else x


def _notes(image: Image.Image, data: bytes) -> tuple[dict, int]:
    """Metadata (profile, EXIF, XMP, resolution, texts) by PIL's names, orientation set to 1; and the pixels' orientation."""
    orientation, scene = 1, {}
    with suppress(Exception):  # a picture is no worse for EXIF that cannot be read
        orientation, scene = image.getexif().get(ORIENTATION), _scene(image.getexif())
    orientation = orientation if type(orientation) is int and 1 < orientation < 9 else 1
    notes = {key: note for key, note in image.info.items() if key in NOTES or (image.format == "PNG" and type(note) is str)}
    if not all(0 < float(value) < float("inf") for value in notes.get("dpi", ())):
        del notes["dpi"]
    if exif := notes.get("exif") or (scene and scene.tobytes()):
        for form in ("<HHIH", ">HHIH"):  # the tag, of one short number: PIL would write it without the thumbnail, and in ASCII
            exif = exif.replace(struct.pack(form, ORIENTATION, 3, 1, orientation), struct.pack(form, ORIENTATION, 3, 1, 1), 1)
        notes["exif"] = b"Exif\0\0" + exif.removeprefix(b"Exif\0\0")  # WebP has it bare
    if "xmp" in notes:
        notes["xmp"] = re.sub(rb'(tiff:Orientation(=[\'"]|>))\d', rb"\g<1>1", notes["xmp"])
    if data and image.format == "PNG":
        notes["chunks"], stream = [], ChunkStream(io.BytesIO(data[8:]))
        while (head := stream.read())[0] != b"IEND":
            kind, body = head[0], stream.fp.read(head[2])
            stream.crc(kind, body)
            if kind in PNG_NOTES and not body.startswith((PNG_XMP, PNG_EXIF)):
                notes["chunks"].append((kind, body))
    return notes, orientation


def _scene(exif: Image.Exif) -> Image.Exif:
    """The EXIF tags that describe the scene, without those that describe the layout of the file."""
    scene = Image.Exif()
    scene.endian = exif.endian or "<"
    for tag in SCENE.intersection(exif):
        if not str(value := exif[tag]).startswith(LAYOUT):
            scene[tag] = value.encode("latin-1", "replace") if isinstance(value, str) else value  # PIL would write ASCII
    for tag in (EXIF, GPS):
        if ifd := dict(exif.get_ifd(tag)):
            scene[tag] = ifd | ({INTEROP: dict(exif.get_ifd(INTEROP))} if INTEROP in ifd else {})
    return scene


def _top(dtype: np.dtype) -> int:
    return 1 if dtype.kind == "f" else np.iinfo(dtype).max


def _bands(x: np.ndarray) -> list[slice]:
    """The rows in bands of about a million bytes, so that no second picture is made."""
    step = max(1, 2**20 // x[0].nbytes)
    return [slice(k, k + step) for k in range(0, len(x), step)]


def _write_png(file: BinaryIO, x: np.ndarray, options: dict, chunks: list) -> None:
    """Write a PNG: pixels by libvips, as PIL has no deep colour; metadata by PIL, as libvips drops gamma and rewrites EXIF."""
    import pyvips

    info, lines, begun, trouble = PngInfo(), io.BytesIO(), bytearray(), []
    info.chunks = chunks + ([(b"iTXt", PNG_XMP + bytes(4) + options.pop("xmp"))] if "xmp" in options else [])
    Image.new("L", (1, 1)).save(lines, pnginfo=info, format="PNG", **options)
    notes = lines.getvalue()[33:]
    notes = notes[: notes.rindex(b"IDAT") - 4]

    def write(part: bytes) -> int:
        """Pass on what libvips writes: its header, then the metadata in the place of its own, then the pixels."""
        try:
            if b"IDAT" in begun:
                file.write(part)
            else:
                begun.extend(part)
                if b"IDAT" in begun:
                    file.write(begun[:33] + notes + begun[begun.index(b"IDAT") - 4 :])
        except OSError as error:
            trouble.append(error)
            return -1
        return len(part)

    target = pyvips.TargetCustom()
    target.on_write(write)
    deep = ("rgb16" if x.shape[2:] > (2,) else "grey16") if x.dtype == np.uint16 else None
    try:
        pyvips.Image.new_from_array(x, interpretation=deep).pngsave_target(target, keep="none", filter="all")
    except pyvips.Error as error:
        raise (trouble[0] if trouble else ValueError(error)) from None


def _write_tiff(file: BinaryIO, x: np.ndarray, options: dict) -> None:
    """Write a TIFF by PIL's writer of EXIF, a TIFF without pixels: PIL has no deep colour, and libvips no EXIF."""
    (exif := Image.Exif()).load(options.get("exif", b""))
    tags, (height, width, channels), bands = _scene(exif), np.atleast_3d(x).shape, _bands(x)
    tags.update({256: width, 257: height, BITS: (8 * x.itemsize,) * channels, 259: 8, 262: 2 if channels > 2 else 1})
    tags.update({277: channels, 278: min(bands[0].stop, height)} | ({EXTRA: 2} if channels % 2 == 0 else {}))
    tags.update(dict(zip((282, 283, 296), (*options["dpi"], 2), strict=True)) if "dpi" in options else {})
    tags.update({tag: options[key] for key, tag in (("xmp", 700), ("icc_profile", 34675)) if key in options})
    sizes = [0] * len(bands)
    for write_pixels in (True, False):  # the tags come first, and take as much room before the sizes of the strips are known
        file.seek(0)
        tags.update({273: tuple(accumulate(sizes[:-1], initial=0)), 279: tuple(sizes)})  # PIL moves them behind the tags
        file.write(tags.tobytes()[6:])
        if write_pixels:
            order = f"{tags.endian}u{x.itemsize}"
            sizes = [file.write(zlib.compress(x[rows].astype(order).tobytes())) for rows in bands]
