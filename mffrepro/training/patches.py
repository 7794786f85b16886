r"""Train classifiers of sharpness on patches: the base of the recipes of icacs18, cnn_fuse and cnnwt.

A photograph is blurred one to five times by a Gaussian of standard
deviation 2 cut off to 7x7; a patch of it and the same patch of a blurred one make two examples, (sharp, blurred) with label 1
and (blurred, sharp) with label 0. Patches without texture are left out, since blur does not change them.

References: [liu2017cnn], [li2018icacs]. Chapter: 06_cnnwt.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mffrepro.data import LabelledImage, load
from mffrepro.data.synthetic import gaussian_blur
from mffrepro.errors import OptionError
from mffrepro.images import FocusStack, from_unit, to_gray, to_unit
from mffrepro.methods import fuse
from mffrepro.models.siamese import Border
from mffrepro.training.recipe import Recipe, Schedule, Split

#: Places drawn at most for one pair.
TRIES = 20


class PatchPairs(torch.utils.data.Dataset):
    """Make `length` pairs of crops an epoch, sharp and blurred, of the same places.

    Every sample draws all its randomness from (seed, epoch, index), whatever the number of workers.

    Args:
        photographs: Visited equally often; labels are not asked for.
        show: From a crop (side, side), gray in [0, 1], to what the network is shown, by name.
        length: Pairs in an epoch.
        side: Side of the crops, pixels: a patch and what lies around it.
        patch: Side of the patch in the middle, whose variance counts.
        levels: How often the blurred version is blurred; one is drawn for each pair.
        seed: Seed of the whole run.
        variance: Least variance of the sharp patch, on 0..255, 25 in cnnwt; the best of `TRIES` places where none has it.
        real: Where some of the pairs come from instead, if given.
        real_every: Every so many-th pair does: 2 is half of them, 1 all.
        blur: From an image (H, W) uint8 and a level to the blurred one; it reaches at most three pixels a level.
        fixed: Show the pairs of the first epoch in every epoch. Each is made once and kept.
        scales: By how much both crops are reduced after they were blurred; one is drawn for each pair.
    """

    def __init__(
        self, photographs: Sequence[LabelledImage], show: Callable[[np.ndarray], dict[str, np.ndarray]], *, length: int,
        side: int, patch: int, levels: Sequence[float], seed: int, variance: float = 25.0,
        real: "RealPatches | None" = None, real_every: int = 2, blur: Callable[[np.ndarray, float], np.ndarray] | None = None,
        fixed: bool = False, scales: Sequence[int] = (1,),
    ) -> None:  # fmt: skip
        self.photographs, self.show, self.length, self.side, self.patch = photographs, show, length, side, patch
        self.levels, self.seed, self.variance = tuple(levels), seed, variance
        self.real, self.real_every, self.blur = real, real_every, blur or repeated_blur
        self.epoch, self.fixed, self.scales = 0, fixed, tuple(scales)
        self._grays: dict[int, np.ndarray] = {}
        self._made: dict[int, dict[str, Tensor]] = {}

    def begin_epoch(self, epoch: int) -> None:
        """Set the number of the epoch, which seeds its pairs unless they are `fixed`."""
        self.epoch = 0 if self.fixed else epoch

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        if not self.fixed:
            return self._make(index)
        if index not in self._made:
            self._made[index] = self._make(index)
        return self._made[index]

    def _make(self, index: int) -> dict[str, Tensor]:
        rng = np.random.default_rng((self.seed, self.epoch, index, 0))
        if self.real is not None and (index + 1) % self.real_every == 0:
            sharp, blurred = self.real.crops(rng, self.side, self.patch, self.variance)
        else:
            sharp, blurred = self.crops(self._gray(self._turn(index)), rng)
        return as_sample(self.show, sharp, blurred)

    def _turn(self, index: int) -> int:
        """Choose the photograph of a sample: all once, in random order, then all again."""
        count = len(self.photographs)
        return int(np.random.default_rng((self.seed, self.epoch, index // count, 1)).permutation(count)[index % count])

    def crops(self, gray: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Cut a place with texture, (side, side), sharp and blurred.

        Both are in 8 bits, so that digits cannot give the blurred one away.
        """
        level = self.levels[rng.integers(len(self.levels))]
        scale = self.scales[rng.integers(len(self.scales))] if len(self.scales) > 1 else self.scales[0]
        side = scale * self.side
        top, left = textured_place(gray, rng, side, scale * self.patch, self.variance)
        margin = math.ceil(3 * level)  # blurring that much more gives what blurring the whole photograph gives
        rows, columns = (slice(max(0, start - margin), start + side + margin) for start in (top, left))
        around = gray[rows, columns]
        inside = np.s_[top - rows.start :, left - columns.start :]
        pair = (image[inside][:side, :side] for image in (around, self.blur(around, level)))
        return tuple(reduce_to(crop, self.side) for crop in pair)

    def _gray(self, i: int) -> np.ndarray:
        if i not in self._grays:  # decoding costs more than all the rest of a sample
            self._grays[i] = _at_least(cv2.cvtColor(self.photographs[i].image, cv2.COLOR_RGB2GRAY), max(self.scales) * self.side)
        return self._grays[i]


