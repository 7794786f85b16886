"""TensorFlow checkpoints against one written out by hand; the published ones are in test_data_mirror.py."""

import struct

import numpy as np
import pytest

from mffrepro.data import checkpoint
from mffrepro.data.checkpoint import MAGIC, read_checkpoint
from mffrepro.errors import DataError


def row(key: bytes, value: bytes, shared: int = 0) -> bytes:
    return bytes([shared, len(key) - shared, len(value)]) + key[shared:] + value


def block(*rows: bytes) -> bytes:
    return b"".join(rows) + struct.pack("<II", 0, 1)  # one restart point, at 0


#: (2, 2) float32 of 16 bytes at 0; scalar int64 of 8 bytes at 16; one string entry, which is left out.
MATRIX = bytes([0x08, 1, 0x12, 8, 0x12, 2, 0x08, 2, 0x12, 2, 0x08, 2, 0x28, 16, 0x35, 1, 2, 3, 4])
SCALAR = bytes([0x08, 9, 0x12, 0, 0x20, 16, 0x28, 8])
STRING = bytes([0x08, 7, 0x12, 0, 0x20, 24, 0x28, 1])


@pytest.fixture
def files(tmp_path):
    data = block(row(b"", b"\x08\x01"), row(b"net/b", MATRIX), row(b"net/step", SCALAR, shared=4), row(b"text", STRING))
    data_end = len(data) + 5  # one byte of compression, four of checksum
    index = block(row(b"zzz", bytes([0, len(data)])))
    handles = bytes([0, 0, data_end, len(index)])
    table = data + bytes(5) + index + bytes(5) + handles.ljust(40, b"\0") + struct.pack("<Q", MAGIC)
    (tmp_path / "c.index").write_bytes(table)
    (tmp_path / "c.data").write_bytes(np.array([1, 2, 3, 4], "<f4").tobytes() + np.array(7, "<i8").tobytes() + b"s")
    return tmp_path / "c.index", tmp_path / "c.data"


def test_arrays_by_name(files):
    arrays = read_checkpoint(*files)
    assert list(arrays) == ["net/b", "net/step"]
    assert arrays["net/b"].tolist() == [[1, 2], [3, 4]]
    assert arrays["net/b"].dtype == np.float32
    assert arrays["net/step"].shape == ()
    assert arrays["net/step"] == 7


def test_other_files_are_refused(files):
    index, data = files
    with pytest.raises(DataError, match="not a readable checkpoint"):
        read_checkpoint(data, index)
    data.write_bytes(data.read_bytes()[:10])
    with pytest.raises(DataError, match="fetch them again"):
        read_checkpoint(index, data)


#: Numbers where messages should be, messages where numbers should be, and numbers that no array has.
DAMAGED = {
    "shape is a number": [0x08, 1, 0x10, 8, 0x28, 16],
    "offset is a message": [0x08, 1, 0x22, 1, 0, 0x28, 16],
    "size is a message": [0x08, 1, 0x2A, 1, 0],
    "side is a message": [0x08, 1, 0x12, 5, 0x12, 3, 0x0A, 1, 0, 0x28, 16],
    "sides are huge": [0x08, 1, 0x12, 13, 0x12, 11, 0x08, *[0xFF] * 9, 0x01, 0x28, 16],
}


def varint(number: int) -> bytes:
    return bytes([number & 0x7F | 0x80, number >> 7])


def write(folder, *rows: bytes, data: bytes = bytes(16)):
    """Write a table of these rows in one block, and the numbers."""
    content = block(*rows)
    index = block(row(b"zzz", b"\0" + varint(len(content))))
    handles = b"\0\0" + varint(len(content) + 5) + varint(len(index))
    (folder / "c.index").write_bytes(content + bytes(5) + index + bytes(5) + handles.ljust(40, b"\0") + struct.pack("<Q", MAGIC))
    (folder / "c.data").write_bytes(data)
    return folder / "c.index", folder / "c.data"


def test_names_of_the_same_numbers_are_refused(tmp_path):
    assert list(read_checkpoint(*write(tmp_path, row(b"a", MATRIX)))) == ["a"]
    with pytest.raises(DataError, match="its arrays are larger than the file"):
        read_checkpoint(*write(tmp_path, row(b"a", MATRIX), row(b"b", MATRIX)))


def test_numbers_of_more_than_64_bits_are_refused(tmp_path):
    with pytest.raises(DataError, match="more than 64 bits"):
        read_checkpoint(*write(tmp_path, row(b"a", b"\x08" + b"\xff" * 100)))


@pytest.mark.parametrize("limit", ["MOST_NAMES", "LONGEST_NAME", "LONGEST_ENTRY"])
def test_more_than_a_network_has_is_refused(tmp_path, monkeypatch, limit):
    monkeypatch.setattr(checkpoint, limit, 1)
    with pytest.raises(DataError, match="more than the names of a network"):
        read_checkpoint(*write(tmp_path, row(b"aa", MATRIX), row(b"bb", SCALAR)))


@pytest.mark.parametrize("entry", DAMAGED.values(), ids=DAMAGED)
def test_entries_of_a_wrong_kind_are_refused(tmp_path, entry):
    data = block(row(b"net/b", bytes(entry)))
    index = block(row(b"zzz", bytes([0, len(data)])))
    handles = bytes([0, 0, len(data) + 5, len(index)]).ljust(40, b"\0")
    (tmp_path / "c.index").write_bytes(data + bytes(5) + index + bytes(5) + handles + struct.pack("<Q", MAGIC))
    (tmp_path / "c.data").write_bytes(bytes(16))
    with pytest.raises(DataError, match=r"not a readable checkpoint .*; fetch them again"):
        read_checkpoint(tmp_path / "c.index", tmp_path / "c.data")


def test_a_checkpoint_that_is_not_there_is_named(tmp_path):
    with pytest.raises(DataError, match=r"none\.index .* not a readable checkpoint"):
        read_checkpoint(tmp_path / "none.index", tmp_path / "none.data")


def test_a_compressed_table_is_refused(files):
    index, data = files
    table = bytearray(index.read_bytes())
    table[table.index(STRING) + len(STRING) + 8] = 1
    index.write_bytes(table)
    with pytest.raises(DataError, match="compressed"):
        read_checkpoint(index, data)
