"""The recipe of cnn_fuse: patch pairs at five levels of blur, stochastic gradient descent with momentum.

``paper`` is the schedule of Liu et al.: two million examples, ten epochs, the rate divided by ten once. ``practical`` has a
quarter of the maps, a rate a hundred times as high since it has few samples, and patches with their surroundings.
"""

from dataclasses import dataclass
from typing import Literal

from mffrepro.models.cnn_fuse import CnnFuse
from mffrepro.models.siamese_ablation import KINDS
from mffrepro.training.patches import PatchRecipe


@dataclass(frozen=True, kw_only=True)
class CnnFuseRecipe(PatchRecipe):
    """Describe a training of CNN-Fuse."""

    name: str = "cnn_fuse"
    hidden: int = 256
    kind: Literal["siamese", "pseudo-siamese", "2-channel"] = "siamese"  # C3.4
    samples: int = 1_000_000

    def model(self) -> CnnFuse:
        """Build the chosen kind of classifier."""
        return KINDS[self.kind](width=self.width, hidden=self.hidden, patch=self.patch, border=self.border)


PRESETS = {
    "paper": CnnFuseRecipe(validation=10_000),
    "practical": CnnFuseRecipe(width=0.25, hidden=32, border="context", rate=0.01, schedule="cosine", epochs=10, samples=8000),
    "smoke": CnnFuseRecipe(width=0.0625, hidden=4, epochs=2, samples=32, batch=16, validation=16, rate=0.01),
}
