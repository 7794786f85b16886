"""Fuse colour images with a network for one channel: it fuses luma, and chroma is weighted by its distance from gray."""

from collections.abc import Callable
from functools import lru_cache

import numpy as np

from mffrepro.images import FocusStack, to_unit

#: Range of luma, its offset, range of chroma: ``full`` as in JPEG, ``video`` keeps room above and below.
RANGES = {"full": (1.0, 0.0, 1.0), "video": (219 / 255, 16 / 255, 224 / 255)}


@lru_cache(maxsize=2)
def ycbcr_matrix(levels: str) -> np.ndarray:
    """Build the matrix (3, 3) from RGB in [0, 1] to luma and two chromas.

    By ITU-R BT.601; luma without its offset, chromas about 0.
    """
    luma_range, _, chroma_range = RANGES[levels]
    luma = np.array([0.299, 0.587, 0.114])
    blue = (np.array([0, 0, 1]) - luma) / (2 * (1 - luma[2]))
    red = (np.array([1, 0, 0]) - luma) / (2 * (1 - luma[0]))
    return np.stack([luma_range * luma, chroma_range * blue, chroma_range * red])


def through_luma(
    stack: FocusStack,
    fuse: Callable[[list[np.ndarray]], np.ndarray],
    *,
    levels: str = "full",
    in_bytes: bool = False,
    chroma: str = "all",
) -> np.ndarray:
    """Fuse a stack through its luma.

    Args:
        stack: N images, gray or colour.
        fuse: From N lumas (H, W), float32 in [0, 1], to the fused one.
        levels: ``"full"`` or ``"video"``: range of the luma of colour images. Gray images are taken as they are.
        in_bytes: Whether the three terms of luma are rounded to 8 bits each before they are added, as programs do that compute
            with 8-bit images; it adds noise of half a gray level.
        chroma: ``"all"`` mixes the chroma of all images, ``"first"`` takes that of the first.

    Returns:
        The fused image, float, (H, W) or (H, W, 3).
    """
    images = to_unit(stack.images)
    if not stack.is_colour:
        return fuse(list(images))
    matrix, offset = ycbcr_matrix(levels).astype(np.float32), np.float32(RANGES[levels][1])
    parts = images @ matrix.T
    lumas = np.floor(255 * images * matrix[0] + 0.5).sum(-1) / np.float32(255) if in_bytes else parts[..., 0]
    luma = fuse(list(lumas + offset)) - offset
    colours = parts[:1, ..., 1:] if chroma == "first" else parts[..., 1:]
    weight = np.abs(colours)
    mixed = (weight * colours).sum(0) / np.maximum(weight.sum(0), np.finfo(np.float32).tiny)
    return np.concatenate([luma[..., None], mixed], -1) @ np.linalg.inv(matrix).T
