"""The recipe of the U-Net: absolute error and structural similarity with the photograph; no schedule of the authors is known."""

from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional as F

from mffrepro.errors import OptionError
from mffrepro.losses import ssim_loss
from mffrepro.models.unet import UNet
from mffrepro.training.pair_recipe import PairRecipe
from mffrepro.training.recipe import Schedule


@dataclass(frozen=True, kw_only=True)
class UnetRecipe(PairRecipe):
    """Describe a training of the U-Net.

    Attributes:
        ssim_weight: Weight of the lost similarity beside the absolute error.
    """

    name: str = "unet"
    epochs: int = 16
    samples: int = 640
    batch: int = 8
    rate: float = 1e-3
    schedule: Schedule = "cosine"
    ssim_weight: float = 0.2

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.ssim_weight < 0:
            raise OptionError(f"ssim_weight is {self.ssim_weight:g}; use a number of at least 0")

    def model(self) -> UNet:
        """Build the U-Net."""
        return UNet()

    def losses(self, model: UNet, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Add the absolute error and the structural dissimilarity with the photograph."""
        fused = model(batch["a"], batch["b"]).float()
        error = F.l1_loss(fused, batch["original"])
        structure = ssim_loss(fused, batch["original"]).mean()
        return {"total": error + self.ssim_weight * structure, "l1": error, "ssim": structure}


PRESETS = {"practical": UnetRecipe(), "smoke": UnetRecipe(epochs=2, samples=8, batch=4, size=64, crop=32, validation=4)}
