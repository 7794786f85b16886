"""StackMFF-V2 on stacks of any length and size: frame by frame, then block by block.

Features depend on one frame only. Of each frame, those at half its size are kept, 8 bytes a pixel of the frame. The recurrent
network passes over blocks of all frames, with as many pixels around them as its convolutions see, so that the result is that of
whole frames.
"""

import math
from collections.abc import Iterable, Sequence
from functools import partial

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from mffrepro.fusion.in_turn import Derived
from mffrepro.models.layers import device_of, to_tensor
from mffrepro.models.stackmff.network import STEP, StackMFF
from mffrepro.tiling import Strip, strips

#: Pixels of a block times frames: their states, 64 bytes each, are held at once.
BLOCK = 2**19
#: Pixels by which a state reaches further with every frame: two convolutions of 3x3.
REACH = 2


@torch.inference_mode()
def half_features(network: StackMFF, grays: Iterable[np.ndarray]) -> list[Tensor]:
    """Compute the features (1, 8, H'/2, W'/2) of each gray frame (H, W).

    H' and W' are H and W rounded up to multiples of 32: frames are stretched to them.

    Args:
        network: Ready for inference.
        grays: N >= 2 frames, float32 in [0, 1]; only one is asked for at a time.
    """
    return [network.features(_stretched_to_step(to_tensor(gray, device_of(network)))).float() for gray in grays]


@torch.inference_mode()
def expected_frame(network: StackMFF, halves: Sequence[Tensor]) -> Tensor:
    """Compute the expected frame number (1, H', W') from the features of all frames.

    See `StackMFF.forward`.

    Args:
        network: Ready for inference.
        halves: What `half_features` returns, in the order of the frames.
    """
    height, width = (2 * side for side in halves[0].shape[-2:])
    halo = REACH * len(halves)
    side = max(2 * halo, math.isqrt(BLOCK // len(halves)) - 2 * halo)
    expected = halves[0].new_empty(1, height, width)
    for rows in strips(height, side, side * side, halo):
        for columns in strips(width, side, side * side, halo):
            part = partial(_features, rows=rows.with_halo, columns=columns.with_halo)
            found = network.expect(Derived(halves, part))  # the features of a frame are made twice, and kept of none
            expected[:, rows.rows, columns.rows] = _crop(found, rows, columns)
    return expected


def _stretched_to_step(gray: Tensor) -> Tensor:
    size = [-(-side // STEP) * STEP for side in gray.shape[-2:]]
    return F.interpolate(gray, size, mode="bilinear", align_corners=False)


def _features(half: Tensor, rows: slice, columns: slice) -> Tensor:
    return torch.sigmoid(doubled_part(half, rows, columns))


def _crop(x: Tensor, rows: Strip, columns: Strip) -> Tensor:
    return columns.crop(rows.crop(x).mT).mT


def doubled_part(x: Tensor, rows: slice, columns: slice) -> Tensor:
    """Compute a part of doubled maps without the rest.

    See `mffrepro.models.stackmff.network.doubled`.

    Args:
        x: (B, C, H, W), sides at least 2.
        rows: Rows of the doubled maps.
        columns: Columns of the doubled maps.
    """
    for axis, part in ((2, rows), (3, columns)):
        length = x.shape[axis]
        place = torch.arange(part.start, part.stop, device=x.device) * ((length - 1) / (2 * length - 1))
        low = place.long().clamp_(max=length - 2)
        shares = (place - low).reshape([-1 if a == axis else 1 for a in range(4)])
        x = torch.lerp(x.index_select(axis, low), x.index_select(axis, low + 1), shares)
    return x.contiguous(memory_format=torch.channels_last)


def to_size(index: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    """Resize a map by copying.

    Row i of H is row floor(i H' / H) of the H' rows that there are; columns likewise.
    """
    rows, columns = (np.arange(new) * old // new for new, old in zip(shape, index.shape, strict=True))
    return index[rows[:, None], columns]
