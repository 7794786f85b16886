r"""MFF-GAN: two branches that exchange their features; a discriminator compares the fused gradients with the stronger ones.

Each luma goes through a branch of four convolutions; after the second and the third the branches exchange what they have, and
a 1x1 convolution paints the fused luma of all their maps. The loss asks, pixel by pixel, for the intensity and the Laplacian
of the sharper source; the discriminator, needed in training only, for gradients that look like the larger of both.

What we changed: nothing in the layout. The authors' program reads and writes JPEG, which we do not, and stretches the result
to 0..255, which is ``as_published=True``.

References: [zhang2021mffgan]. Chapter: 08_networks.
"""

from typing import ClassVar

import numpy as np
from torch import Tensor

from mffrepro.data import weight_arrays
from mffrepro.images import FocusStack
from mffrepro.models.branches import REACH, TwoBranches, tensorflow_names
from mffrepro.models.layers import from_tensorflow, fuse_in_turn, stretched
from mffrepro.models.luma import through_luma
from mffrepro.models.weights import NetworkSource


class MFFGAN(TwoBranches):
    """Generate the fused luma by two branches; 40 033 parameters."""

    options: ClassVar[dict] = {}
    reach = REACH

    def __init__(self) -> None:
        super().__init__(inputs=1)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """Fuse two lumas (B, 1, H, W) in [0, 1]."""
        return super().forward(2 * a - 1, 2 * b - 1) / 2 + 0.5


def published(name: str) -> tuple[dict[str, Tensor], dict]:
    """Load the authors' tensors under our names.

    ``published`` was trained on Lytro, ``published.mfi_whu`` on MFI-WHU.
    """
    return from_tensorflow(weight_arrays(name), tensorflow_names("_far")), {}


SOURCE = NetworkSource(MFFGAN, published=published)


def fuse(stack: FocusStack, network: MFFGAN, *, as_published: bool = False) -> tuple[np.ndarray, None]:
    """Fuse lumas by a two-branch generator; chroma is weighted by distance from gray.

    Args:
        stack: N >= 2 images of any size, gray or colour; more than two are fused one after the other.
        network: The generator.
        as_published: Stretch the fused luma to the whole range and round every term of the luma to 8 bits, as the authors'
            programs do.

    Returns:
        The fused image; no decision map, since every pixel is computed anew.

    References:
        [zhang2021mffgan].
    Chapter: 08_networks
    """

    def fuse_luma(lumas: list[np.ndarray]) -> np.ndarray:
        fused = fuse_in_turn(network, lumas)
        return stretched(fused) if as_published else fused

    return through_luma(stack, fuse_luma, levels="video", in_bytes=as_published), None
