"""The recipe of DenseFuse: an autoencoder of single photographs, no pairs.

``paper`` is the authors' PyTorch code, but for its multi-scale similarity: ours has one scale, as the paper's Eq. 2 to 4 do.
"""

from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional as F

from mffrepro.losses import ssim_loss
from mffrepro.models.densefuse import DenseFuse
from mffrepro.training.pair_recipe import PairRecipe


@dataclass(frozen=True, kw_only=True)
class DenseFuseRecipe(PairRecipe):
    """Describe a training of DenseFuse."""

    name: str = "densefuse"
    epochs: int = 4
    samples: int = 40_000  # photographs of MS COCO 2014
    batch: int = 4
    rate: float = 1e-4
    size: int = 256
    crop: int = 256
    ssim_weight: float = 100.0

    def model(self) -> DenseFuse:
        """Build DenseFuse."""
        return DenseFuse()

    def losses(self, model: DenseFuse, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Add the squared error on 0..255 and the structural dissimilarity."""
        image = batch["original"]
        again = model(image)
        error = 255**2 * F.mse_loss(again, image)
        structure = ssim_loss(again, image).mean()
        return {"total": error + self.ssim_weight * structure, "mse": error, "ssim": structure}


PRESETS = {
    "paper": DenseFuseRecipe(),
    "practical": DenseFuseRecipe(epochs=10, samples=240, batch=4, rate=1e-3, schedule="cosine", size=192, crop=96),
    "smoke": DenseFuseRecipe(epochs=2, samples=8, batch=4, size=64, crop=32, validation=4),
}
