"""Morphological pyramid: what opening and closing remove, octave by octave, instead of what smoothing removes.

An opening removes bright detail that is smaller than its window, a closing dark detail. Unlike smoothing they leave edges where
they are, so that a level holds shapes and not waves.
"""

from collections.abc import Sequence

import cv2
import numpy as np

from mffrepro.baselines.channels import fuse_channels
from mffrepro.errors import OptionError
from mffrepro.fusion.in_turn import choose, derive, mean
from mffrepro.images import FocusStack

WINDOW = np.ones((3, 3), np.uint8)


def fuse(stack: FocusStack, *, levels: int = 4) -> tuple[np.ndarray, None]:
    """Fuse a morphological pyramid by Li's choose-max rule, per channel.

    Args:
        stack: N >= 2 images, sides at least 2 pixels, gray or colour.
        levels: Levels of detail, >= 1.

    Returns:
        The fused image; no decision map, since each level decides for itself.

    Raises:
        OptionError: `levels` is under 1.
    Deviations:
        The paper decomposes images and does not fuse; the rule is that of the other pyramids here. There is no published
        output to compare with.

    References:
        [toet1989morphology], rule of [li1995wavelet].
    Chapter: 02_baselines
    """
    if levels < 1:
        raise OptionError(f"levels is {levels}; use 1 or more")
    return fuse_channels(stack, lambda sources: fuse_details(sources, levels))


def fuse_details(sources: Sequence[np.ndarray], levels: int) -> np.ndarray:
    """Fuse the detail of one level of N sources (H, W), lower levels by recursion."""
    if levels == 0 or min(sources[0].shape) < 2:
        return mean(sources)
    parts = derive(sources, split)
    (detail,) = choose(derive(parts, lambda part: part[:1]))
    base = fuse_details(derive(parts, lambda part: part[1]), levels - 1)
    return detail + expand(base, detail.shape)


def split(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Split an image (H, W) >= 0 into its detail and the smaller image that is left."""
    opened = cv2.morphologyEx(image, cv2.MORPH_OPEN, WINDOW)
    smaller = cv2.morphologyEx(opened, cv2.MORPH_CLOSE, WINDOW)[::2, ::2].copy()  # a view would keep the large image
    return image - expand(smaller, image.shape), smaller


def expand(smaller: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Enlarge an image to a shape, with the largest of the neighbours in between."""
    spread = np.full(shape, -np.inf)
    spread[::2, ::2] = smaller
    return cv2.dilate(spread, WINDOW)
