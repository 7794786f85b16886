"""Boxes, guided filter, pyramid, choose-max and the fusion of several images, against slow and obvious twins."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from mffrepro.fusion import multi_image as several
from mffrepro.fusion.boxes import box_mean, box_sum, guided_filter
from mffrepro.fusion.multi_image import MapJudge, calibrated, serial
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


# ------------------------------------------------------------------------------------------------ several


class BrightJudge:
    """Calls the brighter pixel the sharper one: clarity is the value, so all shares have a closed form."""

    def __init__(self):
        self.looks, self.compares = 0, 0

    def look(self, image):
        self.looks += 1
        return image.mean(-1) if image.ndim == 3 else image

    def compare(self, first, second):
        self.compares += 1
        return (first >= second).astype(np.float32), np.sign(first - second)

    def merge(self, first, second, final):
        return final * first + (1 - final) * second


class RatioJudge(BrightJudge):
    """Final map a / (a + b), as Eq. 19 assumes of clarities."""

    def compare(self, first, second):
        self.compares += 1
        return first / (first + second), np.log(first / second)


class HalfJudge(BrightJudge):
    """Cannot tell: every comparison gives one half."""

    def compare(self, first, second):
        self.compares += 1
        return np.full(first.shape, 0.5, np.float32), np.zeros(first.shape)


def images_of(count, *, colour=False, seed=0):
    shape = (count, 4, 5, 3) if colour else (count, 4, 5)
    return list(np.random.default_rng(seed).uniform(0.1, 1, shape))


@pytest.mark.parametrize("colour", [False, True])
def test_serial_keeps_the_brightest(colour):
    images, judge = images_of(5, colour=colour), BrightJudge()
    fused, shares = serial(images, judge)
    clarity = np.stack([image.mean(-1) if colour else image for image in images])
    assert (judge.looks, judge.compares) == (2 * (5 - 1), 5 - 1)
    assert shares.shape == (5, 4, 5)
    np.testing.assert_array_equal(shares.argmax(0), clarity.argmax(0))
    np.testing.assert_array_equal(shares.sum(0), 1)
    winner = clarity.argmax(0)[None, ..., None] if colour else clarity.argmax(0)[None]
    np.testing.assert_allclose(fused, np.take_along_axis(np.stack(images), winner, 0)[0])


def test_serial_halves_the_share_of_the_earlier_at_each_step():
    images = images_of(4)
    fused, shares = serial(images, HalfJudge())
    np.testing.assert_allclose(shares[:, 0, 0], [1 / 8, 1 / 8, 1 / 4, 1 / 2])
    np.testing.assert_allclose(fused, np.tensordot([1 / 8, 1 / 8, 1 / 4, 1 / 2], np.stack(images), 1))


@pytest.mark.parametrize("colour", [False, True])
def test_carrying_the_winner_along_is_serial_fusion_with_half_the_looks(colour):
    images, judge = images_of(6, colour=colour, seed=2), BrightJudge()
    fused, shares = calibrated(images, judge)
    expected, expected_shares = serial(images, BrightJudge())
    assert (judge.looks, judge.compares) == (6, 6 - 1)
    np.testing.assert_array_equal(fused, expected)
    np.testing.assert_array_equal(shares, expected_shares)
    backwards, _ = calibrated(images[::-1], BrightJudge())
    np.testing.assert_array_equal(backwards, fused)


class RankJudge(BrightJudge):
    """A look is the image itself, in place; the comparison prefers whichever it is told to."""

    smooths = False

    def __init__(self, prefers=0):
        super().__init__()
        self.prefers = prefers

    def look(self, image):
        return super().look(image).copy()

    def keep(self, look):
        return look

    def clarity(self, look):
        return look.copy()

    def exchange(self, first, second, where):
        first[where], second[where] = second[where], first[where]

    def compare(self, first, second):
        assert (first >= second).all()
        return super().compare(first, second)[0], np.full(first.shape, 1 - 2 * self.prefers)


@pytest.mark.parametrize("prefers", [0, 1])
@pytest.mark.parametrize("colour", [False, True])
@given(count=st.integers(2, 7), levels=st.integers(1, 30), seed=st.integers(0, 99))
def test_ranking_compares_the_two_clearest(colour, prefers, count, levels, seed):
    """Against sorting the whole stack; with few levels many pixels tie, and the earlier image ranks first."""
    images, judge = [np.ceil(image * levels) for image in images_of(count, colour=colour, seed=seed)], RankJudge(prefers)
    fused, shares = calibrated(images, judge, form="rank")
    clarity = np.stack([image.mean(-1) if colour else image for image in images])
    winner = np.argsort(-clarity, axis=0, kind="stable")[prefers]
    assert (judge.looks, judge.compares) == (count, 1)
    np.testing.assert_array_equal(shares, np.arange(count)[:, None, None] == winner)
    np.testing.assert_array_equal(
        fused, np.take_along_axis(np.stack(images), winner[None, ..., None] if colour else winner[None], 0)[0]
    )


def test_the_order_of_the_images_does_not_matter_to_ranking():
    images = images_of(6, colour=True, seed=5)
    order = np.random.default_rng(0).permutation(6)
    (fused, shares), (again, mixed) = (calibrated(x, RankJudge(), form="rank") for x in (images, [images[i] for i in order]))
    np.testing.assert_array_equal(again, fused)
    np.testing.assert_array_equal(mixed, shares[order])


def test_ranking_smooths_all_borders_at_once(monkeypatch):
    """Each share is guided filtering of the hard map by what is chosen there, and they add up to 1 without being made to."""
    monkeypatch.setattr(several, "BLEND_PIXELS", 16 * 9)
    images = list(np.random.default_rng(7).uniform(0.1, 1, (4, 70, 9)))
    _, hard = calibrated(images, RankJudge(), form="rank")
    judge = RankJudge()
    judge.smooths = True
    fused, shares = calibrated(images, judge, form="rank")
    guide = torch.from_numpy(np.max(images, 0))[None, None]
    expected = np.stack([guided_filter(guide, torch.from_numpy(x).double()[None, None], 2, 0.1)[0, 0].numpy() for x in hard])
    np.testing.assert_allclose(expected.sum(0), 1, atol=1e-12)
    expected = expected.clip(0, 1) / expected.clip(0, 1).sum(0)
    np.testing.assert_allclose(shares, expected, atol=1e-6)
    np.testing.assert_allclose(fused, (expected * np.stack(images)).sum(0), atol=1e-6)


@pytest.mark.parametrize("form", ["carry", "log", "literal"])
@pytest.mark.parametrize("colour", [False, True])
def test_any_soft_map_can_be_calibrated(form, colour):
    """Shares of the power of a pixel's value: the brightest image wins, whatever stands first."""
    images = images_of(5, colour=colour, seed=4)

    def clarity(image):
        return (image.mean(-1) if colour else image) ** 8

    fused, decision = calibrated(images, MapJudge(lambda a, b: clarity(a) / (clarity(a) + clarity(b))), form=form)
    best = np.stack([clarity(image) for image in images])
    sure = np.sort(best, 0)[-1] > 2 * np.sort(best, 0)[-2]
    assert (decision.argmax(0) == best.argmax(0))[sure].all()
    assert np.isfinite(fused).all()


