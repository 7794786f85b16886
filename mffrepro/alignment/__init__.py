"""Align the frames of a focal stack: estimate how they lie over each other, resample them, keep the transforms."""

from collections.abc import Sequence
from dataclasses import replace
from typing import get_args

import numpy as np

from mffrepro.alignment.estimate import chain, prepare
from mffrepro.alignment.geometry import Model, common_area, covered
from mffrepro.alignment.resample import resample
from mffrepro.errors import unknown
from mffrepro.images import FocusStack, ImageOrPath, as_stack

__all__ = ["Model", "align", "apply", "covered", "common_area", "estimate"]


def align(
    images: FocusStack | Sequence[ImageOrPath],
    *,
    model: Model = "similarity",
    crop: bool = True,
    transforms: np.ndarray | None = None,
) -> FocusStack:
    """Align the frames of a focal stack to a fraction of a pixel.

    Args:
        images: Two or more arrays (H, W) or (H, W, 3), uint8, uint16 or float in [0, 1]; or paths; or a stack. All of one size,
            in the order of their focus.
        model: ``"similarity"`` (shift, rotation, magnification), or ``"homography"`` for a camera that was tilted.
        crop: Whether to crop to what all frames cover. Otherwise a frame repeats its neighbour where it does not reach.
        transforms: (N, 3, 3) of `estimate`; by default they are estimated.

    Returns:
        The frames as a new stack of the same dtype, without reference and decision.

    Raises:
        ImageError: A frame has too little in common with its neighbour, or cannot lie so in one stack; the sentence names it.
        OptionError: There is no such model.
    Chapter: 02_baselines

    References:
        Features of [lowe2004], tiles by [lucas1981].
    """
    stack = as_stack(images)
    transforms = estimate(stack, model=model) if transforms is None else transforms
    return apply(stack, transforms, crop=crop)


def estimate(
    images: FocusStack | Sequence[ImageOrPath], *, model: Model = "similarity", names: Sequence[str] | None = None
) -> np.ndarray:
    """Estimate the transforms (N, 3, 3) that align a focal stack."""
    if model not in get_args(Model):
        raise unknown("model of alignment", model, get_args(Model))
    stack = as_stack(images)
    names = names or [f"frame {n + 1}" for n in range(len(stack))]
    return chain((prepare(image, name) for image, name in zip(stack.images, names, strict=True)), model)


def apply(images: FocusStack | Sequence[ImageOrPath], transforms: np.ndarray, *, crop: bool = True) -> FocusStack:
    """Move the frames of a stack by transforms (N, 3, 3) of `estimate`."""
    stack = as_stack(images)
    return replace(stack, images=resample(stack.images, transforms, crop=crop), reference=None, decision=None)
