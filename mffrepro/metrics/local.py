"""What a metric says of each place, before it is averaged into one number."""

from typing import NamedTuple

import numpy as np


class Local(NamedTuple):
    """Quality of each place times what the place counts, and what it counts.

    Attributes:
        gained: (h, w), quality times weight.
        weight: (h, w), not negative.
        corner: Row and column of the image at which the first place lies: half a window where only full windows count.
    """

    gained: np.ndarray
    weight: np.ndarray
    corner: int = 0

    def score(self) -> float:
        """The weighted mean: the metric."""
        return self.gained.sum() / self.weight.sum()


def evenly(quality: np.ndarray, corner: int = 0) -> Local:
    """All places count alike: the plain mean."""
    return Local(quality, np.broadcast_to(1.0, quality.shape), corner)


def nowhere(shape: tuple[int, int]) -> Local:
    """Not defined for these images."""
    return evenly(np.full(shape, np.nan))
