r"""A U-Net that paints the fused luma: both lumas in, four sizes of maps, and what each size found joined on the way back.

Maps of the first size see details; those of the last, an eighth of the image, see how wide a blur is.

What we changed: nothing can be compared. tlcolor describes the method in a sentence (a U-Net on YCbCr, trained by the absolute
error and structural similarity), and its reference list is missing. The layout is that of the U-Net for segmentation with a
quarter of its maps, borders that keep the size, and enlargement by interpolation. Both losses compare with the photograph of
which an artificial pair was made. Chroma is weighted by its distance from gray, as in the other networks for luma.

References: [ronneberger2015unet], [tlcolor]. Chapter: 08_networks.
"""

from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mffrepro.images import FocusStack
from mffrepro.models.layers import conv, fuse_in_turn
from mffrepro.models.luma import through_luma
from mffrepro.models.weights import NetworkSource

#: Maps of each size, from the whole image to an eighth.
MAPS = (16, 32, 64, 128)
#: Sides of the input are filled up to multiples of the largest reduction.
MULTIPLE = 2 ** (len(MAPS) - 1)


class UNet(nn.Module):
    """Paint the fused luma of two images; 487 153 parameters."""

    reach = None

    def __init__(self) -> None:
        super().__init__()
        self.options: dict = {}
        self.down = nn.ModuleList([_twice(a, b) for a, b in pairwise((2, *MAPS))])
        self.up = nn.ModuleList([_twice(a + b, b) for a, b in pairwise(MAPS[::-1])])
        self.paint = nn.Conv2d(MAPS[0], 1, 1)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """Fuse two lumas (B, 1, H, W) in [0, 1]; the result is not clipped."""
        height, width = a.shape[-2:]
        x = F.pad(torch.cat([a, b], 1), (0, -width % MULTIPLE, 0, -height % MULTIPLE), mode="replicate")
        levels = []
        for block in self.down:
            x = block(F.max_pool2d(x, 2) if levels else x)
            levels.append(x)
        for block, skip in zip(self.up, reversed(levels[:-1]), strict=True):
            x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
            x = block(torch.cat([x, skip], 1))
        return self.paint(x)[..., :height, :width]


def _twice(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(*(conv(a, outputs, border="replicate", activation=nn.ReLU()) for a in (inputs, outputs)))


SOURCE = NetworkSource(UNet)


def fuse(stack: FocusStack, network: UNet) -> tuple[np.ndarray, None]:
    """Fuse lumas by a U-Net.

    Chroma is weighted by its distance from gray.

    Args:
        stack: N >= 2 images of any size, gray or colour; more than two are fused one after the other.
        network: The U-Net.

    Returns:
        The fused image; no decision map, since every pixel is computed anew.

    References:
        [tlcolor], [ronneberger2015unet].
    Chapter: 08_networks
    """
    return through_luma(stack, lambda lumas: fuse_in_turn(network, lumas)), None
