"""The recipe of DIF-Net: the mean of the sources in intensity, the sum of their structure tensors in contrast; no labels.

No schedule of the authors is known. The weight of the tensors is that with which the loss alone, minimised over the pixels of a
pair without any network, gives about the contrast of the photograph: on one embedded pair its spatial frequency was 24.6 with a
weight of 10, 26.8 with 100 and 27.2 with 1000, that of the photograph 27.1, and that of the mean 15.1. A larger weight moved
gray levels and gained no contrast.

Brightness has to pass through the normalisation, and the statistics of a small batch jitter: with fixed ones (``"fixed"``) the
loss after 170 steps was a ninth of that with them (``"batch"``).
"""

from dataclasses import dataclass
from typing import Literal

from torch import Tensor
from torch.nn import functional as F

from mffrepro.losses import tensor_loss
from mffrepro.models.difnet import DIFNet
from mffrepro.training.pair_recipe import PairRecipe, fix_statistics
from mffrepro.training.recipe import Schedule


@dataclass(frozen=True, kw_only=True)
class DifnetRecipe(PairRecipe):
    """Describe a training of DIF-Net."""

    name: str = "difnet"
    epochs: int = 16
    samples: int = 640
    batch: int = 8
    rate: float = 2e-3
    schedule: Schedule = "cosine"
    crop: int = 64
    shared: bool = False
    tensor_weight: float = 100.0
    statistics: Literal["fixed", "batch"] = "fixed"

    def model(self) -> DIFNet:
        """Build DIF-Net."""
        return DIFNet(shared=self.shared)

    def losses(self, model: DIFNet, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Compare intensity with the mean of the sources, and contrast with their sum."""
        if self.statistics == "fixed":
            fix_statistics(model)
        a, b = batch["a"], batch["b"]
        fused = model(a, b).float()
        intensity = F.mse_loss(fused, (a + b) / 2)
        contrast = tensor_loss((a, b), fused, gradient="forward", squared=True)
        return {"total": intensity + self.tensor_weight * contrast, "intensity": intensity, "contrast": contrast}


PRESETS = {"practical": DifnetRecipe(), "smoke": DifnetRecipe(epochs=2, samples=8, batch=4, size=64, crop=32, validation=4)}
