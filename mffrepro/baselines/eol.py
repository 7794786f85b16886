"""Energy of Laplacian: each pixel comes from the source with the most curvature around it."""

import cv2
import numpy as np

from mffrepro.baselines.channels import fuse_by_winner, gray_levels
from mffrepro.baselines.focus import decide
from mffrepro.images import FocusStack, Shares

LAPLACIAN = np.array([[-1, -4, -1], [-4, 20, -4], [-1, -4, -1]], np.float64)


def fuse(stack: FocusStack, *, radius: int = 3, smallest: float = 0.01) -> tuple[np.ndarray, Shares]:
    """Take each pixel from the source with the largest energy of Laplacian.

    The decision is made on gray.

    Args:
        stack: N >= 2 images of any size, gray or colour.
        radius: Half width of the window of the energy and of the vote that follows, pixels, >= 0.
        smallest: Least area of a region taken from one source, as a share of the image.

    Returns:
        Pixels of the sources, and which source each came from.
    Deviations:
        The paper gives the measure and compares blocks; the sliding window, the vote and the removal of islands are the usual
        way from a measure to a map. Any number of sources. There is no published output to compare with.

    References:
        [huang2007].
    Chapter: 02_baselines
    """
    energy = (cv2.filter2D(image, -1, LAPLACIAN, borderType=cv2.BORDER_REPLICATE) ** 2 for image in gray_levels(stack))
    return fuse_by_winner(stack, decide(energy, radius, smallest))
