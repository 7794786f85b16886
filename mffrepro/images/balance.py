"""Find frames of a stack that are brighter or darker than their neighbours, and bring all to one brightness.

Flashes recycle, sunlight and lamps flicker, shutters vary: a frame may then win where it is not the sharpest, and the fused image
has patches. Defocus moves light but does not take any away, so small copies of neighbours are equal but for the exposure.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from mffrepro.images.arrays import to_unit
from mffrepro.images.light import multiply_light, to_linear

#: Longer side of the small copies, pixels.
SIDE = 128
#: Values, as shares of white, between which a pixel counts: neither lost in noise nor cut off.
DARK, BRIGHT = 0.02, 0.95
#: Least share of pixels that must count for a gain to be trusted.
LEAST_SHARE = 0.005
#: Changes of light that are not worth correcting, as a logarithm.
UNSEEN = 0.005


def exposures(images: Sequence[np.ndarray]) -> np.ndarray:
    """Measure the light of each frame relative to the median frame.

    Each frame is compared with the next, since only neighbours are alike enough.

    Args:
        images: N of (H, W) or (H, W, C), uint8, uint16 or float in [0, 1].

    Returns:
        (N, C) factors of linear light, C = 1 for gray; 1 is the median frame.
    """
    small = [_shrink(image) for image in images]
    steps = [_step(first, second) for first, second in pairwise(small)]
    logs = np.concatenate([np.zeros((1, small[0][0].shape[-1])), np.cumsum(steps, 0)])
    return np.exp(logs - np.median(logs, 0))


def balance(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Bring each frame and channel to the exposure of the median frame.

    Args:
        images: (N, H, W) or (N, H, W, 3), uint8, uint16 or float in [0, 1].

    Returns:
        Images of that shape and dtype, and the (N, C) factors that were applied.
    """
    gains = 1 / exposures(images)
    gains[np.abs(np.log(gains)) < UNSEEN] = 1
    changed = np.empty_like(images)
    for i, image in enumerate(images):
        changed[i] = image if (gains[i] == 1).all() else multiply_light(image, gains[i])
    return changed, gains


def _shrink(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return a small copy (h, w, C) in linear light, and where each of its pixels is made of values that count."""
    import cv2

    unit = to_unit(image)
    unit = unit[..., None] if unit.ndim == 2 else unit
    scale = min(1.0, SIDE / max(unit.shape[:2]))
    size = max(1, round(unit.shape[1] * scale)), max(1, round(unit.shape[0] * scale))

    def smaller(array: np.ndarray) -> np.ndarray:
        return np.dstack([cv2.resize(array[..., c], size, interpolation=cv2.INTER_AREA) for c in range(array.shape[2])])

    counts = (unit > DARK) & (unit < BRIGHT)
    return smaller(_linear(image)), smaller(counts.astype(np.float32)) > 0.99


def _linear(image: np.ndarray) -> np.ndarray:
    """Convert an image to linear light (H, W, C) float32, by a table for integers."""
    channels = image[..., None] if image.ndim == 2 else image
    if np.issubdtype(image.dtype, np.floating):
        return to_linear(channels).astype(np.float32)
    top = np.iinfo(image.dtype).max
    return to_linear(np.arange(top + 1) / top).astype(np.float32)[channels]


def _step(first: tuple[np.ndarray, np.ndarray], second: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """Return the logarithm of the change of light from a frame to the next, for each channel."""
    steps = np.zeros(first[0].shape[-1])
    for channel in range(len(steps)):
        counts = first[1][..., channel] & second[1][..., channel]
        if counts.mean() >= LEAST_SHARE:
            steps[channel] = np.median(np.log(second[0][..., channel][counts] / first[0][..., channel][counts]))
    return steps
