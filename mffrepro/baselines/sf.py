"""Spatial frequency fusion: block by block, the source with the larger differences between neighbours."""

import cv2
import numpy as np

from mffrepro.baselines.channels import fuse_by_shares, gray_levels
from mffrepro.errors import OptionError
from mffrepro.images import FocusStack, Shares


def fuse(stack: FocusStack, *, block: int = 8, threshold: float = 0.0) -> tuple[np.ndarray, Shares]:
    """Take each block from the source with the largest spatial frequency.

    The neighbouring blocks vote; the decision is made on gray.

    Args:
        stack: N >= 2 images of any size, gray or colour.
        block: Side of the square blocks, pixels, >= 1; the last ones keep the size that is left.
        threshold: Sources this near to the largest spatial frequency share the block; in gray levels of 0..255.

    Returns:
        The fused image, and the share of each source per pixel.

    Raises:
        OptionError: `block` is under 1.
    Deviations:
        Block side and threshold are tuned per image in the paper; these are the usual ones of later comparisons. Any number of
        sources: the blocks vote by their shares. There is no published output to compare with; the scores that the authors
        of GACN recorded are those of a threshold that is never reached, which is the average.

    References:
        [li2001frequency].
    Chapter: 02_baselines
    """
    if block < 1:
        raise OptionError(f"block is {block}; use 1 or more")
    block = min(block, max(stack.images.shape[1:3]))  # a wider one is the same block
    frequency = np.stack([_block_frequency(image, block) for image in gray_levels(stack)])
    shares = _shares(frequency, threshold)
    votes = [cv2.boxFilter(share, -1, (3, 3), normalize=False, borderType=cv2.BORDER_REFLECT) for share in shares]
    decision = _shares(np.stack(votes), 1e-9)
    height, width = stack.images.shape[1:3]
    pixels = (share.repeat(block, 0).repeat(block, 1)[:height, :width] for share in decision)
    return fuse_by_shares(stack, Shares.of_planes(pixels))


def _block_frequency(gray: np.ndarray, block: int) -> np.ndarray:
    """Compute the root mean squared difference between neighbours within each block, both directions added."""
    squares = np.zeros_like(gray)
    for axis in (0, 1):
        difference = np.diff(gray, axis=axis, prepend=0)
        first = [slice(None), slice(None)]
        first[axis] = slice(None, None, block)
        difference[tuple(first)] = 0  # the neighbour belongs to another block
        squares += difference**2
    return np.sqrt(_block_sum(squares, block) / _block_sum(np.ones_like(gray), block))


def _block_sum(image: np.ndarray, block: int) -> np.ndarray:
    rows = np.add.reduceat(image, np.arange(0, image.shape[0], block), axis=0)
    return np.add.reduceat(rows, np.arange(0, image.shape[1], block), axis=1)


def _shares(score: np.ndarray, margin: float) -> np.ndarray:
    """Share equally among all scores within the margin of the largest."""
    near = (score >= score.max(0) - margin).astype(np.float64)
    return near / near.sum(0)
