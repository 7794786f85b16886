"""The recipe of IFCNN: supervised, towards the photograph that the pair was made of.

The authors publish no training code, and their first layer and their perceptual loss come from a ResNet-101 trained on ImageNet.
The nearest substitute without it: the first layer is learned too, and the loss is their basic one, the squared error, with the
structure lost in the place of the perceptual loss. Brightness has to pass through the normalisation, and the statistics of a
small batch jitter: without them (``"fixed"``) the error after 120 steps was a quarter of that with them (``"batch"``).
"""

from dataclasses import dataclass
from typing import ClassVar, Literal

from torch import Tensor
from torch.nn import functional as F

from mffrepro.losses import ssim_loss
from mffrepro.models.ifcnn import IFCNN, Rule
from mffrepro.training.pair_recipe import PairRecipe, fix_statistics
from mffrepro.training.recipe import Schedule


@dataclass(frozen=True, kw_only=True)
class IfcnnRecipe(PairRecipe):
    """Describe a training of IFCNN."""

    name: str = "ifcnn"
    epochs: int = 30
    samples: int = 480
    batch: int = 16
    rate: float = 2e-3
    schedule: Schedule = "cosine"
    crop: int = 40
    fusion: Rule = "max"
    ssim_weight: float = 0.05
    statistics: Literal["fixed", "batch"] = "fixed"

    colour: ClassVar[bool] = True

    def model(self) -> IFCNN:
        """Build IFCNN for the rule."""
        return IFCNN(fusion=self.fusion)

    def losses(self, model: IFCNN, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Add the squared error and the structural dissimilarity with the photograph."""
        if self.statistics == "fixed":
            fix_statistics(model)
        fused = model(batch["a"], batch["b"])
        error = F.mse_loss(fused, batch["original"])
        structure = ssim_loss(fused, batch["original"]).mean()
        return {"total": error + self.ssim_weight * structure, "mse": error, "ssim": structure}


PRESETS = {"practical": IfcnnRecipe(), "smoke": IfcnnRecipe(epochs=2, samples=8, batch=4, size=64, crop=32, validation=4)}
