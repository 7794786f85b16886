"""The recipe of DeepFuse: similarity to the patches with the largest contrast, no labels.

The authors' program cannot train. ``paper`` has what its comments say: Adam at 1e-3, 100 epochs, 50 patches of 77 pixels in a
batch, one hundred times the dissimilarity as loss. The windows and weights of the similarity are our reading.
"""

from dataclasses import dataclass

from torch import Tensor

from mffrepro.losses import exposure_loss
from mffrepro.models.deepfuse import DeepFuse
from mffrepro.training.pair_recipe import PairRecipe


@dataclass(frozen=True, kw_only=True)
class DeepFuseRecipe(PairRecipe):
    """Describe a training of DeepFuse."""

    name: str = "deepfuse"
    epochs: int = 100
    samples: int = 30_000
    batch: int = 50
    rate: float = 1e-3
    crop: int = 77

    def model(self) -> DeepFuse:
        """Build DeepFuse."""
        return DeepFuse()

    def losses(self, model: DeepFuse, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Compute one hundred times the dissimilarity of the stretched output."""
        sources = batch["a"], batch["b"]
        fused = model(*sources).float()
        low, high = fused.amin((1, 2, 3), keepdim=True), fused.amax((1, 2, 3), keepdim=True)
        loss = exposure_loss(sources, (fused - low) / (high - low).clamp_min(1e-6))
        return {"total": 100 * loss, "similarity": 1 - loss.detach()}


PRESETS = {
    "paper": DeepFuseRecipe(),
    "practical": DeepFuseRecipe(epochs=8, samples=320, batch=16, schedule="cosine", crop=64),
    "smoke": DeepFuseRecipe(epochs=2, samples=8, batch=4, size=64, crop=32, validation=4),
}
