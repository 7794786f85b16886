"""The recipe of tlcnn and tlcolor: one network learns from single images, blurred inside or outside an object.

The papers print an initial rate of 1e-6 and 50 epochs on 9 000 pairs; ``paper`` is that, at full width. ``practical`` is a slim
network on small crops at a higher rate. What it must not learn is that a photograph has noise and traces of its compression where
it was not blurred: hence noise after the blur, and 8 bits. Nor that sharp means as crisp as a shrunken photograph: hence softer
ones. Its blur reaches further than the papers' 3x3 kernel (0.8 to 1.8 pixels), as the defocus of real photographs does.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from mffrepro.data.lens import disc_blur
from mffrepro.data.regions import LabelledImage, draw_mask
from mffrepro.data.synthetic import composite, gaussian_blur, jpeg
from mffrepro.errors import OptionError
from mffrepro.losses import layer_loss
from mffrepro.models.transfer import SLIM, Downsample, TransferNet, freeze_vgg, transfer
from mffrepro.models.vgg import Depth, edges, imagenet
from mffrepro.models.weights import read_safetensors, shipped
from mffrepro.training.pairs import FocusPairs
from mffrepro.training.recipe import Recipe, Split

#: Source task -> the function that loads its convolutions.
SOURCES = {"imagenet": imagenet, "edges": edges, "surrogate": lambda: read_safetensors(shipped("vgg19.surrogate"))[0]}


@dataclass(frozen=True, kw_only=True)
class TransferRecipe(Recipe):
    """Describe a training of the network of tlcnn and tlcolor."""

    name: str = "tlcnn"
    width: float = 1.0
    vgg_width: float = 1.0
    dec_convs: tuple[int, ...] = (8, 8, 8, 6, 6)  # A0.5
    bn: bool = True
    init: Literal["xavier", "normal"] = "xavier"  # A0.13
    downsample: Downsample = "stride"  # A0.1
    skip: Literal["concat", "add"] = "concat"  # A0.6
    vgg_act: Literal["mish", "relu"] = "mish"  # A0.26
    depth: Depth = 19
    transfer: Literal["imagenet", "edges", "surrogate", "none"] = "imagenet"
    freeze: bool = False  # A0.14
    loss: Literal["hybrid", "cross-entropy"] = "hybrid"
    supervise: Literal["layers", "last"] = "layers"
    stage_weights: tuple[float, ...] = (0.2, 0.2, 0.2, 0.2, 0.2)  # A1.6
    masks: Literal["objects", "regions"] = "objects"
    photographs: tuple[int, ...] = (
        1800,
        200,
    )  # training and validation, drawn by photograph (A0.24, A1.18); () as the set is split
    kernels: tuple[int, ...] = (3,)  # sides of the blur, sigma 2
    levels: int = 5
    softest: float = 0.0  # standard deviation to which a photograph may be softened before it is blurred, pixels
    noise: float = 0.0  # largest standard deviation of the noise after the blur, in shares of the range
    augment: bool = False
    disc: float = 0.0  # share of the pairs blurred by a disc instead of the Gaussian, as a lens does
    spread: float = 0.0  # largest standard deviation to which the outline of the mask is softened, pixels
    quality: int = 100  # lowest quality at which a pair is compressed as JPEG; 100 leaves it uncompressed
    size: int = 224  # photographs are resized before they are blurred (A0.17)
    crop: int = 224
    epochs: int = 50
    samples: int = 9000
    validation: int = 1000
    batch: int = 8
    rate: float = 1e-6
    decay: float = 1e-3

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require_positive("levels")
        self.require_crop(32)

    def model(self) -> TransferNet:
        """Build the network with the convolutions of the source task.

        Raises:
            DataError: The weights of the source task cannot be fetched.
        """
        network = TransferNet(
            width=self.width, vgg_width=self.vgg_width, dec_convs=self.dec_convs, bn=self.bn, init=self.init,
            downsample=self.downsample, skip=self.skip, vgg_act=self.vgg_act, depth=self.depth,
        )  # fmt: skip
        if self.transfer != "none":
            transfer(network, SOURCES[self.transfer]())
        if self.freeze:
            freeze_vgg(network)
        return network

    def split(self, regions: dict[str, Sequence[LabelledImage]], seed: int) -> dict[str, Sequence[LabelledImage]]:
        """Draw the photographs for training and validation from all.

        None is then on both sides at another blur.
        """
        if not self.photographs:
            return regions
        pool = list({image.name: image for part in regions.values() for image in part}.values())
        wanted = sum(self.photographs)
        kept = [count * min(wanted, len(pool)) // wanted for count in self.photographs]  # of a smaller set the same shares
        if min(kept) < 1:
            raise OptionError(f"{len(pool)} photographs cannot be split {self.photographs}; set photographs to fit")
        order = np.random.default_rng(seed).permutation(len(pool))
        parts = np.split(order, np.cumsum(kept))
        return {name: [pool[i] for i in part] for name, part in zip(("train", "val"), parts, strict=False)}

    def data(self, regions: Sequence[LabelledImage], *, split: Split, seed: int) -> "FocusLevels":
        """Make colour pairs at all blur levels."""
        length = self.samples if split == "train" else self.validation
        augment = self.augment and split == "train"
        return FocusLevels(regions, replace(self, augment=augment), length=length, seed=seed)

    def optimiser(self, model: TransferNet) -> torch.optim.Optimizer:
        """Build RMSprop with momentum over the parameters that are not frozen."""
        trained = [p for p in model.parameters() if p.requires_grad]
        return torch.optim.RMSprop(trained, lr=self.rate, alpha=0.9, momentum=0.9, weight_decay=self.decay)

    def losses(self, model: TransferNet, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Pass both images of each pair separately through the network (A1.1).

        1 is out of focus (A0.8).
        """
        unfocused = torch.cat([1 - batch["mask"], batch["mask"]])
        # One after the other: in one batch the normalisation would tell each image about its own counterpart.
        sides = [torch.cat(both) for both in zip(model(batch["a"]), model(batch["b"]), strict=True)]
        last = self.supervise == "last"
        total = layer_loss(
            sides[-1:] if last else sides, unfocused, weights=None if last else self.stage_weights, l2=self.loss == "hybrid"
        )
        with torch.no_grad():
            found, truth = sides[-1].argmax(1), unfocused[:, 0] > 0.5
            iou = ((found == 1) & truth).sum() / ((found == 1) | truth).sum().clamp(min=1)
            first, second = (found == 1).chunk(2)
            right = (first & ~second) == truth.chunk(2)[0]  # M4 against the truth
        return {"total": total, "iou": iou, "secondary": right.float().mean()}


