"""The guided filter in NumPy, double precision, for the classical methods; `boxes` has the differentiable one."""

from collections.abc import Callable
from typing import TypeVar

import cv2
import numpy as np

Array = TypeVar("Array")


def box_mean(image: np.ndarray, radius: int) -> np.ndarray:
    """Average over the part of a window that lies inside the image (H, W), float64.

    The window has (2 radius + 1)^2 pixels; any radius costs the same.
    """
    side = 2 * radius + 1
    sums = cv2.boxFilter(image, -1, (side, side), normalize=False, borderType=cv2.BORDER_CONSTANT)
    rows, columns = (_window_counts(length, radius) for length in image.shape)
    return sums / (rows[:, None] * columns)


def _window_counts(length: int, radius: int) -> np.ndarray:
    i = np.arange(length)
    return np.minimum(i + radius, length - 1) - np.maximum(i - radius, 0) + 1


def guided_filter(guide: np.ndarray, image: np.ndarray, *, radius: int, eps: float) -> np.ndarray:
    """Smooth an image along the edges of a guide image.

    Args:
        guide: (H, W) float64.
        image: (H, W) float64, the map to smooth.
        radius: Half width of the square window.
        eps: Regularisation, in squared units of the guide.

    Returns:
        (H, W); it can leave the range of `image` a little.

    References:
        [he2013guided], gray guide.
    """
    return guided(guide, image, eps, lambda x: box_mean(x, radius))


def guided(guide: Array, image: Array, eps: float, mean: Callable[[Array], Array]) -> Array:
    """Apply the formula of the guided filter, given the mean over its window.

    It takes NumPy arrays and torch tensors alike.
    """
    mean_guide, mean_image = mean(guide), mean(image)
    covariance = mean(guide * image) - mean_guide * mean_image
    variance = mean(guide * guide) - mean_guide**2
    slope = covariance / (variance + eps)
    offset = mean_image - slope * mean_guide
    return mean(slope) * guide + mean(offset)
