r"""PMGI: two branches, one asked to keep gradients and one intensities, in fixed proportions.

The branches and their exchanges are those of MFF-GAN, but each is given both sources, one of them twice, and every convolution
is normalised over the batch. The loss weighs intensities and Laplacians of both sources alike, so that the result lies between
the sources rather than on the sharper one.

What we changed: nothing in the layout. The authors' program normalises by the statistics of the very image that is fused, with
neither of the learned scales and shifts (``statistics="image"``), and stretches the result (``as_published=True``).

References: [zhang2020pmgi]. Chapter: 08_networks.
"""

from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from mffrepro.data import weight_arrays
from mffrepro.errors import unknown
from mffrepro.images import FocusStack
from mffrepro.models.branches import REACH, TwoBranches, tensorflow_names
from mffrepro.models.layers import from_tensorflow, fuse_in_turn, stretched, with_image_statistics
from mffrepro.models.luma import through_luma
from mffrepro.models.weights import NetworkSource

Statistics = Literal["trained", "image"]


class PMGI(TwoBranches):
    """Fuse two lumas by branches that are both given both of them; 42 017 parameters.

    Args:
        statistics: How `fuse` normalises unless told otherwise: ``"trained"`` by the means, variances, scales and shifts of the
            training, ``"image"`` by mean and variance of the image that is fused, scale 1 and shift 0.
    """

    reach = REACH

    def __init__(self, *, statistics: Statistics = "trained") -> None:
        super().__init__(inputs=3, norm=nn.BatchNorm2d)  # eps is 1e-5, as in the authors' code
        self.statistics, self.options = statistics, {"statistics": statistics}

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """Fuse two lumas (B, 1, H, W) in [0, 1]."""
        a, b = 2 * a - 1, 2 * b - 1
        return super().forward(torch.cat([a, a, b], 1), torch.cat([b, b, a], 1)) / 2 + 0.5


def published(name: str) -> tuple[dict[str, Tensor], dict]:
    """Load the authors' tensors under our names.

    Their program normalises by the statistics of the image.
    """
    return from_tensorflow(weight_arrays(name), tensorflow_names("_vi", norm=True)), {"statistics": "image"}


SOURCE = NetworkSource(PMGI, published=published)


def fuse(
    stack: FocusStack, network: PMGI, *, statistics: Statistics | None = None, as_published: bool = False
) -> tuple[np.ndarray, None]:
    """Fuse lumas by a branch for gradients and one for intensities.

    Chroma is weighted by its distance from gray.

    Args:
        stack: N >= 2 images, sides at least 2 pixels, gray or colour; more than two are fused one after the other.
        network: PMGI.
        statistics: ``"trained"`` or ``"image"``, see `PMGI`; by default that of the image for published weights, as in the
            authors' program, and that of the training for others.
        as_published: Stretch the fused luma to the whole range, use the statistics of the image, and round every term of the
            luma to 8 bits, as the authors' programs do.

    Returns:
        The fused image; no decision map, since every pixel is computed anew.

    Raises:
        OptionError: There are no such statistics.

    References:
        [zhang2020pmgi].
    Chapter: 08_networks
    """
    if statistics not in (None, "trained", "image"):
        raise unknown("statistics of pmgi", statistics, ("trained", "image"))
    if as_published or (statistics or network.statistics) == "image":
        network = with_image_statistics(network, affine=False)

    def fuse_luma(lumas: list[np.ndarray]) -> np.ndarray:
        fused = fuse_in_turn(network, lumas)
        return stretched(fused) if as_published else fused

    return through_luma(stack, fuse_luma, levels="video", in_bytes=as_published), None
