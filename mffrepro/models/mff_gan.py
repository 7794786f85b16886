r"""MFF-GAN: two branches that exchange their features; a discriminator compares the fused gradients with the stronger ones.

Each luma goes through a branch of four convolutions; after the second and the third the branches exchange what they have, and
a 1x1 convolution paints the fused luma of all their maps. The loss asks, pixel by pixel, for the intensity and the Laplacian
of the sharper source; the discriminator, needed in training only, for gradients that look like the larger of both.

What we changed: nothing in the layout. The authors' program reads and writes JPEG, which we do not, and stretches the result
to 0..255, which is ``as_published=True``.

References: [zhang2021mffgan]. Chapter: 08_networks.
"""

import time
from functools import lru_cache
from typing import ClassVar, Literal

import numpy as np
from torch import Tensor

from mffrepro.data import weight_arrays
from mffrepro.errors import unknown
from mffrepro.images import FocusStack, FusionResult, as_stack
from mffrepro.models._branches import REACH, TwoBranches, tensorflow_names
from mffrepro.models._parts import from_tensorflow, fuse_in_turn, stretched, through_luma
from mffrepro.models.weights import prepare

#: Which photographs the published weights were trained on.
MODELS = ("lytro", "mfi_whu")


class MFFGAN(TwoBranches):
    """The generator, 40 033 parameters."""

    options: ClassVar[dict] = {}
    reach = REACH

    def __init__(self) -> None:
        super().__init__(inputs=1)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """Two lumas (B, 1, H, W) in [0, 1] -> the fused one."""
        return super().forward(2 * a - 1, 2 * b - 1) / 2 + 0.5


@lru_cache(maxsize=4)
def load(weights: str = "default", *, model: str = "lytro", device: str = "auto") -> MFFGAN:
    """The generator ready for inference; arguments as for `fuse`."""

    def published() -> tuple[dict[str, Tensor], dict]:
        return from_tensorflow(weight_arrays(f"mff_gan.published.{model}"), tensorflow_names("_far")), {}

    return prepare(MFFGAN, "mff_gan", weights, device, published)


def fuse(
    stack: FocusStack,
    *,
    weights: str = "default",
    device: str = "auto",
    model: Literal["lytro", "mfi_whu"] = "lytro",
    stretch: bool | None = None,
    as_published: bool = False,
) -> FusionResult:
    """Fuse lumas by a generator with two branches; chroma is weighted by its distance from gray.

    Args:
        stack: N >= 2 images of any size, gray or colour; more than two are fused one after the other.
        weights: ``"default"`` (this project's), ``"published"`` (the authors'), ``"random"``, or a ``.safetensors`` file.
        device: ``"auto"``, ``"cpu"`` or ``"cuda"``.
        model: Which of the published weights: those trained on ``"lytro"`` or on ``"mfi_whu"``.
        stretch: Stretch the fused luma to the whole range, as the authors' writer does; by default as `as_published` says.
        as_published: Stretch, and round every term of the luma to 8 bits, as the authors' programs do.
    Returns:
        The fused image; no decision map, since every pixel is painted anew.
    Raises:
        OptionError: No such model.
        DataError: Weights that cannot be had.
    References:
        [zhang2021mffgan].
    Chapter: 08_networks
    """
    if model not in MODELS:
        raise unknown("model of mff_gan", model, MODELS)
    as_stack(stack)
    network = load(weights, model=model, device=device)
    wide = as_published if stretch is None else stretch
    started = time.perf_counter()

    def fuse_luma(lumas: list[np.ndarray]) -> np.ndarray:
        fused = fuse_in_turn(network, lumas)
        return stretched(fused) if wide else fused

    return through_luma(stack, fuse_luma, started, "mff_gan", levels="video", in_bytes=as_published)
