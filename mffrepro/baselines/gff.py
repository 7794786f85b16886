"""Guided filter fusion: a rough decision per pixel, smoothed along the edges of its own source.

Each source is split by a box mean into base and detail. A saliency map says which source is sharpest where; the guided filter
makes two sets of weights of it, wide and soft for the bases, narrow and crisp for the details.
"""

import cv2
import numpy as np

from mffrepro.baselines.channels import byte_levels, gray_levels
from mffrepro.fusion.guided import guided_filter
from mffrepro.images import FocusStack, to_unit


def fuse(
    stack: FocusStack,
    *,
    base_radius: int = 45,
    base_eps: float = 0.3,
    detail_radius: int = 7,
    detail_eps: float = 1e-6,
) -> tuple[np.ndarray, None]:
    """Fuse base and detail by weights that the guided filter has smoothed.

    The decision is made on gray.

    Args:
        stack: N >= 2 images of any size, gray or colour.
        base_radius: Half width of the filter's window for the weights of the bases, pixels.
        base_eps: Its regularisation, for images in [0, 1].
        detail_radius: Half width for the weights of the details, pixels.
        detail_eps: Their regularisation.

    Returns:
        The fused image; no decision map, since base and detail of a pixel have different weights.
    Deviations:
        None known from the authors' code, which takes any number of sources. Its rounding of gray and weights to 8 bits
        is kept whatever the depth of the images.

    References:
        [li2013gff], filter of [he2013guided], results compared: [liu2020survey].
    Chapter: 02_baselines
    """
    gray = byte_levels(gray_levels(stack) / 255)
    saliency = np.stack([measure_saliency(image) for image in gray])
    rough = (saliency.argmax(0) == np.arange(len(gray))[:, None, None]).astype(np.float64)
    base_weights = smooth_weights(rough, gray, base_radius, base_eps)
    detail_weights = smooth_weights(rough, gray, detail_radius, detail_eps)
    fused = 0
    for image, of_base, of_detail in zip(to_unit(stack.images, np.float64), base_weights, detail_weights, strict=True):
        base = cv2.blur(image, (31, 31), borderType=cv2.BORDER_REPLICATE)
        fused += (base.T * of_base.T + (image - base).T * of_detail.T).T
    return fused, None


def measure_saliency(gray: np.ndarray) -> np.ndarray:
    """Measure the saliency of each pixel: the smoothed magnitude of the Laplacian."""
    cross = np.array([[0, 1, 0], [1, -4, 1], [0, 1, 0]], np.float64)
    contrast = np.abs(cv2.filter2D(gray, -1, cross, borderType=cv2.BORDER_REPLICATE))
    return cv2.GaussianBlur(contrast, (11, 11), 5, borderType=cv2.BORDER_REPLICATE)


def smooth_weights(rough: np.ndarray, guides: np.ndarray, radius: int, eps: float) -> np.ndarray:
    """Smooth rough weights along the edges of their sources, and normalise them."""
    filtered = [guided_filter(g, weight, radius=radius, eps=eps) for g, weight in zip(guides, rough, strict=True)]
    weights = byte_levels(np.stack(filtered)) + 1e-12  # a pixel that no source wants is shared
    return weights / weights.sum(0)
