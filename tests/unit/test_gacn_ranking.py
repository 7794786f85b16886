"""GACN's ranking against sorting the whole stack, with features that stand for sharpness by themselves."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mffrepro.fusion.boxes import guided_filter
from mffrepro.models.gacn import ranking
from mffrepro.models.gacn.inference import Features


@pytest.fixture(autouse=True)
def single_pixels(monkeypatch):
    """Rank by single pixels, so that a sort of the stack is the same ranking."""
    monkeypatch.setattr(ranking, "CLARITY_RADIUS", 0)


class Brightness:
    """Features whose activity level is the brightness; the decision prefers whichever rank it is told to.

    Args:
        prefers: 0 for the first rank, 1 for the second.
        boundary: As of GACN; "none" leaves the borders as they are.
    """

    def __init__(self, prefers=0, boundary="none"):
        self.extractions, self.decisions, self.prefers, self.boundary = 0, 0, prefers, boundary

    def extract(self, image):
        self.extractions += 1
        gray = torch.from_numpy(image.mean(-1) if image.ndim == 3 else image.copy())[None, None]
        return Features(gray, gray.float().clone())

    def decide(self, first, second):
        self.decisions += 1
        assert (first.activity >= second.activity).all()
        torch.testing.assert_close(first.gray.float(), first.activity.float())  # all that is known of a pixel moves together
        return None, np.full(first.gray.shape[-2:], 1 - 2 * self.prefers)


def images_of(count, seed):
    return list(np.random.default_rng(seed).uniform(0.1, 1, (count, 4, 5)))


@pytest.mark.parametrize("prefers", [0, 1])
@pytest.mark.parametrize("colour", [False, True])
@given(count=st.integers(2, 7), levels=st.integers(1, 30), seed=st.integers(0, 99))
def test_ranking_decides_between_the_two_clearest(colour, prefers, count, levels, seed):
    """With few levels many pixels tie, and the earlier image ranks first."""
    whole = [np.ceil(image * levels) for image in images_of(count, seed)]  # exact in half precision
    images = [np.repeat(image[..., None], 3, -1) for image in whole] if colour else whole
    comparer = Brightness(prefers)
    fused, shares = ranking.rank(images, comparer)
    winner = np.argsort(-np.stack(whole), axis=0, kind="stable")[prefers]
    assert (comparer.extractions, comparer.decisions) == (count, 1)
    np.testing.assert_array_equal(shares, np.arange(count)[:, None, None] == winner)
    expected = np.take_along_axis(np.stack(images), winner[None, ..., None] if colour else winner[None], 0)[0]
    np.testing.assert_array_equal(fused, expected)


def test_the_order_of_the_images_does_not_matter():
    images = [np.repeat(np.ceil(200 * image)[..., None], 3, -1) for image in images_of(6, 5)]
    order = np.random.default_rng(0).permutation(6)
    (fused, shares), (again, mixed) = (ranking.rank(x, Brightness()) for x in (images, [images[i] for i in order]))
    np.testing.assert_array_equal(again, fused)
    np.testing.assert_array_equal(mixed, shares[order])


def test_all_borders_are_smoothed_at_once(monkeypatch):
    """Each share is guided filtering of the hard map by what is chosen there; the sum of the shares is 1 by itself."""
    monkeypatch.setattr(ranking, "BLEND_PIXELS", 16 * 9)
    images = list(np.random.default_rng(7).integers(1, 2000, (4, 70, 9)) / 2048)  # exact in half precision
    _, hard = ranking.rank(images, Brightness())
    fused, shares = ranking.rank(images, Brightness(boundary="paper"))
    guide = torch.from_numpy(np.max(images, 0))[None, None]
    expected = np.stack([guided_filter(guide, torch.from_numpy(x).double()[None, None], 2, 0.1)[0, 0].numpy() for x in hard])
    np.testing.assert_allclose(expected.sum(0), 1, atol=1e-12)
    expected = expected.clip(0, 1) / expected.clip(0, 1).sum(0)
    np.testing.assert_allclose(shares, expected, atol=1e-6)
    np.testing.assert_allclose(fused, (expected * np.stack(images)).sum(0), atol=1e-6)
