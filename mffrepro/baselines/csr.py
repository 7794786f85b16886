"""Convolutional sparse representation fusion: codes of the whole image instead of patches, so that no grid shows."""

import cv2
import numpy as np

from mffrepro.baselines.channels import fuse_channels
from mffrepro.errors import OptionError
from mffrepro.fusion import dictionaries
from mffrepro.fusion.convolutional import code_each, low_pass, synthesise
from mffrepro.images import FocusStack

#: Images are mirrored this far at their borders for the low-pass, pixels.
MARGIN = 16


def fuse(
    stack: FocusStack,
    *,
    dictionary: str = "default",
    sparsity: float = 0.01,
    tolerance: float = 1e-3,
    radius: int = 9,
    smoothness: float = 5.0,
) -> tuple[np.ndarray, None]:
    """Fuse by convolutional sparse codes of the details of each channel.

    The details are what a low-pass leaves; the larger activity around a pixel wins.

    A pair of 520x520 pixels takes about ten seconds per channel on two cores; ``tolerance=1e-2`` less than half of that.

    Args:
        stack: N >= 2 images, sides at least 8 pixels; gray or colour.
        dictionary: ``"default"`` (learned here), ``"published"`` (the authors', fetched) or a safetensors file.
        sparsity: Weight of the sum of magnitudes in the coding, images in [0, 1], over 0.
        tolerance: Relative residual at which the coding stops, over 0.
        radius: Half width of the window that activity is averaged in, pixels, >= 0.
        smoothness: Weight of smoothness in the low-pass, over 0.

    Returns:
        The fused image; no decision map, since each channel has its own.

    Raises:
        OptionError: An option out of range.
        DataError: The dictionary cannot be had.
    Deviations:
        The authors' code is for gray images. Coding is in single precision, which moves few values by a gray level. What a code
        leaves out is lost, as in the original; only where all sources are equal do they come back as they are. More than two
        sources: the largest activity wins.

    References:
        [liu2016csr], coding of [wohlberg2016], results compared: [zhang2020mfifb].
    Chapter: 02_baselines
    """
    for name, value in (("sparsity", sparsity), ("tolerance", tolerance), ("smoothness", smoothness)):
        if not 0 < value < np.inf:
            raise OptionError(f"{name} is {value}; use a number over 0")
    if radius < 0:
        raise OptionError(f"radius is {radius}; use 0 or more")
    filters = dictionaries.load("csr", dictionary)

    def fuse_channel(sources: np.ndarray) -> np.ndarray:
        if (sources == sources[0]).all():
            return sources[0]
        bases = np.stack([low_pass(source, smoothness, MARGIN) for source in sources])
        codes = code_each((sources - bases).astype(np.float32), filters, sparsity=sparsity, tolerance=tolerance)
        activity = np.stack([_mean(np.abs(maps).sum(0), radius) for maps in codes])
        winner = len(sources) - 1 - activity[::-1].argmax(0)  # ties go to the last source, as in the authors' code
        chosen = sum(np.where(winner == n, maps, 0) for n, maps in enumerate(codes))
        return np.take_along_axis(bases, winner[None], 0)[0] + synthesise(chosen, filters)

    return fuse_channels(stack, fuse_channel, whole=True)


def _mean(activity: np.ndarray, radius: int) -> np.ndarray:
    return cv2.boxFilter(activity, -1, (2 * radius + 1,) * 2, borderType=cv2.BORDER_CONSTANT)
