"""From a measure of focus per pixel to the source each pixel is taken from."""

from collections.abc import Iterable

import cv2
import numpy as np

from mffrepro.fusion.regions import majority, remove_small, sharpest


def decide(measures: Iterable[np.ndarray], radius: int, smallest: float) -> np.ndarray:
    """Decide by the largest sum over a window, a majority vote, and no islands.

    Args:
        measures: N of (H, W), focus per pixel; larger is sharper. They come one by one.
        radius: Half width of the window of the sum and of the vote, pixels.
        smallest: Least area of a region that stays, as a share of the image.

    Returns:
        (H, W), the number of the source that each pixel is taken from.
    """
    window = (2 * radius + 1,) * 2
    sums = (cv2.boxFilter(m, -1, window, normalize=False, borderType=cv2.BORDER_REFLECT) for m in measures)
    winner = sharpest(sums)
    return remove_small(majority(winner, radius), smallest * winner.size)
