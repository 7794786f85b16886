"""Align the frames of a focal stack: estimate how they lie over each other, resample them, keep the transforms."""

from collections.abc import Sequence
from dataclasses import replace
from typing import get_args

import numpy as np

from mffrepro.alignment.chain import estimate_chain, prepare
from mffrepro.alignment.file import check_transforms, load_transforms, save_transforms
from mffrepro.alignment.geometry import Model, common_area, covered
from mffrepro.alignment.measure import describe_worst
from mffrepro.alignment.resample import credit_source, resample
from mffrepro.errors import unknown
from mffrepro.images import FocusStack, ImageOrPath, as_stack
from mffrepro.progress import steps

__all__ = [
    "Model",
    "align",
    "apply",
    "common_area",
    "covered",
    "credit_source",
    "estimate",
    "load_transforms",
    "misalignment",
    "save_transforms",
]


def align(
    images: FocusStack | Sequence[ImageOrPath],
    *,
    model: Model = "similarity",
    crop: bool = True,
    transforms: np.ndarray | None = None,
) -> FocusStack:
    """Align the frames of a focal stack to a fraction of a pixel.

    Neighbours are matched by local features and small tiles, chained from the middle of the stack. All frames are then moved by
    fractions of a pixel that soften them alike. A stack that is aligned to a twentieth of a pixel is left as it is.

    Args:
        images: Two or more arrays (H, W) or (H, W, 3), uint8, uint16 or float in [0, 1]; or paths; or a stack. All of one size,
            in the order of their focus.
        model: ``"similarity"`` (shift, rotation, magnification), or ``"homography"`` for a camera that was tilted.
        crop: Whether to crop to what all frames cover. Otherwise a frame repeats its neighbour where it does not reach.
        transforms: (N, 3, 3) of `mffrepro.alignment.estimate`, from each frame to the common pixels; estimated by default.

    Returns:
        The frames as a new stack of the same dtype, without reference and decision.

    Raises:
        ImageError: A frame has too little in common with its neighbour, or cannot lie so in one stack; the sentence names it.
        OptionError: There is no such model.
    Chapter: 02_baselines

    References:
        Features of [lowe2004], tiles by [lucas1981].

    Example:
        >>> import numpy as np, mffrepro as mff
        >>> near, far = mff.load("embedded")["coffee_blur2"].images
        >>> mff.align([near[:, 5:], far[:, :-5]]).images.shape
        (2, 341, 502, 3)
    """
    stack = as_stack(images)
    transforms = estimate(stack, model=model) if transforms is None else transforms
    return apply(stack, transforms, crop=crop, overwrite=not isinstance(images, FocusStack | np.ndarray))


def estimate(images: FocusStack | Sequence[ImageOrPath], *, model: Model = "similarity", names: Sequence[str] = ()) -> np.ndarray:
    """Estimate the transforms (N, 3, 3) that align a focal stack.

    Args:
        images: As for `align`.
        model: As for `align`.
        names: What errors call the frames; by default their numbers.

    Returns:
        (N, 3, 3) float64, from each frame to the common pixels: (x, y, 1), pixel centres at whole numbers, last element 1. The
        common pixels lie about where the middle frame does, halfway between two.

    Raises:
        ImageError: As for `align`.
        OptionError: There is no such model.
    Chapter: 02_baselines
    """
    if model not in get_args(Model):
        raise unknown("model of alignment", model, get_args(Model))
    stack = as_stack(images)
    frames = (prepare(image, name) for image, name in zip(steps(stack.images, "aligning"), _names(stack, names), strict=True))
    return estimate_chain(frames, model)


def apply(
    images: FocusStack | Sequence[ImageOrPath], transforms: np.ndarray, *, crop: bool = True, overwrite: bool = False
) -> FocusStack:
    """Move the frames of a stack by known transforms.

    Args:
        images: As for `align`.
        transforms: (N, 3, 3) as `estimate` gives them.
        crop: As for `align`.
        overwrite: Whether the memory of an array may be reused, so that it is held only once. Frames of a large stack are
            moved one by one into a temporary file.

    Raises:
        ImageError: The transforms do not fit the images, or the frames have too little in common.
    Chapter: 02_baselines
    """
    stack = as_stack(images)
    transforms = check_transforms(transforms, len(stack), stack.images.shape[1:3])
    alpha = None if stack.alpha is None else resample(stack.alpha, transforms, crop=crop)
    moved = resample(stack.images, transforms, crop=crop, into=stack.images if overwrite else None)
    return replace(stack, images=moved, alpha=alpha, reference=None, decision=None)


def misalignment(images: FocusStack | Sequence[ImageOrPath], *, names: Sequence[str] = ()) -> str | None:
    """Measure whether the frames of a stack lie off each other, and say so.

    It is done on reduced copies, and takes about 0.07 s of one core for a frame.

    Args:
        images: As for `align`.
        names: What the sentence calls the frames; by default their numbers.

    Returns:
        A sentence such as "frame 4 is 7.2 px off frame 3" on the worst frame: the root mean square over the frame. None where all
        lie within 1.5 pixels of their neighbours and of the middle frame, or within what the reduced copies can tell; frames that
        do not match are not judged, nor are frames of under 256 pixels.
    Chapter: 02_baselines
    """
    stack = as_stack(images)
    return describe_worst(stack.images, _names(stack, names))


def _names(stack: FocusStack, names: Sequence[str]) -> Sequence[str]:
    return names or [f"frame {n + 1}" for n in range(len(stack))]
