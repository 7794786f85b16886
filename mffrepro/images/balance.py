"""Find frames of a stack that are brighter or darker than the others, and bring all to one brightness.

Flashes recycle, lamps warm up, sunlight flickers, shutters vary, and lenses gather less light at close range: a frame may then
win where it is not the sharpest, and the fused image has patches. Defocus moves light but does not take any away, so small copies
of neighbours are equal but for the exposure.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from mffrepro.images.arrays import to_unit
from mffrepro.images.frames import Frames, stack_of
from mffrepro.images.light import multiply_light, to_linear
from mffrepro.progress import steps

#: Longer side of the small copies, pixels; values are converted to light on copies so many times finer, for speed.
SIDE, FINER = 128, 4
#: Values, as shares of white, between which a pixel counts: neither lost in noise nor cut off.
DARK, BRIGHT = 0.02, 0.95
#: Least share of pixels that must count for a gain to be trusted.
LEAST_SHARE = 0.005
#: Changes of light that are not worth correcting, as a logarithm.
UNSEEN = 0.005


def exposures(images: Sequence[np.ndarray]) -> np.ndarray:
    """Measure how far the light of each frame is from the middle of the stack's.

    Each frame is compared with the next, since only neighbours are alike enough. The steps add up to a steady change, too: over
    real stacks up to 6 % were measured, and over 40 drawn frames of equal light at most 0.6 %.

    Args:
        images: N of (H, W) or (H, W, C), uint8, uint16 or float in [0, 1].

    Returns:
        (N, C) factors of linear light, C = 1 for gray; 1 is the median over the frames.
    """
    small = [_shrink(image) for image in steps(images, "measuring the light")]
    changes = [_step(first, second) for first, second in pairwise(small)]
    logs = np.concatenate([np.zeros((1, small[0][0].shape[-1])), np.cumsum(changes, 0)])
    return np.exp(logs - np.median(logs, 0))


def balance(images: np.ndarray | Frames) -> tuple[np.ndarray | Frames, np.ndarray]:
    """Bring the light of each frame and channel to the median of the stack.

    Args:
        images: (N, H, W) or (N, H, W, 3), uint8, uint16 or float in [0, 1].

    Returns:
        Images of that shape and dtype, in a temporary file where these are frames; and the (N, C) factors that were applied.
    """
    gains = 1 / exposures(images)
    gains[np.abs(np.log(gains)) < UNSEEN] = 1
    pairs = zip(images, gains, strict=True)
    changed = (image if (gain == 1).all() else multiply_light(image, gain) for image, gain in pairs)
    return stack_of(changed, images), gains


def _shrink(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return a small copy (h, w, C) in linear light, and where each of its pixels is made of values that count."""
    unit = to_unit(_resized(image, FINER * SIDE))
    unit = unit[..., None] if unit.ndim == 2 else unit
    counts = ((unit > DARK) & (unit < BRIGHT)).astype(np.float32)
    return _resized(to_linear(unit), SIDE), _resized(counts, SIDE) > 0.99


def _resized(image: np.ndarray, side: int) -> np.ndarray:
    """Shrink an image to a longer side by the means of its areas; keeps a third axis."""
    import cv2

    scale = min(1.0, side / max(image.shape[:2]))
    size = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA).reshape(size[1], size[0], *image.shape[2:])


def _step(first: tuple[np.ndarray, np.ndarray], second: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """Return the logarithm of the change of light from a frame to the next, for each channel."""
    steps = np.zeros(first[0].shape[-1])
    for channel in range(len(steps)):
        counts = first[1][..., channel] & second[1][..., channel]
        if counts.mean() >= LEAST_SHARE:
            steps[channel] = np.median(np.log(second[0][..., channel][counts] / first[0][..., channel][counts]))
    return steps
