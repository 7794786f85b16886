"""The recipe of p-CNN: patches with a border between focused and defocused, labelled by their middle.

The schedule is our reading. A patch of a photograph and the same patch, blurred one to five times, are joined along a border: a
straight line along an axis, or a corner. Each pair is shown both ways, which makes twelve masks of six borders. Half a
patch beyond the patch is still a place for a border, so that many patches have none.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from mffrepro.data import LabelledImage
from mffrepro.errors import OptionError
from mffrepro.models.pixel_cnn import CLASSES, PATCH, PixelCNN
from mffrepro.training.patches import PatchPairs
from mffrepro.training.recipe import Recipe, Schedule, Split

FOCUSED, DEFOCUSED, UNKNOWN = range(len(CLASSES))
#: A border nearer than so many pixels to the middle makes it unknown.
NEAR = 2
#: Which side of a row and of a column is focused: 1 after it, -1 before it, 0 both. The rest of the twelve are their opposites.
BORDERS = ((1, 0), (0, 1), (1, 1), (1, -1), (-1, 1), (-1, -1))


def draw_focus(rng: np.random.Generator, side: int = PATCH) -> np.ndarray:
    """Draw which pixels (side, side) of a patch are focused, bool."""
    places = rng.integers(-side // 2, side + side // 2 + 1, size=2)
    sides = BORDERS[rng.integers(len(BORDERS))]
    rows, columns = (
        np.ones(side, bool) if which == 0 else (np.arange(side) >= place) == (which == 1)
        for place, which in zip(places, sides, strict=True)
    )
    return rows[:, None] & columns


def label_of(focused: np.ndarray) -> int:
    """Return the class of the middle of a patch, whose pixels are focused or not."""
    middle = len(focused) // 2
    around = focused[middle - NEAR : middle + NEAR + 1, middle - NEAR : middle + NEAR + 1]
    if around.any() and not around.all():
        return UNKNOWN
    return FOCUSED if around.all() else DEFOCUSED


class FocusPatches(torch.utils.data.Dataset):
    """Join sharp and blurred patches along a border, both ways.

    A sample has ``patch`` (1, 32, 32), its ``label``, and the ``opposite`` patch, focused where the first one is not.

    Args:
        pairs: Sharp and blurred patches of the same places.
    """

    def __init__(self, pairs: PatchPairs) -> None:
        self.pairs = pairs

    def begin_epoch(self, epoch: int) -> None:
        """Set the number of the epoch, which seeds its patches and borders."""
        self.pairs.begin_epoch(epoch)

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> dict[str, Tensor | int]:
        pair = self.pairs[index]
        sharp, blurred = pair["sharp_gray"], pair["blurred_gray"]
        focused = draw_focus(np.random.default_rng((self.pairs.seed, self.pairs.epoch, index, 2)), self.pairs.side)
        mask = torch.from_numpy(focused)
        return {
            "patch": torch.where(mask, sharp, blurred),
            "opposite": torch.where(mask, blurred, sharp),
            "label": label_of(focused),
        }


@dataclass(frozen=True, kw_only=True)
class PixelCnnRecipe(Recipe):
    """Describe a training of p-CNN."""

    name: str = "pixel_cnn"
    width: float = 1.0
    levels: tuple[int, ...] = (1, 2, 3, 4, 5)  # how often the blurred patch is blurred
    variance: float = 25.0  # of the sharp patch, on 0..255
    epochs: int = 10
    samples: int = 100_000  # pairs in an epoch; each is shown both ways
    batch: int = 64  # pairs, so 128 patches
    rate: float = 1e-2
    schedule: Schedule = "step"
    momentum: float = 0.9
    validation: int = 1000

    def __post_init__(self) -> None:
        super().__post_init__()
        if min(self.levels) < 1:
            raise OptionError("levels count how often a patch is blurred; give numbers from 1")

    def model(self) -> PixelCNN:
        """Build p-CNN."""
        return PixelCNN(width=self.width)

    def data(self, regions: Sequence[LabelledImage], *, split: Split, seed: int) -> FocusPatches:
        """Make patches from photographs; their label maps are not asked for."""
        length = self.samples if split == "train" else self.validation
        pairs = PatchPairs(
            regions, self.show, length=length, side=PATCH, patch=PATCH, levels=self.levels, seed=seed,
            variance=self.variance, fixed=split == "val",
        )  # fmt: skip
        return FocusPatches(pairs)

    def show(self, crop: np.ndarray) -> dict[str, np.ndarray]:
        """Turn a crop (32, 32), gray in [0, 1], into the input of the network."""
        return {"gray": crop[None]}

    def optimiser(self, model: PixelCNN) -> torch.optim.Optimizer:
        """Build stochastic gradient descent with momentum."""
        return torch.optim.SGD(model.parameters(), lr=self.rate, momentum=self.momentum)

    def steps(self) -> tuple[int, float]:
        """Divide the rate by ten halfway."""
        return max(1, self.epochs // 2), 0.1

    def losses(self, model: PixelCNN, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Compute the cross-entropy of both ways, and the share of right classes."""
        outputs = model(torch.cat([batch["patch"], batch["opposite"]]))[:, :, 0, 0].float()
        opposite = torch.tensor([DEFOCUSED, FOCUSED, UNKNOWN], device=outputs.device)
        labels = torch.cat([batch["label"], opposite[batch["label"]]])
        return {"total": F.cross_entropy(outputs, labels), "accuracy": (outputs.argmax(1) == labels).float().mean()}


PRESETS = {
    "practical": PixelCnnRecipe(width=0.5, epochs=12, samples=8000, schedule="cosine"),
    "smoke": PixelCnnRecipe(width=0.125, epochs=2, samples=32, batch=16, validation=16),
}
