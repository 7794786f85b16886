"""Focus stacking as hobby programs do it: each pixel from the image with the largest Laplacian, and nothing else."""

import time

import cv2
import numpy as np

from mffrepro.baselines._frame import fuse_by_decision, gray_levels
from mffrepro.errors import OptionError
from mffrepro.images import FocusStack, FusionResult


def fuse(stack: FocusStack, *, blur: int = 5, aperture: int = 5) -> FusionResult:
    """Take each pixel from the source with the largest Laplacian of the smoothed image; decided on gray.

    Args:
        stack: N >= 2 images of any size, gray or colour.
        blur: Side of the Gaussian window that takes noise off first, pixels, odd.
        aperture: Side of the Laplacian's window, pixels, odd, from 1 to 31.
    Returns:
        Pixels of the sources, and which source each came from.
    Raises:
        OptionError: `blur` or `aperture` is even or out of range.
    Deviations:
        The program registers the images first; here they are registered already. Its gray and its smoothed images are
        rounded to 8 bits, and so are these. Ties go to the last source, as there.
    References:
        [mcguinness2015].
    Chapter: 02_baselines
    """
    if blur < 1 or blur % 2 == 0:
        raise OptionError(f"blur is {blur}; use an odd number")
    if aperture % 2 == 0 or not 1 <= aperture <= 31:
        raise OptionError(f"aperture is {aperture}; use an odd number from 1 to 31")
    started = time.perf_counter()
    strength = []
    for gray in gray_levels(stack):
        smooth = cv2.GaussianBlur(np.floor(gray + 0.5).astype(np.uint8), (blur, blur), 0)
        strength.append(np.abs(cv2.Laplacian(smooth, cv2.CV_64F, ksize=aperture)))
    winner = len(strength) - 1 - np.argmax(strength[::-1], 0)
    decision = (winner == np.arange(len(strength))[:, None, None]).astype(np.float64)
    return fuse_by_decision(stack, decision, started, "focus_stack")
