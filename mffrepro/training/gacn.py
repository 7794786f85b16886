"""The recipe of GACN: what it trains on, by which loss, how long.

The paper trains 50 epochs on 4 050 photographs of MS COCO with one object each. ``paper`` is that schedule. ``practical``
is shorter, starts at a higher rate and lets the slope k of Eq. 4 grow from 10 to 1000 (A4.4): at k = 1000 from the start the
sigmoid is saturated nearly everywhere and most of a short training is spent waiting for a gradient.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
import torch
from torch import Tensor

from mffrepro.data.regions import LabelledImage
from mffrepro.data.synthetic import gaussian_blur
from mffrepro.losses import balanced_loss, dice_loss, edge_loss, focal_loss, qg_loss, tensor_loss
from mffrepro.models.gacn import GACN, Reading
from mffrepro.training.pairs import FocusPairs, turn
from mffrepro.training.recipe import Recipe, Schedule, Split


@dataclass(frozen=True, kw_only=True)
class GacnRecipe(Recipe):
    """Describe a training of GACN."""

    name: str = "gacn"
    activity: Reading = "paper"  # A4.3
    boundary: Reading = "paper"  # A4.10
    attention: bool = True  # C4.21
    angle: Literal["abs", "smooth", "folded"] = "abs"  # Table 2
    reduction: Literal["global", "pixel"] = "global"  # A4.2
    qg_weight: float = 1.0  # lambda of Eq. 6
    mask_loss: Literal["dice", "focal", "bce"] = "dice"  # Fig. 9
    gradient_loss: Literal["qg", "ep", "st", "none"] = "qg"  # Fig. 9 (A4.14)
    edge_weight: float = 1e-4  # lambda of the losses "ep" and "st", section 4.5.1
    epochs: int = 50
    samples: int = 4050
    batch: int = 16
    rate: float = 1e-4
    decay: float = 0.8  # every two epochs
    schedule: Schedule = "step"
    slope_start: float = 1000.0  # k of Eq. 4 at the first epoch; it grows geometrically to 1000 (A4.4)
    slope_epochs: int = 0  # epochs after which it is 1000
    size: int = 256
    crop: int = 156
    defocus: Literal["spread", "mask"] = "spread"  # C4.20
    augmentation: bool = True
    validation: int = 200

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require_crop()

    def model(self) -> GACN:
        """Build GACN by the chosen readings."""
        return GACN(activity=self.activity, boundary=self.boundary, attention=self.attention)

    def data(self, regions: Sequence[LabelledImage], *, split: Split, seed: int) -> FocusPairs:
        """Make augmented pairs for training and plain ones for validation."""
        if split == "train":
            return FocusPairs(
                regions, self.augment if self.augmentation else self.cut, length=self.samples, size=self.size, seed=seed
            )
        return FocusPairs(regions, self.pair, length=self.validation, size=self.size, seed=seed)

    def steps(self) -> tuple[int, float]:
        """Return what the paper prints and the field says."""
        return 2, self.decay

    def begin_epoch(self, model: GACN, epoch: int) -> None:
        """Set the slope of Eq. 4."""
        progress = min(1.0, epoch / self.slope_epochs) if self.slope_epochs else 1.0
        model.slope = self.slope_start ** (1 - progress) * 1000.0**progress

    def losses(self, model: GACN, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Compute Eq. 6: a mask loss and a gradient loss.

        The first is on the initial map, the second on the image fused by the final map.
        """
        maps, mask = model(batch["a"], batch["b"]), batch["mask"]
        parts = {self.mask_loss: MASK_LOSSES[self.mask_loss](maps.initial, mask)}
        total = parts[self.mask_loss]
        if self.gradient_loss != "none":
            parts[self.gradient_loss] = self._gradient(batch, maps.fused)
            total = total + (self.qg_weight if self.gradient_loss == "qg" else self.edge_weight) * parts[self.gradient_loss]
        with torch.no_grad():
            right, sure = mask > 0.5, maps.initial > 0.5
            iou = (right & sure).sum() / (right | sure).sum().clamp(min=1)
        return {"total": total, **parts, "iou": iou}

    def _gradient(self, batch: dict[str, Tensor], fused: Tensor) -> Tensor:
        sources = batch["a"], batch["b"]
        if self.gradient_loss == "ep":
            return edge_loss(batch["original"], fused)
        if self.gradient_loss == "st":
            return tensor_loss(sources, fused)
        return qg_loss(sources, fused, angle=self.angle, reduction=self.reduction)

    # ------------------------------------------------------------------------------------------ one sample

    def augment(self, image: np.ndarray, mask: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Make a random training sample.

        Geometry comes before the blur, so that resampling never softens what is in focus.
        """
        label = mask.astype(np.float32)
        degrees = 30 * int(rng.integers(12))
        image, label = turn(image, degrees, cv2.INTER_LINEAR), turn(label, degrees, cv2.INTER_NEAREST)
        for axis in (0, 1):
            if rng.random() < 0.5:
                image, label = np.flip(image, axis), np.flip(label, axis)
        sample = self.cut(np.ascontiguousarray(image), np.ascontiguousarray(label) > 0.5, rng)
        a, b, label = (sample[name] for name in ("a", "b", "mask"))
        if rng.random() < 0.5:  # misregistration of up to two pixels
            a, b = (_shift(a, rng), b) if rng.random() < 0.5 else (a, _shift(b, rng))
        noise = rng.normal(0, 0.1 * rng.random(), a.shape).astype(np.float32)
        a, b = (np.clip(0.95 * x + 0.05 * noise, 0, 1) for x in (a, b))
        if rng.random() < 0.5:
            a, b, label = b, a, 1 - label
        made = {"a": a, "b": b, "mask": label}
        if "original" in sample:  # what a right decision would fuse, noise included
            made["original"] = np.clip(0.95 * sample["original"] + 0.05 * noise, 0, 1)
        return made

    def cut(self, image: np.ndarray, mask: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Make a training sample without augmentation: a random part of a pair."""
        top, left = rng.integers(self.size - self.crop + 1, size=2)
        part = slice(top, top + self.crop), slice(left, left + self.crop)
        return {name: whole[part] for name, whole in self.pair(image, mask, rng).items()}

    def pair(self, image: np.ndarray, mask: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Make a near- and a far-focused photograph (Fig. 4).

        Sigma is 2, the radius 1 to 7 (A4.13); mask 1 says that the first is sharper.
        """
        label = mask.astype(np.float32)
        blurred = gaussian_blur(image, 2.0, size=2 * int(rng.integers(1, 8)) + 1)
        # A blurred foreground spreads beyond its outline: the matte of the far-focused image is soft [ma2020alpha].
        matte = gaussian_blur(label, 8.0, size=91) if self.defocus == "spread" else label
        near = label * image + (1 - label) * blurred
        far = (1 - matte) * image + matte * blurred
        made = {"a": near, "b": far, "mask": label}
        return made | {"original": image} if self.gradient_loss == "ep" else made


def _shift(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    down, right = rng.integers(-2, 3, size=2)
    matrix = np.float32([[1, 0, right], [0, 1, down]])
    return cv2.warpAffine(image, matrix, image.shape[1::-1], flags=cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE)


MASK_LOSSES = {"dice": dice_loss, "focal": focal_loss, "bce": balanced_loss}

PRESETS = {
    "paper": GacnRecipe(),
    "practical": GacnRecipe(
        epochs=24, samples=480, batch=8, rate=1e-3, schedule="cosine", slope_start=10.0, slope_epochs=12, crop=112, validation=64
    ),
    "smoke": GacnRecipe(epochs=2, samples=8, batch=4, size=96, crop=64, validation=4, slope_start=10.0, slope_epochs=1),
}