def test_a_saturated_map_has_a_finite_logit():
    final, logit = MapJudge(lambda a, b: a).compare(np.array([[0.0, 0.5, 1.0]]), np.zeros((1, 3)))
    np.testing.assert_array_equal(final, [[0, 0.5, 1]])
    assert np.isfinite(logit).all()
    assert logit[0, 0] < logit[0, 1] == 0 < logit[0, 2]


def test_calibration_does_not_touch_the_images():
    images = images_of(4, seed=3)
    before = [image.copy() for image in images]
    for form in ("carry", "log", "literal"):
        calibrated(images, RatioJudge(), form=form)
    np.testing.assert_array_equal(images, before)


@pytest.mark.parametrize("form", ["log", "literal"])
@pytest.mark.parametrize("colour", [False, True])
def test_calibration_finds_the_clearest_through_the_first(form, colour):
    images, judge = images_of(6, colour=colour, seed=1), RatioJudge()
    fused, decision = calibrated(images, judge, form=form)
    clarity = np.stack([image.mean(-1) if colour else image for image in images])
    assert (judge.looks, judge.compares) == (6, 6 - 1)
    np.testing.assert_array_equal(decision.argmax(0), clarity.argmax(0))
    assert set(np.unique(decision)) == {0, 1}
    np.testing.assert_array_equal(decision.sum(0), 1)
    np.testing.assert_array_equal(fused, (np.stack(images) * (decision[..., None] if colour else decision)).sum(0))


def test_eq_19_by_hand():
    """Clarities 0.5 : 0.5 of the first two; against the first, the third has 0.2, so C3 = 0.5 * 0.8 / (0.2 + 1e-4)."""

    class Scripted(HalfJudge):
        def compare(self, first, second):
            self.compares += 1
            return np.full(first.shape, {1: 0.5, 2: 0.2, 3: 0.199}[self.compares]), np.zeros(first.shape)

    _, decision = calibrated(images_of(4), Scripted(), form="literal")
    np.testing.assert_array_equal(decision[3], 1)


@pytest.mark.parametrize("form", ["log", "literal"])
def test_calibration_gives_ties_to_the_earlier_image(form):
    _, decision = calibrated(images_of(3), HalfJudge(), form=form)
    np.testing.assert_array_equal(decision[0], 1)
