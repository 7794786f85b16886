r"""DRPL: a network that regresses the decision map of whole images, asked twice with the sources exchanged.

Both answers must complement each other: the map of (A, B) and the map of (B, A) sum to one. Here that is the training's pair
loss, and at inference the two are averaged, so that the fused image does not depend on the order of the sources.

What we changed: the layout is our reading. The paper names an encoder and decoder without patches, a pair loss, a gradient loss
and an SSIM loss; neither its table of layers nor its code is available. Ours goes down to half the size once, looks about
with dilated convolutions, and comes back.

References: [li2020drpl]. Chapter: 08_networks.
"""

from functools import partial

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mffrepro.fusion.multi_image import ImageComparer, UnitImages, combine
from mffrepro.images import FocusStack, to_gray
from mffrepro.models.layers import conv, device_of, to_array, to_tensor
from mffrepro.models.weights import NetworkSource
from mffrepro.tiling import map_network

#: Distances between the taps of the convolutions at half the size.
DILATIONS = (1, 2, 4, 8, 4, 1)

block = partial(conv, border="replicate", norm=nn.BatchNorm2d, activation=nn.ReLU())


class Around(nn.Module):
    """Add the result of a dilated convolution to its input."""

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=dilation, dilation=dilation, bias=False)
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve a batch and add it."""
        return x + torch.relu(self.norm(self.conv(x)))


class DRPL(nn.Module):
    """Regress the logit of the first image's share from two gray batches.

    All are (B, 1, H, W), the images in [0, 1].

    Args:
        width: Maps at full size; twice as many at half the size.
    """

    reach = 2 * sum(DILATIONS) + 6  # rows: those at half the size count twice; even, so that strips begin where pixels pair up

    def __init__(self, *, width: int = 24) -> None:
        super().__init__()
        self.options = {"width": width}
        self.entry = nn.Sequential(block(2, width), block(width, width))
        self.down = nn.Conv2d(width, 2 * width, 3, stride=2, padding=1)
        self.around = nn.Sequential(*[Around(2 * width, d) for d in DILATIONS])
        self.up = nn.Conv2d(2 * width, width, 1)
        self.exit = nn.Sequential(block(2 * width, width), nn.Conv2d(width, 1, 1))

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """Compute the logit for a pair in this order."""
        fine = self.entry(torch.cat([a, b], 1))
        coarse = self.up(self.around(torch.relu(self.down(fine))))
        # Each coarse pixel covers two by two: nothing is read from beyond the strip, whatever its height.
        coarse = F.interpolate(coarse, scale_factor=2.0)[..., : fine.shape[-2], : fine.shape[-1]]
        return self.exit(torch.cat([fine, coarse], 1))

    def share(self, a: Tensor, b: Tensor) -> Tensor:
        """Compute the share of the first image from both orders.

        It is the mean of M(A, B) and 1 - M(B, A).
        """
        return (torch.sigmoid(self(a, b)) + torch.sigmoid(-self(b, a))) / 2


SOURCE = NetworkSource(DRPL)


def decide(network: DRPL, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Compute the share (H, W) of the first of two images (H, W[, 3]) in [0, 1]."""
    grays = [to_gray(image) if image.ndim == 3 else image for image in (first, second)]
    return to_array(map_network(network.share, [to_tensor(gray, device_of(network)) for gray in grays], network.reach))


def fuse(stack: FocusStack, network: DRPL, *, strategy: str = "serial") -> tuple[np.ndarray, np.ndarray]:
    """Fuse by a regressed decision map; decided on gray, applied to all channels.

    Args:
        stack: N >= 2 images of any size, gray or colour.
        network: DRPL.
        strategy: How more than two images are combined, see `mffrepro.fusion.multi_image`. The network has no features of single
            images: with ``"carry"`` too it compares what was fused so far with the next image.

    Returns:
        Fused image and decision map.

    References:
        [li2020drpl].
    Chapter: 08_networks
    """
    return combine(UnitImages(stack.images), ImageComparer(partial(decide, network)), strategy)
