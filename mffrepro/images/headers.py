"""Read what a file says about itself without decoding its pixels: size, who wrote it, when it was taken."""

import os
from dataclasses import dataclass
from datetime import datetime

from mffrepro.images.camera import HEIC_SUFFIXES, is_raw
from mffrepro.images.limits import open_with_pillow
from mffrepro.images.metadata import is_own_bmp, is_own_result, parse_exif, read_orientation, time_taken


@dataclass(frozen=True)
class Header:
    """Hold what is known of a file before it is decoded.

    Attributes:
        size: Stored (width, height) in pixels; None where only decoding tells.
        upright: The same of the image as EXIF turns it.
        is_result: Whether this program wrote it.
        taken: When the photograph was taken.
    """

    size: tuple[int, int] | None = None
    upright: tuple[int, int] | None = None
    is_result: bool = False
    taken: datetime | None = None


def read_header(path: str | os.PathLike) -> Header:
    """Read the header of an image file.

    It is empty where that is not possible: reading the whole file will say why.
    """
    try:
        if os.fspath(path).lower().endswith(tuple(HEIC_SUFFIXES)):
            return _heic(path)
        with open_with_pillow(path) as picture:
            exif = picture.getexif() if picture.format != "PNG" or "exif" in picture.info else parse_exif(b"")
            size = None if is_raw(os.fspath(path)) else picture.size  # the size of a preview
            own = is_own_bmp(path) if picture.format == "BMP" else is_own_result(exif)
            upright = size[::-1] if size and read_orientation(exif) >= 5 else size
            return Header(size, upright, own, time_taken(exif))
    except Exception:  # a damaged file is refused with errors of many kinds
        return Header()


def _heic(path: str | os.PathLike) -> Header:
    import pillow_heif

    file = pillow_heif.open_heif(path)
    size = tuple(file.size)
    return Header(size, size, taken=time_taken(parse_exif(file.info.get("exif") or b"")))
