"""Gradient domain fusion: at every pixel the steepest gradient of all sources, and the image that has these gradients.

The image comes back with neither its mean nor its range, so both are set anew and the contrast is equalised locally. That
last step changes the look more than the fusion does, which explains the low scores of this method in tables.
"""

import numpy as np

from mffrepro.fusion.equalisation import equalise
from mffrepro.fusion.integration import integrate
from mffrepro.images import FocusStack, to_unit

#: Luma and both chromas, on 16..235 and 16..240, of red, green and blue in [0, 1]: ITU-R BT.601.
TO_YCBCR = np.array([[65.481, 128.553, 24.966], [-37.797, -74.203, 112], [112, -93.786, -18.214]])
OFFSET = np.array([16.0, 128.0, 128.0])


def fuse(stack: FocusStack, *, steps: int = 3, limit: float = 0.003) -> tuple[np.ndarray, None]:
    """Integrate the steepest gradients of the sources, then equalise the contrast.

    In colour, luma is fused.

    Args:
        stack: N >= 2 images of any size, gray or colour.
        steps: Smoothing steps per level of the integration.
        limit: Limit of the equalisation; 0 leaves almost no change of contrast, 1 sets no limit.

    Returns:
        The fused image; no decision map, since a gradient of one source moves pixels of another.
    Deviations:
        Sources that are all the same come back unchanged, and flat ones as their mean: the original would stretch them. Its
        rounding of luma and chroma to 8 bits is kept whatever the depth of the images. Ranges of the integral under e gray
        levels, where the original's exponent has its pole, count as e. Any number of sources: ties go to the first.

    References:
        [paul2016gd], integration of [sevcenco2013], equalisation of [zuiderveld1994], results compared: [zhang2020mfifb].
    Chapter: 02_baselines
    """
    scaled = to_unit(stack.images, np.float64)
    if (stack.images == stack.images[0]).all():
        fused = scaled[0]
    elif stack.is_colour:
        luma, *chroma = np.moveaxis(_rounded(scaled @ TO_YCBCR.T + OFFSET), -1, 0)
        planes = [_fuse_luma(luma, steps, limit, (16, 235), whole=False), *(_fuse_chroma(plane) for plane in chroma)]
        fused = (_rounded(np.stack(planes, -1)) - OFFSET) @ np.linalg.inv(TO_YCBCR).T
    else:
        fused = _fuse_luma(255 * scaled, steps, limit, (0, 255), whole=True) / 255
    return fused, None


def _rounded(levels: np.ndarray) -> np.ndarray:
    """Round to whole levels, halves up."""
    return np.floor(levels + 0.5)


def _fuse_luma(sources: np.ndarray, steps: int, limit: float, ends: tuple[float, float], *, whole: bool) -> np.ndarray:
    """Fuse N planes (N, H, W) in gray levels to one (H, W) between two ends.

    The original equalises gray images in 8 bits, where the levels of its tiles are `whole`; luma it only rounds before and after.
    """
    low, high = ends
    dx, dy = (np.diff(sources, axis=axis, append=np.take(sources, [-1], axis)) for axis in (2, 1))
    steepest = (dx**2 + dy**2).argmax(0)[None]
    image = integrate(*(np.take_along_axis(differences, steepest, 0)[0] for differences in (dx, dy)), steps=steps)
    spread = np.ptp(image)
    if spread == 0:
        return sources.mean(0)
    exponent = np.log(high - low) / np.log(max(spread, np.e))
    levels = _rounded((high - low) * ((image - image.min()) / spread) ** exponent)
    return low + (high - low) * equalise(levels / (high - low), limit=limit, whole=whole)


def _fuse_chroma(sources: np.ndarray) -> np.ndarray:
    """Average N planes (N, H, W), each weighted by its distance from gray."""
    colourful = np.abs(sources - 128)
    total = colourful.sum(0)
    return np.divide((colourful * sources).sum(0), total, out=np.full(total.shape, 128.0), where=total > 0)
