"""Keep what photographs say beside their pixels: colour profile, EXIF, resolution, and the tag of this program's results."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from mffrepro.images.orientation import ORIENTATION
from mffrepro.version import __version__

if TYPE_CHECKING:
    from PIL.Image import Exif

#: What results say in the tag "Software".
SOFTWARE = f"mffrepro {__version__}"
_OWN = "mffrepro "
#: Bytes at the end of a BMP file that may hold that.
_MARK_BYTES = 100

_DESCRIPTION, _SOFTWARE, _DATE, _PROFILE = 270, 305, 306, 34675
_X_DPI, _Y_DPI, _UNIT = 282, 283, 296
_EXIF, _GPS = 0x8769, 0x8825
_TAKEN, _SUBSECOND, _WIDTH, _HEIGHT = 0x9003, 0x9291, 0xA002, 0xA003
#: Kept of the first directory: description, make, model, date, artist, copyright, and the texts of Windows. Everything else there
#: describes how the pixels lie in the source file.
_KEPT = {_DESCRIPTION, 271, 272, _DATE, 315, 33432, *range(0x9C9B, 0x9CA0)}
#: Dropped of the EXIF directory: notes of the maker, whose offsets hold in the source file only and which hold previews, the
#: directory on interoperability, and the size of the source.
_DROPPED = {0x927C, 0xA005, _WIDTH, _HEIGHT}
#: Descriptions that programs for microscopes write to lay out a stack; a result is no stack.
_LAYOUTS = ("ImageJ=", "<?xml", "<OME", "{")
_INCH, _CENTIMETRE = 2, 3
#: Pixels per inch beyond which a resolution is damaged: a hundredth of a micrometre a pixel.
_LARGEST_DPI = 2_540_000


@dataclass(frozen=True)
class Metadata:
    """Hold what is carried from the first source of a stack to its fused image.

    Attributes:
        icc: The ICC profile of the colours, None for none.
        exif: EXIF as bytes, without orientation, thumbnail, maker's notes and layout of the file; empty for none.
        dpi: Horizontal and vertical pixels per inch, None where unknown.
        software: What the tag "Software" of a file will say. Fused images are known by it, and are no sources of a next fusion.
    """

    icc: bytes | None = None
    exif: bytes = b""
    dpi: tuple[float, float] | None = None
    software: str = SOFTWARE


def read_metadata(exif: "Exif", icc: bytes | None = None, dpi: Sequence[float] | None = None) -> Metadata:
    """Collect the metadata of a source; damaged parts are left out."""
    try:
        first = dict(exif)
        icc = icc or first.get(_PROFILE)
        dpi = _plausible(_dpi(first) if dpi is None else dpi)
        kept = {tag: value for tag, value in first.items() if tag in _KEPT and isinstance(value, (str, bytes))}
        if str(kept.get(_DESCRIPTION, "")).lstrip().startswith(_LAYOUTS):
            del kept[_DESCRIPTION]
        details = {tag: value for tag, value in exif.get_ifd(_EXIF).items() if tag not in _DROPPED}
        block = _pack(kept, details, dict(exif.get_ifd(_GPS))) if kept or details else b""
    except Exception:  # a damaged directory is refused with errors of many kinds; the pixels are sound all the same
        return Metadata(icc if isinstance(icc, bytes) else None)
    return Metadata(icc if isinstance(icc, bytes) and icc else None, block, dpi)


def read_orientation(exif: "Exif") -> int:
    """Return the EXIF orientation, 1 where it is missing or damaged."""
    value = exif.get(ORIENTATION, 1)
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def parse_exif(data: bytes) -> "Exif":
    """Read EXIF from its bytes, or from a whole TIFF file; empty where it is damaged."""
    from PIL import Image

    exif = Image.Exif()
    try:
        exif.load(data)
    except Exception:  # see read_metadata
        return Image.Exif()
    return exif


def result_exif(metadata: Metadata, size: tuple[int, int]) -> "Exif":
    """Build the EXIF of a fused image.

    It is that of the source, but upright, with the size of the result and the name of this program.

    Args:
        metadata: Of the source.
        size: (width, height) of the result, pixels.
    """
    exif = parse_exif(metadata.exif)
    exif[ORIENTATION], exif[_SOFTWARE] = 1, metadata.software
    if metadata.dpi:
        exif[_X_DPI], exif[_Y_DPI], exif[_UNIT] = *metadata.dpi, _INCH
    exif.get_ifd(_EXIF).update({_WIDTH: size[0], _HEIGHT: size[1]})
    return exif


def exif_bytes(exif: "Exif") -> bytes:
    """Return EXIF as bytes, with texts as they were read: Pillow writes ASCII only."""
    for tag, value in list(exif.items()):
        if isinstance(value, str) and not value.isascii():
            exif[tag] = value.encode("latin-1", "replace")
    return exif.tobytes()


def profile_for(metadata: Metadata, *, is_colour: bool) -> bytes | None:
    """Return the profile if it describes colours of that many channels.

    That of a CMYK or gray source does not fit RGB.
    """
    wanted = b"RGB " if is_colour else b"GRAY"
    return metadata.icc if metadata.icc and metadata.icc[16:20] == wanted else None


def profile_name(icc: bytes | None) -> str:
    """Return the name that a colour profile gives itself."""
    import io

    from PIL import ImageCms

    if icc is None:
        return "no profile"
    try:
        return ImageCms.getProfileDescription(io.BytesIO(icc)).strip() or "a profile without name"
    except (ImageCms.PyCMSError, OSError, UnicodeError):
        return "a damaged profile"


def is_own_result(exif: "Exif") -> bool:
    """Tell whether this program, of any version, wrote the file."""
    return str(exif.get(_SOFTWARE, "")).startswith(_OWN)


def marked_bmp(data: bytes, software: str) -> bytes:
    """Name the program behind the pixels of a BMP file, which has no tags.

    Its header says how long the file is.
    """
    marked = data + b"\0" + software.encode()
    return marked[:2] + len(marked).to_bytes(4, "little") + marked[6:]


def is_own_bmp(path: str | os.PathLike) -> bool:
    """Tell whether this program, of any version, marked a BMP file."""
    with open(path, "rb") as file:
        file.seek(max(0, os.path.getsize(path) - _MARK_BYTES))
        return file.read().rpartition(b"\0")[2].startswith(_OWN.encode())


def time_taken(exif: "Exif") -> datetime | None:
    """Return when a photograph was taken, None where EXIF does not say."""
    details = exif.get_ifd(_EXIF)
    text = str(details.get(_TAKEN) or exif.get(_DATE) or "").strip("\0 ")
    try:
        taken = datetime.strptime(text, "%Y:%m:%d %H:%M:%S")
    except ValueError:
        return None
    fraction = str(details.get(_SUBSECOND, "")).strip("\0 ")
    return taken.replace(microsecond=int(f"{fraction:0<6.6}")) if fraction.isdecimal() else taken


def _plausible(dpi: Sequence[float] | None) -> tuple[float, float] | None:
    """Return a resolution that files of every format can hold; damaged ones are left out."""
    if dpi is None:
        return None
    x, y = float(dpi[0]), float(dpi[1])
    return (x, y) if 0 < x <= _LARGEST_DPI and 0 < y <= _LARGEST_DPI else None


def _dpi(first: Mapping[int, Any]) -> tuple[float, float] | None:
    if _X_DPI not in first or first.get(_UNIT, _INCH) not in (_INCH, _CENTIMETRE):
        return None
    scale = 2.54 if first.get(_UNIT) == _CENTIMETRE else 1
    x, y = float(first[_X_DPI]) * scale, float(first.get(_Y_DPI, first[_X_DPI])) * scale
    return x, y


def _pack(first: dict, details: dict, gps: dict) -> bytes:
    from PIL import Image

    exif = Image.Exif()
    exif.update(first)
    exif.get_ifd(_EXIF).update(details)
    if gps:
        exif.get_ifd(_GPS).update(gps)
    return exif_bytes(exif)
