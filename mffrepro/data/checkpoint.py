"""Reading TensorFlow checkpoints without TensorFlow.

A checkpoint of the second format is two files. ``.index`` is a sorted table of name -> type, shape, offset and size, laid
out as LevelDB lays out its tables; ``.data-00000-of-00001`` is the numbers, one array after the other. No code in either is
ever run: this is how weights published for TensorFlow become NumPy arrays here.
"""

import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from mffrepro.errors import DataError

MAGIC = 0xDB4775248B80FB57  # the last eight bytes of every LevelDB table
FOOTER = 48
#: TensorFlow's numbers for the types weights come in.
DTYPES = {1: "<f4", 2: "<f8", 3: "<i4", 9: "<i8", 19: "<f2"}

#: Most names of a checkpoint, most bytes of one, and most bytes of what is said of an array; networks have some hundred arrays.
MOST_NAMES, LONGEST_NAME, LONGEST_ENTRY = 100_000, 1_000, 4_096


def read_checkpoint(index: str | Path, data: str | Path) -> dict[str, np.ndarray]:
    """Read all numeric arrays of a checkpoint by name; skip entries of other types.

    Args:
        index: The ``.index`` file.
        data: The ``.data-00000-of-00001`` file.

    Raises:
        DataError: Not a checkpoint of that format, or the two files do not belong together.
    """
    try:
        table, numbers = Path(index).read_bytes(), Path(data).read_bytes()
        entries = {name.decode(): _fields(value) for name, value in _limited(_rows(table)) if name}
        arrays = {name: fields for name, fields in entries.items() if fields.get(1) in DTYPES}
        if sum(fields[5] for fields in arrays.values()) > len(numbers):  # names of the same bytes would multiply them
            raise ValueError("its arrays are larger than the file")
        return {name: _array(fields, numbers) for name, fields in arrays.items()}
    except (ArithmeticError, LookupError, OSError, TypeError, ValueError, struct.error) as error:
        raise DataError(f"{index} and {data} are not a readable checkpoint ({error}); fetch them again") from None


def _array(fields: dict, numbers: bytes) -> np.ndarray:
    """Read one array by the fields of TensorFlow's BundleEntryProto: 1 type, 2 shape, 4 offset, 5 size; zeros are left out."""
    shape = [_fields(size).get(1, 0) for key, size in _items(fields.get(2, b"")) if key == 2]
    start, size = fields.get(4, 0), fields[5]
    return np.frombuffer(numbers[start : start + size], DTYPES[fields[1]]).reshape(shape).copy()


def _limited(rows: Iterator[tuple[bytes, bytes]]) -> Iterator[tuple[bytes, bytes]]:
    """Yield the rows; raise ValueError where they would take long: a few bytes can repeat a long name, or a whole block."""
    for number, (name, value) in enumerate(rows):
        if number >= MOST_NAMES or len(name) > LONGEST_NAME or len(value) > LONGEST_ENTRY:
            raise ValueError("more than the names of a network")
        yield name, value


# ------------------------------------------------------------------------------------------- LevelDB table


def _rows(table: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield key and value of every row: the footer points to the index block, whose values point to the data blocks."""
    if struct.unpack("<Q", table[-8:])[0] != MAGIC:
        raise ValueError("no table footer")
    footer = table[-FOOTER:]
    _, position = _handle(footer, 0)  # the first handle is that of a block of statistics
    index, _ = _handle(footer, position)
    for _, value in _block(table, *index):
        yield from _block(table, *_handle(value, 0)[0])


def _handle(data: bytes, position: int) -> tuple[tuple[int, int], int]:
    offset, position = _varint(data, position)
    size, position = _varint(data, position)
    return (offset, size), position


def _block(table: bytes, offset: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    """Read the rows of one block; each key repeats the first bytes of the one before. A list of restart points ends it."""
    if table[offset + size] != 0:
        raise ValueError("a compressed block")
    block = table[offset : offset + size]
    end = size - 4 - 4 * struct.unpack("<I", block[-4:])[0]
    key, position = b"", 0
    while position < end:
        shared, position = _varint(block, position)
        added, position = _varint(block, position)
        length, position = _varint(block, position)
        key = key[:shared] + block[position : position + added]
        position += added
        yield key, block[position : position + length]
        position += length


# ---------------------------------------------------------------------------------------- protocol buffers


def _varint(data: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while shift <= 63:
        byte = data[position]
        value |= (byte & 0x7F) << shift
        position, shift = position + 1, shift + 7
        if byte < 0x80:
            return value, position
    raise ValueError("a number of more than 64 bits")


def _items(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    position = 0
    while position < len(message):
        tag, position = _varint(message, position)
        kind = tag & 7
        if kind == 0:
            value, position = _varint(message, position)
        else:
            size, position = _varint(message, position) if kind == 2 else ({1: 8, 5: 4}[kind], position)
            value, position = message[position : position + size], position + size
        yield tag >> 3, value


def _fields(message: bytes) -> dict[int, int | bytes]:
    return dict(_items(message))
