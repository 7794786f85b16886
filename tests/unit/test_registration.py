"""Registration against images that were moved by a known homography."""

import cv2
import numpy as np
import pytest

import mffrepro as mff
from mffrepro.errors import ImageError
from mffrepro.fusion.registration import register

INSIDE = np.s_[20:-20, 20:-20]


@pytest.fixture(scope="module")
def scene() -> np.ndarray:
    return mff.load("embedded", size=192)[0].reference


def moved(image: np.ndarray) -> np.ndarray:
    """A little larger, turned and shifted, as by breathing of the lens and a hand."""
    matrix = np.array([[1.02, 0.01, -3.5], [-0.01, 1.015, 2.0], [1e-5, 0, 1]])
    return cv2.warpPerspective(image, matrix, image.shape[1::-1], flags=cv2.INTER_CUBIC)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("colour", [True, False])
def test_a_moved_image_comes_back(scene, dtype, colour):
    image = (scene if colour else scene[..., 1]).astype(np.float32) / 255
    image = image if dtype is np.float32 else np.rint(image * np.iinfo(dtype).max).astype(dtype)
    scale = 1.0 if dtype is np.float32 else float(np.iinfo(dtype).max)
    first, second = register(np.stack([image, moved(image)]))
    assert second.dtype == dtype
    np.testing.assert_array_equal(first, image)
    before, after = (np.abs(x[INSIDE] / scale - image[INSIDE] / scale).mean() for x in (moved(image), second))
    assert after < 0.35 * before
    shift, _ = cv2.phaseCorrelate(*(np.float64(x if x.ndim == 2 else x[..., 1])[INSIDE] for x in (first, second)))
    assert np.abs(shift).max() < 0.2


def test_what_shows_something_else_is_refused(scene):
    blank = np.zeros_like(scene)
    with pytest.raises(ImageError, match="image 2 has too few details in common"):
        register(np.stack([scene, blank]))
    with pytest.raises(ImageError, match="leave registration out"):
        mff.fuse([blank, blank], "focus_stack", as_published=True)


def test_focus_stack_registers_as_published_where_it_is_asked_to(scene):
    sources = [scene, moved(scene)]
    fused = {flag: mff.fuse(sources, "focus_stack", as_published=flag).image for flag in (True, False)}
    expected = mff.fuse(register(np.stack(sources)), "focus_stack").image
    np.testing.assert_array_equal(fused[True], expected)
    assert (fused[True] != fused[False]).any()
