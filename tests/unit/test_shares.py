"""Shares kept as a main source and the pixels that mix are the very array that they stand for."""

import numpy as np
import pytest

import mffrepro as mff
from mffrepro.alignment import credit_source
from mffrepro.cli.fusing import picture
from mffrepro.fusion.multi_image import ImageComparer, combine
from mffrepro.fusion.ranges import fuse_alpha
from mffrepro.images import FusionResult, Shares, from_unit, to_unit
from mffrepro.images.shares import SharesInTurn

SHAPE = (5, 13, 17)


def mostly_whole(seed=0, shape=SHAPE):
    """Shares (N, H, W), float32, of which about one pixel in four mixes some sources."""
    rng = np.random.default_rng(seed)
    whole = (rng.integers(0, shape[0], shape[1:]) == np.arange(shape[0])[:, None, None]).astype(np.float32)
    mixed = rng.dirichlet(np.full(shape[0], 0.2), shape[1:]).transpose(2, 0, 1).astype(np.float32)
    mixed[:, ::3] = np.where(mixed[:, ::3] < 0.1, 0, mixed[:, ::3])
    return np.where(rng.random(shape[1:]) < 0.25, mixed, whole)


def test_planes_come_back_as_they_were():
    for seed in range(5):
        expected = mostly_whole(seed)
        shares = Shares.of_planes(expected)
        np.testing.assert_array_equal(shares.dense(), expected)
        np.testing.assert_array_equal(np.asarray(shares), expected)
        assert shares.dense().dtype == np.float32
        np.testing.assert_array_equal(shares.main, expected.argmax(0))
        assert shares.main.dtype == np.uint8
        assert (len(shares), shares.shape) == (5, SHAPE)
        for i, plane in enumerate(shares):
            np.testing.assert_array_equal(plane, expected[i])
        np.testing.assert_array_equal(shares[1:3, 4], expected[1:3, 4])


@pytest.mark.parametrize(
    "values", [[0, 0], [0, 1], [1, 1], [0.25, 0], [-0.5, 1.5], [1, 1e-9], [1e-9, 1], [-0.5, 0], [1, 1.5], [1.5, 1]]
)
def test_shares_that_are_no_shares_come_back_too(values):
    expected = np.broadcast_to(np.float32(values)[:, None, None], (2, 2, 3))
    np.testing.assert_array_equal(Shares.of_planes(expected).dense(), expected)


def test_numbers_of_many_sources_need_two_bytes():
    shares = Shares.of_winner(np.full((2, 2), 299), 300)
    assert shares.main.dtype == np.uint16
    assert shares.dense()[299].all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_shares_in_turn_are_those_of_the_loop_over_arrays(dtype):
    """The brute force is what was there before: the shares of all earlier sources are multiplied at each step."""
    rng = np.random.default_rng(3)
    finals = np.clip(rng.normal(0.5, 0.7, (6, 9, 11)), 0, 1).astype(dtype)
    finals[4] = rng.uniform(-1.5, 2.1, (9, 11))  # a published guided filter overshoots
    expected = np.zeros((7, 9, 11), np.float32)
    expected[0], turns = 1, SharesInTurn((9, 11))
    for i, final in enumerate(finals, 1):
        expected[:i] *= final
        expected[i] = 1 - final
        turns.add(final)
    np.testing.assert_array_equal(turns.shares().dense(), expected)
    np.testing.assert_array_equal(turns.shares().main, expected.argmax(0))


@pytest.mark.parametrize("strategy", ["serial", "carry", "calibration", "calibration_log"])
def test_every_strategy_keeps_few_shares(strategy):
    images = list(np.random.default_rng(0).random((6, 20, 30)))
    _, shares = combine(images, ImageComparer(lambda a, b: a > b), strategy)
    assert isinstance(shares, Shares)
    assert sum(len(pixels) for pixels, _ in shares.mixed) == 0


