"""The recipe of LightMFF: maps against masks, weighted by focal loss, and their overlap.

``paper`` has the authors' schedule, loss and Gaussian kernels. They train on salient objects of another data set, which are cut
out; here the masks are joined regions of labelled photographs.
"""

from dataclasses import dataclass
from typing import ClassVar

import cv2
import numpy as np
import torch
from torch import Tensor

from mffrepro.losses import dice_loss, focal_loss
from mffrepro.models.lightmff import SIDE, LightMFF
from mffrepro.training.pair_recipe import PairRecipe
from mffrepro.training.recipe import Schedule

#: Sides of the Gaussian kernels; OpenCV derives the standard deviation from the side.
KERNELS = tuple(range(3, 22, 2))


@dataclass(frozen=True, kw_only=True)
class LightMffRecipe(PairRecipe):
    """Describe a training of LightMFF.

    Attributes:
        focal_weight: Weight of the focal loss beside the Dice loss.
        alpha: Its weight of pixels that the first image has in focus.
    """

    name: str = "lightmff"
    size: int = SIDE
    crop: int = SIDE
    epochs: int = 200
    samples: int = 10_544
    validation: int = 5008
    batch: int = 32
    rate: float = 1e-3
    schedule: Schedule = "cosine"
    focal_weight: float = 15.0
    alpha: float = 0.25

    colour: ClassVar[bool] = True

    def model(self) -> LightMFF:
        """Build the network with its initial weights."""
        return LightMFF()

    def optimiser(self, model: LightMFF) -> torch.optim.Optimizer:
        """Build the optimiser of the authors."""
        return torch.optim.AdamW(model.parameters(), lr=self.rate)

    def defocus(self, image: np.ndarray, mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Blend a photograph and its blurred copy by the mask, and the other way round."""
        side = int(rng.choice(KERNELS))
        blurred, share = cv2.GaussianBlur(image, (side, side), 0), mask[..., None].astype(np.float32)
        return np.stack([share * image + (1 - share) * blurred, share * blurred + (1 - share) * image])

    def losses(self, model: LightMFF, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Compute both losses of the map."""
        map_ = torch.sigmoid(model(batch["a"], batch["b"]).float())
        focal = focal_loss(map_, batch["mask"], alpha=self.alpha)
        dice = dice_loss(map_, batch["mask"])
        right = ((map_ > 0.5) == (batch["mask"] > 0.5)).float().mean()
        return {"total": self.focal_weight * focal + dice, "focal": focal.detach(), "dice": dice.detach(), "accuracy": right}


PRESETS = {
    "paper": LightMffRecipe(),
    "practical": LightMffRecipe(epochs=24, samples=600, validation=100, batch=12, rate=2e-3),
    "smoke": LightMffRecipe(epochs=2, samples=8, batch=4, size=64, crop=32, validation=4),
}
