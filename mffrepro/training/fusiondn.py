"""The recipe of FusionDN: structure, features and gradients of both sources, each counting by its quality and entropy.

``paper`` is the authors' code for multi-focus images, the last of their three tasks, without the term that remembers the
other two. It needs a VGG-16 for the perceptual loss; the network that rates quality, trained on ratings by people, is not
public in a form that could be used here, and the entropy alone decides. ``practical`` leaves out the perceptual loss, rates
the sources by their own gradients beside the entropy, and has half the maps: what it trains is the nearest substitute, not
FusionDN as published.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from mffrepro.losses import ssim_loss
from mffrepro.models.fusiondn import FusionDN
from mffrepro.training.information import entropy, pyramid_energy, shares, vgg_features
from mffrepro.training.pair_recipe import PairRecipe, mean_square


@dataclass(frozen=True, kw_only=True)
class FusionDnRecipe(PairRecipe):
    """Describe a training of FusionDN."""

    name: str = "fusiondn"
    epochs: int = 4
    samples: int = 40_000
    batch: int = 16
    rate: float = 1e-4
    crop: int = 64
    width: int = 48
    gradient_weight: float = 1800.0
    perceptual_weight: float = 4e-5
    features: Literal["vgg16", "pyramid"] = "vgg16"
    entropy_weight: float = 11.0
    energy_weight: float = 4.0  # of the substitute for the rated quality, with features="pyramid"

    def model(self) -> FusionDN:
        """Build FusionDN."""
        return FusionDN(width=self.width)

    def optimiser(self, model: FusionDN) -> torch.optim.Optimizer:
        """Build the optimiser of U2Fusion, by the same authors: the paper prints none."""
        return torch.optim.RMSprop(model.parameters(), lr=self.rate, alpha=0.6, momentum=0.15)

    def losses(self, model: FusionDN, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Compute structure and error against both sources, weighted by entropy."""
        sources = batch["a"], batch["b"]
        fused = model(*sources)
        weights = shares(*(self._score(source) for source in sources))
        each = list(zip(weights, sources, strict=True))
        parts = {
            "ssim": sum((w * ssim_loss(fused, s)).mean() for w, s in each),
            "gradient": sum((w * mean_square(around(fused) - around(s))).mean() for w, s in each),
        }
        total = parts["ssim"] + self.gradient_weight * parts["gradient"]
        if self.features == "vgg16":
            parts["perceptual"] = sum((w * _gap(fused, s)).mean() for w, s in each)
            total = total + self.perceptual_weight * parts["perceptual"]
        return {"total": total, **parts}

    def _score(self, image: Tensor) -> Tensor:
        score = self.entropy_weight * entropy(image)
        return score if self.features == "vgg16" else score + self.energy_weight * pyramid_energy(image)


def around(image: Tensor) -> Tensor:
    """Average the eight neighbours less the pixel, zeros outside."""
    kernel = image.new_full((1, 1, 3, 3), 1 / 8)
    kernel[..., 1, 1] = -1
    return F.conv2d(image, kernel, padding=1)


def _gap(fused: Tensor, source: Tensor) -> Tensor:
    """Mean squared difference of the features of VGG-16 at 224x224 pixels, on 0..255, (B,)."""
    features = [vgg_features(F.interpolate(image, (224, 224))) for image in (fused, source)]
    return torch.stack([mean_square(x - y) for x, y in zip(*features, strict=True)]).mean(0)


PRESETS = {
    "paper": FusionDnRecipe(),
    "practical": FusionDnRecipe(
        epochs=5, samples=160, batch=8, rate=5e-4, schedule="cosine", width=24, features="pyramid", perceptual_weight=0.0
    ),
    "smoke": FusionDnRecipe(epochs=2, samples=8, batch=4, size=64, crop=32, validation=4, width=12, features="pyramid"),
}
