"""What a metric says of each place, before it is averaged into one number."""

from typing import NamedTuple

import numpy as np

from mffrepro.formulas.arrays import namespace


class Local(NamedTuple):
    """Quality of each place times what the place counts, and what it counts.

    Attributes:
        gained: (..., h, w), quality times weight.
        weight: (..., h, w), not negative.
        corner: Row and column of the image at which the first place lies: half a window where only full windows count.
    """

    gained: np.ndarray
    weight: np.ndarray
    corner: int = 0

    def score(self) -> float:
        """The weighted mean: the metric, one number per image."""
        return self.gained.sum((-2, -1)) / self.weight.sum((-2, -1))


def evenly(quality: np.ndarray, corner: int = 0) -> Local:
    """All places count alike: the plain mean."""
    one = quality.reshape(-1)[0] * 0 + 1  # of its kind, and as a view as large as one number
    return Local(quality, namespace(quality).broadcast_to(one, quality.shape), corner)


def nowhere(shape: tuple[int, int]) -> Local:
    """Not defined for these images."""
    return evenly(np.full(shape, np.nan))
