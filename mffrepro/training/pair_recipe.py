"""Train on crops of artificial pairs: the base of the recipes of the deep baselines, and two terms of their losses."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from torch import Tensor, nn
from torch.nn import functional as F

from mffrepro.data.regions import LabelledImage
from mffrepro.data.synthetic import composite, defocus_spread
from mffrepro.training.pairs import FocusPairs
from mffrepro.training.recipe import Recipe, Split


@dataclass(frozen=True, kw_only=True)
class PairRecipe(Recipe):
    """Describe a training on crops of artificial pairs.

    A batch holds ``a`` and ``b``, near- and far-focused, the photograph ``original`` they were made of, and ``mask``, 1 where the
    first is sharp; each (B, C, H, W) in [0, 1].
    """

    size: int = 192  # photographs are resized to size x size ...
    crop: int = 96  # ... and cropped
    validation: int = 48

    colour: ClassVar[bool] = False

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require_crop()

    def data(self, regions: Sequence[LabelledImage], *, split: Split, seed: int) -> FocusPairs:
        """Make pairs of photographs with opposite focus."""
        length = self.samples if split == "train" else self.validation
        return FocusPairs(regions, self.pair, length=length, size=self.size, seed=seed, colour=self.colour)

    def pair(self, image: np.ndarray, mask: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Make a crop of a pair, flipped and exchanged at random."""
        top, left = rng.integers(self.size - self.crop + 1, size=2)
        part = slice(top, top + self.crop), slice(left, left + self.crop)
        image, mask = image[part], mask[part]
        for axis in (0, 1):
            if rng.random() < 0.5:
                image, mask = np.flip(image, axis), np.flip(mask, axis)
        image, mask = np.ascontiguousarray(image), np.ascontiguousarray(mask)
        a, b = self.defocus(image, mask, rng)
        label = mask.astype(np.float32)
        if rng.random() < 0.5:
            a, b, label = b, a, 1 - label
        return {"a": a, "b": b, "original": image, "mask": label}

    def defocus(self, image: np.ndarray, mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Make two crops (2, H, W[, 3]) with opposite focus and random blur.

        The outline is hard, or spread as by a lens.
        """
        sigma = rng.uniform(0.8, 4)
        return (defocus_spread if rng.random() < 0.5 else composite)(image, mask, sigma)


def fix_statistics(model: nn.Module) -> None:
    """Leave mean 0 and variance 1 in every batch normalisation while a model trains.

    Scale and shift are learned. The statistics of a small batch jitter, and brightness has to pass through them.
    """
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()


def laplacian(image: Tensor) -> Tensor:
    """Sum the four neighbours less four times the pixel, (B, 1, H, W), zeros outside."""
    kernel = image.new_tensor([[0, 1, 0], [1, -4, 1], [0, 1, 0]])
    return F.conv2d(image, kernel[None, None], padding=1)


def mean_square(x: Tensor) -> Tensor:
    """Compute the mean square (B,) of each image of a batch (B, C, H, W)."""
    return x.square().mean((1, 2, 3))
