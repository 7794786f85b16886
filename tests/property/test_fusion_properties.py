"""What windows, pyramids and rules keep whatever the image."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mffrepro.fusion.boxes import box_mean, box_sum, guided_filter
from mffrepro.fusion.multi_image import serial
from mffrepro.fusion.pyramid import analyse, smallest_side, synthesise
from mffrepro.fusion.rules import choose_max

seeds = st.integers(0, 2**32 - 1)
sides = st.integers(3, 40)


def tensor(seed, height, width):
    return torch.from_numpy(np.random.default_rng(seed).random((1, 1, height, width)))


@given(seeds, sides, sides, st.integers(0, 12))
@settings(max_examples=40, deadline=None)
def test_the_box_sum_is_its_own_adjoint(seed, height, width, radius):
    x, y = tensor(seed, height, width), tensor(seed + 1, height, width)
    torch.testing.assert_close((box_sum(x, radius) * y).sum(), (x * box_sum(y, radius)).sum())


@given(seeds, sides, sides, st.integers(0, 12))
@settings(max_examples=40, deadline=None)
def test_the_box_mean_stays_between_the_extremes(seed, height, width, radius):
    x = tensor(seed, height, width)
    mean = box_mean(x, radius)
    assert x.min() - 1e-9 <= mean.min() <= mean.max() <= x.max() + 1e-9


@given(seeds, sides, sides, st.floats(0, 1))
@settings(max_examples=40, deadline=None)
def test_the_guided_filter_keeps_constants(seed, height, width, level):
    image = torch.full((1, 1, height, width), level, dtype=torch.float64)
    torch.testing.assert_close(guided_filter(tensor(seed, height, width), image, 3, 0.1), image)


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_the_pyramid_reconstructs_every_size(data):
    levels = data.draw(st.integers(1, 4))
    side = st.integers(smallest_side(levels), smallest_side(levels) + 20)
    shape = data.draw(st.tuples(side, side))
    image = data.draw(arrays(np.float64, shape, elements=st.floats(0, 1, width=32)))
    details, base = analyse(image, levels)
    np.testing.assert_allclose(synthesise(details, base, image.shape), image, atol=1e-12)


@given(seeds, st.integers(2, 5), st.integers(3, 15), st.integers(3, 15))
@settings(max_examples=40, deadline=None)
def test_every_chosen_coefficient_is_one_of_the_sources(seed, count, height, width):
    bands = np.random.default_rng(seed).normal(size=(count, height, width))
    chosen = choose_max(bands)
    assert (chosen == bands).any(0).all()
    np.testing.assert_array_equal(choose_max(np.stack([bands[0]] * count)), bands[0])


@given(seeds, st.integers(2, 6))
@settings(max_examples=40, deadline=None)
def test_serial_shares_rebuild_the_fused_image(seed, count):
    rng = np.random.default_rng(seed)

    class Undecided:
        def extract(self, image):
            return image

        def decide(self, first, second):
            return rng.random(first.shape).astype(np.float32), first

    images = list(rng.random((count, 6, 7)))
    fused, shares = serial(images, Undecided())
    shares = shares.dense()
    np.testing.assert_allclose(shares.sum(0), 1, atol=1e-6)
    np.testing.assert_allclose((shares * np.stack(images)).sum(0), fused, atol=1e-6)
