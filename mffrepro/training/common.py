"""What the recipes of the deep baselines share: crops of artificial pairs, a schedule, Adam."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mffrepro.data.regions import LabelledImage
from mffrepro.data.synthetic import composite, defocus_spread
from mffrepro.errors import OptionError
from mffrepro.training.pairs import FocusPairs

Schedule = Literal["constant", "step", "cosine"]


@dataclass(frozen=True, kw_only=True)
class BaselineRecipe:
    """Options of one training; every field can be set from the command line with ``--set name=value``.

    A batch holds ``a`` and ``b``, near- and far-focused, the photograph ``original`` they were made of, and ``mask``, 1 where the
    first is sharp; each (B, C, H, W) in [0, 1].
    """

    name: str
    epochs: int
    samples: int
    batch: int
    rate: float
    schedule: Schedule = "constant"
    size: int = 192  # photographs are resized to size x size ...
    crop: int = 96  # ... and cropped
    validation: int = 48

    colour: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if min(self.epochs, self.batch, self.validation, self.rate) <= 0:
            raise OptionError("epochs, batch, validation and rate must be over 0")
        if self.batch > self.samples:
            raise OptionError(f"batch is {self.batch} and samples {self.samples}; an epoch needs at least one batch")
        if not 0 < self.crop <= self.size:
            raise OptionError(f"crop is {self.crop} and size {self.size}; give a crop that fits into the size")

    def data(self, regions: Sequence[LabelledImage], *, split: Literal["train", "val"], seed: int) -> FocusPairs:
        length = self.samples if split == "train" else self.validation
        return FocusPairs(regions, self.pair, length=length, size=self.size, seed=seed, colour=self.colour)

    def optimiser(self, model: nn.Module) -> torch.optim.Optimizer:
        return torch.optim.Adam(model.parameters(), lr=self.rate)

    def learning_rate(self, epoch: int) -> float:
        if self.schedule == "cosine":
            return self.rate * 0.5 * (1 + math.cos(math.pi * epoch / self.epochs))
        return self.rate * 0.8 ** (epoch // 2) if self.schedule == "step" else self.rate

    def prepare(self, model: nn.Module, epoch: int) -> None:
        """Nothing changes from epoch to epoch but the rate."""

    def pair(self, image: np.ndarray, mask: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """A crop of a pair with random blur, its outline hard or spread as by a lens, flipped and exchanged at random."""
        top, left = rng.integers(self.size - self.crop + 1, size=2)
        part = slice(top, top + self.crop), slice(left, left + self.crop)
        image, mask = image[part], mask[part]
        for axis in (0, 1):
            if rng.random() < 0.5:
                image, mask = np.flip(image, axis), np.flip(mask, axis)
        image, mask = np.ascontiguousarray(image), np.ascontiguousarray(mask)
        sigma = rng.uniform(0.8, 4)
        a, b = (defocus_spread if rng.random() < 0.5 else composite)(image, mask, sigma)
        label = mask.astype(np.float32)
        if rng.random() < 0.5:
            a, b, label = b, a, 1 - label
        return {"a": a, "b": b, "original": image, "mask": label}


def laplacian(image: Tensor) -> Tensor:
    """The sum of the four neighbours less four times the pixel, (B, 1, H, W), zeros outside."""
    kernel = image.new_tensor([[0, 1, 0], [1, -4, 1], [0, 1, 0]])
    return F.conv2d(image, kernel[None, None], padding=1)


def mean_square(x: Tensor) -> Tensor:
    """Of each image of a batch, (B,)."""
    return x.square().mean((1, 2, 3))
