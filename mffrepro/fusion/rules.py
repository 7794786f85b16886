"""Rules that choose between the coefficients of several sources."""

from collections.abc import Iterable, Sequence

import cv2
import numpy as np

from mffrepro.fusion.pyramid import mirror


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
    # The toolbox pads once and keeps the pixels it mirrored outside: they have a window and a vote of their own.
    winner = _last_argmax(cv2.dilate(np.abs(mirror(band, 1)), _WINDOW) for band in bands)
    votes = _last_argmax(_window_count(winner == i)[1:-1, 1:-1] for i in range(len(bands)))
    chosen = bands[0].copy()
    for i, band in enumerate(bands[1:], start=1):
        np.copyto(chosen, band, where=votes == i)
    return chosen


_WINDOW = np.ones((3, 3), np.uint8)


def _window_count(mask: np.ndarray) -> np.ndarray:
    return cv2.boxFilter(mask.view(np.uint8), -1, (3, 3), normalize=False, borderType=cv2.BORDER_CONSTANT)


def _last_argmax(planes: Iterable[np.ndarray]) -> np.ndarray:
    best, index = None, None
    for i, plane in enumerate(planes):
        if best is None:
            best, index = plane, np.zeros(plane.shape, np.uint16)
            continue
        np.copyto(index, i, where=plane >= best)
        best = np.maximum(best, plane)
    return index
