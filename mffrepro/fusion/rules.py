"""Rules that choose between the coefficients of several sources."""

import cv2
import numpy as np

from mffrepro.fusion.pyramid import mirror


def choose_max(bands: np.ndarray) -> np.ndarray:
    """Li's rule: take the coefficient whose neighbourhood holds the largest magnitude, after a vote of the neighbours.

    Args:
        bands: (N, H, W) real or complex coefficients of N sources, sides at least 2.
    Returns:
        (H, W), each value from one source. Ties go to the later source, as in the code that published results come from.
    Deviations:
        For more than two sources the vote is for the source with most of the 3x3 neighbours; for two that is Li's majority.
    References:
        [li1995wavelet].
    """
    # The toolbox pads once and keeps the pixels it mirrored outside: they have a window and a vote of their own.
    padded = [np.abs(mirror(band, 1)) for band in bands]
    winner = _last_argmax([cv2.dilate(magnitudes, np.ones((3, 3), np.uint8)) for magnitudes in padded])
    votes = _last_argmax([_window_count(winner == i)[1:-1, 1:-1] for i in range(len(bands))])
    return np.take_along_axis(bands, votes[None], 0)[0]


def _window_count(mask: np.ndarray) -> np.ndarray:
    return cv2.boxFilter(mask.astype(np.float32), -1, (3, 3), normalize=False, borderType=cv2.BORDER_CONSTANT)


def _last_argmax(planes: list[np.ndarray]) -> np.ndarray:
    best, index = planes[0], np.zeros(planes[0].shape, np.intp)
    for i, plane in enumerate(planes[1:], start=1):
        index[plane >= best] = i
        best = np.maximum(best, plane)
    return index