class FocusLevels(FocusPairs):
    """Make pairs in colour at all blur levels.

    The visits of a photograph go through the levels in turn, so that an epoch has all.
    """

    def __init__(self, regions: Sequence[LabelledImage], recipe: TransferRecipe, *, length: int, seed: int) -> None:
        super().__init__(regions, None, length=length, size=recipe.size, seed=seed, colour=True)
        self.recipe = recipe

    def arrays(self, image: np.ndarray, labelled: LabelledImage, rng: np.random.Generator, visit: int) -> dict[str, Any]:
        """Make one sample at the level of the visit, augmented if the recipe says so."""
        recipe = self.recipe
        mask = draw_mask(labelled, rng) if recipe.masks == "regions" else objects(labelled)
        level, kernel = visit % recipe.levels + 1, int(rng.choice(recipe.kernels))
        if recipe.augment:
            level = int(rng.integers(recipe.levels)) + 1
            image, mask = _flipped(image, mask, rng)
            image = gaussian_blur(image, recipe.softest * rng.random())
            image = np.clip((0.6 + 0.8 * rng.random()) * image ** (0.7 + 0.6 * rng.random()), 0, 1)
        noise = rng.normal(0, recipe.noise * rng.random(), image.shape) if recipe.augment else 0.0
        pair = self.pair(image, mask, kernel, level, rng)
        a, b = (np.round(255 * np.clip(x + noise, 0, 1)) / 255 for x in pair)
        if recipe.augment and rng.random() < 0.5:
            a, b, mask = b, a, ~mask
        if recipe.quality < 100:
            a, b = (jpeg(x, int(rng.integers(recipe.quality, 100))) for x in (a, b))
        top, left = rng.integers(recipe.size - recipe.crop + 1, size=2)
        cut = slice(top, top + recipe.crop), slice(left, left + recipe.crop)
        return {"a": a[cut].astype(np.float32), "b": b[cut].astype(np.float32), "mask": mask[cut].astype(np.float32)}

    def pair(self, image: np.ndarray, mask: np.ndarray, kernel: int, level: int, rng: np.random.Generator) -> np.ndarray:
        """Blur a photograph on either side of a mask: (2, H, W, 3)."""
        recipe = self.recipe
        matte = gaussian_blur(mask.astype(np.float32), recipe.spread * rng.random()) if recipe.spread else mask
        if recipe.disc and rng.random() < recipe.disc:
            blurred, share = disc_blur(image, 1 + 4 * rng.random()), np.asarray(matte, np.float32)[..., None]
            return np.stack([share * image + (1 - share) * blurred, (1 - share) * image + share * blurred])
        return composite(image, matte, size=kernel, level=level)


def objects(labelled: LabelledImage) -> np.ndarray:
    """Mask all objects of a photograph against its background, label 0 (A0.18)."""
    mask = labelled.labels[0] > 0
    if mask.all() or not mask.any():
        raise OptionError(f"{labelled.name} has no objects before a background; train on it with masks=regions")
    return mask


def _flipped(image: np.ndarray, mask: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    for axis in (0, 1):
        if rng.random() < 0.5:
            image, mask = np.flip(image, axis), np.flip(mask, axis)
    return image, mask


PRACTICAL = TransferRecipe(
    width=SLIM, vgg_width=SLIM, transfer="surrogate", masks="regions", photographs=(), kernels=(5, 7), softest=1.0, noise=0.01,
    augment=True, size=256, crop=96, epochs=5, samples=300, validation=72, batch=6, rate=3e-4, decay=1e-5, schedule="cosine",
)  # fmt: skip
LONG = replace(PRACTICAL, epochs=16, samples=480)
#: Half of the pairs blurred as a lens does, and all of them compressed as a camera does.
CAMERA = {"disc": 0.5, "quality": 60}
#: Recipes of both papers: the printed one, a practical one and its ablations of the same budget, a longer one, a still longer one
#: whose pairs are blurred as by a lens and compressed as by a camera, and a test.
PRESETS = {
    "paper": TransferRecipe(),
    "practical": PRACTICAL,
    "long": LONG,
    "camera": replace(LONG, epochs=32, **CAMERA),
    "nontl": replace(PRACTICAL, transfer="none"),
    "avg": replace(PRACTICAL, downsample="avg"),
    "max": replace(PRACTICAL, downsample="max"),
    "compare_loss": replace(PRACTICAL, loss="cross-entropy", supervise="last"),
    "compare_bn": replace(PRACTICAL, bn=False),
    "compare_initial": replace(PRACTICAL, init="normal"),
    "smoke": replace(PRACTICAL, transfer="none", epochs=2, samples=4, validation=2, batch=2, size=64, crop=64),
}