def as_sample(show: Callable[[np.ndarray], dict[str, np.ndarray]], sharp: np.ndarray, blurred: np.ndarray) -> dict[str, Tensor]:
    """Turn two crops (side, side) uint8 into what the networks are shown.

    Args:
        show: See `PatchPairs`.
        sharp: The sharper crop.
        blurred: The other one.

    Returns:
        ``sharp_NAME`` and ``blurred_NAME``, (C, side, side) float32, for each name of `show`.
    """
    return {
        f"{which}_{name}": torch.from_numpy(np.ascontiguousarray(array, np.float32))
        for which, crop in (("sharp", sharp), ("blurred", blurred))
        for name, array in show(to_unit(crop)).items()
    }


def repeated_blur(image: np.ndarray, level: int) -> np.ndarray:
    """Blur as the papers do, as often as the level says.

    The standard deviation is 2, cut off to 7x7.
    """
    return gaussian_blur(image, 2.0, size=7, times=level)


def reduce_to(crop: np.ndarray, side: int) -> np.ndarray:
    """Reduce a square crop to (side, side) by means over squares.

    A crop of that size stays as it is.
    """
    return crop if len(crop) == side else cv2.resize(crop, (side, side), interpolation=cv2.INTER_AREA)


def textured_place(
    gray: np.ndarray, rng: np.random.Generator, side: int, patch: int, variance: float, inside: np.ndarray | None = None
) -> tuple[int, int]:
    """Draw the corner of a crop whose patch varies enough.

    If none of `TRIES` does, the one that varies most is taken.

    Args:
        gray: (H, W) uint8.
        rng: Source of the places.
        side: Side of a crop.
        patch: Side of the patch in its middle.
        variance: That is enough, on 0..255.
        inside: (H, W) labels; only patches with one label count. Without any among those drawn, all do.
    """
    margin = (side - patch) // 2
    found = {}
    for top, left in rng.integers([length - side + 1 for length in gray.shape], size=(TRIES, 2)):
        rows, columns = (slice(start + margin, start + margin + patch) for start in (top, left))
        whole = inside is None or np.ptp(inside[rows, columns]) == 0
        found[int(top), int(left)] = whole, float(gray[rows, columns].var())
        if whole and found[int(top), int(left)][1] > variance:
            return int(top), int(left)
    return max(found, key=found.get)


