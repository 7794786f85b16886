"""The recipe of the mapping from source sub-bands to fused sub-bands, and of its controls.

The article's training could not be read; this is the reading of A3.14 and A3.16. Photographs are blurred as cnnwt describes, by a
Gaussian of standard deviation 2 cut off to 7x7 and applied one to five times, in one half of a pair each. The target is the
photograph, in the bands that the networks see, and the loss is the mean absolute error.

The larger detail is right at most places, where any correction raises the absolute error: after 400 steps the network for the
details still had the error of the fixed rule. The first epochs therefore minimise the root mean square error, which counts the
large errors most.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from mffrepro.data.synthetic import composite, gaussian_blur
from mffrepro.models.subbands import Bands, Details, Domain, Subbands
from mffrepro.training.pair_recipe import PairRecipe
from mffrepro.training.recipe import Schedule

#: Times that the blur is applied, at most.
LEVELS = 5
#: Standard deviation of a soft outline, pixels; half of the pairs have one.
SOFT = 2.0

#: Keeps the slope of a root finite where there is no error.
TINY = 1e-12


@dataclass(frozen=True, kw_only=True)
class SubbandsRecipe(PairRecipe):
    """Describe a training of the mapping."""

    name: str = "subbands"
    domain: Domain = "wavelet"
    details: Details = "larger"
    width: float = 1.0
    warmup: int = 4  # epochs of root mean square errors, part of all epochs
    epochs: int = 24
    samples: int = 960
    batch: int = 16
    rate: float = 1e-3
    schedule: Schedule = "cosine"
    size: int = 256
    crop: int = 64
    validation: int = 100

    def model(self) -> Subbands:
        """Build the networks of the domain."""
        return Subbands(domain=self.domain, details=self.details, width=self.width)

    def begin_epoch(self, model: Subbands, epoch: int) -> None:
        """Minimise root mean square errors in the first epochs."""
        model.squared = epoch < self.warmup

    def steps(self) -> tuple[int, float]:
        """Halve the rate five times under the schedule ``"step"``."""
        return max(1, self.epochs // 6), 0.5

    def defocus(self, image: np.ndarray, mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Make two crops (2, H, W) with opposite focus.

        The blur level is drawn, and whether the outline is hard or soft.
        """
        level = int(rng.integers(1, LEVELS + 1))
        if rng.random() < 0.5:
            mask = gaussian_blur(mask.astype(np.float32), SOFT)
        return composite(image, mask, 2.0, size=7, level=level)

    def losses(self, model: Subbands, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Compute the mean absolute error of each network's bands; their sum is ``total``.

        In the first epochs ``total`` sums root mean square errors instead.
        ``rule`` is the ``total`` of the fixed rule, and ``high_rule`` and the like are its parts. ``error`` is the error of the
        fused pixels, which can be compared between domains.
        """
        a, b, truth = (model.split(batch[name]) for name in ("a", "b", "original"))
        fused = {name: mapping(a[name], b[name]) for name, mapping in model.mappings.items()}
        parts = absolute_errors(fused, truth)
        with torch.no_grad():
            by_rule = {name: mapping.rule(a[name], b[name]) for name, mapping in model.mappings.items()}
            rules = {f"{name}_rule": error for name, error in absolute_errors(by_rule, truth).items()}
            error = F.l1_loss(model.join(fused), batch["original"])
        total = sum(parts.values())
        if model.squared:
            total = sum((F.mse_loss(band, truth[name]) + TINY).sqrt() for name, band in fused.items())
        return {"total": total, **parts, **rules, "rule": sum(rules.values()), "error": error}


def absolute_errors(fused: Bands, truth: Bands) -> Bands:
    """Compute the mean absolute error of each band."""
    return {name: F.l1_loss(band, truth[name]) for name, band in fused.items()}


PRESETS = {
    "paper": SubbandsRecipe(warmup=1, epochs=60, samples=20_000, batch=32, schedule="step"),
    "practical": SubbandsRecipe(),
    "smoke": SubbandsRecipe(width=0.125, warmup=1, epochs=2, samples=8, batch=4, size=64, crop=32, validation=4),
}
