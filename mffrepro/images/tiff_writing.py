"""Write TIFF files: compressed, of every depth, with the metadata of a photograph."""

import io
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from mffrepro.images.metadata import Metadata, profile_for, result_exif

if TYPE_CHECKING:
    from PIL.Image import Exif

#: Tags that point to directories of their own: EXIF and GPS.
_DIRECTORIES = (0x8769, 0x8825)
#: Tags that tifffile writes itself or that a TIFF must not repeat: unit of the resolution, and in EXIF width and height.
_UNIT, _SIDES = 296, (0xA002, 0xA003)
#: A file of 4 GiB is a BigTIFF, whose directories are laid out in another way.
_CLASSIC = 2**32 - 2**20


def encode_tiff(image: np.ndarray, metadata: Metadata | None, *, has_alpha: bool) -> bytes:
    """Encode a TIFF compressed with deflate.

    Integers have a predictor. Floats have none, since few programs know theirs.

    Args:
        image: (H, W, C): gray or colour, and alpha.
        metadata: Profile, EXIF and resolution; None for none and no software tag.
        has_alpha: Whether the last channel is alpha.
    """
    from tifffile import imwrite

    is_colour = image.ndim == 3 and image.shape[2] >= 3
    options = {"photometric": "rgb" if is_colour else "minisblack", "metadata": None, "compression": "zlib"}
    options |= {"predictor": 2} if image.dtype.kind == "u" else {}
    options |= {"planarconfig": "contig"} if image.ndim == 3 else {}
    options |= {"extrasamples": ["unassalpha"]} if has_alpha else {}
    buffer = io.BytesIO()
    if metadata is None:
        imwrite(buffer, image, software=False, **options)
        return buffer.getvalue()
    exif = result_exif(metadata, image.shape[1::-1])
    options |= {"iccprofile": profile_for(metadata, is_colour=is_colour)}
    options |= {"resolution": metadata.dpi, "resolutionunit": "inch"} if metadata.dpi else {}
    imwrite(buffer, image, software=False, extratags=list(_first_tags(exif)), **options)
    data = buffer.getvalue()
    return _with_directories(data, exif) if len(data) < _CLASSIC else data


def _first_tags(exif: "Exif") -> Iterator[tuple]:
    """List the tags of the first directory in the form of tifffile, with 0 for the places of other directories."""
    for tag, value in exif.items():
        if isinstance(value, str):
            text = value.encode("latin-1", "replace")
            yield tag, "s", len(text) + 1, text, True
        elif isinstance(value, bytes):
            yield tag, "B", len(value), value, True
        elif isinstance(value, int) and tag not in (*_DIRECTORIES, _UNIT):
            yield tag, "H", 1, value, True
    for tag in _DIRECTORIES:
        if _directory(exif, tag):
            yield tag - 1, "I", 1, 0, True  # tifffile writes no tag of this kind, so the one before keeps its place


def _directory(exif: "Exif", tag: int) -> dict[int, object]:
    """Return what a directory holds; nothing where a value does not fit its tag, as in damaged files."""
    try:
        values = {name: value for name, value in exif.get_ifd(tag).items() if name not in _SIDES}
        _packed(values, 0, "little")
    except Exception:  # Pillow fails at such values in ways that could not be listed
        return {}
    return values


def _packed(values: dict[int, object], start: int, order: str) -> bytes:
    """Lay a directory out for its place in a file."""
    from PIL.TiffImagePlugin import ImageFileDirectory_v2

    directory = ImageFileDirectory_v2(ifh=b"II*\0\0\0\0\0" if order == "little" else b"MM\0*\0\0\0\0")
    directory.update(values)
    return directory.tobytes(start)


def _with_directories(tiff: bytes, exif: "Exif") -> bytes:
    """Append the directories of EXIF and GPS to a TIFF, and set the places that point to them."""
    from tifffile import TiffFile

    with TiffFile(io.BytesIO(tiff)) as file:
        first = file.pages[0].tags
        places = {tag: first[tag - 1].offset for tag in _DIRECTORIES if tag - 1 in first}
        order = "little" if file.byteorder == "<" else "big"
    data = bytearray(tiff)
    for tag, place in places.items():
        data += b"\0" * (len(data) % 2)  # directories begin at even places
        start = len(data)
        data += _packed(_directory(exif, tag), start, order)
        data[place : place + 2] = tag.to_bytes(2, order)
        data[place + 8 : place + 12] = start.to_bytes(4, order)
    return bytes(data)
