r"""FusionDN: a densely connected network whose loss weighs each source by its quality and its entropy.

The two lumas enter as two channels. Four blocks of two convolutions, each of which sees all maps before it, and five
convolutions more yield the fused luma. A network that rates images without a reference, and the entropy, decide how much each
source counts.

What we changed: nothing in the layout, whose oddity we keep: the first convolution of the decoder is applied twice, once
without and once with batch normalisation, since a branch of the authors' code falls through. Their program normalises by the
statistics of the very image that is fused (``statistics="image"``); its scales inside the blocks stay what they were before
training, and are left out. No weights are published with the code.

References: [xu2020fusiondn]. Chapter: 08_networks.
"""

from functools import partial
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from mffrepro.errors import unknown
from mffrepro.images import FocusStack
from mffrepro.models.layers import Grow, conv, fuse_in_turn, with_image_statistics
from mffrepro.models.luma import through_luma
from mffrepro.models.weights import NetworkSource

Statistics = Literal["trained", "image"]

block = partial(conv, border="reflect", activation=nn.ReLU())


class FusionDN(nn.Module):
    """Fuse two lumas by dense blocks; 1 162 177 parameters at the authors' width.

    Args:
        width: Maps of a block, 48 in the authors' code; all other layers follow. Our own weights have half of it.
    """

    reach = 1 + 8 + 5  # rows: fourteen 3x3 convolutions

    def __init__(self, *, width: int = 48) -> None:
        super().__init__()
        self.options = {"width": width}
        all_maps, more, fewer = 5 * width, 8 * width // 3, 4 * width // 3  # 240, 128, 64
        norm = nn.BatchNorm2d
        self.conv1 = block(2, width, norm=norm)
        self.dense = Grow([nn.Sequential(block(width * i, width), block(width, width)) for i in (1, 2, 3, 4)])
        self.twice = conv(all_maps, all_maps, border="reflect")
        self.norm = norm(all_maps)
        self.decoder = nn.Sequential(
            block(all_maps, more, norm=norm), block(more, fewer, norm=norm), conv(fewer, 1, border="reflect")
        )

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """Fuse two lumas (B, 1, H, W) in [0, 1]."""
        code = self.dense(self.conv1(torch.cat([a, b], 1)))
        code = torch.relu(self.norm(self.twice(torch.relu(self.twice(code)))))
        return torch.tanh(self.decoder(code)) / 2 + 0.5


SOURCE = NetworkSource(FusionDN)


def fuse(stack: FocusStack, network: FusionDN, *, statistics: Statistics = "trained") -> tuple[np.ndarray, None]:
    """Fuse lumas by a dense network; chroma is weighted by distance from gray.

    Args:
        stack: N >= 2 images, sides at least 2 pixels, gray or colour; more than two are fused one after the other.
        network: FusionDN.
        statistics: ``"trained"`` normalises by the means and variances of the training, ``"image"`` by those of the image that
            is fused, as the authors' program does.

    Returns:
        The fused image; no decision map, since every pixel is computed anew.

    Raises:
        OptionError: There are no such statistics.

    References:
        [xu2020fusiondn].
    Chapter: 08_networks
    """
    if statistics not in ("trained", "image"):
        raise unknown("statistics of fusiondn", statistics, ("trained", "image"))
    network = with_image_statistics(network, affine=True) if statistics == "image" else network
    return through_luma(stack, partial(fuse_in_turn, network)), None
