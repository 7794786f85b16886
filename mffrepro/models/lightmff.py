r"""LightMFF: a small network that corrects the decision of a focus measure, at 256x256 whatever the size of the images.

A focus measure compares both images and gives an initial map. The network sees the images, this map and the edges of the images,
all squeezed to 256x256, and returns a better map, which is enlarged and cleaned by the morphology of SESF-Fuse. So the outline of
the map is as coarse as 256 pixels are.

What we changed: nothing in the layout. A constant image has no edges here; the authors' program divides zero by zero. Images with
more than 8 bits are read as 8 bits for the decision.

References: [xie2025lightmff]. Chapter: 08_networks.
"""

from functools import partial
from itertools import pairwise
from typing import ClassVar

import cv2
import numpy as np
import torch
from PIL import Image as Picture
from torch import Tensor, nn
from torch.nn import functional as F

from mffrepro.fusion.boxes import box_sum
from mffrepro.fusion.multi_image import ImageComparer, UnitImages, combine
from mffrepro.images import FocusStack, from_unit
from mffrepro.losses.gradient import sobel
from mffrepro.models.gacn import squared_differences
from mffrepro.models.layers import device_of, truncated
from mffrepro.models.sesf import verify
from mffrepro.models.stackmff import Inception
from mffrepro.models.stackmff.network import DEEPEST, LEVELS, doubled
from mffrepro.models.weights import NetworkSource

#: Side that both images are squeezed to, pixels.
SIDE = 256
#: Half width of the windows of the focus measure.
RADIUS = 5
#: Gray of red, green and blue.
LUMA = (0.2989, 0.5870, 0.1140)
#: Maps that the network sees: two images, the initial map and its opposite, and two edge maps.
INPUTS = 10


class LightMFF(nn.Module):
    """Compute the logit of the first image's share; 15 717 parameters."""

    options: ClassVar[dict] = {}

    def __init__(self) -> None:
        super().__init__()
        down = (*LEVELS, DEEPEST)
        self.encoders = nn.ModuleList([nn.Conv2d(INPUTS, LEVELS[0], 3, padding=1), *(Inception(a, b) for a, b in pairwise(down))])
        up = down[::-1]
        self.decoders = nn.ModuleList([Inception(a, b) for a, b in pairwise(up[:-1])])
        self.decoders.append(nn.Conv2d(up[-2], up[-1], 3, padding=1))
        self.encoder_norms = nn.ModuleList([nn.GroupNorm(4, count) for count in LEVELS])
        self.decoder_norms = nn.ModuleList([nn.GroupNorm(4, count) for count in up[1:]])
        self.final = nn.Conv2d(LEVELS[0], 1, 3, padding=1)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """Compare two batches (B, 3, H, W) in [0, 1], sides multiples of 32.

        Returns:
            Logit of the first image's share (B, 1, H, W).
        """
        first = initial_map(a, b)
        x, levels = torch.cat([a, b, first, 1 - first, edges(a), edges(b)], 1), []
        for encoder, norm in zip(self.encoders[:-1], self.encoder_norms, strict=True):
            x = F.gelu(F.max_pool2d(norm(encoder(x)), 2))
            levels.append(x)
        x = F.gelu(self.encoders[-1](x))
        for decoder, norm, skip in zip(self.decoders, self.decoder_norms, reversed(levels), strict=True):
            x = norm(decoder(x))
            x = F.gelu(x if x.shape == skip.shape else doubled(x)) + skip
        return doubled(self.final(x))


def initial_map(a: Tensor, b: Tensor) -> Tensor:
    """Compute 1 where the first image changes more, (B, 1, H, W).

    Ties go to the second. The measure is the squared difference to two neighbours, summed over windows of 11x11 and the colours.
    """
    first, second = (box_sum(squared_differences(x), RADIUS).sum(1, keepdim=True) for x in (a, b))
    return (first > second).to(a.dtype)


def edges(images: Tensor) -> Tensor:
    """Compute the length of the gradient (B, 1, H, W).

    The largest of the batch is 1.
    """
    gray = (images * images.new_tensor(LUMA)[:, None, None]).sum(1, keepdim=True)
    x, y = sobel(gray)
    length = (x.square() + y.square()).sqrt()
    return length / length.max().clamp_min(torch.finfo(length.dtype).tiny)


SOURCE = NetworkSource(LightMFF)


@torch.inference_mode()
def decide(network: LightMFF, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Compute the map (H, W), 0 or 1, of two images (H, W[, 3]) in [0, 1].

    It is 1 where the first is taken.
    """
    a, b = (squeezed(image).to(device_of(network)) for image in (first, second))
    share = torch.sigmoid(network(a, b))
    enlarged = F.interpolate(share, first.shape[:2], mode="bilinear", align_corners=False)
    return verify((enlarged >= 0.5)[0, 0].cpu().numpy()).astype(np.float32)


def squeezed(image: np.ndarray) -> Tensor:
    """Squeeze an image (H, W[, 3]) in [0, 1] to (1, 3, 256, 256), read as 8 bits."""
    levels = from_unit(image, np.dtype(np.uint8))
    colour = levels if levels.ndim == 3 else cv2.cvtColor(levels, cv2.COLOR_GRAY2RGB)
    small = Picture.fromarray(colour).resize((SIDE, SIDE), Picture.Resampling.BILINEAR)
    return torch.from_numpy(np.array(small)).permute(2, 0, 1)[None].float() / 255


def fuse(
    stack: FocusStack, network: LightMFF, *, strategy: str = "serial", as_published: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Fuse by a map that a network makes at 256x256.

    Args:
        stack: N >= 2 images of any size, gray or colour.
        network: LightMFF.
        strategy: How more than two images are combined, see `mffrepro.fusion.multi_image`. The network has no features of single
            images: with ``"carry"`` too it compares what was fused so far with the next image.
        as_published: Cut the result off to 8 bits.

    Returns:
        Fused image and decision map.

    References:
        [xie2025lightmff].
    Chapter: 08_networks
    """
    fused, decision = combine(UnitImages(stack.images), ImageComparer(partial(decide, network)), strategy)
    return truncated(fused) if as_published else fused, decision
