"""The recipe of DRPL: maps against masks and against each other, fused images against photographs.

The paper names the losses; their weights are ours, chosen so that each is about as large as the others early in the training.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from mffrepro.losses import ssim_loss
from mffrepro.losses.gradient import sobel
from mffrepro.models.drpl import DRPL
from mffrepro.training.pair_recipe import PairRecipe
from mffrepro.training.recipe import Schedule


@dataclass(frozen=True, kw_only=True)
class DrplRecipe(PairRecipe):
    """Describe a training of DRPL."""

    name: str = "drpl"
    epochs: int = 14
    samples: int = 240
    batch: int = 8
    rate: float = 2e-3
    schedule: Schedule = "cosine"
    crop: int = 96
    width: int = 24
    pair_weight: float = 1.0
    gradient_weight: float = 1.0
    ssim_weight: float = 1.0

    def model(self) -> DRPL:
        """Build DRPL."""
        return DRPL(width=self.width)

    def losses(self, model: DRPL, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Compute the losses of the map, of the pair, of gradients and structure."""
        a, b, original, mask = (batch[name] for name in ("a", "b", "original", "mask"))
        logits = torch.cat([model(a, b), model(b, a)]).float()
        one, other = torch.sigmoid(logits).chunk(2)
        fused = one * a + other * b
        parts = {
            "mask": F.binary_cross_entropy_with_logits(logits, torch.cat([mask, 1 - mask])),
            "pair": (one + other - 1).square().mean(),
            "gradient": sum(F.l1_loss(x, y) for x, y in zip(sobel(fused), sobel(original), strict=True)),
            "ssim": ssim_loss(fused, original).mean(),
        }
        weights = {"mask": 1.0, "pair": self.pair_weight, "gradient": self.gradient_weight, "ssim": self.ssim_weight}
        with torch.no_grad():
            right = ((one > other) == (mask > 0.5)).float().mean()
        return {"total": sum(weights[name] * part for name, part in parts.items()), **parts, "accuracy": right}


PRESETS = {"practical": DrplRecipe(), "smoke": DrplRecipe(epochs=2, samples=8, batch=4, size=64, crop=32, validation=4, width=8)}
