"""Boxes, guided filter, pyramid, choose-max and the fusion of several images, against slow and obvious twins."""

import numpy as np
import pytest
import torch
from scipy import ndimage

from mffrepro.errors import OptionError
from mffrepro.fusion.boxes import box_mean, box_sum, guided_filter
from mffrepro.fusion.multi_image import STRATEGIES, ImageComparer, combine
from mffrepro.fusion.pyramid import analyse, mirror, smallest_side, synthesise
from mffrepro.fusion.rules import choose_max

# ------------------------------------------------------------------------------------------------ windows


@pytest.mark.parametrize("maps", [1, 3])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 3e-5)])
@pytest.mark.parametrize("radius", [0, 1, 3, 20])
def test_box_sum_is_the_correlation_with_ones(radius, dtype, tolerance, maps):
    x = torch.from_numpy(np.random.default_rng(0).normal(size=(2, maps, 9, 13))).to(dtype)
    ones = np.ones((1, 1, 2 * radius + 1, 2 * radius + 1))
    expected = ndimage.correlate(x.double().numpy(), ones, mode="constant")
    np.testing.assert_allclose(box_sum(x, radius).numpy(), expected, atol=tolerance)


def test_box_sum_keeps_its_digits_under_autocast():
    x = torch.rand(1, 4, 12, 10, generator=torch.Generator().manual_seed(0))
    with torch.autocast("cpu", torch.bfloat16):
        sums = box_sum(x, 2)
    assert torch.equal(sums, box_sum(x, 2))


def test_box_sum_is_the_same_for_both_memory_layouts():
    x = torch.rand(2, 4, 12, 10, generator=torch.Generator().manual_seed(0))
    assert torch.equal(box_sum(x, 2), box_sum(x.to(memory_format=torch.channels_last), 2))


@pytest.mark.parametrize("function", [box_sum, box_mean])
def test_windows_have_the_right_gradient(function):
    x = torch.rand(1, 2, 6, 5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda t: function(t, 2), x)


@pytest.mark.parametrize("radius", [1, 4, 30])
def test_box_mean_counts_only_what_lies_inside(radius):
    x = np.random.default_rng(1).normal(size=(7, 11))
    expected = np.empty_like(x)
    for i, j in np.ndindex(x.shape):
        expected[i, j] = x[max(0, i - radius) : i + radius + 1, max(0, j - radius) : j + radius + 1].mean()
    np.testing.assert_allclose(box_mean(torch.from_numpy(x)[None, None], radius)[0, 0].numpy(), expected, atol=1e-12)


def test_guided_filter_is_a_mean_of_local_regressions():
    """The definition of He et al.: each window fits image = slope * guide + offset; a pixel averages over its windows."""
    rng = np.random.default_rng(2)
    guide, image = rng.random((12, 15)), rng.random((12, 15))
    radius, eps = 2, 0.01
    predictions, counts = np.zeros_like(image), np.zeros_like(image)
    for i, j in np.ndindex(image.shape):
        window = slice(max(0, i - radius), i + radius + 1), slice(max(0, j - radius), j + radius + 1)
        g, p = guide[window], image[window]
        slope = ((g * p).mean() - g.mean() * p.mean()) / (g.var() + eps)
        predictions[window] += slope * guide[window] + p.mean() - slope * g.mean()
        counts[window] += 1
    filtered = guided_filter(torch.from_numpy(guide)[None, None], torch.from_numpy(image)[None, None], radius, eps)
    np.testing.assert_allclose(filtered[0, 0].numpy(), predictions / counts, atol=1e-12)


# ------------------------------------------------------------------------------------------------ pyramid


def test_mirror_repeats_no_edge_and_leaves_the_corners_zero():
    padded = mirror(np.arange(1.0, 10).reshape(3, 3), 1)
    expected = [[0, 4, 5, 6, 0], [2, 1, 2, 3, 2], [5, 4, 5, 6, 5], [8, 7, 8, 9, 8], [0, 4, 5, 6, 0]]
    np.testing.assert_array_equal(padded, expected)


def test_a_level_of_the_pyramid_is_what_rockinger_computes():
    """Convolution with the mirrored image by hand: smooth, take every other sample, spread, smooth with doubled taps."""
    image = np.random.default_rng(3).random((8, 6))
    taps = np.outer([1, 4, 6, 4, 1], [1, 4, 6, 4, 1]) / 256

    def smooth(x, gain):
        return ndimage.correlate(mirror(x, 2), gain * taps, mode="constant")[2:-2, 2:-2]

    small = smooth(image, 1)[::2, ::2]
    spread = np.zeros_like(image)
    spread[::2, ::2] = small
    (detail,), base = analyse(image, 1)
    np.testing.assert_allclose(base, small, atol=1e-12)
    np.testing.assert_allclose(detail, image - smooth(spread, 4), atol=1e-12)


