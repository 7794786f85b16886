"""Rules that choose between the coefficients of several sources."""

from collections.abc import Sequence

import cv2
import numpy as np

from mffrepro.fusion.pyramid import mirror
from mffrepro.images.shares import index_type

_WINDOW = np.ones((3, 3), np.uint8)


class Choice:
    """Choose the coefficients of one band by Li's rule.

    The sources come one by one, twice. First `look` at each of them, then `vote`, then `take` from each: `chosen` is then
    complete. See `choose_max`.

    Args:
        count: How many sources there are.
    """

    def __init__(self, count: int) -> None:
        self._count, self._best, self._winner, self.chosen = count, None, None, None

    def look(self, number: int, band: np.ndarray) -> None:
        """Measure a source by the largest magnitude around each coefficient."""
        # The toolbox pads once and keeps the pixels it mirrored outside: they have a window and a vote of their own.
        activity = cv2.dilate(np.abs(mirror(band, 1)), _WINDOW)
        if self._best is None:
            self._best, self._winner = activity, np.zeros(activity.shape, index_type(self._count))
            return
        np.copyto(self._winner, number, where=activity >= self._best)
        np.maximum(self._best, activity, out=self._best)

    def vote(self) -> None:
        """Let the neighbours of each coefficient vote for a source."""
        self._best, most, votes = None, None, None
        for number in range(self._count):
            count = _window_count(self._winner == number)[1:-1, 1:-1]
            if most is None:
                most, votes = count, np.zeros(count.shape, self._winner.dtype)
                continue
            np.copyto(votes, number, where=count >= most)
            most = np.maximum(most, count)
        self._winner = votes

    def take(self, number: int, band: np.ndarray) -> None:
        """Take the coefficients that a source has won."""
        if self.chosen is None:
            self.chosen = band.copy()
        else:
            np.copyto(self.chosen, band, where=self._winner == number)


def choose_max(bands: Sequence[np.ndarray]) -> np.ndarray:
    """Choose coefficients by Li's rule: the largest magnitude nearby, after a vote.

    A coefficient is taken from the source whose neighbourhood holds the largest magnitude; then the neighbours vote.

    Args:
        bands: N of (H, W) real or complex coefficients of N sources, sides at least 2.

    Returns:
        (H, W), each value from one source. Ties go to the later source, as in the code that published results come from.
    Deviations:
        For more than two sources the vote is for the source with most of the 3x3 neighbours; for two that is Li's majority.

    References:
        [li1995wavelet].
    """
    choice = Choice(len(bands))
    for number, band in enumerate(bands):
        choice.look(number, band)
    choice.vote()
    for number, band in enumerate(bands):
        choice.take(number, band)
    return choice.chosen


def _window_count(mask: np.ndarray) -> np.ndarray:
    return cv2.boxFilter(mask.view(np.uint8), -1, (3, 3), normalize=False, borderType=cv2.BORDER_CONSTANT)
