"""Focus stacking as hobby programs do it: each pixel from the image with the largest Laplacian, and nothing else."""

from dataclasses import replace

import cv2
import numpy as np

from mffrepro import alignment
from mffrepro.baselines.channels import fuse_by_winner, gray_levels
from mffrepro.errors import OptionError
from mffrepro.fusion import registration
from mffrepro.fusion.regions import sharpest
from mffrepro.images import FocusStack, Shares


def fuse(
    stack: FocusStack, *, blur: int = 5, aperture: int = 5, register: bool = False, as_published: bool = False
) -> tuple[np.ndarray, Shares]:
    """Take each pixel from the source with the largest Laplacian.

    The images are smoothed first; the decision is made on gray.

    Args:
        stack: N >= 2 images of any size, gray or colour.
        blur: Side of the Gaussian window that takes noise off first, pixels, odd.
        aperture: Side of the Laplacian's window, pixels, odd, from 1 to 31.
        register: Whether to align the images first as `mff.align` does, without cropping; no pixel is taken from an image that
            does not reach there.
        as_published: Register as the program does instead: by a homography to the first image, which alone stays sharp, and black
            where an image does not reach.

    Returns:
        Pixels of the sources, and which source each came from.

    Raises:
        OptionError: `blur` or `aperture` is even or out of range.
        ImageError: The images have too little in common to be registered.
    Deviations:
        The program always registers. Its later versions round gray and smoothed images to 8 bits and give ties to the last
        source; here nothing is rounded, as in the scores recorded by the authors of GACN, and ties go to the first.

    References:
        [mcguinness2015].
    Chapter: 02_baselines
    """
    if blur < 1 or blur % 2 == 0:
        raise OptionError(f"blur is {blur}; use an odd number")
    if aperture % 2 == 0 or not 1 <= aperture <= 31:
        raise OptionError(f"aperture is {aperture}; use an odd number from 1 to 31")
    reach = None
    if as_published:
        stack = replace(stack, images=registration.register(stack.images))
    elif register:
        reach = alignment.estimate(stack)
        stack = alignment.apply(stack, reach, crop=False)
    smooth = (cv2.GaussianBlur(gray, (blur, blur), 0) for gray in gray_levels(stack))
    sharpness = (np.abs(cv2.Laplacian(gray, cv2.CV_64F, ksize=aperture)) for gray in smooth)
    if reach is not None:
        shape = stack.images.shape[1:3]
        sharpness = (np.where(alignment.covered(one, shape), sharp, -1) for one, sharp in zip(reach, sharpness, strict=True))
    return fuse_by_winner(stack, sharpest(sharpness))
