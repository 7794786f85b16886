"""Fuse a stack by a decision map that is known already, and extract the features that lead to one."""

from typing import Any

import numpy as np

from mffrepro.errors import ImageError
from mffrepro.fusion.multi_image import Comparer, UnitImages
from mffrepro.images import FocusStack, FusionResult, from_unit, to_unit


def fuse_by_decision(stack: FocusStack, decision: np.ndarray, *, method: str = "decision map") -> FusionResult:
    """Blend the sources of a stack by a decision map.

    Args:
        stack: N >= 2 images, gray or colour.
        decision: The share of the first of two sources, (H, W) in [0, 1]; or the shares of all, (N, H, W), summing to 1.
        method: Name of the result.

    Returns:
        The blended image in the dtype of the stack, the shares (N, H, W), and 0 seconds: nothing was decided here.

    Raises:
        ImageError: The decision map does not fit the stack.
    """
    shares = np.asarray(decision, np.float32)
    if shares.ndim == 2 and len(stack) == 2:
        shares = np.stack([shares, 1 - shares])
    wanted = (len(stack), *stack.images.shape[1:3])
    if shares.shape != wanted:
        raise ImageError(f"the decision map has shape {np.shape(decision)}; give one of shape {wanted} for stack {stack.name!r}")
    weights = shares[..., None] if stack.is_colour else shares
    return FusionResult(from_unit((weights * to_unit(stack.images)).sum(0), stack.images.dtype), shares, 0.0, method)


def extract_all(stack: FocusStack, comparer: Comparer) -> list[Any]:
    """Extract the features of every source of a stack.

    Args:
        stack: N >= 2 images, gray or colour.
        comparer: Extracts the features of one image, float32 in [0, 1].
    """
    return [comparer.extract(image) for image in UnitImages(stack.images)]
