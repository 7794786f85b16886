"""Guided filter fusion: a rough decision per pixel, smoothed along the edges of its own source.

Each source is split by a box mean into base and detail. A saliency map says which source is sharpest where; the guided filter
makes two sets of weights of it, wide and soft for the bases, narrow and crisp for the details.
"""

import cv2
import numpy as np

from mffrepro.baselines.channels import byte_levels, gray_levels
from mffrepro.fusion.guided import guided_filter
from mffrepro.fusion.in_turn import derive
from mffrepro.fusion.regions import sharpest
from mffrepro.images import FocusStack, to_unit
from mffrepro.progress import steps


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
    gray = derive(gray_levels(stack), lambda image: byte_levels(image / 255))
    winner = sharpest(map(measure_saliency, gray))

    def weights(number: int, radius: int, eps: float) -> np.ndarray:
        return smooth_weights((winner == number).astype(np.float64), gray[number], radius, eps)

    bases = details = of_bases = of_details = 0
    for number, given in enumerate(steps(stack.images)):
        image = to_unit(given, np.float64)
        base = cv2.blur(image, (31, 31), borderType=cv2.BORDER_REPLICATE)
        of_base, of_detail = weights(number, base_radius, base_eps), weights(number, detail_radius, detail_eps)
        bases, details = bases + base.T * of_base.T, details + (image - base).T * of_detail.T
        of_bases, of_details = of_bases + of_base, of_details + of_detail
    return (bases / of_bases.T + details / of_details.T).T, None


def measure_saliency(gray: np.ndarray) -> np.ndarray:
    """Measure the saliency of each pixel: the smoothed magnitude of the Laplacian."""
    cross = np.array([[0, 1, 0], [1, -4, 1], [0, 1, 0]], np.float64)
    contrast = np.abs(cv2.filter2D(gray, -1, cross, borderType=cv2.BORDER_REPLICATE))
    return cv2.GaussianBlur(contrast, (11, 11), 5, borderType=cv2.BORDER_REPLICATE)


def smooth_weights(rough: np.ndarray, guide: np.ndarray, radius: int, eps: float) -> np.ndarray:
    """Smooth rough weights (H, W) along the edges of their source."""
    smooth = guided_filter(guide, rough, radius=radius, eps=eps)
    return byte_levels(smooth) + 1e-12  # a pixel that no source wants is shared
