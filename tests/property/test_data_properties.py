"""What holds for every image and every mask."""

from itertools import pairwise

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from mffrepro.data.labelled import LabelledImage
from mffrepro.data.lens import focal_stack, sharpest_slice, thin_lens
from mffrepro.data.regions import draw_mask
from mffrepro.data.synthetic import blur_levels, composite, defocus_spread

few = settings(max_examples=40, deadline=None)
seeds = st.integers(0, 2**32 - 1)


def noise(seed, shape):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def gradient_energy(image):
    return sum((np.diff(image.astype(float), axis=axis) ** 2).sum() for axis in (0, 1))


@few
@given(seed=seeds, height=st.integers(8, 24), width=st.integers(8, 24))
def test_each_blur_level_lowers_the_gradient_energy(seed, height, width):
    image = noise(seed, (height, width)) / 255
    energies = [gradient_energy(image), *(gradient_energy(level) for level in blur_levels(image))]
    assert all(later < earlier for earlier, later in pairwise(energies))


@few
@given(image=arrays(np.uint8, (9, 11, 3)), mask=arrays(bool, (9, 11)), level=st.integers(1, 5))
def test_composites_hold_the_image_between_them(image, mask, level):
    near, far = composite(image, mask, 2, size=7, level=level)
    assert (np.where(mask[..., None], near, far) == image).all()


@few
@given(image=arrays(np.uint8, (9, 11)), mask=arrays(bool, (9, 11)))
def test_spread_leaves_the_near_focused_image_as_it_was(image, mask):
    assert (defocus_spread(image, mask)[0] == composite(image, mask)[0]).all()


@few
@given(value=st.integers(0, 255), seed=seeds, focus=st.floats(0, 10), aperture=st.floats(0, 2))
def test_a_lens_keeps_what_is_even(value, seed, focus, aperture):
    disparity = np.random.default_rng(seed).uniform(0, 10, (20, 24))
    image = np.full((20, 24), value, np.uint8)
    assert (thin_lens(image, disparity, focus, aperture, layers=6) == value).all()


@few
@given(seed=seeds, focuses=st.lists(st.floats(0, 10), min_size=2, max_size=5, unique=True), aperture=st.floats(0, 1))
def test_a_focal_stack_stays_within_the_image_and_its_truth_sums_to_one(seed, focuses, aperture):
    image = noise(seed, (16, 18))
    disparity = np.random.default_rng(seed).uniform(0, 10, image.shape)
    stack = focal_stack(image, disparity, focuses, aperture, layers=5)
    assert stack.min() >= image.min()
    assert stack.max() <= image.max()
    assert (sharpest_slice(disparity, focuses).sum(axis=0) == 1).all()


@few
@example(seed=4, rows=4, columns=5, low=0.3, width=0.3)  # twelve twentieths are the highest share, or a little more by rounding
@given(seed=seeds, rows=st.integers(2, 6), columns=st.integers(2, 6), low=st.floats(0.05, 0.4), width=st.floats(0.3, 0.5))
def test_masks_are_connected_unions_of_regions_of_the_share_asked_for(seed, rows, columns, low, width):
    labels = np.kron(np.arange(rows * columns).reshape(rows, columns), np.ones((4, 5), int))
    item = LabelledImage("blocks", lambda: noise(0, (*labels.shape, 3)), lambda: (labels,))
    mask = draw_mask(item, np.random.default_rng(seed), low, low + width)
    assert low <= mask.mean() <= low + width
    assert ndimage.label(mask)[1] == 1
    blocks = mask.reshape(rows, 4, columns, 5)
    assert (blocks.all(axis=(1, 3)) == blocks.any(axis=(1, 3))).all()
    assert (mask == draw_mask(item, np.random.default_rng(seed), low, low + width)).all()


@few
@given(labels=arrays(np.int16, st.tuples(st.integers(2, 12), st.integers(2, 12)), elements=st.integers(-3, 300)), seed=seeds)
def test_any_label_map_gives_a_mask_that_is_neither_empty_nor_full(labels, seed):
    mask = draw_mask(LabelledImage("any", lambda: None, lambda: (labels,)), np.random.default_rng(seed))
    assert mask.shape == labels.shape
    assert 0 < mask.sum() < mask.size
