r"""GCF: a network that is trained, without labels, towards the larger gradient and towards few regions, and gives a binary map.

Both gray images enter together, nine convolutions later there is one number a pixel, and its sign decides. Every convolution,
even the last, is normalised by the statistics of the very image, in use as in training. So the numbers of every image have the
mean and the variance that were learned, and a map of one colour, which has the fewest regions, is far away. The result of a
pixel depends on the whole image, so that an image cannot be processed in parts.

What we changed: nothing in the layout, which is that of the authors' code. Shipped weights have half as many maps.

References: [xu2020gcf]. Chapter: 08_networks.
"""

from functools import partial
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn

from mffrepro.fusion.multi_image import ImageComparer, UnitImages, combine
from mffrepro.fusion.regions import fill_holes
from mffrepro.images import FocusStack, require_side, to_gray
from mffrepro.models.layers import Grow, conv, device_of, to_array, to_tensor
from mffrepro.models.weights import NetworkSource

#: Maps of each dense layer, and of the layers after them but the last two, which have one.
GROWTH, NARROWING = 48, (192, 128, 64)
#: Smallest region of a decision, as a share of the image.
SMALLEST = 1 / 60


class MaskNet(nn.Module):
    """Compute the share of the first image; 754 287 parameters at full width.

    Args:
        width: Factor on the maps of all layers.
    """

    def __init__(self, *, width: float = 1.0) -> None:
        super().__init__()
        self.options = {"width": width}
        growth, *narrowing = (max(1, round(width * maps)) for maps in (GROWTH, *NARROWING))
        self.first = _layer(2, growth)
        self.dense = Grow([_layer(count * growth, growth) for count in (1, 2, 3)], newest_first=True)
        self.decoder = nn.Sequential(*(_layer(a, b) for a, b in pairwise((4 * growth, *narrowing, 1))))
        self.last = conv(1, 1, border="reflect", norm=_norm)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.trunc_normal_(module.weight, std=0.1, a=-0.2, b=0.2)
                nn.init.zeros_(module.bias)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """Compare two batches (B, 1, H, W) in [0, 1], sides at least 2 pixels.

        Returns:
            Share of the first image (B, 1, H, W), between 0 and 1.
        """
        x = self.dense(self.first(torch.cat([a, b], 1)))
        return torch.tanh(self.last(self.decoder(x))) / 2 + 0.5


def _norm(maps: int) -> nn.Module:
    """Normalise by the statistics of the batch, in use as in training."""
    return nn.BatchNorm2d(maps, eps=1e-3, track_running_stats=False)


def _layer(inputs: int, outputs: int) -> nn.Sequential:
    return conv(inputs, outputs, border="reflect", norm=_norm, activation=nn.LeakyReLU(0.2, inplace=True))


SOURCE = NetworkSource(MaskNet, random={"width": 0.25})


@torch.inference_mode()
def decide(network: MaskNet, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Compute the map (H, W), 0 or 1, of two images (H, W[, 3]) in [0, 1].

    It is 1 where the first is taken.
    """
    a, b = (to_tensor(to_gray(image) if image.ndim == 3 else image, device_of(network)) for image in (first, second))
    return clean(to_array(network(a, b)) > 0.5).astype(np.float32)


def clean(mask: np.ndarray) -> np.ndarray:
    """Remove regions under a sixtieth of the image.

    First those of the second image change sides, then those of the first.

    Args:
        mask: (H, W) bool; pixels that share an edge are one region.
    """
    smallest = SMALLEST * mask.size
    return ~fill_holes(~fill_holes(mask, smallest), smallest)


def fuse(stack: FocusStack, network: MaskNet, *, strategy: str = "serial") -> tuple[np.ndarray, np.ndarray]:
    """Fuse by a binary map that a network makes of both images.

    Args:
        stack: N >= 2 images, sides at least 2 pixels, gray or colour.
        network: GCF.
        strategy: How more than two images are combined, see `mffrepro.fusion.multi_image`. The network has no features of single
            images: with ``"carry"`` too it compares what was fused so far with the next image.

    Returns:
        Fused image and decision map.

    Raises:
        ImageError: Images too small.

    References:
        [xu2020gcf].
    Chapter: 08_networks
    """
    require_side(stack, 2)
    return combine(UnitImages(stack.images), ImageComparer(partial(decide, network)), strategy)
