"""Read the arrays of MATLAB files; a damaged one is named.

SciPy reads whatever a file says: deep nesting ends the process, and a few bytes can ask for any memory. So a file is unpacked and
walked here first, element by element in the order in which SciPy reads it.
"""

import io
import math
import struct
import zlib
from pathlib import Path

import numpy as np

from mffrepro.errors import DataError, first_line
from mffrepro.images.limits import read_at_most

#: Most bytes of a file, packed and unpacked; the largest one here, weights of nine million numbers, has at most some 70 MB.
MOST_BYTES = 2**28
#: Most arrays in cells and structures, and most letters of a text.
MOST_ARRAYS = 1_000_000
MOST_FIELDS = 1_000
#: How deep arrays may lie in each other.
DEEPEST = 16
#: Version 5 in both orders of bytes: what a header ends with, and how `struct` calls the order.
ORDERS = {b"\0\1IM": "<", b"\1\0MI": ">"}
#: Kinds of elements: an array, something packed, numbers, and letters.
MATRIX, PACKED, NUMBERS, LETTERS = 14, 15, (1, 2, 3, 4, 5, 6, 7, 9, 12, 13), (1, 2, 3, 4, 16, 17, 18)
#: Classes of arrays: in cells and structures lie others; from the last on there are numbers.
CELL, STRUCTURE, TEXT, NUMERIC = 1, 2, 4, range(6, 16)
COMPLEX = 1 << 11


def read_mat(path: str | Path, remedy: str) -> dict[str, np.ndarray]:
    """Read all arrays of a ``.mat`` file by name; nothing in it is executed.

    Args:
        path: The file.
        remedy: What to do where it cannot be read, for the error.

    Raises:
        DataError: The file is missing, damaged, not of version 5, or holds something else than cells, structures, texts and real
            numbers.
    """
    from scipy.io import loadmat

    try:
        return loadmat(io.BytesIO(_checked(Path(path))))
    except Exception as error:  # SciPy's reader fails on damaged files with errors of many kinds, MemoryError among them
        raise DataError(f"{path} is not a readable MATLAB file ({first_line(error)}); {remedy}") from None


def _checked(path: Path) -> bytes:
    """Return a file unpacked; raise ValueError, or struct.error where it is cut, for what SciPy must not see."""
    data = read_at_most(path, MOST_BYTES)
    if 0 in data[:4] or data[124:128] not in ORDERS:
        raise ValueError("it is not of version 5, 6 or 7")
    order = ORDERS[data[124:128]]
    plain = _unpacked(data, order)
    walk, position = _Walk(plain, order), 128
    while position < len(plain):
        walk.position = position
        position += 8 + struct.unpack_from(order + "II", plain, position)[1]
        walk.matrix(0)
    return plain


def _unpacked(data: bytes, order: str) -> bytes:
    """Unpack the packed elements of a file, up to a limit."""
    parts, room, position = [data[:128]], MOST_BYTES, 128
    while position < len(data):
        kind, size = struct.unpack_from(order + "II", data, position)
        part = data[position : position + 8 + size]
        position += 8 + size
        if kind == PACKED:
            stream = zlib.decompressobj()
            part = stream.decompress(part[8:], room)
            if not stream.eof:
                raise ValueError("it is cut short, or unpacks to more than it may")
            size = struct.unpack_from(order + "II", part)[1]
        if len(part) < 8 + size:
            raise ValueError("it is cut short")
        parts.append(part[: 8 + size])
        room -= len(part)
        if room <= 0:
            raise ValueError("it unpacks to more than it may")
    return b"".join(parts)


class _Walk:
    """Walk through the elements of an unpacked file as SciPy does, which does not look at the size of an array within another."""

    def __init__(self, data: bytes, order: str) -> None:
        self.data, self.order, self.position, self.arrays = data, order, 0, 0

    def matrix(self, depth: int) -> None:
        """Walk through an array and all that lies in it."""
        self.arrays += 1
        if depth > DEEPEST or self.arrays > MOST_ARRAYS:
            raise ValueError("its arrays are too many or lie too deep in each other")
        kind, size = self._numbers(2)
        if kind != MATRIX:
            raise ValueError("it holds something else than arrays")
        if size == 0:
            return
        flags = self._numbers(4)[2]
        dimensions = self._integers()
        if not 2 <= len(dimensions) <= 32:  # SciPy ends the process where a text has none
            raise ValueError("it has an array of no or too many dimensions")
        self._element()  # the name
        self._content(flags & 0xFF, bool(flags & COMPLEX), math.prod(dimensions), depth)

    def _content(self, kind: int, is_complex: bool, count: int, depth: int) -> None:
        if is_complex or kind not in (CELL, STRUCTURE, TEXT, *NUMERIC):
            raise ValueError("it holds other arrays than cells, structures, texts and real numbers")
        if kind not in NUMERIC and count > MOST_ARRAYS:
            raise ValueError("it has too many cells or letters")
        if kind in NUMERIC:
            self._element(NUMBERS)
        elif kind == TEXT:
            if len(self._element(LETTERS)) > 4 * MOST_ARRAYS:
                raise ValueError("it has too many letters")
        else:
            for _ in range(count * (self._fields() if kind == STRUCTURE else 1)):
                self.matrix(depth + 1)

    def _fields(self) -> int:
        """Return the number of fields of a structure."""
        (length,) = self._integers()
        names = len(self._element()) // length if length else MOST_FIELDS + 1
        if names > MOST_FIELDS:
            raise ValueError("it has structures of too many fields")
        return names

    def _integers(self) -> tuple[int, ...]:
        content = self._element()
        values = struct.unpack(f"{self.order}{len(content) // 4}i", content)
        if min(values, default=0) < 0:
            raise ValueError("it has an array of negative size")
        return values

    def _element(self, kinds: tuple[int, ...] | None = None) -> memoryview:
        """Return the bytes of an element; up to four lie in its head, others after it, filled up to eights."""
        head, size = self._numbers(2)
        start, after = self.position, self.position + size + -size % 8
        if head >> 16:
            head, size, start, after = head & 0xFFFF, head >> 16, self.position - 4, self.position
        if (kinds and head not in kinds) or start + size > len(self.data) or (after == self.position and size > 4):
            raise ValueError("it is damaged")
        self.position = after
        return memoryview(self.data)[start : start + size]

    def _numbers(self, count: int) -> tuple[int, ...]:
        values = struct.unpack_from(f"{self.order}{count}I", self.data, self.position)
        self.position += 4 * count
        return values
