"""From a measure of focus per pixel to the source each pixel is taken from."""

import cv2
import numpy as np

from mffrepro.fusion.regions import majority, remove_small


def decide(measures: np.ndarray, radius: int, smallest: float) -> np.ndarray:
    """Decide by the largest sum over a window, a majority vote, and no islands.

    Args:
        measures: (N, H, W), focus per pixel; larger is sharper.
        radius: Half width of the window of the sum and of the vote, pixels.
        smallest: Least area of a region that stays, as a share of the image.

    Returns:
        (N, H, W), 1 where the source is taken, else 0.
    """
    window = (2 * radius + 1,) * 2
    sums = [cv2.boxFilter(m, -1, window, normalize=False, borderType=cv2.BORDER_REFLECT) for m in measures]
    labels = remove_small(majority(np.argmax(sums, 0), radius), smallest * measures[0].size)
    return (labels == np.arange(len(measures))[:, None, None]).astype(np.float64)
