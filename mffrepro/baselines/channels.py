"""Fuse colour images channel by channel or by one decision map, as the classical methods do."""

from collections.abc import Callable

import numpy as np

from mffrepro.images import FocusStack, from_unit, to_gray, to_unit


def fuse_channels(stack: FocusStack, fuse_channel: Callable[[np.ndarray], np.ndarray]) -> tuple[np.ndarray, None]:
    """Fuse each colour channel separately.

    Args:
        stack: N images, gray or colour.
        fuse_channel: From N sources (N, H, W), float64 in [0, 1], to their fused image (H, W).

    Returns:
        The fused image, float64, and None, since each channel decides for itself.
    """
    scaled = to_unit(stack.images, np.float64)
    channels = np.ascontiguousarray(np.moveaxis(scaled, -1, 0)) if stack.is_colour else scaled[None]
    fused = [fuse_channel(sources) for sources in channels]
    return np.stack(fused, -1) if stack.is_colour else fused[0], None


def fuse_by_decision(stack: FocusStack, decision: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Blend the sources by their shares (N, H, W), the same for all channels."""
    scaled = to_unit(stack.images, np.float64)
    shares = decision[..., None] if stack.is_colour else decision
    return (shares * scaled).sum(0), decision.astype(np.float32)


def gray_levels(stack: FocusStack) -> np.ndarray:
    """Convert the sources to gray (N, H, W), float64 on 0..255, not rounded.

    Colour is converted by MATLAB's weights.
    """
    scaled = 255 * to_unit(stack.images, np.float64)
    return to_gray(scaled, "matlab") if stack.is_colour else scaled


def byte_levels(unit: np.ndarray) -> np.ndarray:
    """Clip floats to [0, 1] and round half up to multiples of 1/255."""
    return to_unit(from_unit(unit, np.dtype(np.uint8)), np.float64)
