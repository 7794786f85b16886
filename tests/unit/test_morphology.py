"""The morphological pyramid and the energy of gradient against loops over pixels."""

import numpy as np
import pytest

import mffrepro as mff
from mffrepro.baselines import mp
from mffrepro.errors import OptionError


def moved(image: np.ndarray, choose, outside: float) -> np.ndarray:
    """Take the least or largest value of each 3x3 window that lies inside the image."""
    padded = np.pad(image, 1, constant_values=outside)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3))
    return choose(windows, axis=(2, 3))


def eroded(image: np.ndarray) -> np.ndarray:
    return moved(image, np.min, np.inf)


def dilated(image: np.ndarray) -> np.ndarray:
    return moved(image, np.max, -np.inf)


@pytest.mark.parametrize("shape", [(12, 10), (11, 9), (2, 3)])
def test_a_level_is_what_the_operations_say(shape: tuple[int, int]) -> None:
    image = np.random.default_rng(1).random(shape)
    detail, smaller = mp.split(image)
    opened = dilated(eroded(image))
    np.testing.assert_array_equal(smaller, eroded(dilated(opened))[::2, ::2])
    spread = np.full(shape, -np.inf)
    spread[::2, ::2] = smaller
    np.testing.assert_array_equal(detail, image - dilated(spread))


@pytest.mark.parametrize("levels", [1, 2, 4])
def test_a_single_image_comes_back(levels: int) -> None:
    image = np.random.default_rng(2).random((33, 26))
    np.testing.assert_allclose(mp.fuse_details([image, image], levels), image, atol=1e-12)


def test_small_bright_detail_of_one_source_is_kept() -> None:
    sharp, flat = np.full((32, 32), 0.2), np.full((32, 32), 0.2)
    sharp[10, 12] = 0.9
    fused = mff.fuse([flat, sharp], "mp").image
    assert fused[10, 12] == pytest.approx(0.9)


def test_levels_are_checked() -> None:
    with pytest.raises(OptionError, match="levels is 0"):
        mff.fuse(np.zeros((2, 8, 8)), "mp", levels=0)


def test_the_steepest_source_wins() -> None:
    images = np.random.default_rng(3).integers(0, 256, (3, 14, 12), np.uint8)
    decision = mff.fuse(images, "eog", radius=0, smallest=0).decision
    gray = images.astype(float)
    for row, column in np.ndindex(14, 12):
        energies = [
            (image[min(row + 1, 13), column] - image[row, column]) ** 2
            + (image[row, min(column + 1, 11)] - image[row, column]) ** 2
            for image in gray
        ]
        assert decision[:, row, column].argmax() == int(np.argmax(energies))
