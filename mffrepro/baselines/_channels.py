"""What the classical methods share around their one idea: channels in, image out."""

from collections.abc import Callable

import numpy as np

from mffrepro.images import FocusStack, FusionResult, from_unit, to_gray, to_unit


def fuse_channels(
    stack: FocusStack, fuse_channel: Callable[[np.ndarray], np.ndarray], started: float, method: str
) -> FusionResult:
    """The result of a method that treats each colour channel as an image of its own.

    Args:
        stack: N images, gray or colour.
        fuse_channel: From N sources (N, H, W), float64 in [0, 1], to their fused image (H, W).
        started: Clock time when the method began.
        method: Its name.
    """
    scaled = to_unit(stack.images, np.float64)
    channels = np.ascontiguousarray(np.moveaxis(scaled, -1, 0)) if stack.is_colour else scaled[None]
    fused = [fuse_channel(sources) for sources in channels]
    return FusionResult.finish(stack, np.stack(fused, -1) if stack.is_colour else fused[0], None, started, method)


def fuse_by_decision(stack: FocusStack, decision: np.ndarray, started: float, method: str) -> FusionResult:
    """The result of a method that gives each source a share (N, H, W) of every pixel, the same for all channels."""
    scaled = to_unit(stack.images, np.float64)
    shares = decision[..., None] if stack.is_colour else decision
    return FusionResult.finish(stack, (shares * scaled).sum(0), decision.astype(np.float32), started, method)


def gray_levels(stack: FocusStack) -> np.ndarray:
    """The sources in gray (N, H, W), float64 on 0..255, not rounded; colour by MATLAB's weights."""
    scaled = 255 * to_unit(stack.images, np.float64)
    return to_gray(scaled, "matlab") if stack.is_colour else scaled


def byte_levels(unit: np.ndarray) -> np.ndarray:
    """Floats as 8-bit files would hold them: clipped to [0, 1] and rounded half up to multiples of 1/255."""
    return to_unit(from_unit(unit, np.dtype(np.uint8)), np.float64)
