"""Find out what a file holds, and decode it with the library that keeps all its bits."""

import io
import os
import warnings
from contextlib import nullcontext
from typing import Literal

import numpy as np

from mffrepro.errors import ImageError, first_line
from mffrepro.images import tiff
from mffrepro.images.camera import is_heic, is_raw, read_heic, read_raw
from mffrepro.images.depth import to_usable
from mffrepro.images.jpeg import check_scans, decode_dct_chroma
from mffrepro.images.limits import PILLOW_PIXELS, check_pixels, open_with_pillow, pillow_without_limit, too_large
from mffrepro.images.metadata import Metadata, read_metadata, read_orientation
from mffrepro.images.orientation import orient, turned_back
from mffrepro.images.picture import Picture, blank, split_alpha
from mffrepro.images.tiff_limits import check_tiles

#: Bytes that decoding takes for each pixel, where it is more than the four of the result.
_DECODING = {"JPEG2000": 20, "WEBP": 18}
#: How the chroma of a JPEG file becomes as large as its luma.
Chroma = Literal["interpolated", "dct"]
#: Format and mode of Pillow -> channels of the decoded picture, alpha included, for files whose header says all.
_OUTLINES = {
    ("JPEG", "L"): (),
    ("JPEG", "RGB"): (3,),
    ("JPEG", "CMYK"): (3,),
    ("MPO", "RGB"): (3,),
    ("BMP", "RGB"): (3,),
    ("BMP", "L"): (),
}
_OUTLINES |= {("WEBP", "RGB"): (3,), ("WEBP", "RGBA"): (4,)}


def decode(data: bytes, name: str, chroma: Chroma = "interpolated") -> Picture:
    """Decode a file of any kind that is read.

    Args:
        data: The whole file.
        name: Its name: for errors, and since only the suffix tells a RAW file from the TIFF that it is laid out as.
        chroma: How chroma of half size is enlarged, see `mffrepro.read_image`.

    Raises:
        ImageError: It is no image, damaged, too large, or of a kind that cannot be read.
    """
    if is_raw(name):
        return read_raw(data, name, name.rpartition(".")[2].upper())
    if is_heic(data):
        return read_heic(data, name)
    if data[:2] in (b"II", b"MM") and tiff.has_hidden_photograph(data):
        return _hidden(data, name)
    return _by_pillow(data, name, chroma)


def read_outline(path: str | os.PathLike) -> Picture | None:
    """Read what the header of a file says of its picture.

    Pixels and alpha are blank. It is None for a file of which only decoding tells all, or that cannot be read: decoding will say
    why.

    Raises:
        ImageError: It is too large.
    """
    try:
        with open_with_pillow(path) as picture:
            samples = _OUTLINES.get((picture.format, picture.mode))
            if samples is None or is_raw(os.fspath(path)):
                return None
            exif = picture.getexif()
            metadata = read_metadata(exif, picture.info.get("icc_profile"), picture.info.get("dpi"))
            pixels = blank((picture.height, picture.width, *samples), np.uint8)
            check_pixels(*picture.size, os.fspath(path), _DECODING.get(picture.format, 4))
    except ImageError:
        raise
    except Exception:  # parsers refuse damaged files by errors of many kinds
        return None
    colour, alpha = split_alpha(pixels)
    return Picture(colour, alpha, read_orientation(exif), metadata)


def _hidden(data: bytes, name: str) -> Picture:
    """Read the photograph behind a preview: developed if it is the data of a sensor."""
    kind = tiff.sensor_data(data)
    return read_raw(data, name, f"{kind} in a TIFF") if kind else tiff.read_page(data, name)