@pytest.mark.parametrize("colour", [(), (3,)])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.float64])
def test_blending_is_the_weighted_sum(colour, kind):
    rng, shares = np.random.default_rng(1), mostly_whole(1)
    images = rng.random((*SHAPE, *colour))
    images = images if kind == np.float64 else from_unit(images, np.dtype(kind))
    weights = shares[..., None] if colour else shares
    expected = sum(weight * to_unit(image) for weight, image in zip(weights, images, strict=True))
    expected = expected if kind != np.float64 else sum(weight * image for weight, image in zip(weights, images, strict=True))
    np.testing.assert_array_equal(Shares.of_planes(shares).blend(iter(images)), expected)


def test_the_decision_is_made_when_it_is_asked_for(monkeypatch):
    expected, made = mostly_whole(), []
    dense = Shares.dense
    monkeypatch.setattr(Shares, "dense", lambda self: made.append(1) or dense(self))
    result = FusionResult(np.zeros(SHAPE[1:]), Shares.of_planes(expected), 0.0, "x")
    assert made == []
    np.testing.assert_array_equal(result.decision, expected)
    assert result.decision is result.decision
    assert made == [1]
    assert FusionResult(np.zeros(SHAPE[1:]), None, 0.0, "x").decision is None
    given = FusionResult(np.zeros(SHAPE[1:]), expected, 0.0, "x")
    assert given.decision is expected


def test_alpha_and_picture_need_no_array_for_each_source(monkeypatch):
    dense, rng = mostly_whole(2), np.random.default_rng(2)
    shares, alpha = Shares.of_planes(dense), rng.integers(0, 256, SHAPE, dtype=np.uint8)
    transforms = np.stack([np.array([[1, 0, x], [0, 1, 0], [0, 0, 1.0]]) for x in (6, 3, 0, -2, -4)])
    credited = credit_source(dense, transforms)
    monkeypatch.setattr(Shares, "dense", lambda self: pytest.fail("all shares were asked for"))
    expected = from_unit(sum(share * to_unit(one) for share, one in zip(dense, alpha, strict=True)), np.dtype(np.uint8))
    np.testing.assert_array_equal(fuse_alpha(alpha, shares), expected)
    drawn = from_unit(np.linspace(1, 0, 5)[dense.argmax(0)], np.dtype(np.uint8))
    np.testing.assert_array_equal(picture(shares), drawn)
    np.testing.assert_array_equal(picture(dense), drawn)
    moved = credit_source(shares, transforms)
    for i, plane in enumerate(moved):
        np.testing.assert_allclose(plane, credited[i], atol=1e-7)


def test_a_part_and_the_whole_of_a_pixel_add_up():
    """Source 0 has all of a pixel, and by rounding a billionth of it is source 1's too."""
    shares = Shares.of_planes(np.float32([[[1]], [[1e-9]]])).moved(np.ones((1, 1), bool), 0, 1)
    np.testing.assert_array_equal(shares.dense(), np.float32([[[0]], [[1]]]))


def test_gacn_makes_no_array_for_each_source():
    stack = np.random.default_rng(0).integers(0, 256, (4, 40, 50, 3), dtype=np.uint8)
    result = mff.fuse(stack, "gacn")
    assert isinstance(result.shares, Shares)
    np.testing.assert_allclose(result.decision.sum(0), 1, atol=1e-6)
    rebuilt = (result.decision[..., None] * to_unit(stack)).sum(0)
    assert np.abs(from_unit(rebuilt, np.dtype(np.uint8)).astype(int) - result.image).max() <= 1


def test_scores_of_the_decision_need_no_array_for_each_source(monkeypatch):
    dense, names = mostly_whole(4), ["mask_iou", "mask_accuracy", "boundary_f"]
    images, true = np.random.default_rng(0).random((*SHAPE,)), mostly_whole(5)
    expected = mff.evaluate(images, images[0], names, decision=dense, true_decision=true)
    result = FusionResult(images[0], Shares.of_planes(dense), 0.0, "x")
    monkeypatch.setattr(Shares, "dense", lambda self: pytest.fail("all shares were asked for"))
    assert mff.evaluate(images, result, names, true_decision=true) == expected
