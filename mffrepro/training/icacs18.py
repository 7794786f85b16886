"""The recipe of icacs18: 20 000 labelled patch pairs, stochastic gradient descent with momentum.

``paper`` is what is printed, and a guess where nothing is: batch, epochs and the step of the schedule (A2.11). Its 20 000 pairs
are 10 000 places in both orders, drawn once (A2.20). At a rate of 1e-6 it hardly leaves its initial weights. ``practical``
has a rate that learns, half the maps, patches with their surroundings, and draws them anew in every epoch.
"""

from dataclasses import dataclass
from typing import Literal

from mffrepro.models.icacs18 import Icacs18
from mffrepro.models.siamese import Pool
from mffrepro.training.patches import PatchRecipe


@dataclass(frozen=True, kw_only=True)
class Icacs18Recipe(PatchRecipe):
    """Describe a training of the ICACS '18 network."""

    name: str = "icacs18"
    pool: Pool = "max"  # A2.1
    poolings: int = 3  # A2.7
    rate: float = 1e-6
    gamma: float = 0.5
    every: int = 4
    biases: Literal["same", "caffe"] = "caffe"

    def model(self) -> Icacs18:
        """Build the classifier."""
        return Icacs18(width=self.width, patch=self.patch, pool=self.pool, border=self.border, poolings=self.poolings)


PRESETS = {
    "paper": Icacs18Recipe(fixed=True),
    "practical": Icacs18Recipe(
        width=0.5, border="context", rate=0.01, schedule="cosine", epochs=6, samples=8000, validation=2000
    ),
    "smoke": Icacs18Recipe(width=0.0625, epochs=2, samples=32, batch=16, validation=16, rate=0.01),
}
