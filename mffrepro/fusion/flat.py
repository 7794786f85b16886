"""Average the frames where none of them is sharp, so that a fusion is not noisier than its sources there.

Where a scene shows nothing but noise, methods that take the largest coefficient take the largest noise. The mean of all frames
has the least. It is right only where all frames show the same: beside things out of focus, whose blur spreads, the mean would be
a halo, so it is used where nothing is sharp in any frame and all frames have the same light, but for one factor for all of a
frame, as a lamp that warms up causes it.
"""

from collections.abc import Sequence

import cv2
import numpy as np

from mffrepro.fusion.focus_scan import FocusScan
from mffrepro.fusion.noise import as_gray, noise_variance
from mffrepro.images import from_unit, to_unit

#: Surroundings of a pixel, pixels; and how far from anything sharp the average begins.
SIGMA, REACH = 3.0, 9
#: Energy of the sharpest frame, in units of the noise's, from which a pixel is less and less flat; from twice as much it is not.
SHARP = 3.0
#: The brightness of two frames is compared at every so many pixels, where values are above this share of white.
STEP, DARK = 4, 0.02
#: A change of brightness that is no more than rounding.
SAME = 0.002
#: Frames agree while their smoothed light spreads by less than so many standard deviations of smoothed noise.
AGREE = 6**0.5
#: Standard deviation of noise under which hardly anybody sees it: one and a half levels of 8 bits.
VISIBLE = 1.5 / 255
#: A spread below which frames agree even without noise: half a level of 8 bits.
LEVEL = 0.5 / 255


def average_flat(image: np.ndarray, sources: Sequence[np.ndarray]) -> tuple[np.ndarray, float]:
    """Take the mean of the sources where none of them is sharp.

    Nothing is changed where their noise is hardly visible.

    Args:
        image: (H, W) or (H, W, 3), uint8, uint16 or float in [0, 1], the result of any method.
        sources: N >= 2 images of that shape and type.

    Returns:
        The image in its type, and the share of its pixels that are averaged, 0 to 1.
    """
    noise = noise_variance(sources)
    if noise < VISIBLE**2:
        return image, 0.0
    scan, mean, total, squares, factors, first = FocusScan(SIGMA, noise), 0, 0, 0, [], None
    for source in sources:
        unit, gray = to_unit(source), as_gray(source)
        smoothed = cv2.GaussianBlur(gray, (0, 0), SIGMA)
        first = smoothed if first is None else first
        factors.append(_factor(smoothed, first))
        scan.add(gray)
        if factors[-1] != 1:
            unit, smoothed = unit / factors[-1], smoothed / factors[-1]
        mean, total, squares = mean + unit, total + smoothed, squares + smoothed * smoothed
    count = len(sources)
    mean *= np.float32(np.mean(factors))
    weight = _flatness(scan, squares / count - (total / count) ** 2, noise)
    if not weight.any():
        return image, 0.0
    share = weight[..., None] if image.ndim == 3 else weight
    blended = share * (mean / count) + (1 - share) * to_unit(image)
    return np.where(share > 0, from_unit(blended, image.dtype), image), float(weight.mean())


def _factor(light: np.ndarray, first: np.ndarray) -> np.float32:
    """Measure how much brighter a smoothed frame is than the first one; defocus leaves the median as it is."""
    ours, theirs = light[::STEP, ::STEP], first[::STEP, ::STEP]
    counts = np.minimum(ours, theirs) > DARK
    factor = np.median(ours[counts] / theirs[counts]) if counts.any() else 1.0
    return np.float32(factor if abs(factor - 1) > SAME else 1.0)


def _flatness(scan: FocusScan, variance: np.ndarray, noise: float) -> np.ndarray:
    """Return 1 where no frame is sharp and all have the same light.

    It falls to 0 towards anything else; float32.

    Args:
        scan: Of all frames.
        variance: (H, W) of the frames' smoothed light.
        noise: Variance of their noise.
    """
    window = np.ones((2 * REACH + 1, 2 * REACH + 1), np.uint8)
    sharpest = cv2.dilate(scan.excess(), window)
    expected = noise / (4 * np.pi * SIGMA**2)  # the variance that a Gaussian leaves of independent noise
    spread = cv2.dilate(np.sqrt(np.maximum(variance, 0) / (AGREE**2 * expected + LEVEL**2)), window)
    flat = np.clip(2 - sharpest / SHARP, 0, 1) * np.clip(2 - spread, 0, 1)
    weight = cv2.GaussianBlur(flat.astype(np.float32), (0, 0), REACH / 3)
    return np.where(weight < 1e-3, 0, weight)
