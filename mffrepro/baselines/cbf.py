"""Cross bilateral filter fusion: smooth each source along the edges of the other; weigh by the strength of what that removed."""

from collections.abc import Sequence
from functools import partial

import cv2
import numpy as np

from mffrepro.baselines.channels import fuse_channels
from mffrepro.fusion.in_turn import derive, mean
from mffrepro.images import FocusStack, require_side
from mffrepro.progress import steps

#: Side of the window that the strength of detail is measured in.
STRENGTH_SIDE = 5


def fuse(stack: FocusStack, *, radius: int = 5, spatial_sigma: float = 1.8, range_sigma: float = 25.0) -> tuple[np.ndarray, None]:
    """Weight each source by the detail that a cross bilateral filter removes.

    Each channel is fused separately.

    Args:
        stack: N >= 2 images, sides above the larger of 2 and `radius` pixels; gray or colour.
        radius: Half width of the filter's square window, pixels.
        spatial_sigma: Standard deviation of the weight by distance, pixels.
        range_sigma: Standard deviation of the weight by difference of gray, on 0..255.

    Returns:
        The fused image; no decision map, since each channel has its own weights.

    Raises:
        ImageError: The images are smaller than the window's half width.
    Deviations:
        More than two sources: each is filtered along the edges of the mean of all others, which for two is the original.
        The eigenvalues of a window's covariances are only ever summed, so their traces are taken.

    References:
        [kumar2015], results compared: [zhang2020mfifb].
    Chapter: 02_baselines
    """
    require_side(stack, max(radius, STRENGTH_SIDE // 2) + 1)
    fuse_channel = partial(_fuse_channel, radius=radius, spatial_sigma=spatial_sigma, range_sigma=range_sigma)
    return fuse_channels(stack, lambda s: fuse_channel(derive(s, lambda plane: 255 * plane)) / 255)


def _fuse_channel(images: Sequence[np.ndarray], radius: int, spatial_sigma: float, range_sigma: float) -> np.ndarray:
    together = len(images) * mean(images)
    total = weights = 0
    for image in steps(images):
        other = (together - image) / (len(images) - 1)
        smooth = cross_bilateral(image, other, radius=radius, spatial_sigma=spatial_sigma, range_sigma=range_sigma)
        weight = detail_strength(image - smooth)
        total, weights = total + weight * image, weights + weight
    return total / weights


def cross_bilateral(image: np.ndarray, guide: np.ndarray, *, radius: int, spatial_sigma: float, range_sigma: float) -> np.ndarray:
    """Average over neighbours whose value in `guide` is near, by Gaussian weights.

    Args:
        image: (H, W) float64.
        guide: (H, W) float64.
        radius: Half width of the window; the image is mirrored at its borders without repeating the edge.
        spatial_sigma: Standard deviation of the weight by distance, pixels.
        range_sigma: Standard deviation of the weight by difference, in units of the guide.
    """
    height, width = image.shape
    image, guide = (np.pad(plane, radius, mode="reflect") for plane in (image, guide))
    total, norm = image.copy(), np.ones_like(image)
    for dy in range(radius + 1):
        for dx in range(-radius, radius + 1):
            if (dy, dx) <= (0, 0):
                continue
            # A pair of pixels weighs the same from either end: half the exponentials do.
            here = np.s_[: image.shape[0] - dy, max(-dx, 0) : image.shape[1] - max(dx, 0)]
            there = np.s_[dy:, max(dx, 0) : image.shape[1] - max(-dx, 0)]
            difference = guide[here] - guide[there]
            exponent = difference * difference * (-0.5 / range_sigma**2) - (dy * dy + dx * dx) / (2 * spatial_sigma**2)
            weight = cv2.exp(exponent)
            total[here] += weight * image[there]
            total[there] += weight * image[here]
            norm[here] += weight
            norm[there] += weight
    inside = np.s_[radius : radius + height, radius : radius + width]
    return total[inside] / norm[inside]


def detail_strength(detail: np.ndarray) -> np.ndarray:
    """Measure the strength of detail by the variances of rows and columns.

    Variances in a window, of the rows' entries and of the columns', are summed over columns and over rows.
    """
    padded = np.pad(detail, STRENGTH_SIDE // 2, mode="reflect")
    down, across = (1, STRENGTH_SIDE), (STRENGTH_SIDE, 1)  # OpenCV gives width first
    strength = _window_sum(_variance(padded, down), across) + _window_sum(_variance(padded, across), down)
    inside = slice(STRENGTH_SIDE // 2, -(STRENGTH_SIDE // 2))
    return np.maximum(strength[inside, inside], np.finfo(float).eps)


def _variance(image: np.ndarray, window: tuple[int, int]) -> np.ndarray:
    return (_window_sum(image * image, window) - _window_sum(image, window) ** 2 / STRENGTH_SIDE) / (STRENGTH_SIDE - 1)


def _window_sum(image: np.ndarray, window: tuple[int, int]) -> np.ndarray:
    return cv2.boxFilter(image, -1, window, normalize=False)
