"""The recipe of MFF-GAN: intensities and Laplacians of the sharper source, and a discriminator that compares gradients.

``paper`` is the authors' code. They update the discriminator twice for each update of the generator; here one optimiser
serves both at once, and their gradients do not mix: the discriminator is given a fused image that it cannot change, the
generator a discriminator that it cannot change.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F

from mffrepro.models.mff_gan import MFFGAN
from mffrepro.training.pair_recipe import PairRecipe, laplacian, mean_square

#: The authors draw a label for every image, from 0.7 to 1.2 and from 0 to 0.3. On average that asks for the middle, which is what
#: stands here: a resumed run then draws nothing that it has not drawn before.
REAL, FAKE = 0.95, 0.15


class Discriminator(nn.Sequential):
    """Rate gradients (B, 1, side, side) as real or made: (B, 1).

    Four convolutions with stride 2 and without border, and one linear layer.
    """

    def __init__(self, side: int) -> None:
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise((1, 32, 64, 128, 256)):
            layers.append(nn.Conv2d(inputs, outputs, 3, stride=2))
            if layers[1:]:
                layers.append(nn.BatchNorm2d(outputs))
            layers.append(nn.LeakyReLU(0.2))
            side = (side - 1) // 2
        super().__init__(*layers, nn.Flatten(), nn.Linear(256 * side * side, 1))


class Scores(NamedTuple):
    """Hold the results of one forward pass of both adversaries."""

    fused: Tensor  # (B, 1, H, W) in [0, 1]
    real: Tensor  # (B, 1), of the stronger gradients of the sources
    made: Tensor  # of the fused gradients, which cannot be changed
    fooled: Tensor  # of the fused gradients, by a discriminator that cannot be changed


class Adversaries(nn.Module):
    """Hold the generator, which is shipped, and the discriminator.

    Images have the side `crop`.
    """

    def __init__(self, crop: int) -> None:
        super().__init__()
        self.generator = MFFGAN()
        self.options = self.generator.options
        self.discriminator = Discriminator(crop)

    def forward(self, a: Tensor, b: Tensor) -> Scores:
        """Fuse a pair and rate the gradients of sources and result."""
        fused = self.generator(a, b)
        real = torch.maximum(laplacian(2 * a).abs(), laplacian(2 * b).abs())  # of images in [-1, 1]
        gradient = laplacian(2 * fused).abs()
        frozen = {name: p.detach() for name, p in self.discriminator.named_parameters()}
        fooled = functional_call(self.discriminator, frozen, (gradient,))
        return Scores(fused, self.discriminator(real), self.discriminator(gradient.detach()), fooled)


@dataclass(frozen=True, kw_only=True)
class MffGanRecipe(PairRecipe):
    """Describe a training of MFF-GAN."""

    name: str = "mff_gan"
    epochs: int = 20
    samples: int = 40_000
    batch: int = 32
    rate: float = 1e-4
    crop: int = 60
    gradient_weight: float = 5.0
    content_weight: float = 10.0

    def model(self) -> Adversaries:
        """Build generator and discriminator."""
        return Adversaries(self.crop)

    def losses(self, model: Adversaries, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Add the content loss and the losses of both adversaries.

        Content is on images in [-1, 1], hence the factors of 2; the adversaries use least squares with soft labels.
        """
        a, b = batch["a"], batch["b"]
        scores = model(a, b)
        parts = {
            "content": self._content(2 * a, 2 * b, 2 * scores.fused),
            "discriminator": _off(scores.real, REAL) + _off(scores.made, FAKE),
            "generator": _off(scores.fooled, REAL),
        }
        content = self.content_weight * parts["content"]
        if not torch.is_grad_enabled():  # validation chooses by what the image is like: adversaries only rate each other
            return {"total": content, **parts}
        return {"total": content + parts["generator"] + parts["discriminator"], **parts}

    def _content(self, a: Tensor, b: Tensor, fused: Tensor) -> Tensor:
        """Compare, pixel by pixel, with the source that has the stronger detail; ties go to the first."""
        second = (detail(b) > detail(a)).float()
        total = fused.new_zeros(len(fused))
        for source, chosen in ((a, 1 - second), (b, second)):
            intensity = mean_square(chosen.sqrt() * (fused - source))
            gradient = mean_square(chosen.sqrt() * (laplacian(fused) - laplacian(source)))
            total = total + intensity + self.gradient_weight * gradient
        return total.mean()


def detail(image: Tensor) -> Tensor:
    """Measure how much each pixel changes when the image is blurred twice.

    Images are (B, 1, H, W).
    """
    kernel = image.new_tensor([[1, 2, 1], [2, 4, 2], [1, 2, 1]])[None, None] / 16
    blurred = F.conv2d(F.conv2d(image, kernel, padding=1), kernel, padding=1)
    return (image - blurred).abs()


def _off(score: Tensor, label: float) -> Tensor:
    return (score - label).square().mean()


PRESETS = {
    "paper": MffGanRecipe(),
    "practical": MffGanRecipe(epochs=16, samples=480, batch=16, rate=1e-3, schedule="cosine"),
    "smoke": MffGanRecipe(epochs=2, samples=8, batch=4, size=64, crop=32, validation=4),
}