class RealPatches:
    """Cut pairs of patches from real multi-focus photographs.

    One is sharp, the other is the same place of another photograph of the stack.

    Which is sharp is the true decision where the set has one, else that of GACN; only patches that lie in one region count.

    Args:
        name: A set of stacks of `mffrepro.load`; every second stack, the others are left for tests (`held_out`).
        held_out: Take those others.
    """

    def __init__(self, name: str, *, held_out: bool = False) -> None:
        self.stacks = [_labelled_stack(stack) for stack in list(load(name))[int(held_out) :: 2]]

    def crops(self, rng: np.random.Generator, side: int, patch: int, variance: float) -> tuple[np.ndarray, np.ndarray]:
        """Cut a place with texture, (side, side) uint8, sharp and less sharp."""
        grays, labels = self.stacks[rng.integers(len(self.stacks))]
        top, left = textured_place(grays.max(0), rng, side, patch, variance, labels)
        sharp = labels[top + side // 2, left + side // 2]
        other = (sharp + rng.integers(1, len(grays))) % len(grays)
        here = np.s_[top : top + side, left : left + side]
        return grays[sharp][here], grays[other][here]


def _labelled_stack(stack: FocusStack) -> tuple[np.ndarray, np.ndarray]:
    """Convert to gray images (N, H, W) uint8, and number the sharpest at each pixel."""
    decision = fuse(stack, "gacn").decision if stack.decision is None else stack.decision
    unit = to_unit(stack.images)
    grays = from_unit(to_gray(unit) if stack.is_colour else unit.copy(), np.dtype(np.uint8))
    return grays, decision.argmax(0).astype(np.int16)


def _at_least(gray: np.ndarray, side: int) -> np.ndarray:
    """Mirror a photograph at its lower and right border where it is smaller than a crop."""
    ends = [(0, max(0, side - length)) for length in gray.shape]
    return np.pad(gray, ends, mode="symmetric") if max(end for _, end in ends) else gray


# ------------------------------------------------------------------------------------------------ the recipe


@dataclass(frozen=True, kw_only=True)
class PatchRecipe(Recipe):
    """Describe the training of a patch classifier; each recipe adds its network."""

    width: float = 1.0
    patch: int = 16
    border: Border = "zeros"
    levels: tuple[int, ...] = (1, 2, 3, 4, 5)
    variance: float = 25.0  # of the sharp patch, on 0..255
    epochs: int = 10
    samples: int = 10_000  # pairs in an epoch; each is shown in both orders
    batch: int = 64  # pairs, so 128 examples
    rate: float = 1e-4
    gamma: float = 0.1  # factor on the rate every `every` epochs, under the schedule "step"
    every: int = 5
    schedule: Schedule = "step"
    momentum: float = 0.9
    decay: float = 5e-4
    biases: Literal["same", "caffe"] = "same"  # "caffe": twice the rate, no decay
    validation: int = 1000
    real: str = "none"  # a set of stacks that every second pair comes from, as in cnnwt
    validation_levels: tuple[int, ...] = (1, 2, 3, 4, 5)
    fixed: bool = False  # the same pairs in every epoch, held in memory, as icacs18 prints; otherwise drawn anew
    scales: tuple[int, ...] = (1,)  # by how much a pair of crops is reduced

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require_positive("every")
        if min(*self.levels, *self.validation_levels) < 1:
            raise OptionError("levels count how often a patch is blurred; give numbers from 1")
        if min(self.scales, default=0) < 1:
            raise OptionError("scales say by how much patches are reduced; give whole numbers from 1")

    def data(self, regions: Sequence[LabelledImage], *, split: Split, seed: int) -> torch.utils.data.Dataset:
        """Make pairs of a sharp and a blurred patch."""
        length, levels = (self.samples, self.levels) if split == "train" else (self.validation, self.validation_levels)
        return PatchPairs(
            regions, self.show, length=length, side=self.crop_side(), patch=self.patch, levels=levels, seed=seed,
            variance=self.variance, real=None if self.real == "none" or split == "val" else RealPatches(self.real),
            fixed=self.fixed or split == "val", scales=self.scales,
        )  # fmt: skip

    def crop_side(self) -> int:
        """Measure the side of a crop: the patch, and its surroundings if they count."""
        return self.patch + 2 * self.model().halo

    def show(self, crop: np.ndarray) -> dict[str, np.ndarray]:
        """Turn a crop (side, side), gray in [0, 1], into inputs (C, side, side) by name."""
        return {"gray": crop[None]}

    def classifiers(self, model: nn.Module) -> dict[str, nn.Module]:
        """Return the classifiers in a network by the name of what they are shown."""
        return {"gray": model}

    def optimiser(self, model: nn.Module) -> torch.optim.Optimizer:
        """Build SGD as the papers print it.

        In Caffe's terms, biases have twice the rate and no decay (A2.10).
        """
        groups = {"weight": [], "bias": []}
        for name, parameter in model.named_parameters():
            groups[name.rpartition(".")[2]].append(parameter)
        twice = self.biases == "caffe"
        parameters = [
            {"params": groups["weight"], "weight_decay": self.decay},
            {"params": groups["bias"], "weight_decay": 0.0 if twice else self.decay, "lr": self.rate * (2 if twice else 1)},
        ]
        return torch.optim.SGD(parameters, lr=self.rate, momentum=self.momentum)

    def steps(self) -> tuple[int, float]:
        """Return what the fields say."""
        return self.every, self.gamma

    def losses(self, model: nn.Module, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Compute the softmax loss and the accuracy of a batch of pairs."""
        loss, accuracy = both_orders(model, batch["sharp_gray"], batch["blurred_gray"])
        return {"total": loss, "accuracy": accuracy}


def both_orders(model: nn.Module, sharp: Tensor, blurred: Tensor) -> tuple[Tensor, Tensor]:
    """Compute softmax loss and accuracy over both orders of a pair.

    (sharp, blurred) has label 1, (blurred, sharp) label 0.

    Args:
        model: A `mffrepro.models.siamese.Siamese`.
        sharp: (B, C, side, side).
        blurred: The same size.
    """
    outputs = torch.cat(model.in_both_orders(sharp, blurred))[:, :, 0, 0].float()
    labels = torch.arange(2, device=outputs.device).flip(0).repeat_interleave(len(sharp))
    return F.cross_entropy(outputs, labels), (outputs.argmax(1) == labels).float().mean()
