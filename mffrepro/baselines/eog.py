"""Energy of gradient: each pixel comes from the source with the strongest slopes around it."""

from collections.abc import Iterator

import numpy as np

from mffrepro.baselines.channels import fuse_by_winner, gray_levels
from mffrepro.baselines.focus import decide
from mffrepro.images import FocusStack, Shares


def fuse(stack: FocusStack, *, radius: int = 3, smallest: float = 0.01) -> tuple[np.ndarray, Shares]:
    """Take each pixel from the source with the largest energy of gradient.

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
    return fuse_by_winner(stack, decide(_energies(stack), radius, smallest))


def _energies(stack: FocusStack) -> Iterator[np.ndarray]:
    for gray in gray_levels(stack):
        down, right = (np.diff(gray, axis=axis, append=gray.take([-1], axis)) for axis in (0, 1))
        yield down**2 + right**2
