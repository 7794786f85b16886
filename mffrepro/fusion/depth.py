"""Depth from focus: which frame of a focal stack is sharpest at each pixel, with fractions of a frame, and how sure that is."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mffrepro.errors import OptionError
from mffrepro.fusion.focus_scan import FocusScan
from mffrepro.fusion.guided import guided_filter
from mffrepro.fusion.noise import as_gray, noise_variance
from mffrepro.images import FocusStack, ImageOrPath, as_stack

#: Each pixel weighs at least so much when depth is smoothed, with the depth of wider surroundings.
WIDER = 0.01
#: How many windows smooth the depth, each four times as wide as the one before: the widest reaches into large flat areas.
WINDOWS = 3


class Depth(NamedTuple):
    """Hold depth and confidence of a focal stack.

    Attributes:
        depth: (H, W) float32, the number of the sharpest frame with fractions: 0 is the first frame, N - 1 the last.
        confidence: (H, W) float32 in [0, 1], how far the sharpest frame stands out from the others and from noise.
    """

    depth: np.ndarray
    confidence: np.ndarray


def depth(
    images: FocusStack | Sequence[ImageOrPath],
    *,
    sigma: float = 3.0,
    radius: int = 8,
    eps: float = 1e-3,
    white: float | None = None,
) -> Depth:
    """Find the sharpest frame at each pixel, between frames too.

    The defaults were chosen on two rendered scenes, without and with noise; on another one, `motorcycle_lens`, half of the pixels
    are right to an eighth of a frame. Beside edges between depths the nearer or farther side may reach over.

    Args:
        images: N >= 2 frames in the order of their focus, as for `mffrepro.fuse`: arrays, paths, or a stack.
        sigma: Surroundings whose sharpness counts for a pixel, the standard deviation of a Gaussian in pixels.
        radius: Window in pixels in which unsure pixels take the depth of surer ones, along the edges of the picture; pixels in
            large flat areas take it from up to 16 times as far. 0 leaves the depth as measured.
        eps: Contrast, squared, below which an edge of the picture does not part depths.
        white: Value of white in images of 16 bits or floats.

    Returns:
        ``.depth`` in frames from 0 to N - 1, and ``.confidence``.

    Raises:
        ImageError: Images that cannot be one stack; the sentence names which.
        OptionError: A sigma or eps that is not positive, or a negative radius.

    References:
        [nayar1994], [he2013guided].
    Chapter: 12_your_own_stack
    """
    if sigma <= 0 or radius < 0 or eps <= 0:
        raise OptionError(f"sigma={sigma:g}, radius={radius}, eps={eps:g}; give a radius of 0 or more, the others above 0")
    stack = as_stack(images, white=white)
    scan = FocusScan(sigma, noise_variance(stack.images))
    for image in stack.images:
        scan.add(as_gray(image))
    measured, confidence = scan.position(), scan.confidence()
    if radius:
        measured = _smooth(measured, confidence, scan.light / scan.count, radius, eps)
    return Depth(np.clip(measured, 0, scan.count - 1).astype(np.float32), confidence.astype(np.float32))


def _smooth(measured: np.ndarray, confidence: np.ndarray, guide: np.ndarray, radius: int, eps: float) -> np.ndarray:
    """Average depths by their confidence along the edges of the guide, first in wide windows, whose result then weighs little."""
    guide, weight = guide.astype(np.float64), confidence.astype(np.float64) ** 2
    wide = np.average(measured, weights=weight + WIDER)
    for window in reversed(range(WINDOWS)):
        reach = radius * 4**window
        above = guided_filter(guide, weight * measured + WIDER * wide, radius=reach, eps=eps)
        below = guided_filter(guide, weight + WIDER, radius=reach, eps=eps)
        wide = np.clip(above / np.maximum(below, WIDER / 10), measured.min(), measured.max())
    return wide
