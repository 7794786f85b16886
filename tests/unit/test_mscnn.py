"""MSCNN: the sizes that it looks at, the watershed on maps of known outline, and features that blend."""

import numpy as np
import pytest

import mffrepro as mff
from mffrepro.errors import ImageError, OptionError
from mffrepro.methods import load_network
from mffrepro.models import mscnn
from mffrepro.models.siamese import PatchComparer
from mffrepro.training.recipes import recipe


def rand(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).random(shape, np.float32)


def test_sizes_are_means_over_squares_and_small_ones_are_left_out() -> None:
    image = rand(1, 64, 80)
    whole, half, quarter = mscnn.reduced(image, 16)
    assert whole is image
    np.testing.assert_allclose(half, image.reshape(32, 2, 40, 2).mean((1, 3)), atol=1e-6)
    np.testing.assert_allclose(quarter, image.reshape(16, 4, 20, 4).mean((1, 3)), atol=1e-6)
    assert [small.shape for small in mscnn.reduced(rand(1, 63, 80), 16)] == [(63, 80), (31, 40)]
    assert [small.shape for small in mscnn.reduced(rand(1, 16, 99), 16)] == [(16, 99)]


def test_the_outline_is_where_the_map_is_steepest() -> None:
    profile = np.concatenate([np.full(20, 0.1), np.linspace(0.1, 0.6, 20), np.full(24, 0.9)])
    focus = np.tile(profile, (64, 1))
    found = mscnn.segment(focus)
    crossing = int((profile <= 0.5).sum())
    assert crossing < 38  # where the map passes one half
    assert np.abs((~found).sum(1) - 40).max() <= 1  # where it jumps


def test_islands_and_gaps_are_removed() -> None:
    focus = np.full((80, 80), 0.95)
    focus[:, 40:] = 0.05
    clean = mscnn.segment(focus)
    focus[10:13, 10:13] = 0.05  # opened or closed
    focus[60:68, 60:68] = 0.95  # a region under a hundredth of the image
    np.testing.assert_array_equal(mscnn.segment(focus), clean)
    assert clean[:, :39].all()
    assert not clean[:, 41:].any()


@pytest.mark.parametrize("value", [0.3, 0.5, 0.7, 0.95])
def test_a_map_without_two_certain_sides_keeps_its_first_segmentation(value: float) -> None:
    assert (mscnn.segment(np.full((40, 40), value)) == (value > 0.5)).all()


def test_the_joined_map_is_the_mean_over_sizes() -> None:
    network = load_network("mscnn.random", device="cpu")
    comparer = mscnn.ScaleComparer(network, smallest=0.01, certain=0.8)
    one, two = rand(2, 64, 64), rand(3, 64, 64)
    focus = comparer.focus(comparer.extract(one), comparer.extract(two))
    single = PatchComparer(network, rule=lambda focus, a, b: focus, both_orders=True)
    parts = []
    for scale in mscnn.SCALES:
        a, b = (image.reshape(64 // scale, scale, 64 // scale, scale).mean((1, 3)) for image in (one, two))
        parts.append(single.focus(single.extract(a), single.extract(b)))
    assert parts[1].shape == (32, 32)
    centres = np.clip((np.arange(64) + 0.5) / 2 - 0.5, 0, 31)  # of the pixels, in the half as large map
    rows = np.array([np.interp(centres, np.arange(32), column) for column in parts[1].T]).T
    half = np.array([np.interp(centres, np.arange(32), row) for row in rows])
    rest = 3 * focus - parts[0] - half
    assert rest.min() > parts[2].min() - 1e-4
    assert rest.max() < parts[2].max() + 1e-4


def test_either_order_gives_the_same_image_but_where_opening_differs_from_closing() -> None:
    pair = mff.load("embedded", kind="composite", levels=[3], size=192)["coffee_blur3"].images
    there, back = (mff.fuse(list(images), "mscnn").image for images in (pair, pair[::-1]))
    assert (there == back).mean() > 0.99


def test_most_pixels_come_from_the_sharp_source() -> None:
    for stack in mff.load("embedded", kind="composite", levels=[3], size=192)[:3]:
        share = mff.fuse(stack, "mscnn").decision[0]
        assert (share == (stack.decision[0] > 0.5)).mean() > 0.85, stack.name


def test_features_blend_to_those_of_the_image_that_is_taken() -> None:
    comparer = mscnn.ScaleComparer(load_network("mscnn.random", device="cpu"), smallest=0.01, certain=0.8)
    one, two = (comparer.extract(rand(seed, 64, 72)) for seed in (4, 5))
    blended = comparer.blend(one, two, np.ones((64, 72), np.float32))
    assert len(blended) == 3
    for mine, theirs in zip(blended, one, strict=True):
        np.testing.assert_array_equal(mine.gray, theirs.gray)
        np.testing.assert_allclose(mine.maps.numpy(), theirs.maps.numpy(), atol=1e-6)


def test_wrong_arguments_are_refused() -> None:
    images = list(rand(6, 2, 32, 32))
    for wrong in ({"smallest": 1.0}, {"certain": 0.5}, {"certain": 1.0}):
        with pytest.raises(OptionError, match=next(iter(wrong))):
            mff.fuse(images, "mscnn", weights="random", **wrong)
    with pytest.raises(ImageError, match="16"):
        mff.fuse(list(rand(6, 2, 15, 40)), "mscnn", weights="random")


def test_patches_are_reduced_after_they_are_blurred() -> None:
    made = recipe("mscnn", "smoke")
    photographs = mff.data.load_regions("embedded")[:2]
    pairs = made.data(photographs, split="train", seed=1)
    pairs.scales = (4,)
    gray = np.tile(np.repeat(np.uint8([0, 255]), 32), (256, 4))  # stripes of 32 pixels, 8 after the reduction
    sharp, blurred = pairs.crops(gray, np.random.default_rng(1))
    assert sharp.shape == blurred.shape == (16, 16)
    assert len(np.unique(sharp)) <= 6  # two gray levels, and what lies across a border
    assert blurred.astype(int).std() < sharp.astype(int).std()
    rows = np.abs(np.diff(sharp.astype(int), axis=1)).sum(1)
    assert rows.min() >= 255  # 16 columns of stripes of 8 hold at least one border
