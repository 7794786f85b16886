"""Estimate the noise of the frames of a focal stack from what changes between two that follow each other."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from mffrepro.fusion.laplacian import modified_laplacian
from mffrepro.images import to_gray, to_unit

#: Energy of independent noise of variance 1: two second differences of variance 6 each, absolute, added and squared.
ENERGY_OF_NOISE = 12 * (1 + 2 / np.pi)
#: Least variance of noise: what rounding to 8 bits leaves.
ROUNDING = 1 / 12 / 255**2
#: The noise is measured on so many tiles in each direction, of this side in pixels, of about so many frames in the middle.
TILES, SIDE, FRAMES = 8, 32, 4
#: Share of the tiles in which nothing comes into focus between two of these frames.
STILL = 0.25


def as_gray(image: np.ndarray) -> np.ndarray:
    """Convert an image to gray (H, W), float32 in [0, 1].

    It is (H, W) or (H, W, 3), of any type.
    """
    unit = to_unit(image)
    return to_gray(unit) if unit.ndim == 3 else unit


def noise_variance(images: Sequence[np.ndarray]) -> float:
    """Estimate the variance of the noise of a stack in gray.

    What two frames both show cancels out in their difference, and in some parts of a picture there are two frames between which
    nothing comes into focus. So it is the lower quartile over small tiles of the least change.

    Args:
        images: N >= 2 frames in the order of their focus, (H, W) or (H, W, 3), uint8, uint16 or float in [0, 1].

    Returns:
        Variance for values in [0, 1], at least that of rounding to 8 bits; right for noise that is independent from pixel to
        pixel.
    """
    first = max(0, (len(images) - FRAMES) // 2)
    frames = [_tiles(images[i]) for i in range(first, len(images) - first)]
    least = np.full(len(frames[0]), np.inf)
    for before, after in pairwise(frames):
        energies = [float(np.square(modified_laplacian(b - a)[1:-1, 1:-1]).mean()) for a, b in zip(before, after, strict=True)]
        least = np.minimum(least, energies)
    return max(float(np.quantile(least, STILL)) / 2 / ENERGY_OF_NOISE, ROUNDING)


def _tiles(image: np.ndarray) -> list[np.ndarray]:
    height, width = image.shape[:2]
    rows, columns = (np.unique(np.linspace(0, max(0, length - SIDE), TILES).astype(int)) for length in (height, width))
    return [as_gray(image[top : top + SIDE, left : left + SIDE]) for top in rows for left in columns]
