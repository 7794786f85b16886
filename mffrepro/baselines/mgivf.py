"""Multi-scale guided fusion: each source guides a filter over the other, level by level; what that takes away is its detail."""

import numpy as np

from mffrepro.baselines.channels import fuse_channels
from mffrepro.errors import OptionError
from mffrepro.fusion.guided import guided_filter
from mffrepro.images import FocusStack


def fuse(stack: FocusStack, *, levels: int = 4, radius: int = 9, eps: float = 1e3) -> tuple[np.ndarray, None]:
    """Weight details by their magnitude after guided filtering on several scales.

    Each channel is fused separately.

    Args:
        stack: N >= 2 images of any size, gray or colour.
        levels: Bands of detail, >= 1.
        radius: Half width of the guided filter's window, pixels.
        eps: Its regularisation, for images on 0..255.

    Returns:
        The fused image; no decision map, since each level has its own weights.

    Raises:
        OptionError: `levels` is under 1.
    Deviations:
        More than two sources: each guides the mean of all others, which for two is the original. Where no source has
        detail the original divides zero by zero; equal weights are used here.

    References:
        [bavirisetti2019], filter of [he2013guided], results compared: [zhang2020mfifb].
    Chapter: 02_baselines
    """
    if levels < 1:
        raise OptionError(f"levels is {levels}; use 1 or more")
    return fuse_channels(stack, lambda s: _fuse_channel(255 * s, levels, radius, eps) / 255, whole=True)


def _fuse_channel(images: np.ndarray, levels: int, radius: int, eps: float) -> np.ndarray:
    fused = 0
    for _ in range(levels):
        others = (images.sum(0) - images) / (len(images) - 1)
        smooth = [guided_filter(image, other, radius=radius, eps=eps) for image, other in zip(images, others, strict=True)]
        details = images - smooth
        fused += (_shares(np.abs(details)) * details).sum(0)
        images = np.stack(smooth)
    return fused + images.mean(0)


def _shares(weights: np.ndarray) -> np.ndarray:
    total = weights.sum(0)
    return np.divide(weights, total, out=np.full_like(weights, 1 / len(weights)), where=total > 0)