@pytest.mark.parametrize("levels", [1, 2, 3, 4, 5])
def test_the_smallest_side_is_the_smallest_that_can_be_mirrored_at_every_level(levels):
    side = smallest_side(levels)
    image = np.random.default_rng(4).random((side, side))
    np.testing.assert_allclose(synthesise(*analyse(image, levels), image.shape), image, atol=1e-12)
    halved, too_small = side, side - 1
    for _ in range(levels - 1):
        halved, too_small = (halved + 1) // 2, (too_small + 1) // 2
    assert (halved, too_small) == (3, 2)  # mirroring by two pixels needs three


# ------------------------------------------------------------------------------------------------ the rule


def brute_force_choose_max(bands):
    """Li's rule as the toolbox runs it, pixel by pixel: pad once, windows and votes there, keep the inside."""
    n, height, width = bands.shape
    padded = np.stack([np.abs(mirror(b, 1)) for b in bands])
    winner = np.zeros((height + 2, width + 2), int)
    for i, j in np.ndindex(winner.shape):
        window = padded[:, max(i - 1, 0) : i + 2, max(j - 1, 0) : j + 2]
        winner[i, j] = max(range(n), key=lambda k: (window[k].max(), k))
    chosen = np.empty((height, width), bands.dtype)
    for i, j in np.ndindex(height, width):
        votes = winner[i : i + 3, j : j + 3]
        best = max(range(n), key=lambda k: ((votes == k).sum(), k))
        chosen[i, j] = bands[best, i, j]
    return chosen


@pytest.mark.parametrize("count", [2, 3, 5])
def test_choose_max_is_the_brute_force_loop(count):
    bands = np.random.default_rng(count).normal(size=(count, 9, 12))
    np.testing.assert_array_equal(choose_max(bands), brute_force_choose_max(bands))


def test_choose_max_takes_complex_coefficients_whole():
    rng = np.random.default_rng(6)
    bands = rng.normal(size=(2, 7, 8)) + 1j * rng.normal(size=(2, 7, 8))
    np.testing.assert_array_equal(choose_max(bands), brute_force_choose_max(bands))


def test_ties_go_to_the_later_source():
    bands = np.stack([np.full((5, 5), 1.0), np.full((5, 5), -1.0)])
    np.testing.assert_array_equal(choose_max(bands), -1)


# -------------------------------------------------------------------------------------------- many images


class Brightest:
    """Take the brighter pixel for the sharper one: clarity is the value, so that all shares have a closed form."""

    def __init__(self):
        self.extractions, self.decisions = 0, 0

    def extract(self, image):
        self.extractions += 1
        return image.mean(-1) if image.ndim == 3 else image

    def decide(self, first, second):
        self.decisions += 1
        return (first >= second).astype(np.float32), np.sign(first - second)

    def blend(self, first, second, final):
        return final * first + (1 - final) * second


class Ratio(Brightest):
    """Final map a / (a + b), as Eq. 19 assumes of clarities."""

    def decide(self, first, second):
        self.decisions += 1
        return first / (first + second), np.log(first / second)


class Undecided(Brightest):
    """Give one half in every decision."""

    def decide(self, first, second):
        self.decisions += 1
        return np.full(first.shape, 0.5, np.float32), np.zeros(first.shape)


def images_of(count, *, colour=False, seed=0):
    shape = (count, 4, 5, 3) if colour else (count, 4, 5)
    return list(np.random.default_rng(seed).uniform(0.1, 1, shape))


def combined(images, comparer, strategy):
    """The fused image, and the shares as an array."""
    fused, shares = combine(images, comparer, strategy)
    return fused, shares.dense()


@pytest.mark.parametrize("colour", [False, True])
def test_serial_keeps_the_brightest(colour):
    images, comparer = images_of(5, colour=colour), Brightest()
    fused, shares = combined(images, comparer, "serial")
    clarity = np.stack([image.mean(-1) if colour else image for image in images])
    assert (comparer.extractions, comparer.decisions) == (2 * (5 - 1), 5 - 1)
    assert shares.shape == (5, 4, 5)
    np.testing.assert_array_equal(shares.argmax(0), clarity.argmax(0))
    np.testing.assert_array_equal(shares.sum(0), 1)
    winner = clarity.argmax(0)[None, ..., None] if colour else clarity.argmax(0)[None]
    np.testing.assert_allclose(fused, np.take_along_axis(np.stack(images), winner, 0)[0])


