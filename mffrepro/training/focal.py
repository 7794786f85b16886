"""The recipe of Focal: drawn stacks with a known sharp scene and a known depth, and a loss on both.

The shares learn from the fused image alone: where several frames are equally sharp, their mean has less noise, and nothing asks
for a decision. The probabilities learn the depth. All stacks are rendered once, which takes longer than a step of the training;
the faults of the camera, turns and flips are drawn anew in each epoch.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from mffrepro.data.drawn_stacks import FAULTLESS, Camera, Lens, draw_stack, spoil
from mffrepro.data.labelled import LabelledImage, crop_square
from mffrepro.data.layered import Shots
from mffrepro.errors import OptionError
from mffrepro.images import from_unit, to_unit
from mffrepro.models.focal import STEP, Focal
from mffrepro.training.pairs import FocusPairs, Sample
from mffrepro.training.recipe import Recipe, Schedule, Split


@dataclass(frozen=True, kw_only=True)
class FocalRecipe(Recipe):
    """Describe a training of Focal.

    Attributes:
        widths, deep, compare: See `mffrepro.models.focal.Focal`.
        frames: Numbers of frames of a stack; batches take them in turn.
        size: Photographs are resized to this side.
        crop: Side of the part that a stack shows, a multiple of 8.
        depth: Weight of the cross entropy of the depth.
        edges: Weight of the difference of gradients.
        faults: Whether frames have the faults of a camera.
    """

    name: str = "focal"
    widths: tuple[int, int, int] = (16, 24, 32)
    deep: int = 3
    compare: bool = True
    frames: tuple[int, ...] = (2, 3, 4, 6, 9, 12)
    size: int = 320
    crop: int = 128
    depth: float = 0.01
    edges: float = 1.0
    faults: bool = True
    epochs: int = 100
    samples: int = 6000
    validation: int = 300
    batch: int = 6
    rate: float = 2e-3
    schedule: Schedule = "cosine"

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require_crop(STEP)
        if not self.frames or min(self.frames) < 2:
            raise OptionError(f"frames is {self.frames}; give numbers of at least 2")
        if min(self.depth, self.edges) < 0:
            raise OptionError(f"depth is {self.depth:g} and edges {self.edges:g}; give weights of at least 0")

    def model(self) -> Focal:
        """Build the network with its initial weights."""
        return Focal(self.widths, self.deep, compare=self.compare)

    def data(self, regions: Sequence[LabelledImage], *, split: Split, seed: int) -> "DrawnStacks":
        """Draw focal stacks from labelled photographs."""
        return DrawnStacks(regions, self, length=self.samples if split == "train" else self.validation, seed=seed)

    def losses(self, model: Focal, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Compute the error of the fused image and of the depth.

        ``fused`` and ``edges`` are mean absolute differences of the images and of their gradients, ``depth`` a cross entropy in
        nats, ``psnr`` in dB.
        """
        scores = model(batch["frames"]).float()
        error = (scores[:, :, 0].softmax(1) * batch["frames"]).sum(1) - batch["sharp"]
        edges = error.diff(dim=1).abs().mean() + error.diff(dim=2).abs().mean()
        depth = depth_entropy(scores[:, :, 1], batch["depth"])
        fused = error.abs().mean()
        psnr = -10 * error.detach().square().mean((1, 2)).clamp_min(1e-10).log10().mean()
        total = fused + self.edges * edges + self.depth * depth
        return {"total": total, "fused": fused.detach(), "edges": edges.detach(), "depth": depth.detach(), "psnr": psnr}


def depth_entropy(scores: Tensor, depth: Tensor) -> Tensor:
    """Compute the cross entropy between a softmax over the frames and a depth.

    A depth between two frames is a distribution over both, whose mean it is.

    Args:
        scores: (B, N, H, W).
        depth: (B, H, W), in frames from 0.
    """
    below = depth.floor().clamp(max=scores.shape[1] - 2)
    above = (depth - below)[:, None]
    log = F.log_softmax(scores, 1)
    pair = below.long()[:, None]
    return -((1 - above) * log.gather(1, pair) + above * log.gather(1, pair + 1)).mean()


class DrawnStacks(FocusPairs):
    """Draw `length` focal stacks, render them once, and spoil them anew in each epoch.

    Stacks of one batch have the same number of frames.

    Args:
        regions: Labelled photographs; each is visited equally often.
        recipe: Sizes and numbers of frames.
        length: Samples in an epoch.
        seed: Seed of the whole run.
    """

    def __init__(self, regions: Sequence[LabelledImage], recipe: FocalRecipe, *, length: int, seed: int) -> None:
        super().__init__(regions, None, length=length, size=recipe.size, seed=seed)
        self.recipe = recipe
        self._rendered: dict[int, tuple[np.ndarray, Shots]] = {}

    def __getitem__(self, index: int) -> Sample:
        rng = np.random.default_rng((self.seed, self.epoch, index))
        sharp, shots = self.rendered(self._scene(index))
        frames = spoil(to_unit(shots.frames), Camera() if self.recipe.faults else FAULTLESS, rng)
        depth = shots.depth.astype(np.float32) * (len(frames) - 1)
        arrays = {"frames": frames, "sharp": to_unit(sharp), "depth": depth}
        turns, flip = rng.integers(4), rng.random() < 0.5
        turned = {name: np.rot90(np.flip(x, -1) if flip else x, turns, (-2, -1)) for name, x in arrays.items()}
        return {name: torch.from_numpy(np.ascontiguousarray(x)) for name, x in turned.items()}

    def _scene(self, index: int) -> int:
        """Return the scene of a sample: each comes once an epoch, among others with as many frames."""
        frames, batch = self.recipe.frames, self.recipe.batch
        same = np.flatnonzero(np.arange(self.length) // batch % len(frames) == index // batch % len(frames))
        order = np.random.default_rng((self.seed, self.epoch, 0)).permutation(len(same))
        return int(same[order[np.searchsorted(same, index)]])

    def rendered(self, scene: int) -> tuple[np.ndarray, Shots]:
        """Render a scene once: sharp (H, W) uint8, and its frames and depth."""
        if scene not in self._rendered:
            image, labelled = self._photograph(scene % len(self.regions))
            rng = np.random.default_rng((self.seed, self.length, scene))
            image, cut = crop_square(image, labelled, self.recipe.crop, rng)
            count = self.recipe.frames[scene // self.recipe.batch % len(self.recipe.frames)]
            shots = draw_stack(image, cut, count, Lens(), rng)
            bytes_ = np.dtype(np.uint8)
            self._rendered[scene] = from_unit(image, bytes_), Shots(from_unit(shots.frames, bytes_), shots.depth)
        return self._rendered[scene]


PRESETS = {
    "paper": FocalRecipe(),
    "practical": FocalRecipe(epochs=20, samples=1800, validation=96, size=256),
    "smoke": FocalRecipe(frames=(2, 3), size=64, crop=32, epochs=2, samples=8, validation=4, batch=4),
}
