"""Refuse TIFF files whose strips or tiles take more memory than the image that they make up."""

import io
import lzma
import math
import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from mffrepro.errors import ImageError
from mffrepro.images.limits import open_with_pillow

if TYPE_CHECKING:
    from tifffile import TiffPage

#: Pixels that a tile may have, however small the image is.
TILE = 2**24
#: Compressions (tag 259) that unpack to the samples of a strip or tile and no more: LZW, deflate, PackBits, LZMA, Zstandard.
_PLAIN = {1, 5, 8, 32773, 32946, 34925, 50000}
#: Compressions whose strips are pictures, with headers that Pillow reads: JPEG, JPEG 2000, PNG, WebP.
_PICTURES = {7, 33003, 33004, 33005, 34712, 34933, 50001}
#: Those that are unpacked whole where imagecodecs is missing, whatever comes out.
_UNPACKED_WHOLE = {8: zlib.decompressobj, 32946: zlib.decompressobj, 34925: lzma.LZMADecompressor}


def check_tiles(size: Sequence[int], tile: Sequence[int], name: str) -> None:
    """Raise ImageError where tiles are much larger than the image that they make up.

    Args:
        size: Width and height of the image, pixels.
        tile: Those of a tile; 0 where there are none.
        name: The file, for the error.
    """
    if tile[0] * tile[1] > max(size[0] * size[1], TILE):
        raise ImageError(f"{name} is damaged (its tiles of {tile[0]}x{tile[1]} pixels are larger than its image); copy it again")


def check_segments(pages: Iterable["TiffPage"], page: "TiffPage", name: str) -> None:
    """Raise ImageError where strips or tiles may unpack to more than their share.

    Args:
        pages: Pages of one kind.
        page: One of them, which says how all are stored.
        name: The file, for the error.
    """
    if page.imagedepth > 1 or page.tiledepth > 1:
        raise ImageError(f"{name} stores a volume in one page; save its slices as pages")
    check_tiles((page.imagewidth, page.imagelength), (page.tilewidth, page.tilelength), name)
    unpack = None if has_imagecodecs() else _UNPACKED_WHOLE.get(page.compression)
    if unpack and any(_unpacks_further(unpack(), segment, page) for segment in _segments(pages)):
        raise ImageError(f"{name} is damaged (its strips hold more than its image); copy it again")
    if page.compression in _PLAIN:
        return
    if page.compression not in _PICTURES or not all(_fits(segment, page) for segment in _segments(pages)):
        kind = getattr(page.compression, "name", page.compression)
        raise ImageError(f"{name} is compressed with {kind} in a way that cannot be checked; save it with deflate or LZW")


def _segments(pages: Iterable["TiffPage"]) -> Iterator[bytes]:
    """Yield the packed strips or tiles of pages, without those that are left out and filled by a constant."""
    for page in filter(None, pages):  # a series may lack pages
        for segment, _ in page.parent.filehandle.read_segments(page.dataoffsets, page.databytecounts):
            if segment:
                yield segment


def _segment_sides(page: "TiffPage") -> tuple[int, int]:
    return (page.tilewidth, page.tilelength) if page.is_tiled else (page.imagewidth, min(page.rowsperstrip, page.imagelength))


def _unpacks_further(unpacker, segment: bytes, page: "TiffPage") -> bool:
    """Tell whether a strip or tile unpacks to more bytes than it has."""
    most = math.prod(_segment_sides(page)) * (1 + page.samplesperpixel * page.bitspersample // 8)
    try:
        return len(unpacker.decompress(segment, most + 1)) > most
    except (zlib.error, lzma.LZMAError):  # reading it says what is wrong
        return False


def _fits(segment: bytes, page: "TiffPage") -> bool:
    """Tell whether the picture in a strip or tile is no larger than that."""
    most = _segment_sides(page)
    try:
        with open_with_pillow(io.BytesIO(segment)) as picture:
            return picture.width <= most[0] and picture.height <= most[1]
    except Exception:  # parsers refuse damaged files by errors of many kinds
        return False


def has_imagecodecs() -> bool:
    """Tell whether imagecodecs is installed."""
    from importlib.util import find_spec

    return find_spec("imagecodecs") is not None
