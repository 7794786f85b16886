"""Focal as a fusion method: shares of the sharpest frames per pixel, and the depth that they imply.

References: [mffrepro2026]. Chapter: 11_lessons.
"""

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from mffrepro.errors import OptionError
from mffrepro.fusion.noise import as_gray
from mffrepro.images import FocusStack, Shares
from mffrepro.images.frames import rows_of
from mffrepro.images.spool import spooled
from mffrepro.models.focal.network import REACH, STEP, Focal
from mffrepro.models.layers import device_of
from mffrepro.progress import steps
from mffrepro.tiling import Strip, strips

#: Frames that may share a pixel: more would only lower the noise further, and each takes 6 bytes a pixel.
SHARED = 4
#: Shares below this one are rounding: the pixel then belongs to the others.
LEAST = 0.01
#: Pixels of a tile times frames: with fewer, pixels around the tile are computed twice; with more, maps leave the cache.
TILE = 2**21
#: Least pixels of a tile, however many frames there are. The maps of a tile take about 60 bytes a pixel and frame.
LEAST_TILE = 2**17


def fuse(stack: FocusStack, network: Focal, *, sharpness: float = 1.0) -> tuple[np.ndarray, Shares, np.ndarray, np.ndarray]:
    """Fuse a stack with Focal.

    Args:
        stack: N >= 2 frames in any order, gray or colour. The depth counts them in the order in which they come.
        network: Focal.
        sharpness: Exponent of the shares. With 1, as in the training, frames are averaged where none stands out, which lowers
            noise; large values take the frame with the largest share, and with it the noise of that frame.

    Returns:
        The fused image; the share of each source per pixel, of at most four; the depth (H, W) float32 in frame numbers from 0
        with fractions; and the probability (H, W) that the sharpest frame lies within one frame of it.

    Raises:
        OptionError: A sharpness that is not positive.

    References:
        [mffrepro2026].
    Chapter: 11_lessons
    """
    if not sharpness > 0:
        raise OptionError(f"sharpness is {sharpness:g}; use a number over 0")
    images = spooled(stack.images)
    count, (height, width) = len(images), stack.images.shape[1:3]
    kept = min(SHARED, count)
    sources, shares = np.empty((kept, height, width), np.uint16), np.empty((kept, height, width), np.float32)
    depth, confidence = (np.empty((height, width), np.float32) for _ in range(2))
    for rows, columns in steps(tiles(height, width, max(TILE // count, LEAST_TILE)), unit="tile"):
        scores = score(network, images, rows, columns)
        where = np.s_[rows.rows, columns.rows]
        share, source = (sharpness * scores[:, 0]).softmax(0).topk(kept, 0)
        share = torch.where(share < LEAST, 0.0, share)
        shares[:, *where], sources[:, *where] = (share / share.sum(0)).cpu().numpy(), source.to(torch.int32).cpu().numpy()
        depth[where], confidence[where] = (x.cpu().numpy() for x in place(scores[:, 1].softmax(0)))
    found = Shares.of_largest(sources, shares, count)
    return found.blend(images), found, depth, confidence


def tiles(height: int, width: int, pixels: int) -> list[tuple[Strip, Strip]]:
    """Split an image into about square tiles whose edges are multiples of `STEP`."""
    side = max(2 * REACH, math.isqrt(max(1, pixels)))
    rows, columns = (list(_spans(length, side)) for length in (height, width))
    return [(row, column) for row in rows for column in columns]


def _spans(length: int, side: int) -> list[Strip]:
    blocks = strips(-(-length // STEP), 1, max(16, side // STEP), REACH // STEP)
    return [Strip(_times_step(strip.rows, length), _times_step(strip.with_halo, length)) for strip in blocks]


def _times_step(blocks: slice, length: int) -> slice:
    return slice(blocks.start * STEP, min(length, blocks.stop * STEP))


@torch.inference_mode()
def score(network: Focal, images: np.ndarray, rows: Strip, columns: Strip) -> Tensor:
    """Compute both scores (N, 2, h, w) on a tile."""
    parts = [as_gray(rows_of(images, n, rows.with_halo)[:, columns.with_halo]) for n in range(len(images))]
    frames = torch.from_numpy(np.stack(parts).astype(np.float32))[None].to(device_of(network))
    height, width = frames.shape[-2:]
    frames = F.pad(frames, (0, -width % STEP, 0, -height % STEP), mode="replicate")
    scores = network(frames)[0, ..., :height, :width].float()
    return columns.crop(rows.crop(scores).mT).mT


def place(probability: Tensor) -> tuple[Tensor, Tensor]:
    """Average the numbers of the most probable frame and its neighbours.

    Args:
        probability: (N, H, W), the weights of the mean.

    Returns:
        The mean (H, W), and the probability of these frames together.
    """
    best = probability.max(0, keepdim=True).indices  # five times as fast as argmax
    total, weighted = 0.0, 0.0
    for step in (-1, 0, 1):
        number = best + step
        inside = (number >= 0) & (number < len(probability))
        p = torch.where(inside, probability.gather(0, number.clamp(0, len(probability) - 1)), 0.0)
        total, weighted = total + p, weighted + p * number
    return (weighted / total)[0], total[0]
