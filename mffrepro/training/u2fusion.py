"""The recipe of U2Fusion: stay near both sources, the nearer to the one with more information.

``paper`` is the authors' code for multi-focus images, the last of their three tasks; their script sets the weight of the term
that remembers the other two to 0. It needs a VGG-16. ``practical`` rates the sources by their own gradients instead
(`information`) and has half the maps: what it trains is the nearest substitute, not U2Fusion as published.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from mffrepro.losses import ssim_loss
from mffrepro.models.u2fusion import U2Fusion
from mffrepro.training.information import pyramid_energy, shares, vgg_energy
from mffrepro.training.pair_recipe import PairRecipe, mean_square


@dataclass(frozen=True, kw_only=True)
class U2FusionRecipe(PairRecipe):
    """Describe a training of U2Fusion."""

    name: str = "u2fusion"
    epochs: int = 2
    samples: int = 40_000
    batch: int = 18
    rate: float = 1e-4
    crop: int = 64
    width: int = 44
    mse_weight: float = 20.0
    features: Literal["vgg16", "pyramid"] = "vgg16"
    temperature: float = 100.0  # c of the paper, which the scores are divided by before the softmax

    def model(self) -> U2Fusion:
        """Build U2Fusion."""
        return U2Fusion(width=self.width)

    def optimiser(self, model: U2Fusion) -> torch.optim.Optimizer:
        """Build RMSprop as in the authors' code."""
        return torch.optim.RMSprop(model.parameters(), lr=self.rate, alpha=0.6, momentum=0.15)

    def losses(self, model: U2Fusion, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Compute structure and error against both sources, weighted by information."""
        sources = batch["a"], batch["b"]
        fused = model(*sources)
        score = vgg_energy if self.features == "vgg16" else pyramid_energy
        weights = shares(*(score(source) / self.temperature for source in sources))
        structure = sum((w * ssim_loss(fused, s)).mean() for w, s in zip(weights, sources, strict=True))
        error = sum((w * mean_square(fused - s)).mean() for w, s in zip(weights, sources, strict=True))
        return {"total": structure + self.mse_weight * error, "ssim": structure, "mse": error}


PRACTICAL = U2FusionRecipe(
    epochs=12, samples=192, batch=12, rate=5e-4, schedule="cosine", width=22, features="pyramid", temperature=0.25
)
PRESETS = {
    "paper": U2FusionRecipe(),
    "practical": PRACTICAL,
    "smoke": U2FusionRecipe(
        epochs=2, samples=8, batch=4, size=64, crop=32, validation=4, width=11, features="pyramid", temperature=0.25
    ),
}