def _by_pillow(data: bytes, name: str, chroma: Chroma) -> Picture:
    from PIL import UnidentifiedImageError

    try:
        with open_with_pillow(io.BytesIO(data)) as picture:
            check_pixels(*picture.size, name, _DECODING.get(picture.format, 4))
            if picture.format in ("JPEG", "MPO"):
                check_scans(data, name)
            if picture.format == "TIFF":
                check_tiles(picture.size, [picture.tag_v2.get(side, 0) for side in (322, 323)], name)
            has_more = picture.format in ("GIF", "TIFF") and _has_second_page(picture)
            deep = _is_deep(picture, data)
            exif = picture.getexif()
            orientation = read_orientation(exif)
            values = _stored_values(picture, orientation, name) if deep is None else None
            if chroma == "dct" and picture.format == "JPEG" and (repeated := decode_dct_chroma(data)) is not None:
                values = repeated, None
            metadata = read_metadata(exif, picture.info.get("icc_profile"), picture.info.get("dpi"))
    except UnidentifiedImageError:
        if data[:2] in (b"II", b"MM"):  # Pillow knows no mode for some depths
            return tiff.read_page(data, name)
        raise ImageError(f"{name} is not an image that can be read; use PNG, JPEG, TIFF, WebP or BMP") from None
    except ImageError:
        raise
    except MemoryError:
        raise too_large(name) from None
    except Exception as error:  # parsers refuse damaged files by errors of many kinds
        raise ImageError(f"{name} is damaged or truncated ({first_line(error)}); copy it again") from None
    if has_more:
        warnings.warn(f"{name}: only the first of its pages is used", stacklevel=4)
    if deep is None:
        return Picture(*values, orientation, metadata)
    return deep(data, name, orientation, metadata)


def _has_second_page(picture) -> bool:
    """Tell whether a file has more pages; to count all takes long where a hostile file has very many."""
    try:
        picture.seek(1)
    except EOFError:
        return False
    finally:
        picture.seek(0)
    return True


def _is_deep(picture, data: bytes):
    """Return what decodes a file of which Pillow would silently keep eight bits, change or wrap values; None for others."""
    if picture.format == "PNG" and len(data) > 25 and data[24] == 16 and picture.mode not in ("I", "I;16"):
        return _deep_png
    if picture.format != "TIFF":
        return None
    bits, kinds = picture.tag_v2.get(258, (1,)), picture.tag_v2.get(339, (1,))
    return _deep_tiff if max(bits) > 8 or set(kinds) - {1, 4} else None


def _deep_tiff(data: bytes, name: str, orientation: int, metadata: Metadata) -> Picture:
    page = tiff.read_page(data, name)
    return Picture(page.pixels, page.alpha, orientation, metadata)


def _deep_png(data: bytes, name: str, orientation: int, metadata: Metadata) -> Picture:
    import cv2

    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        image = None
    if image is None:
        raise ImageError(f"{name} is damaged or truncated; copy it again")
    pixels, alpha = split_alpha(image)
    return Picture(pixels[..., ::-1] if pixels.ndim == 3 else pixels, alpha, orientation, metadata)  # OpenCV keeps blue first


def _stored_values(picture, orientation: int, name: str) -> tuple[np.ndarray, np.ndarray | None]:
    """Decode a picture of Pillow as it is stored; Pillow itself turns TIFF files, and only these."""
    with pillow_without_limit() if picture.format == "TIFF" and picture.width * picture.height > PILLOW_PIXELS else nullcontext():
        picture.load()
    values, alpha = _values(picture, name)
    if read_orientation(picture.getexif()) == orientation:
        return values, alpha
    back = turned_back(orientation)
    return orient(values, back), None if alpha is None else orient(alpha, back)


def _values(picture, name: str) -> tuple[np.ndarray, np.ndarray | None]:
    """Convert a loaded picture of Pillow to gray or RGB with the depth that it has, and its alpha."""
    mode = picture.mode
    if mode in ("L", "RGB", "F"):
        return np.asarray(picture), None
    if mode in ("LA", "La"):
        return split_alpha(np.asarray(picture.convert("LA")))
    if mode in ("RGBA", "PA", "RGBa") or (mode == "P" and "transparency" in picture.info):
        return split_alpha(np.asarray(picture.convert("RGBA")))
    if mode == "1":
        return np.asarray(picture.convert("L")), None
    if mode.startswith("I"):
        return to_usable(np.asarray(picture), name), None
    return np.asarray(picture.convert("RGB")), None
