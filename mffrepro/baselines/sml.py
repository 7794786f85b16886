"""Sum-modified-Laplacian: second differences along rows and columns, taken by magnitude so that they cannot cancel."""

import numpy as np

from mffrepro.baselines.channels import fuse_by_winner, gray_levels
from mffrepro.baselines.focus import decide
from mffrepro.fusion.laplacian import modified_laplacian
from mffrepro.images import FocusStack, Shares


def fuse(stack: FocusStack, *, radius: int = 3, threshold: float = 0.0, smallest: float = 0.01) -> tuple[np.ndarray, Shares]:
    """Take each pixel from the source with the largest sum-modified-Laplacian.

    The decision is made on gray.

    Args:
        stack: N >= 2 images of any size, gray or colour.
        radius: Half width of the window of the sum and of the vote that follows, pixels, >= 0.
        threshold: Modified Laplacians below it count nothing; in gray levels of 0..255.
        smallest: Least area of a region taken from one source, as a share of the image.

    Returns:
        Pixels of the sources, and which source each came from.
    Deviations:
        The measure is made for depth from focus; the vote and the removal of islands are the usual way from a measure to a
        map. Any number of sources. There is no published output to compare with.

    References:
        [nayar1994], as a measure for fusion: [huang2007].
    Chapter: 02_baselines
    """

    def measure(image: np.ndarray) -> np.ndarray:
        laplacian = modified_laplacian(image)
        laplacian[laplacian < threshold] = 0
        return laplacian

    return fuse_by_winner(stack, decide(map(measure, gray_levels(stack)), radius, smallest))
