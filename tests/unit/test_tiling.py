"""Pieces of an image put together are the image."""

import numpy as np
import pytest

from mffrepro.threads import in_threads, in_threads_one_by_one
from mffrepro.tiling import map_pixels, strips


@pytest.mark.parametrize(
    ("height", "width", "pixels", "halo"), [(97, 45, 720, 3), (15, 900, 100, 30), (520, 520, 2**15, 1), (1, 1, 1, 1)]
)
def test_strips_cover_every_row_once(height, width, pixels, halo):
    rows = [strip.rows for strip in strips(height, width, pixels, halo)]
    assert [i for s in rows for i in range(s.start, s.stop)] == list(range(height))
    assert len(rows) == 1 or min(s.stop - s.start for s in rows) >= 15
    assert all(s.start % 2 == 0 for s in rows)
    x = np.broadcast_to(np.arange(height)[:, None], (height, width))
    for strip in strips(height, width, pixels, halo):
        assert (strip.crop(x[strip.with_halo]) == x[strip.rows]).all()


def test_threads_keep_the_order():
    assert in_threads(lambda i: i * i, range(50)) == [i * i for i in range(50)]


def test_threads_take_items_as_they_are_needed():
    taken, finished = [], []
    for square in in_threads_one_by_one(lambda i: i * i, (taken.append(i) or i for i in range(50))):
        finished.append(square)
        assert len(taken) - len(finished) <= 4
    assert finished == [i * i for i in range(50)]


def test_the_first_error_ends_what_threads_do():
    taken = []
    with pytest.raises(ZeroDivisionError, match="zero"):
        list(in_threads_one_by_one(lambda i: 1 / (3 - i), (taken.append(i) or i for i in range(50))))
    assert len(taken) <= 9


def test_threads_divide_as_their_caller_does():
    with np.errstate(divide="raise"), pytest.raises(FloatingPointError):
        in_threads(lambda x: np.ones(1) / x, [np.zeros(1)])
    with np.errstate(divide="ignore"):
        assert np.isinf(in_threads(lambda x: np.ones(1) / x, [np.zeros(1)])[0])


def test_a_function_of_single_pixels_a_few_rows_at_a_time():
    a, b = np.random.default_rng(0).random((2, 37, 5))
    total, product = map_pixels(lambda x, y: (x + y, x * y), a, b)
    np.testing.assert_array_equal(total, a + b)
    np.testing.assert_array_equal(product, a * b)
