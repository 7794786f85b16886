r"""PMGI: two branches, one asked to keep gradients and one intensities, in fixed proportions.

The branches and their exchanges are those of MFF-GAN, but each is given both sources, one of them twice, and every convolution
is normalised over the batch. The loss weighs intensities and Laplacians of both sources alike, so that the result lies between
the sources rather than on the sharper one.

What we changed: nothing in the layout. The authors' program normalises by the statistics of the very image that is fused, with
neither of the learned scales and shifts (``statistics="image"``), and stretches the result (``as_published=True``).

References: [zhang2020pmgi]. Chapter: 08_networks.
"""

import time
from functools import lru_cache
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from mffrepro.data import weight_arrays
from mffrepro.errors import unknown
from mffrepro.images import FocusStack, FusionResult, as_stack
from mffrepro.models._branches import REACH, TwoBranches, tensorflow_names
from mffrepro.models._parts import from_tensorflow, fuse_in_turn, stretched, through_luma
from mffrepro.models.weights import pick_device, prepare

Statistics = Literal["trained", "image"]
NORMS = {"trained": nn.BatchNorm2d, "image": nn.InstanceNorm2d}  # eps is 1e-5 in both, as in the authors' code


class PMGI(TwoBranches):
    """42 017 parameters.

    Args:
        statistics: ``"trained"`` normalises by the means, variances, scales and shifts of the training, ``"image"`` by mean
            and variance of the image at hand, scale 1 and shift 0.
    """

    def __init__(self, *, statistics: Statistics = "trained") -> None:
        super().__init__(inputs=3, norm=NORMS[statistics])
        self.options = {"statistics": statistics}
        self.reach = REACH if statistics == "trained" else None

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """Two lumas (B, 1, H, W) in [0, 1] -> the fused one."""
        a, b = 2 * a - 1, 2 * b - 1
        return super().forward(torch.cat([a, a, b], 1), torch.cat([b, b, a], 1)) / 2 + 0.5


@lru_cache(maxsize=4)
def load(weights: str = "default", *, statistics: Statistics | None = None, device: str = "auto") -> PMGI:
    """PMGI ready for inference; arguments as for `fuse`."""
    chosen = statistics or ("image" if weights == "published" else "trained")

    def published() -> tuple[dict[str, Tensor], dict]:
        return from_tensorflow(weight_arrays("pmgi.published"), tensorflow_names("_vi", norm=True)), {}

    network = prepare(PMGI, "pmgi", weights, "cpu", published)
    if chosen == "image":
        kept = {name: tensor for name, tensor in network.state_dict().items() if ".norm." not in name}
        network = PMGI(statistics="image")
        network.load_state_dict(kept)
    return network.eval().to(pick_device(device), memory_format=torch.channels_last)


def fuse(
    stack: FocusStack,
    *,
    weights: str = "default",
    device: str = "auto",
    statistics: Statistics | None = None,
    stretch: bool | None = None,
    as_published: bool = False,
) -> FusionResult:
    """Fuse lumas by two branches, one for gradients and one for intensities; chroma is weighted by its distance from gray.

    Args:
        stack: N >= 2 images, sides at least 2 pixels, gray or colour; more than two are fused one after the other.
        weights: ``"default"`` (this project's), ``"published"`` (the authors'), ``"random"``, or a ``.safetensors`` file.
        device: ``"auto"``, ``"cpu"`` or ``"cuda"``.
        statistics: ``"trained"`` or ``"image"``, see `PMGI`; by default that of the image for published weights, as the authors'
            program does, and that of the training for others.
        stretch: Stretch the fused luma to the whole range, as the authors' writer does; by default as `as_published` says.
        as_published: Stretch, use the statistics of the image, and round every term of the luma to 8 bits, as the
            authors' programs do.
    Returns:
        The fused image; no decision map, since every pixel is painted anew.
    Raises:
        ImageError: A side is under 2 pixels.
        OptionError: No such statistics.
        DataError: Weights that cannot be had.
    References:
        [zhang2020pmgi].
    Chapter: 08_networks
    """
    if statistics not in (None, *NORMS):
        raise unknown("statistics of pmgi", statistics, NORMS)
    as_stack(stack, min_side=2)
    network = load(weights, statistics="image" if as_published else statistics, device=device)
    wide = as_published if stretch is None else stretch
    started = time.perf_counter()

    def fuse_luma(lumas: list[np.ndarray]) -> np.ndarray:
        fused = fuse_in_turn(network, lumas)
        return stretched(fused) if wide else fused

    return through_luma(stack, fuse_luma, started, "pmgi", levels="video", in_bytes=as_published)
