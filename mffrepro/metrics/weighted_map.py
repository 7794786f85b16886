"""Quality and weight of each place, for a metric that is a spatial average."""

from typing import NamedTuple

import numpy as np

from mffrepro.formulas.arrays import namespace


class WeightedMap(NamedTuple):
    """Hold quality times weight, and the weight, of each place of an image.

    Attributes:
        gained: (..., h, w), quality times weight.
        weight: (..., h, w), not negative.
        corner: Row and column of the image at which the first place lies: half a window where only full windows count.
    """

    gained: np.ndarray
    weight: np.ndarray
    corner: int = 0

    def mean(self) -> float:
        """Return the score, which is the weighted mean of the quality, per image."""
        return self.gained.sum((-2, -1)) / self.weight.sum((-2, -1))


def unweighted(quality: np.ndarray, corner: int = 0) -> WeightedMap:
    """Give every place the same weight, so that the score is the plain mean."""
    one = quality.reshape(-1)[0] * 0 + 1  # same library and dtype; broadcast as a view, which takes the memory of one number
    return WeightedMap(quality, namespace(quality).broadcast_to(one, quality.shape), corner)


def undefined(shape: tuple[int, int]) -> WeightedMap:
    """Return a map of NaN, for images for which a metric is not defined."""
    return unweighted(np.full(shape, np.nan))
