"""Decode JPEG files with the chroma of another library, and refuse those that take minutes to decode.

Published results can then be repeated to the gray level.

Most JPEG files hold chroma at half size. libjpeg-turbo, which Pillow and OpenCV use today, interpolates it. The libjpeg of the
Independent JPEG Group, version 7 or later, enlarges each 8x8 block to 16x16 in the cosine domain. Pillow came with it until 2019.
Sharp colours differ by some gray levels between the two, in a few per cent of the pixels.
"""

import io
import re
import struct
from collections.abc import Iterator

import numpy as np

from mffrepro.errors import ImageError

#: Segments that hold the size of a sequential image, baseline or extended.
_FRAMES = (0xFFC0, 0xFFC1)
#: Sampling factors (horizontal, vertical) of luma and chroma: chroma at half size in both directions.
_HALVED = [(2, 2), (1, 1), (1, 1)]
#: What ends the data of a scan: any marker but a stuffed byte or those that have no length, a restart or TEM.
_MARKER = re.compile(rb"\xff[\x02-\xcf\xd8-\xfe]")
_SCAN, _END = 0xDA, 0xD9
#: Scans of a progressive file, of which common encoders write about ten. A decoder passes over the whole image for each, however
#: few bytes it has.
MOST_SCANS = 100
#: Steps per unit that the integer transform keeps between columns and rows: two bits.
_KEPT = 4


def check_scans(data: bytes, name: str) -> None:
    """Raise ImageError for a JPEG of so many scans that a small file takes minutes.

    Args:
        data: A whole JPEG file.
        name: The file, for the error.
    """
    if sum(marker == _SCAN for marker in _markers(data)) > MOST_SCANS:
        raise ImageError(
            f"{name} has more than {MOST_SCANS} scans, where a JPEG has about ten; save it again with another program"
        )


def _markers(data: bytes) -> Iterator[int]:
    """Yield the markers of the first image, not those of previews in its segments or of what follows it."""
    found = _MARKER.search(data, 2)
    while found and (marker := data[found.start() + 1]) != _END:
        yield marker
        length = int.from_bytes(data[found.end() : found.end() + 2], "big")
        found = _MARKER.search(data, found.end() + length)


def decode_dct_chroma(data: bytes) -> np.ndarray | None:
    """Decode a JPEG as libjpeg 9 does, with its chroma enlarged in the cosine domain.

    Args:
        data: A whole JPEG file.

    Returns:
        (H, W, 3) uint8, not turned by its EXIF orientation; None where the chroma is not at half size, where both libraries
        agree, and for progressive files, whose scans do not store all blocks.
    """
    from PIL import Image

    with Image.open(io.BytesIO(data), formats=("JPEG",)) as picture:
        sampling = [(h, v) for _, h, v, _ in getattr(picture, "layer", [])]
        if picture.mode != "RGB" or sampling != _HALVED or "progressive" in picture.info:
            return None
        tables = [np.reshape(picture.quantization[table], (8, 8)) for *_, table in picture.layer]
        width, height = picture.size
    whole = _with_whole_blocks(data)
    luma = _planes(whole, 1)[..., 0]
    small = _planes(whole, 2)  # at half size Pillow leaves the chroma as it is stored
    blue, red = (_enlarge(small[..., i], tables[i]) - 128 for i in (1, 2))
    added = (1.402 * red, -0.344136286 * blue - 0.714136286 * red, 1.772 * blue)
    rgb = np.stack([luma + np.floor(part + 0.5) for part in added], -1)
    return rgb.clip(0, 255).astype(np.uint8)[:height, :width]


def _with_whole_blocks(data: bytes) -> bytes:
    """Raise the size in the header to multiples of 16, so that the decoder shows all stored blocks."""
    at = 2
    while at + 9 <= len(data):
        marker, length = struct.unpack_from(">HH", data, at)
        if marker in _FRAMES:
            sides = struct.unpack_from(">HH", data, at + 5)
            return data[: at + 5] + struct.pack(">HH", *(-(-side // 16) * 16 for side in sides)) + data[at + 9 :]
        at += 2 + length
    raise ValueError("no frame header")


def _planes(data: bytes, shrink: int) -> np.ndarray:
    """Decode to luma and chroma (H, W, 3), at full or at half size."""
    from PIL import Image

    with Image.open(io.BytesIO(data), formats=("JPEG",)) as picture:
        picture.draft("YCbCr", (picture.width // shrink, picture.height // shrink))
        return np.asarray(picture, np.float64)


def _enlarge(plane: np.ndarray, table: np.ndarray) -> np.ndarray:
    """Double the size of a plane of 8x8 blocks in the cosine domain, with the rounding of libjpeg's integers.

    The stored coefficients are whole multiples of the quantization table, so rounding finds them again.
    """
    from scipy.fft import dctn  # here, since listings of methods must not wait for SciPy

    rows, columns = plane.shape
    blocks = plane.reshape(rows // 8, 8, columns // 8, 8).swapaxes(1, 2) - 128
    coefficients = np.round(dctn(blocks, axes=(2, 3), norm="ortho") / table) * table
    order = np.arange(8)
    basis = np.cos((2 * np.arange(16)[:, None] + 1) * order * np.pi / 32) * np.where(order, np.sqrt(2), 1)
    by_column = np.floor(_KEPT * basis @ coefficients + 0.5) / _KEPT
    samples = np.floor(by_column @ basis.T / 8 + 128.5).clip(0, 255)
    return samples.swapaxes(1, 2).reshape(2 * rows, 2 * columns)
