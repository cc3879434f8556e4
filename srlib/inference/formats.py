"""What files hold besides plain 8-bit pixels: 16-bit samples, and notes such as the colour profile, EXIF and XMP.

Decoders and encoders under `pictures`. PIL does most; it cuts 16-bit colour to 8 bits, so pypng and tifffile read that.
"""

import io
import re
import struct
import zlib
from contextlib import suppress

import numpy as np
import tifffile
from PIL import Image

from srlib.errors import InputError

OPTIONS = {"JPEG": {"quality": 95, "subsampling": 0}, "WEBP": {"lossless": True, "exact": True}}  # exact: where alpha is 0, too
MODES = {"1": "L", "L": "L", "LA": "LA", "La": "LA", "P": "RGB", "PA": "RGBA", "RGB": "RGB", "RGBA": "RGBA", "RGBa": "RGBA"}
NOTES = ("icc_profile", "exif", "xmp", "dpi", "comment")  # PIL's names
PNG_NOTES = (b"cHRM", b"gAMA", b"sRGB", b"cICP", b"tEXt", b"zTXt", b"iTXt")
RETOLD = (b"XML:com.adobe.xmp\0", b"Raw profile type exif\0")  # PNG texts that are kept as xmp and exif
SCENE = {269, 270, 271, 272, 285, 305, 306, 315, 316, 18246, 18249, 33432, 33723, *range(40091, 40096)}  # TIFF's names, dates
LAYOUT = ('{"shape"', "shape=", "ImageJ=", "<?xml", "<OME")  # descriptions by which a program finds the pixels
INTEROP, ORIENTATION = 40965, 274


def pil_samples(image: Image.Image, name: str) -> tuple[np.ndarray, int]:
    """What PIL reads well: samples `(H, W)` or `(H, W, C)`, and the largest value that they could have."""
    if image.mode[:4] == "I;16" or (image.mode == "I" and image.format == "PPM"):
        return np.asarray(image).astype(np.uint16), 65535
    if not (wanted := MODES.get(image.mode)):
        mode = {"I": "I (32-bit integer)", "F": "F (32-bit float)"}.get(image.mode, image.mode)
        raise InputError(f"{name} is an image of mode {mode}: convert it to 8- or 16-bit grey or RGB, with or without alpha.")
    return np.asarray(image.convert(wanted + "A" if image.has_transparency_data and wanted[-1] != "A" else wanted)), 255


def png_samples(data: bytes, name: str) -> tuple[np.ndarray, int] | None:
    """16 bits, and the few of a grey with a transparent level, which PIL does not scale; None for what PIL reads well."""
    import png  # here, so that training on a bare machine needs it not

    bits, colour = data[24:26]
    if bits < 16 and (bits == 8 or colour or b"tRNS" not in data):
        return None
    width, height, rows, info = (reader := png.Reader(bytes=data)).read()
    x, top = np.array([np.asarray(row) for row in rows]).reshape(height, width, info["planes"]), 2**bits - 1
    return (x if reader.transparent is None else np.dstack([x, top * (x != reader.transparent).any(2)])), top


def tiff_samples(data: bytes, name: str) -> tuple[np.ndarray, int] | None:
    """16 bits; None for what PIL reads well, or refuses by its mode."""
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        page = file.pages.first
        extra = [int(kind) for kind in page.extrasamples]
        if page.sampleformat != 1 or page.bitspersample not in (1, 2, 4, 8, 16) or extra not in ([], [1], [2]):
            raise InputError(f"{name} has samples of {page.dtype} and {len(extra)} extra: save it as 8- or 16-bit grey or RGB.")
        if page.bitspersample < 16 or (page.samplesperpixel == 1 and page.photometric == 1):
            return None
        x = 65535 - page.asarray() if page.photometric == 0 else page.asarray()  # 0: white is zero
    x = np.moveaxis(x, 0, 2) if page.axes == "SYX" else x
    if extra == [1]:  # multiplied by alpha
        x = np.dstack([np.minimum(x[..., :3] / np.maximum(x[..., 3:], 1) * 65535, 65535), x[..., 3]])
    return x, 65535


