"""Find pixels that are bright or dark in every frame because the sensor is, and fill them from their surroundings.

What belongs to the scene is blurred in most frames of a stack; what belongs to the sensor is sharp in all. So the median over the
stack of each frame minus its smoothed copy shows the sensor.
"""

from collections.abc import Sequence

import numpy as np

from mffrepro.images.arrays import to_unit
from mffrepro.images.frames import Frames, stack_of

#: Side of the median filter that smooths a frame.
WINDOW = 5
#: A hot pixel stands out by at least this share of white, and by so many times the noise of all other pixels.
LEAST, TIMES_NOISE = 0.04, 8.0
#: Beyond this share of the image, points belong to the scene.
LARGEST_SHARE = 0.002
#: So many frames at most are looked at, evenly spread over the stack; a median needs no more, and memory holds them as floats.
MOST_FRAMES = 12
#: Pixels of the bands of rows that are looked at in all these frames at once, at up to 300 bytes a pixel.
BAND_PIXELS = 2**22
#: With fewer frames, small sharp details cannot be told from hot pixels.
LEAST_FRAMES = 3


def find_hot_pixels(images: Sequence[np.ndarray]) -> np.ndarray:
    """Find pixels that stand out from their surroundings in most frames.

    Each stands alone: hot pixels that touch, and those of a mosaic whose colours have been interpolated, look like the smallest
    points of a scene and are left.

    Args:
        images: N >= 3 of (H, W) or (H, W, 3), uint8, uint16 or float in [0, 1].

    Returns:
        (H, W) or (H, W, 3) bool, True for a hot or dead value; all False where too many would be.
    """
    chosen = np.unique(np.linspace(0, len(images) - 1, min(len(images), MOST_FRAMES)).round().astype(int))
    height, width = images[0].shape[:2]
    step = max(16, BAND_PIXELS // width)
    parts = [_outstanding(images, chosen, slice(top, top + step)) for top in range(0, height, step)]
    typical, steady = (np.concatenate(rows) for rows in zip(*parts, strict=True))
    noise = 1.4826 * np.median(np.abs(typical))
    hot = (np.abs(typical) > max(LEAST, TIMES_NOISE * noise)) & steady & _stands_alone(typical)
    return hot if hot.mean() <= LARGEST_SHARE else np.zeros_like(hot)


def _outstanding(images: Sequence[np.ndarray], chosen: np.ndarray, rows: slice) -> tuple[np.ndarray, np.ndarray]:
    """Measure in some rows by how much values typically stand out, and find those that do in most of the chosen images."""
    above = min(WINDOW // 2, rows.start)  # the median looks so far
    around, inside = slice(rows.start - above, rows.stop + WINDOW // 2), slice(above, above + rows.stop - rows.start)
    residue = np.stack([_residue(images[i][around])[inside] for i in chosen])
    return np.median(residue, 0), (np.abs(residue) > LEAST / 2).mean(0) > 0.75


def fill_hot_pixels(images: np.ndarray | Frames) -> tuple[np.ndarray | Frames, int]:
    """Replace hot pixels of all frames by the median of their surroundings.

    Args:
        images: (N, H, W) or (N, H, W, 3), N >= 3, uint8, uint16 or float in [0, 1].

    Returns:
        Images of that shape and dtype, in a temporary file where these are frames; and the number of pixels that were filled.
    """
    hot = find_hot_pixels(images)
    if not hot.any():
        return images, 0
    filled = stack_of((np.where(hot, _smooth(frame).astype(frame.dtype, copy=False), frame) for frame in images), images)
    return filled, int(hot.any(-1).sum() if hot.ndim == 3 else hot.sum())


def _smooth(image: np.ndarray) -> np.ndarray:
    import cv2

    if image.dtype == np.float64:
        image = image.astype(np.float32)
    return cv2.medianBlur(np.ascontiguousarray(image), WINDOW)


def _residue(image: np.ndarray) -> np.ndarray:
    return to_unit(image) - to_unit(_smooth(image))


def _stands_alone(typical: np.ndarray) -> np.ndarray:
    """Tell where a value stands out more than any around it: a lens spreads the smallest point of a scene over several pixels."""
    import cv2

    ring = np.ones((3, 3), np.uint8)
    ring[1, 1] = 0
    return np.abs(typical) > 2 * cv2.dilate(np.abs(typical), ring)
