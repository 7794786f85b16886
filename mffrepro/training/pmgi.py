"""The recipe of PMGI: intensities and Laplacians of both sources in fixed proportions; no pairs need to be told apart.

``paper`` is the authors' code: Adam, 15 epochs of patches of 60 pixels, 32 in a batch. What they publish are the weights
after the second epoch.
"""

from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional as F

from mffrepro.models.pmgi import PMGI
from mffrepro.training.pair_recipe import PairRecipe, laplacian


@dataclass(frozen=True, kw_only=True)
class PmgiRecipe(PairRecipe):
    """Describe a training of PMGI."""

    name: str = "pmgi"
    epochs: int = 15
    samples: int = 40_000
    batch: int = 32
    rate: float = 1e-4
    crop: int = 60
    intensity_weight: float = 2.0
    gradient_weight: float = 3.0

    def model(self) -> PMGI:
        """Build PMGI."""
        return PMGI()

    def losses(self, model: PMGI, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Compare intensities and gradients on images in [-1, 1], hence the factor of 2."""
        a, b = batch["a"], batch["b"]
        fused = model(a, b)
        intensity = sum(F.mse_loss(2 * fused, 2 * source) for source in (a, b))
        gradient = sum(F.mse_loss(2 * laplacian(fused), 2 * laplacian(source)) for source in (a, b))
        total = 100 * (self.intensity_weight * intensity + self.gradient_weight * gradient)
        return {"total": total, "intensity": intensity, "gradient": gradient}


PRESETS = {
    "paper": PmgiRecipe(),
    "practical": PmgiRecipe(epochs=6, samples=320, batch=16, rate=2e-3, schedule="cosine"),
    "smoke": PmgiRecipe(epochs=2, samples=8, batch=4, size=64, crop=32, validation=4),
}
