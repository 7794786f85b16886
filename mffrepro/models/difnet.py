r"""DIF-Net: features of each image by one convolution and two residual blocks, joined, and painted by three more blocks.

The training has no ground truth. It asks for the contrast of both sources: their structure tensors, added, should be the tensor
of the fused image, and its intensity should be the mean of the sources (`mffrepro.losses.tensor_loss`).

What we changed: all that the abstract does not say is our reading, since the text, code and weights of the authors were not
available. It says that one network extracts, joins and paints, without ground truth, by a loss of structure tensors. Sizes of
the layers are those of a program by others. That program uses one residual block for all places of a part
(``shared=True``); here each place has its own, as in other residual networks. The network has one channel, so that luma is
fused, and two inputs, the smallest number that fuses. Both terms of the loss are mean squares, which do not depend on the size
of the crops; the recipe says how their balance was chosen. The target of the intensity is the mean of the sources, because
nothing tells which source is sharp; it keeps a halo of the blurred one.

References: [jung2020difnet]. Chapter: 08_networks.
"""

import numpy as np
import torch
from torch import Tensor, nn

from mffrepro.images import FocusStack
from mffrepro.models.layers import conv, fuse_in_turn
from mffrepro.models.luma import through_luma
from mffrepro.models.weights import NetworkSource

#: Maps of every hidden layer, and how often a part adds a residual.
MAPS, EXTRACTING, PAINTING = 16, 2, 3


class Residual(nn.Module):
    """Add two convolutions of the maps to the maps."""

    def __init__(self) -> None:
        super().__init__()
        self.first = conv(MAPS, MAPS, norm=lambda maps: nn.BatchNorm2d(maps, eps=1e-4, momentum=0.03), activation=leaky())
        self.second = conv(MAPS, MAPS)

    def forward(self, x: Tensor) -> Tensor:
        """Compute the sum for a batch (B, 16, H, W)."""
        return x + self.second(self.first(x))


def leaky() -> nn.Module:
    """Build the activation of all hidden layers."""
    return nn.LeakyReLU(0.1)


class Residuals(nn.Module):
    """Chain `count` residual blocks, or one block with itself."""

    def __init__(self, count: int, *, shared: bool) -> None:
        super().__init__()
        self.rounds = count if shared else 1
        self.blocks = nn.Sequential(*[Residual() for _ in range(1 if shared else count)])

    def forward(self, x: Tensor) -> Tensor:
        """Pass a batch (B, 16, H, W) through all of them."""
        for _ in range(self.rounds):
            x = self.blocks(x)
        return x


class DIFNet(nn.Module):
    """Paint the fused luma of two images; 36 481 parameters.

    Args:
        shared: Use one residual block for all places of a part, which leaves 22 465 parameters.
    """

    reach = 1 + 2 * EXTRACTING + 2 + 2 * PAINTING + 1

    def __init__(self, *, shared: bool = False) -> None:
        super().__init__()
        self.options = {"shared": shared}
        self.extract = nn.Sequential(conv(1, MAPS, activation=leaky()), Residuals(EXTRACTING, shared=shared))
        self.join = conv(2 * MAPS, MAPS, 5)
        self.paint = nn.Sequential(Residuals(PAINTING, shared=shared), conv(MAPS, 1))

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """Fuse two lumas (B, 1, H, W) in [0, 1]; the result is not clipped."""
        return self.paint(self.join(torch.cat([self.extract(a), self.extract(b)], 1)))


SOURCE = NetworkSource(DIFNet)


def fuse(stack: FocusStack, network: DIFNet) -> tuple[np.ndarray, None]:
    """Fuse lumas by a network that was asked for the contrast of both sources.

    Chroma is weighted by its distance from gray.

    Args:
        stack: N >= 2 images of any size, gray or colour; more than two are fused one after the other.
        network: DIF-Net.

    Returns:
        The fused image; no decision map, since every pixel is computed anew.

    References:
        [jung2020difnet].
    Chapter: 08_networks
    """
    return through_luma(stack, lambda lumas: fuse_in_turn(network, lumas)), None
