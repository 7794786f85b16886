"""The surrogate source task: a slim VGG-19 learns to tell twelve kinds of procedural texture apart.

ImageNet's weights are for the full width and cannot be fetched everywhere. To test on any machine whether transfer helps, the
slim VGG-19 is first trained on a classification of its own: as in the papers, pictures of one class each, nothing about focus.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from mffrepro.data.regions import LabelledImage
from mffrepro.data.textures import KINDS, texture
from mffrepro.errors import OptionError
from mffrepro.models.transfer import SLIM
from mffrepro.models.vgg import VGG19
from mffrepro.training.recipe import Recipe, Schedule, Split


@dataclass(frozen=True, kw_only=True)
class VggRecipe(Recipe):
    """Describe the training of the source task."""

    name: str = "vgg19"
    width: float = SLIM
    pool: Literal["avg", "max"] = "avg"  # the "improved VGG-19" of tlcnn
    norm: Literal["convolutions", "blocks"] = "convolutions"  # A0.27
    side: int = 64
    epochs: int = 36
    samples: int = 3200
    validation: int = 480
    batch: int = 32
    rate: float = 2e-3
    schedule: Schedule = "cosine"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.side < 32:
            raise OptionError(f"side is {self.side}; five poolings need at least 32 pixels")

    def model(self) -> VGG19:
        """Build the classifier of textures."""
        return VGG19(self.width, classes=len(KINDS), pool=self.pool, norm=self.norm)

    def data(self, regions: Sequence[LabelledImage], *, split: Split, seed: int) -> "Textures":
        """Draw textures; no photographs are needed."""
        return Textures(self.side, self.samples if split == "train" else self.validation, seed)

    def optimiser(self, model: VGG19) -> torch.optim.Optimizer:
        """Build AdamW."""
        return torch.optim.AdamW(model.parameters(), lr=self.rate, weight_decay=1e-2)

    def losses(self, model: VGG19, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Compute the cross-entropy and the accuracy."""
        logits, kind = model(batch["image"]).float(), batch["kind"]
        return {"total": F.cross_entropy(logits, kind), "accuracy": (logits.argmax(1) == kind).float().mean()}


class Textures(torch.utils.data.Dataset):
    """Draw textures, the kinds in turn; every epoch has new ones."""

    def __init__(self, side: int, length: int, seed: int) -> None:
        self.side, self.length, self.seed, self.epoch = side, length, seed, 0

    def begin_epoch(self, epoch: int) -> None:
        """Set the number of the epoch, which seeds its textures."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        kind = index % len(KINDS)
        drawn = texture(kind, self.side, np.random.default_rng((self.seed, self.epoch, index)))
        return {"image": torch.from_numpy(drawn.transpose(2, 0, 1).copy()), "kind": torch.tensor(kind)}


PRESETS = {
    "paper": VggRecipe(width=1.0, side=224, epochs=90, samples=50_000, validation=5000),  # for those who cannot fetch ImageNet's
    "practical": VggRecipe(),
    "smoke": VggRecipe(epochs=2, samples=24, validation=12, batch=12),
}
