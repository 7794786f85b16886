"""The recipe of SESF-Fuse: an autoencoder of single photographs, no pairs.

``paper`` is the authors' code: 30 epochs, 48 in a batch, the rate falling to four fifths every other epoch.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from mffrepro.losses import ssim_loss
from mffrepro.models.sesf import SESF, normalise
from mffrepro.training.pair_recipe import PairRecipe
from mffrepro.training.recipe import Schedule


@dataclass(frozen=True, kw_only=True)
class SesfRecipe(PairRecipe):
    """Describe a training of SESF-Fuse."""

    name: str = "sesf"
    epochs: int = 30
    samples: int = 82_783  # photographs of MS COCO 2014
    batch: int = 48
    rate: float = 1e-4
    schedule: Schedule = "step"
    size: int = 256
    crop: int = 256
    ssim_weight: float = 1000.0

    def model(self) -> SESF:
        """Build SESF-Fuse."""
        return SESF()

    def losses(self, model: SESF, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Add the Euclidean distance over the batch and the structural dissimilarity.

        Both are on normalised images, as in the authors' code.
        """
        image = normalise(batch["original"])
        again = model(image)
        distance = (again - image).square().sum().sqrt()
        structure = ssim_loss(again, image, side=5, pad=True).mean()
        with torch.no_grad():
            error = (again - image).abs().mean()
        return {"total": distance + self.ssim_weight * structure, "distance": distance, "ssim": structure, "error": error}


PRESETS = {
    "paper": SesfRecipe(),
    "practical": SesfRecipe(epochs=10, samples=240, batch=8, rate=2e-3, schedule="cosine", size=192, crop=96),
    "smoke": SesfRecipe(epochs=2, samples=8, batch=4, size=64, crop=32, validation=4),
}
