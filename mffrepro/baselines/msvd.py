"""Multi-resolution singular value decomposition: a transform of 2x2 blocks learnt from each source.

The left singular vectors of all 2x2 blocks of an image take the place of a wavelet's filters. The sources get different
vectors, and the fused image is rebuilt with their mean.
"""

from collections.abc import Sequence

import numpy as np

from mffrepro.baselines.channels import fuse_channels
from mffrepro.fusion.in_turn import derive
from mffrepro.images import FocusStack


def fuse(stack: FocusStack) -> tuple[np.ndarray, None]:
    """Choose the larger detail of a singular value decomposition of 2x2 blocks.

    One level; each channel is fused separately.

    Args:
        stack: N >= 2 images of any size, gray or colour.

    Returns:
        The fused image; no decision map, since each band decides for itself.
    Deviations:
        The sign of a singular vector is arbitrary, and the mean of two vectors of opposite sign is nothing: in published
        results detail is lost or kept by chance. Here the vectors of all sources are turned to point the same way. An odd
        side is extended by its last sample; the original resizes the image.

    References:
        [naidu2011], results compared: [zhang2020mfifb].
    Chapter: 02_baselines
    """
    return fuse_channels(stack, _fuse_channel)


def _fuse_channel(sources: Sequence[np.ndarray]) -> np.ndarray:
    blocks = derive(sources, to_blocks)
    return _from_blocks(_fuse_blocks(blocks, block_bases(blocks)), sources[0].shape)


def block_bases(blocks: Sequence[np.ndarray]) -> np.ndarray:
    """Compute left singular vectors (N, 4, 4) of the blocks of each source.

    They stand in columns, strongest first, with the signs of the first source.
    """
    bases = np.stack([np.linalg.eigh(a @ a.T).eigenvectors[:, ::-1] for a in blocks])
    agreement = (bases * bases[0]).sum(1, keepdims=True)
    return np.where(agreement < 0, -bases, bases)


def _fuse_blocks(blocks: Sequence[np.ndarray], bases: np.ndarray) -> np.ndarray:
    fused, strongest, total = None, None, 0
    for basis, of_source in zip(bases, blocks, strict=True):
        bands = basis.T @ of_source
        strength, total = np.abs(bands), total + bands[0]
        if fused is None:
            fused, strongest = bands, strength
            continue
        np.copyto(fused, bands, where=strength > strongest)  # ties to the first
        np.maximum(strongest, strength, out=strongest)
    fused[0] = total / len(bases)
    return bases.mean(0) @ fused


def to_blocks(image: np.ndarray) -> np.ndarray:
    """Cut an image (H, W) into 2x2 blocks (4, number), each column by column."""
    even = np.pad(image, [(0, side % 2) for side in image.shape], mode="edge")
    return np.stack([even[::2, ::2], even[1::2, ::2], even[::2, 1::2], even[1::2, 1::2]]).reshape(4, -1)


def _from_blocks(blocks: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    height, width = ((side + 1) // 2 for side in shape)
    image = np.empty((2 * height, 2 * width))
    quarters = image[::2, ::2], image[1::2, ::2], image[::2, 1::2], image[1::2, 1::2]
    for quarter, values in zip(quarters, blocks, strict=True):
        quarter[...] = values.reshape(height, width)
    return image[: shape[0], : shape[1]]
