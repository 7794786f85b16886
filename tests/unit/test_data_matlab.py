"""Files of MATLAB: the good ones as SciPy reads them, the hostile ones refused before SciPy sees them."""

import struct

import numpy as np
import pytest
import scipy.io
from scipy.io import savemat
from scipy.sparse import eye_array

from mffrepro.data import matlab
from mffrepro.data.matlab import read_mat
from mffrepro.errors import DataError


def element(kind: int, content: bytes) -> bytes:
    return struct.pack("<II", kind, len(content)) + content + bytes(-len(content) % 8)


def array(kind: int, shape: tuple[int, ...], *content: bytes, name: bytes = b"") -> bytes:
    head = element(6, struct.pack("<II", kind, 0)) + element(5, struct.pack(f"<{len(shape)}i", *shape)) + element(1, name)
    return element(14, head + b"".join(content))


def file(*elements: bytes) -> bytes:
    return b"MATLAB 5.0 MAT-file".ljust(124) + b"\0\1IM" + b"".join(elements)


def nested(depth: int) -> bytes:
    inner = array(9, (1, 1), element(2, b"\1"))
    for _ in range(depth):
        inner = array(1, (1, 1), inner, name=b"D")
    return inner


@pytest.mark.parametrize("packed", [False, True])
def test_good_files_are_read_as_scipy_reads_them(tmp_path, packed):
    cells = np.empty((1, 2), object)
    cells[0, :] = [np.arange(5, dtype=np.uint16), {"a": np.eye(3), "text": "words", "none": np.zeros((0, 3))}]
    savemat(tmp_path / "a.mat", {"D": np.random.default_rng(0).random((7, 9)), "b": 1, "cells": cells}, do_compression=packed)
    read, expected = read_mat(tmp_path / "a.mat", "x"), scipy.io.loadmat(tmp_path / "a.mat")
    assert read.keys() == expected.keys()
    np.testing.assert_array_equal(read["D"], expected["D"])
    np.testing.assert_array_equal(read["cells"][0, 0], [np.arange(5)])
    for name in ("a", "text", "none"):
        np.testing.assert_array_equal(read["cells"][0, 1][name].item(), expected["cells"][0, 1][name].item())


def test_cells_may_lie_in_each_other(tmp_path):
    (tmp_path / "a.mat").write_bytes(file(nested(matlab.DEEPEST)))
    assert read_mat(tmp_path / "a.mat", "x")["D"].shape == (1, 1)


HOSTILE = {
    "deep": (file(nested(17)), "too deep"),
    "cells without data": (file(array(1, (10_000, 7_000))), "too many cells"),
    "letters without data": (file(array(4, (30_000, 30_000), element(16, b""))), "too many cells or letters"),
    "letters without dimensions": (file(array(4, (), element(16, b"words"))), "no or too many dimensions"),
    "negative": (file(array(1, (-1, 1))), "negative size"),
    "fields": (file(array(2, (1, 1), element(5, struct.pack("<i", 1)), element(1, b"a" * 1001))), "too many fields"),
    "fields without names": (file(array(2, (1, 1), element(5, struct.pack("<i", 0)), element(1, b"a"))), "too many fields"),
    "numbers of no kind": (file(array(6, (1, 1), element(200, bytes(8)))), "is damaged"),
    "cut": (file(array(6, (1, 1), element(9, bytes(8))))[:-8], "cut short"),
    "size that hides a nest": (file(array(1, (1, 1), struct.pack("<II", 14, 8) + nested(20)[8:])), "too deep"),
    "version 7.3": (file()[:124] + b"\0\2IM", "not of version 5"),
}


@pytest.mark.parametrize(("data", "said"), HOSTILE.values(), ids=HOSTILE)
def test_hostile_files_do_not_reach_scipy(tmp_path, monkeypatch, data, said):
    monkeypatch.setattr(scipy.io, "loadmat", lambda *_: pytest.fail("SciPy was asked"))
    (tmp_path / "a.mat").write_bytes(data)
    with pytest.raises(DataError, match=rf"a\.mat is not a readable MATLAB file .*{said}.*; fetch it again"):
        read_mat(tmp_path / "a.mat", "fetch it again")


@pytest.mark.parametrize("value", [np.eye(2) * 1j, eye_array(3).tocsc()], ids=["complex", "sparse"])
def test_arrays_that_nothing_needs_are_refused(tmp_path, value):
    savemat(tmp_path / "a.mat", {"D": value})
    with pytest.raises(DataError, match="other arrays than cells"):
        read_mat(tmp_path / "a.mat", "x")


@pytest.mark.parametrize("packed", [False, True])
def test_what_unpacks_to_more_than_a_limit_is_refused(tmp_path, monkeypatch, packed):
    monkeypatch.setattr(matlab, "MOST_BYTES", 2**16)
    savemat(tmp_path / "a.mat", {"D": np.zeros((100, 100))}, do_compression=packed)
    with pytest.raises(DataError, match="more than"):
        read_mat(tmp_path / "a.mat", "x")


def test_too_many_arrays_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(matlab, "MOST_ARRAYS", 10)
    (tmp_path / "a.mat").write_bytes(file(*[array(9, (1, 1), element(2, b"\1"), name=b"D")] * 11))
    with pytest.raises(DataError, match="too many"):
        read_mat(tmp_path / "a.mat", "x")
