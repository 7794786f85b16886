"""The recipe of GCF: the larger gradient and few regions, without labels.

``paper`` has the authors' schedule and patches; which photographs they cut them from is not known. They lower the rate with every
step, here it falls with every epoch, and they clip weights at 30, which ours stay far below.

``practical`` gives the regions a fiftieth of the weight. Their count is a sum over pixels and the distance a mean, so that with
the authors' weight a border pulls over ten times as strongly at a pixel as its gradient does. In three epochs of 640 crops all
shares became one half with it (49 % of the pixels right); with a fiftieth, 88 % were right. Each was trained once.

RMSProp is that of PyTorch, which starts its mean square at 0 and adds eps behind the root; TensorFlow's starts at 1 and adds it
inside.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from mffrepro.errors import OptionError
from mffrepro.losses.regions import larger_gradient, region_starts, step
from mffrepro.models.gcf import MaskNet
from mffrepro.training.pair_recipe import PairRecipe
from mffrepro.training.recipe import Schedule


@dataclass(frozen=True, kw_only=True)
class GcfRecipe(PairRecipe):
    """Describe a training of GCF.

    Attributes:
        width: Factor on the maps of all layers.
        region_weight: Weight of the regions beside the squared distance to the larger gradient.
        second: Weight of the regions of the second image beside those of the first.
        threshold: See `mffrepro.losses.regions.region_starts`. The authors' 0.9 counts nothing and punishes borders; 0.7 counts.
    """

    name: str = "gcf"
    size: int = 160
    crop: int = 106
    epochs: int = 7
    samples: int = 16_000
    batch: int = 16
    rate: float = 3e-3
    schedule: Schedule = "step"
    width: float = 1.0
    region_weight: float = 5e-3
    second: float = 0.8
    threshold: float = 0.9

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require_positive("width")
        if self.region_weight < 0 or self.second < 0:
            raise OptionError(f"region_weight is {self.region_weight:g} and second {self.second:g}; use numbers of at least 0")
        if not 0 < self.threshold < 1:
            raise OptionError(f"threshold is {self.threshold:g}; use a number between 0 and 1")

    def model(self) -> MaskNet:
        """Build the network with its initial weights."""
        return MaskNet(width=self.width)

    def optimiser(self, model: MaskNet) -> torch.optim.Optimizer:
        """Build the optimiser of the authors."""
        return torch.optim.RMSprop(model.parameters(), lr=self.rate, alpha=0.9, eps=1e-10)

    def steps(self) -> tuple[int, float]:
        """Take three quarters of the rate after every epoch."""
        return 1, 0.75

    def losses(self, model: MaskNet, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Compute the distance to the larger gradient and the regions.

        The label only serves the accuracy of the log.
        """
        share = model(batch["a"], batch["b"]).float()
        gradient = F.mse_loss(share, larger_gradient(batch["a"], batch["b"]))
        mask = step(share - 0.5)
        starts = (region_starts(mask, self.threshold) + self.second * region_starts(1 - mask, self.threshold)).mean()
        right = ((share > 0.5) == (batch["mask"] > 0.5)).float().mean()
        return {
            "total": gradient + self.region_weight * starts, "gradient": gradient.detach(), "regions": starts.detach(),
            "accuracy": right,
        }  # fmt: skip


PRESETS = {
    "paper": GcfRecipe(),
    "practical": GcfRecipe(width=0.5, samples=640, region_weight=1e-4),
    "smoke": GcfRecipe(width=0.125, epochs=2, samples=8, batch=4, size=48, crop=32, validation=4),
}
