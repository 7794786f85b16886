"""The recipe of StackMFF-V2: what it trains on, by which loss, how long.

The authors train 50 epochs on photographs whose depth another network estimates, blurred by 8 to 24 Gaussians without occlusion.
``paper`` keeps their schedule, loss and numbers of frames. What differs: the depth is drawn from the regions of labelled
photographs, and a lens blurs near things over far ones. ``practical`` has shorter stacks of smaller pictures.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mffrepro.data.labelled import LabelledImage, crop_square
from mffrepro.data.layered import draw_disparity, take_stack
from mffrepro.errors import OptionError
from mffrepro.models.stackmff import StackMFF, stretched
from mffrepro.models.stackmff.network import STEP
from mffrepro.training.pairs import FocusPairs, Sample
from mffrepro.training.recipe import Recipe, Schedule, Split

#: Largest standard deviation of the noise of the frames; half of the stacks have none.
NOISE = 0.02


@dataclass(frozen=True, kw_only=True)
class StackMffRecipe(Recipe):
    """Describe a training of StackMFF-V2."""

    name: str = "stackmff"
    frames: tuple[int, ...] = (8, 12, 16, 20, 24)  # of a stack; one number is drawn for each batch
    step: tuple[float, float] = (0.6, 2.0)  # radius of the blur from frame to frame, pixels, is drawn between
    size: int = 512
    crop: int = 384
    epochs: int = 50
    samples: int = 4000
    validation: int = 200
    batch: int = 12
    rate: float = 1e-3
    schedule: Schedule = "step"

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require_crop(STEP)
        if not self.frames or min(self.frames) < 2:
            raise OptionError(f"frames is {self.frames}; give numbers of at least 2")
        if not 0 < self.step[0] <= self.step[1]:
            raise OptionError(f"step is {self.step}; give the smallest and the largest radius, over 0")

    def model(self) -> StackMFF:
        """Build the network with its initial weights."""
        return StackMFF()

    def data(self, regions: Sequence[LabelledImage], *, split: Split, seed: int) -> "FocusStacks":
        """Make focal stacks of drawn scenes."""
        return FocusStacks(regions, self, length=self.samples if split == "train" else self.validation, seed=seed)

    def steps(self) -> tuple[int, float]:
        """Return the schedule of the authors."""
        return 1, 0.9

    def optimiser(self, model: StackMFF) -> torch.optim.Optimizer:
        """Build the optimiser of the authors."""
        return torch.optim.AdamW(model.parameters(), lr=self.rate)

    def losses(self, model: StackMFF, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Compute the mean square error of the stretched depth.

        ``frames`` is the mean error in frames.
        """
        depth = stretched(model(batch["frames"]).float())
        error = depth - batch["depth"][:, 0]
        return {"total": error.square().mean(), "frames": error.detach().abs().mean() * (batch["frames"].shape[1] - 1)}


class FocusStacks(FocusPairs):
    """Make `length` focal stacks an epoch from a set of labelled photographs.

    Stacks of one batch have the same number of frames.

    Args:
        regions: Labelled photographs; each is visited equally often.
        recipe: Sizes, numbers of frames and blur.
        length: Samples in an epoch.
        seed: Seed of the whole run.
    """

    def __init__(self, regions: Sequence[LabelledImage], recipe: StackMffRecipe, *, length: int, seed: int) -> None:
        super().__init__(regions, None, length=length, size=recipe.size, seed=seed)
        self.recipe = recipe

    def __getitem__(self, index: int) -> Sample:
        image, labelled, rng, _ = self.draw(index)
        of_batch = np.random.default_rng((self.seed, self.epoch, self.length, index // self.recipe.batch))
        count = int(of_batch.choice(self.recipe.frames))
        return {name: torch.from_numpy(array) for name, array in self.stack(image, labelled, count, rng).items()}

    def stack(self, image: np.ndarray, labelled: LabelledImage, count: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Make the frames (N, H, W) of a part of a photograph, and their depth (1, H, W)."""
        image, cut = crop_square(image, labelled, self.recipe.crop, rng)
        step, psf = rng.uniform(*self.recipe.step), ("disc", "gaussian")[rng.integers(2)]
        shots = take_stack(image, draw_disparity(cut, rng), count, step, psf=psf, from_near=rng.random() < 0.5)
        noise = rng.normal(0, rng.uniform(0, NOISE), shots.frames.shape) if rng.random() < 0.5 else 0.0
        frames = np.clip(shots.frames + noise, 0, 1).astype(np.float32)
        flips = [axis for axis in (-2, -1) if rng.random() < 0.5]
        return {name: np.ascontiguousarray(np.flip(x, flips)) for name, x in (("frames", frames), ("depth", shots.depth[None]))}


PRESETS = {
    "paper": StackMffRecipe(),
    "practical": StackMffRecipe(
        frames=(3, 5, 8, 10), size=160, crop=96, epochs=24, samples=480, validation=48, batch=6, rate=2e-3, schedule="cosine"
    ),
    "smoke": StackMffRecipe(frames=(2, 3), size=64, crop=32, epochs=2, samples=8, validation=4, batch=4),
}
