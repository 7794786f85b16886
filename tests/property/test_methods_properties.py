"""What fusion keeps whatever the images."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from quick import QUICK

import mffrepro as mff
from mffrepro import methods

#: Methods without a network are fast enough for many examples; a network gets a few.
CLASSICAL = [card.name for card in methods.CARDS.values() if card.kind == "classical"]

seeds = st.integers(0, 2**32 - 1)
sides = st.integers(17, 48)


def noise(seed, *shape):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


@pytest.mark.parametrize("name", CLASSICAL)
@given(seed=seeds, height=sides, width=sides, count=st.integers(2, 5), colour=st.booleans())
@settings(max_examples=15, deadline=None)
def test_any_size_and_number_of_images(name, seed, height, width, count, colour):
    side = methods.get(name).min_side
    images = noise(seed, count, max(height, side), max(width, side), *([3] if colour else []))
    fused = mff.fuse(images, name, **QUICK.get(name, {})).image
    assert (fused.shape, fused.dtype) == (images[0].shape, np.uint8)


@pytest.mark.parametrize("name", CLASSICAL)
@given(seed=seeds)
@settings(max_examples=8, deadline=None)
def test_depth_changes_only_the_rounding(name, seed):
    images = noise(seed, 2, 64, 65)
    quick = QUICK.get(name, {})
    eight = mff.fuse(images, name, **quick).image
    sixteen = mff.fuse(images.astype(np.uint16) * 257, name, **quick).image
    floats = mff.fuse(images / 255, name, **quick).image
    assert np.abs(sixteen / 257 - eight).max() <= 0.51
    assert np.abs(floats * 255 - eight).max() <= 0.51


@pytest.mark.parametrize("name", [card.name for card in methods.CARDS.values() if card.has_decision])
@given(seed=seeds, count=st.integers(2, 4), height=sides, width=sides)
@settings(max_examples=8, deadline=None)
def test_decisions_sum_to_one(name, seed, count, height, width):
    side = methods.get(name).min_side
    images = noise(seed, count, max(height, side), max(width, side))
    result = mff.fuse(images, name, weights="random" if "random" in methods.get(name).weights else "default")
    np.testing.assert_allclose(result.decision.sum(0), 1, atol=1e-5)
    if methods.get(name).colour == "decision":  # the others decide on something else than pixels
        assert (result.image >= images.min(0).astype(int) - 1).all()
        assert (result.image <= images.max(0).astype(int) + 1).all()


@given(seed=seeds, count=st.integers(2, 5))
@settings(max_examples=10, deadline=None)
def test_the_average_does_not_ask_for_the_order(seed, count):
    images = noise(seed, count, 20, 21)
    np.testing.assert_array_equal(mff.fuse(images, "average").image, mff.fuse(images[::-1], "average").image)
    exact = np.floor(images.mean(0) + 0.5)
    assert np.abs(mff.fuse(images, "average").image - exact).max() <= 1
