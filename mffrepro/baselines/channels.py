"""Fuse colour images channel by channel or by one decision map, as the classical methods do."""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from mffrepro.fusion.in_turn import Derived, derive, is_large, planes
from mffrepro.images import FocusStack, Shares, from_unit, to_gray, to_unit
from mffrepro.progress import parts


def fuse_channels(
    stack: FocusStack, fuse_channel: Callable[[Sequence[np.ndarray]], np.ndarray], *, whole: bool = False
) -> tuple[np.ndarray, None]:
    """Fuse each colour channel separately.

    Args:
        stack: N images, gray or colour.
        fuse_channel: From N sources (H, W), float64 in [0, 1], to their fused image (H, W).
        whole: Whether `fuse_channel` needs all sources at once, in an array (N, H, W). Otherwise it gets a sequence of a large
            stack, and asks for one source after the other.

    Returns:
        The fused image, float64, and None, since each channel decides for itself.
    """
    fused = None
    for channel in parts(range(3) if stack.is_colour else [None]):
        sources = planes(stack.images, channel)
        plane = fuse_channel(np.stack(list(sources)) if whole and isinstance(sources, Derived) else sources)
        if channel is None:
            return plane, None
        fused = np.empty((*plane.shape, 3), plane.dtype) if fused is None else fused
        fused[..., channel] = plane
    return fused, None


def fuse_by_winner(stack: FocusStack, winner: np.ndarray) -> tuple[np.ndarray, Shares]:
    """Take each pixel from the source that `winner` (H, W) names."""
    return fuse_by_shares(stack, Shares.of_winner(winner, len(stack)))


def fuse_by_shares(stack: FocusStack, shares: Shares) -> tuple[np.ndarray, Shares]:
    """Blend the sources by their shares, the same for all channels."""
    return shares.blend(stack.images, partial(to_unit, dtype=np.float64)), shares


def gray_level(image: np.ndarray) -> np.ndarray:
    """Convert an image to gray (H, W), float64 on 0..255, not rounded.

    Colour is converted by MATLAB's weights.
    """
    scaled = 255 * to_unit(image, np.float64)
    return to_gray(scaled, "matlab") if image.ndim == 3 else scaled


def gray_levels(stack: FocusStack) -> Sequence[np.ndarray]:
    """Convert the sources to gray one by one, see `gray_level`.

    Of a large stack each is converted whenever it is asked for.
    """
    return derive(Derived(stack.images, lambda image: image) if is_large(stack.images) else stack.images, gray_level)


def byte_levels(unit: np.ndarray) -> np.ndarray:
    """Clip floats to [0, 1] and round half up to multiples of 1/255."""
    return to_unit(from_unit(unit, np.dtype(np.uint8)), np.float64)
