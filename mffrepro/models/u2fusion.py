r"""U2Fusion: one dense network for every kind of fusion, trained to stay near both sources, nearer to the richer one.

The two lumas enter as two channels of one image. Five densely connected convolutions and four more yield the fused luma. How much
each source counts in the loss was measured by the feature gradients of a VGG-16, one number per image.

What we changed: nothing in the layout. The authors' writer scales the largest value of the image to 255; here that is
``as_published=True``.

References: [xu2022u2fusion]. Chapter: 08_networks.
"""

from functools import partial
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn

from mffrepro.data import weight_arrays
from mffrepro.images import FocusStack
from mffrepro.models.layers import Grow, conv, from_tensorflow, fuse_in_turn
from mffrepro.models.luma import through_luma
from mffrepro.models.weights import NetworkSource

block = partial(conv, border="reflect", activation=nn.LeakyReLU(0.2))


class U2Fusion(nn.Module):
    """Fuse two lumas by a dense network; 659 217 parameters at the authors' width.

    Args:
        width: New maps of a dense convolution, 44 in the authors' code. Our own weights have half of it, and half the decoder.
    """

    reach = 6 + 4  # rows: ten 3x3 convolutions

    def __init__(self, *, width: int = 44) -> None:
        super().__init__()
        self.options = {"width": width}
        sides = [128 * width // 44 // 2**i for i in range(3)]  # 128, 64, 32
        self.conv1 = block(2, width)
        self.dense = Grow([block(width * i, width) for i in range(1, 6)], newest_first=True)
        steps = [block(a, b) for a, b in pairwise([6 * width, *sides])]
        self.decoder = nn.Sequential(*steps, conv(sides[-1], 1, border="reflect"))

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """Fuse two lumas (B, 1, H, W) in [0, 1]."""
        return torch.tanh(self.decoder(self.dense(self.conv1(torch.cat([a, b], 1))))) / 2 + 0.5


def published(name: str) -> tuple[dict[str, Tensor], dict]:
    """Load the authors' tensors under our names."""
    layers = {"conv1": "Generator/encoder/conv1_1"}
    layers |= {f"dense.{i}": f"Generator/encoder/dense_block_conv{i + 1}" for i in range(5)}
    layers |= {f"decoder.{i}": f"Generator_1/decoder/conv2_{i + 1}" for i in range(4)}
    kinds = {"weight": "kernel", "bias": "bias"}
    names = {f"{ours}.conv.{k}": f"{theirs}/{v}" for ours, theirs in layers.items() for k, v in kinds.items()}
    return from_tensorflow(weight_arrays(name), names), {}


SOURCE = NetworkSource(U2Fusion, published=published)


def fuse(stack: FocusStack, network: U2Fusion, *, as_published: bool = False) -> tuple[np.ndarray, None]:
    """Fuse lumas by a dense network; chroma is weighted by its distance from gray.

    Args:
        stack: N >= 2 images, sides at least 2 pixels, gray or colour; more than two are fused one after the other.
        network: U2Fusion.
        as_published: Scale the fused luma so that its largest value is 1, as the authors' writer does.

    Returns:
        The fused image; no decision map, since every pixel is computed anew.

    References:
        [xu2022u2fusion].
    Chapter: 08_networks
    """

    def fuse_luma(lumas: list[np.ndarray]) -> np.ndarray:
        fused = fuse_in_turn(network, lumas)
        return fused / fused.max() if as_published else fused

    return through_luma(stack, fuse_luma), None
