"""The options that every recipe has, and the checks, the optimiser and the schedule that follow from them."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.optim import lr_scheduler

from mffrepro.data.regions import LabelledImage
from mffrepro.errors import OptionError

Split = Literal["train", "val"]
Schedule = Literal["constant", "step", "cosine"]


@dataclass(frozen=True, kw_only=True)
class Recipe(ABC):
    """Describe one training: network, data, loss, optimiser and schedule.

    Every field can be set from the command line with ``--set name=value``.

    Attributes:
        name: Network that the recipe trains.
        epochs: Passes over the training samples.
        samples: Training samples in an epoch.
        validation: Validation samples.
        batch: Samples in a batch.
        rate: Learning rate of the first epoch.
        schedule: ``"constant"``; ``"step"``: see `steps`; or ``"cosine"``, which falls from `rate` to 0 over all epochs.
    """

    name: str
    epochs: int
    samples: int
    validation: int
    batch: int
    rate: float
    schedule: Schedule = "constant"

    def __post_init__(self) -> None:
        self.require_positive("epochs", "samples", "validation", "batch", "rate")
        if self.batch > self.samples:
            raise OptionError(f"batch is {self.batch} and samples {self.samples}; an epoch needs at least one batch")

    def require_positive(self, *names: str) -> None:
        """Raise OptionError for the first of these fields that is not over 0."""
        for name in names:
            if not getattr(self, name) > 0:
                raise OptionError(f"{name} is {getattr(self, name)}; use a number over 0")

    def require_crop(self, multiple: int = 1) -> None:
        """Raise OptionError unless `crop` is a multiple that fits into `size`."""
        if not 0 < self.crop <= self.size or self.crop % multiple:
            what = "a crop" if multiple == 1 else f"a multiple of {multiple}"
            raise OptionError(f"crop is {self.crop} and size {self.size}; give {what} that fits into the size")

    @abstractmethod
    def model(self) -> nn.Module:
        """Build the network with its initial weights."""

    @abstractmethod
    def data(self, regions: Sequence[LabelledImage], *, split: Split, seed: int) -> torch.utils.data.Dataset:
        """Make the samples of one split from its labelled photographs."""

    @abstractmethod
    def losses(self, model: nn.Module, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Compute the loss to minimise, ``total``, and other columns of the log."""

    def optimiser(self, model: nn.Module) -> torch.optim.Optimizer:
        """Build the optimiser, whose rates are those of the first epoch."""
        return torch.optim.Adam(model.parameters(), lr=self.rate)

    def scheduler(self, optimiser: torch.optim.Optimizer) -> lr_scheduler.LRScheduler:
        """Build the schedule of the learning rate, which takes a step after each epoch."""
        if self.schedule == "cosine":
            return lr_scheduler.CosineAnnealingLR(optimiser, T_max=self.epochs)
        every, factor = self.steps() if self.schedule == "step" else (self.epochs, 1.0)
        return lr_scheduler.StepLR(optimiser, step_size=every, gamma=factor)

    def steps(self) -> tuple[int, float]:
        """Return the epochs between two steps of the schedule, and the factor of a step.

        They count under the schedule ``"step"``.
        """
        return 2, 0.8

    def begin_epoch(self, model: nn.Module, epoch: int) -> None:  # noqa: B027 - most recipes change nothing
        """Change the network before an epoch.

        The epoch after the last is that in which the network will be used.
        """
