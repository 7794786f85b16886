"""The recipe of cnnwt in its wavelet mode: both networks learn side by side, from the bands of the same patches.

A patch of 16x16 coefficients is 32x32 pixels wide, or 16x16 in the low band of the dual tree, which is not decimated. All
else is as for cnn_fuse, whose network this is; the paper prints no other training.
"""

from dataclasses import dataclass

import numpy as np
from torch import Tensor, nn

from mffrepro.models.cnnwt import Cnnwt, Transform, see_high, see_low, split
from mffrepro.training.patches import PatchRecipe, both_orders

#: Coefficients at the border of a crop that are left out: the filters of the transform look over the border there.
TRIM = 2


@dataclass(frozen=True, kw_only=True)
class CnnwtRecipe(PatchRecipe):
    """Describe a training of the wavelet networks."""

    name: str = "cnnwt"
    transform: Transform = "dwt"
    hidden: int = 256
    samples: int = 1_000_000

    def model(self) -> Cnnwt:
        """Build both networks for the transform."""
        return Cnnwt(transform=self.transform, width=self.width, hidden=self.hidden, border=self.border)

    def crop_side(self) -> int:
        """Measure the side of the pixels that a patch of coefficients needs."""
        return 2 * (self.patch + 2 * self.model().high.halo + 2 * TRIM)

    def show(self, crop: np.ndarray) -> dict[str, np.ndarray]:
        """Transform a crop and cut both bands to a patch and its surroundings.

        The bands are (C, side, side), as the networks see them.
        """
        low, high = split(crop, self.transform)
        shown = {"low": see_low(low, self.transform)[None], "high": np.moveaxis(see_high(high, self.transform), -1, 0)}
        side = len(crop) // 2 - 2 * TRIM
        return {name: _centre(bands, side) for name, bands in shown.items()}

    def classifiers(self, model: Cnnwt) -> dict[str, nn.Module]:
        """Return the network of the low band and that of the details."""
        return {"low": model.low, "high": model.high}

    def losses(self, model: Cnnwt, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Compute the losses of both networks and their accuracies."""
        parts = {}
        for band, network in self.classifiers(model).items():
            parts[band], parts[f"{band}_accuracy"] = both_orders(network, batch[f"sharp_{band}"], batch[f"blurred_{band}"])
        return {"total": parts["low"] + parts["high"], **parts}


def _centre(bands: np.ndarray, side: int) -> np.ndarray:
    top, left = ((length - side) // 2 for length in bands.shape[1:])
    return bands[:, top : top + side, left : left + side]


PRESETS = {
    "paper": CnnwtRecipe(validation=10_000),
    "practical": CnnwtRecipe(
        width=0.25, hidden=32, border="context", rate=0.01, schedule="cosine", samples=16_000, validation=2000
    ),
    "smoke": CnnwtRecipe(width=0.0625, hidden=4, epochs=2, samples=32, batch=16, validation=16, rate=0.01),
}
