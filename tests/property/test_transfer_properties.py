"""tlcnn and tlcolor on images of any size, depth and number, with random weights: what must hold whatever was learned."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mffrepro as mff
from mffrepro.data.synthetic import gaussian_blur

METHODS = st.sampled_from(["tlcnn", "tlcolor"])


@settings(max_examples=15, deadline=None)
@given(METHODS, st.integers(3, 70), st.integers(3, 70), st.integers(2, 4), st.booleans(), st.sampled_from([np.uint8, np.uint16]))
def test_any_stack_is_fused_from_its_own_pixels(method, height, width, count, colour, dtype) -> None:
    rng = np.random.default_rng(height * 71 + width)
    shape = (count, height, width, 3) if colour else (count, height, width)
    images = rng.integers(0, np.iinfo(dtype).max, shape, dtype=dtype, endpoint=True)
    result = mff.fuse(list(images), method, weights="random")
    assert result.image.shape == images.shape[1:]
    assert result.image.dtype == dtype
    assert set(np.unique(result.decision)) <= {0.0, 1.0}
    np.testing.assert_array_equal(result.decision.sum(0), 1)
    winner = result.decision.argmax(0)
    picked = np.take_along_axis(images, winner[None, ..., None] if colour else winner[None], 0)[0]
    np.testing.assert_array_equal(result.image, picked)


@settings(max_examples=8, deadline=None)
@given(METHODS, st.integers(8, 50), st.integers(0, 100))
def test_identical_and_constant_images_come_back(method, side, seed) -> None:
    image = np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8)
    np.testing.assert_array_equal(mff.fuse([image, image], method, weights="random").image, image)
    flat = np.full((side, side), 77, np.uint8)
    np.testing.assert_array_equal(mff.fuse([flat, flat], method, weights="random").image, flat)


@pytest.mark.parametrize("strategy", ["serial", "carry"])
def test_many_images_by_either_strategy(strategy: str) -> None:
    pair = mff.load("embedded", kind="composite", levels=(4,), size=192)[1]
    both_soft = gaussian_blur(pair.reference, 3)
    images = [both_soft, *pair.images]
    result = mff.fuse(images, "tlcolor", strategy=strategy)
    best = max(mff.evaluate(pair, image, ["psnr"])["psnr"] for image in images)
    assert mff.evaluate(pair, result.image, ["psnr"])["psnr"] > best + 1
    assert result.decision[0].mean() < 0.2  # what is soft everywhere is rarely taken


def test_gray_and_its_colour_copy_agree() -> None:
    rng = np.random.default_rng(3)
    gray = rng.integers(0, 256, (2, 40, 52), dtype=np.uint8)
    colour = np.repeat(gray[..., None], 3, axis=-1)
    one, other = (mff.fuse(list(images), "tlcnn", weights="random") for images in (gray, colour))
    np.testing.assert_array_equal(one.decision, other.decision)