def read_notes(image: Image.Image, data: bytes, orientation: int, scene: Image.Exif) -> dict:
    """Colour profile, EXIF, XMP, resolution and texts under PIL's names; an orientation that has been applied is set to 1."""
    notes = {key: note for key, note in image.info.items() if key in NOTES or (image.format == "PNG" and type(note) is str)}
    if not all(0 < float(value) < float("inf") for value in notes.get("dpi", ())):
        del notes["dpi"]
    if exif := notes.get("exif") or (scene.tobytes() if scene else b""):
        notes["exif"] = b"Exif\0\0" + exif.removeprefix(b"Exif\0\0")  # WebP has it bare
    if image.format == "PNG" and data:
        import png

        notes["chunks"] = [c for c in png.Reader(bytes=data).chunks() if c[0] in PNG_NOTES and not c[1].startswith(RETOLD)]
    if "exif" in notes and orientation in range(2, 9):
        for form in ("<HHIH", ">HHIH"):  # the tag, of one short number: PIL would write it without the thumbnail, and in ASCII
            old, new = (struct.pack(form, ORIENTATION, 3, 1, turn) for turn in (orientation, 1))
            notes["exif"] = notes["exif"].replace(old, new, 1)
    if "xmp" in notes:
        notes["xmp"] = re.sub(rb'(tiff:Orientation(=[\'"]|>))\d', rb"\g<1>1", notes["xmp"])
    return notes


def scene_of(exif: Image.Exif) -> Image.Exif:
    """What EXIF says of the scene, not of the layout of its file."""
    kept = Image.Exif()
    kept.endian = exif.endian or "<"
    for tag in SCENE.intersection(exif):
        value = exif[tag]
        if tag != 270 or not str(value).startswith(LAYOUT):
            kept[tag] = value.encode("latin-1", "replace") if isinstance(value, str) else value  # PIL would write ASCII
    for tag in (34665, 34853):  # EXIF proper, GPS
        with suppress(ValueError):  # PIL cannot reach them once a TIFF is loaded
            if ifd := dict(exif.get_ifd(tag)):
                kept[tag] = ifd | ({INTEROP: dict(exif.get_ifd(INTEROP))} if INTEROP in ifd else {})
    return kept


def encode(x: np.ndarray, form: str, notes: dict) -> bytes:
    """The file of samples `uint8` or `uint16`, `(H, W)` or `(H, W, 2 to 4)`, with the notes that its format can hold."""
    if form == "PNG":
        return _png(x, notes)
    if form == "TIFF":
        return _tiff(x, notes)
    options = {key: notes[key] for key in NOTES if key in notes} | OPTIONS.get(form, {})
    Image.fromarray(x).save(buffer := io.BytesIO(), form, **options)
    return buffer.getvalue()


def _png(x: np.ndarray, notes: dict) -> bytes:
    import png

    (height, width, channels), buffer = np.atleast_3d(x).shape, io.BytesIO()
    if x.dtype == np.uint8:
        Image.fromarray(x).save(buffer, "PNG")
    else:
        writer = png.Writer(width, height, greyscale=channels < 3, alpha=channels % 2 == 0, bitdepth=16)
        writer.write_packed(buffer, (row.tobytes() for row in x.astype(">u2")))
    icc, exif, xmp, dpi = (notes.get(key) for key in ("icc_profile", "exif", "xmp", "dpi"))
    chunks = notes.get("chunks", []) + ([(b"iCCP", b"ICC profile\0\0" + zlib.compress(icc))] if icc else [])
    chunks += [(b"pHYs", struct.pack(">IIB", *(round(float(value) / 0.0254) for value in dpi), 1))] if dpi else []
    chunks += [(b"eXIf", exif.removeprefix(b"Exif\0\0"))] if exif else []
    chunks += [(b"iTXt", RETOLD[0] + bytes(4) + xmp)] if xmp else []
    packed = (struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks)
    return buffer.getvalue()[:33] + b"".join(packed) + buffer.getvalue()[33:]  # behind the header


def _tiff(x: np.ndarray, notes: dict) -> bytes:
    (exif := Image.Exif()).load(notes.get("exif", b""))
    tags, (height, width, channels) = scene_of(exif), np.atleast_3d(x).shape
    strip = zlib.compress(x.astype(f"{tags.endian}u{x.itemsize}").tobytes())
    tags.update({256: width, 257: height, 258: (8 * x.itemsize,) * channels, 259: 8, 262: 2 if channels > 2 else 1, 273: 0})
    tags.update({277: channels, 278: height, 279: len(strip)} | ({338: 2} if channels % 2 == 0 else {}))
    tags.update(dict(zip((282, 283, 296), (*notes["dpi"], 2), strict=True)) if "dpi" in notes else {})
    tags.update({tag: notes[key] for key, tag in (("xmp", 700), ("icc_profile", 34675)) if key in notes})
    return tags.tobytes()[6:] + strip  # PIL moves offset 0 of the strip behind the tags