def test_serial_halves_the_share_of_the_earlier_at_each_step():
    images = images_of(4)
    fused, shares = combined(images, Undecided(), "serial")
    np.testing.assert_allclose(shares[:, 0, 0], [1 / 8, 1 / 8, 1 / 4, 1 / 2])
    np.testing.assert_allclose(fused, np.tensordot([1 / 8, 1 / 8, 1 / 4, 1 / 2], np.stack(images), 1))


@pytest.mark.parametrize("colour", [False, True])
def test_carrying_features_is_serial_fusion_with_half_the_extractions(colour):
    images, comparer = images_of(6, colour=colour, seed=2), Brightest()
    fused, shares = combined(images, comparer, "carry")
    expected, expected_shares = combined(images, Brightest(), "serial")
    assert (comparer.extractions, comparer.decisions) == (6, 6 - 1)
    np.testing.assert_array_equal(fused, expected)
    np.testing.assert_array_equal(shares, expected_shares)
    backwards, _ = combined(images[::-1], Brightest(), "carry")
    np.testing.assert_array_equal(backwards, fused)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_two_images_have_one_comparison_whatever_the_strategy(strategy):
    images, comparer = images_of(2, seed=6), Ratio()
    fused, shares = combined(images, comparer, strategy)
    assert (comparer.extractions, comparer.decisions) == (2, 1)
    share = images[0] / (images[0] + images[1])
    np.testing.assert_allclose(shares, [share, 1 - share], rtol=1e-6)
    np.testing.assert_allclose(fused, share * images[0] + (1 - share) * images[1], rtol=1e-6)


def test_an_unknown_strategy_is_named():
    with pytest.raises(OptionError, match="no strategy 'cereal'; did you mean 'serial'"):
        combined(images_of(3), Brightest(), "cereal")


@pytest.mark.parametrize("strategy", ["carry", "calibration_log", "calibration"])
@pytest.mark.parametrize("colour", [False, True])
def test_any_soft_map_can_be_combined(strategy, colour):
    """Shares of the power of a pixel's value: the brightest image wins, whatever stands first."""
    images = images_of(5, colour=colour, seed=4)

    def clarity(image):
        return (image.mean(-1) if colour else image) ** 8

    fused, decision = combined(images, ImageComparer(lambda a, b: clarity(a) / (clarity(a) + clarity(b))), strategy)
    best = np.stack([clarity(image) for image in images])
    sure = np.sort(best, 0)[-1] > 2 * np.sort(best, 0)[-2]
    assert (decision.argmax(0) == best.argmax(0))[sure].all()
    assert np.isfinite(fused).all()


def test_a_saturated_map_has_a_finite_logit():
    final, logit = ImageComparer(lambda a, b: a).decide(np.array([[0.0, 0.5, 1.0]]), np.zeros((1, 3)))
    np.testing.assert_array_equal(final, [[0, 0.5, 1]])
    assert np.isfinite(logit).all()
    assert logit[0, 0] < logit[0, 1] == 0 < logit[0, 2]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_strategies_do_not_touch_the_images(strategy):
    images = images_of(4, seed=3)
    before = [image.copy() for image in images]
    combined(images, Ratio(), strategy)
    np.testing.assert_array_equal(images, before)


@pytest.mark.parametrize("strategy", ["calibration_log", "calibration"])
@pytest.mark.parametrize("colour", [False, True])
def test_calibration_finds_the_clearest_through_the_first(strategy, colour):
    images, comparer = images_of(6, colour=colour, seed=1), Ratio()
    fused, decision = combined(images, comparer, strategy)
    clarity = np.stack([image.mean(-1) if colour else image for image in images])
    assert (comparer.extractions, comparer.decisions) == (6, 6 - 1)
    np.testing.assert_array_equal(decision.argmax(0), clarity.argmax(0))
    assert set(np.unique(decision)) == {0, 1}
    np.testing.assert_array_equal(decision.sum(0), 1)
    np.testing.assert_array_equal(fused, (np.stack(images) * (decision[..., None] if colour else decision)).sum(0))


def test_eq_19_by_hand():
    """Clarities 0.5 : 0.5 of the first two; against the first, the third has 0.2, so C3 = 0.5 * 0.8 / (0.2 + 1e-4)."""

    class Scripted(Undecided):
        def decide(self, first, second):
            self.decisions += 1
            return np.full(first.shape, {1: 0.5, 2: 0.2, 3: 0.199}[self.decisions]), np.zeros(first.shape)

    _, decision = combined(images_of(4), Scripted(), "calibration")
    np.testing.assert_array_equal(decision[3], 1)


@pytest.mark.parametrize("strategy", ["calibration_log", "calibration"])
def test_calibration_gives_ties_to_the_earlier_image(strategy):
    _, decision = combined(images_of(3), Undecided(), strategy)
    np.testing.assert_array_equal(decision[0], 1)
