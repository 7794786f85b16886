r"""What the patch classifiers share: two equal branches, fully connected layers, and scores for every patch of an image.

Such a network is trained on pairs of 16x16 patches and says which of the two is sharper. Its fully connected layers are
written as convolutions, the first as wide as the features of one patch: given a patch it yields one score, given an image
one score for every patch, a pooling stride apart. `focus_map` averages the scores of all patches that cover a pixel.

What lies outside a patch is the one thing to decide. The convolutions keep the size of their input, so at the border of a
patch they need values from beyond. With ``border="zeros"`` that is nothing, as in the papers; but inside an image the
neighbouring pixels are there, and the scores of an image are no longer those of its patches. With ``border="context"`` a
patch is cut out with the few pixels around it that the convolutions look at, and both agree to rounding.

References: [liu2017cnn], [li2018icacs]. Chapter: 06_cnnwt.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import pairwise
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mffrepro.errors import OptionError
from mffrepro.fusion.multi_image import Calibration, calibrated, mix, serial
from mffrepro.images import to_gray

Border = Literal["context", "zeros"]
Pool = Literal["max", "avg"]

#: Pixels of a strip while the features of an image are computed: few enough for its maps to stay in the processor's cache.
STRIP_PIXELS = 2**16


class Siamese(nn.Module):
    """Two branches with the same weights, their features side by side, and fully connected layers.

    Args:
        plan: The branch: numbers of maps of the 3x3 convolutions, each followed by a ReLU, and ``"pool"`` for a 2x2 pooling.
        hidden: Sizes of the fully connected layers before the last one, which has two outputs.
        channels: Channels of an input patch.
        patch: Side of a patch in pixels, a multiple of the stride.
        width: Factor on all maps of the branch; 1 is the size in the paper.
        pool: Maximum or mean of each 2x2 block.
        border: What lies around a patch, see the module.
        linear: No ReLU between the fully connected layers: together they are one linear map, and are used as such.
    """

    def __init__(
        self, plan: Sequence[int | str], hidden: Sequence[int], *, channels: int = 1, patch: int = 16, width: float = 1.0,
        pool: Pool = "max", border: Border = "context", linear: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        self.pool, self.border, self.linear = pool, border, linear
        self.plan = [max(1, round(width * maps)) if maps != "pool" else maps for maps in plan]
        self.stride, self.reach = _reach(self.plan)
        self.patch, self.halo = patch, self.reach if border == "context" else 0
        if patch < self.stride or patch % self.stride:
            raise OptionError(f"patch is {patch}; give a multiple of {self.stride}, the stride of the poolings")
        maps = [channels, *(m for m in self.plan if m != "pool")]
        self.branch = nn.ModuleList([nn.Conv2d(a, b, 3) for a, b in pairwise(maps)])
        sizes = [2 * maps[-1], *hidden, 2]
        kernels = [patch // self.stride] + [1] * len(hidden)
        self.head = nn.ModuleList([nn.Conv2d(a, b, k) for a, b, k in zip(sizes, sizes[1:], kernels, strict=False)])
        for layer in (*self.branch, *self.head):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """Two outputs for every patch: (B, 2, h, w), before the softmax; the second says that `a` is the sharper.

        Args:
            a: (B, C, H, W), with `halo` pixels around. Sides of a patch and twice the halo give one score, h = w = 1.
            b: The same size.
        """
        return self.compare(self.features(a), self.features(b))

    def in_both_orders(self, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        """``self(a, b)`` and ``self(b, a)``; the branch sees each of them once."""
        first, second = self.features(a), self.features(b)
        return self.compare(first, second), self.compare(second, first)

    def features(self, x: Tensor, step: int | None = None, branch: nn.ModuleList | None = None) -> Tensor:
        """The branch: (B, C, H, W) to features `step` pixels apart.

        Where `step` is less than the stride, the last poolings keep their windows but move on by one, and what follows has
        holes in its kernels: the features of the image shifted by every multiple of `step`, stitched, for much less work.
        """
        *_, (_, maps) = self.trace(x, step, branch)
        return maps

    def trace(self, x: Tensor, step: int | None = None, branch: nn.ModuleList | None = None) -> Iterator[tuple[str, Tensor]]:
        """Kind of each layer of the branch, ``"conv"`` or ``"pool"``, and the maps after it."""
        reached, gap = 1, 1
        convolutions = iter(branch or self.branch)
        for layer in self.plan:
            if layer != "pool":
                conv = next(convolutions)
                margin = gap if self.border == "zeros" else 0
                x = F.relu(F.conv2d(x, conv.weight, conv.bias, padding=margin, dilation=gap))
            elif reached < (step or self.stride):
                x = _POOLS[self.pool](x, 2)
                reached *= 2
            else:
                x = _pool_with_gap(x, gap, self.pool)
                gap *= 2
            yield "pool" if layer == "pool" else "conv", x

    def compare(self, a: Tensor, b: Tensor, step: int | None = None) -> Tensor:
        """Features of both, `step` pixels apart, to the two outputs of every patch."""
        return self.classify(torch.cat([a, b], 1), step)

    def classify(self, x: Tensor, step: int | None = None) -> Tensor:
        """The fully connected layers alone, of joined features."""
        gap = self.stride // (step or self.stride)
        for i, (weight, bias) in enumerate(self._merged() if self.linear and not self.training else self._layers()):
            x = F.conv2d(F.relu(x) if i and not self.linear else x, weight, bias, dilation=gap if i == 0 else 1)
        return x

    def _layers(self) -> Iterator[tuple[Tensor, Tensor]]:
        return ((layer.weight, layer.bias) for layer in self.head)

    def _merged(self) -> list[tuple[Tensor, Tensor]]:
        """The linear layers multiplied out: two outputs instead of hundreds for each patch."""
        weight, bias = self.head[0].weight, self.head[0].bias
        for layer in self.head[1:]:
            matrix = layer.weight[:, :, 0, 0]
            weight, bias = torch.einsum("oh,hcij->ocij", matrix, weight), matrix @ bias + layer.bias
        return [(weight, bias)]


def _reach(plan: Sequence[int | str]) -> tuple[int, int]:
    """Stride of the features of a branch, and how many pixels beyond their own block they depend on."""
    stride, reach = 1, 0
    for layer in plan:
        stride, reach = (2 * stride, reach) if layer == "pool" else (stride, reach + stride)
    return stride, reach


def _pool_with_gap(x: Tensor, gap: int, pool: Pool) -> Tensor:
    """2x2 pooling at every place, of values `gap` apart."""
    if pool == "max":
        return F.max_pool2d(x, 2, stride=1, dilation=gap)
    rows = (x[..., gap:, :] + x[..., :-gap, :]) / 2
    return (rows[..., gap:] + rows[..., :-gap]) / 2


_POOLS: dict[str, Callable[..., Tensor]] = {"max": F.max_pool2d, "avg": F.avg_pool2d}


# ------------------------------------------------------------------------------------------------ whole images


def pad_for_scores(image: np.ndarray, network: Siamese) -> np.ndarray:
    """Channels x sides for `features`: sides filled up to a multiple of the stride (A2.16), and the halo; mirrored.

    Args:
        image: (H, W) or (H, W, C), sides at least those of a patch.
    Returns:
        (C, H', W'), float32.
    """
    channels = np.moveaxis(np.atleast_3d(image), -1, 0)
    ends = [(network.halo, -side % network.stride + network.halo) for side in channels.shape[1:]]
    return np.pad(channels, [(0, 0), *ends], mode="reflect").astype(np.float32)


@torch.inference_mode()
def image_features(network: Siamese, image: np.ndarray, step: int | None = None) -> Tensor:
    """`Siamese.features` of a whole image (H, W[, C]), (1, maps, h, w), a strip of rows at a time."""
    step = step or network.stride
    x = torch.from_numpy(pad_for_scores(image, network))[None]
    count = (x.shape[-2] - 2 * network.halo - network.stride) // step + 1
    each = max(network.patch // step, STRIP_PIXELS // (step * x.shape[-1]))
    strips = [range(top, min(count, top + each)) for top in range(0, count, each)]
    return torch.cat([_strip(network, x, rows, step) for rows in strips], 2)


def _strip(network: Siamese, x: Tensor, rows: range, step: int) -> Tensor:
    """Those rows of the features, from as many rows of the image as they depend on."""
    # A network that pads with zeros may do so at the border of the image only, and its strips begin where blocks of a pooling do.
    spare = 0 if network.halo else -(-network.reach // network.stride) * network.stride
    top = max(0, rows[0] * step - spare)
    part = x[..., top : rows[-1] * step + network.stride + 2 * network.halo + spare, :]
    part = part.to(network.branch[0].weight.device, memory_format=torch.channels_last)
    return network.features(part, step)[..., rows[0] - top // step : rows[-1] + 1 - top // step, :]


@torch.inference_mode()
def first_sharper(network: Siamese, a: Tensor, b: Tensor, step: int | None = None) -> np.ndarray:
    """Probability that the first image is the sharper, from the features of both: (h, w), one for each patch."""
    outputs = network.compare(a, b, step)[0]
    return torch.sigmoid(outputs[1] - outputs[0]).cpu().numpy()


def focus_map(scores: np.ndarray, shape: tuple[int, int], *, patch: int, step: int) -> np.ndarray:
    """For every pixel the mean of the scores of all patches that cover it.

    Args:
        scores: (h, w), of patches `step` pixels apart.
        shape: Height and width of the image; patches may reach over its lower and right border.
        patch: Side of a patch in pixels, a multiple of `step`.
        step: Distance of neighbouring patches.
    Returns:
        (H, W), float32.
    References:
        [liu2017cnn], section 3.3.
    """
    import cv2

    # Within a cell of step x step pixels all pixels are covered by the same patches.
    reach = patch // step
    corners = [np.pad(plane, [(0, reach - 1)] * 2) for plane in (scores.astype(np.float64), np.ones(scores.shape))]
    box = {"ddepth": -1, "ksize": (reach, reach), "anchor": (reach - 1, reach - 1), "normalize": False}
    sums, counts = (cv2.boxFilter(plane, borderType=cv2.BORDER_CONSTANT, **box) for plane in corners)
    cells = (sums / counts).astype(np.float32)
    return cells.repeat(step, 0).repeat(step, 1)[: shape[0], : shape[1]]


@torch.inference_mode()
def patch_scores(network: Siamese, first: np.ndarray, second: np.ndarray, *, step: int, batch: int = 256) -> np.ndarray:
    """`first_sharper` the slow way: every patch, `step` pixels apart, cut out and classified on its own.

    Args:
        network: Its `border` says whether a patch brings its surroundings along.
        first: (H, W) or (H, W, C), float in [0, 1].
        second: The same size.
        step: Distance of neighbouring patches in pixels.
        batch: Patches at a time.
    """
    device = network.branch[0].weight.device
    side = network.patch + 2 * network.halo
    patches = []
    for image in (first, second):
        x = torch.from_numpy(pad_for_scores(image, network))
        windows = x.unfold(1, side, step).unfold(2, side, step)
        patches.append(windows.permute(1, 2, 0, 3, 4))
    shape = patches[0].shape[:2]
    pairs = [part.reshape(-1, *part.shape[2:]).split(batch) for part in patches]
    scores = [network(a.to(device), b.to(device))[:, :, 0, 0] for a, b in zip(*pairs, strict=True)]
    outputs = torch.cat(scores).cpu()
    return torch.sigmoid(outputs[:, 1] - outputs[:, 0]).reshape(shape).numpy()


# ------------------------------------------------------------------------------------------------- many images


class Look(NamedTuple):
    """All that a comparison needs to know of an image."""

    gray: np.ndarray  # (H, W[, C]), what the network was shown
    features: Tensor  # (1, maps, h, w)


class PatchJudge:
    """A patch classifier as the judge of `mffrepro.fusion.multi_image`.

    Args:
        network: Ready for inference.
        decide: From the focus map (H, W) and what was seen of both images to the final map (H, W) in [0, 1].
        step: Distance of neighbouring patches in pixels, a power of two up to the stride, which is the default.
        both_orders: Ask a second time with the images swapped, and average: the answer cannot depend on the order then.
        see: From an image to what the network is shown, (H, W[, C]).
    """

    def __init__(
        self, network: Siamese, decide: Callable[[np.ndarray, Look, Look], np.ndarray], *, step: int | None = None,
        both_orders: bool = False, see: Callable[[np.ndarray], np.ndarray] | None = None,
    ) -> None:  # fmt: skip
        self.network, self.decide, self.both_orders = network, decide, both_orders
        self.step = check_step(network, step)
        self.see = see or gray

    def look(self, image: np.ndarray) -> Look:
        seen = self.see(image)
        return Look(seen, image_features(self.network, seen, self.step))

    def scores(self, first: Look, second: Look) -> np.ndarray:
        """(H, W): how likely each patch of the first is the sharper, averaged over the patches of every pixel."""
        raw = first_sharper(self.network, first.features, second.features, self.step)
        return focus_map(raw, first.gray.shape[:2], patch=self.network.patch, step=self.step)

    def focus(self, first: Look, second: Look) -> np.ndarray:
        """The focus map, 1 where the first is the sharper."""
        there = self.scores(first, second)
        return (there + 1 - self.scores(second, first)) / 2 if self.both_orders else there

    def compare(self, first: Look, second: Look) -> tuple[np.ndarray, np.ndarray]:
        focus = self.focus(first, second)
        tiny = np.finfo(np.float32).eps
        return self.decide(focus, first, second), np.log(focus + tiny) - np.log(1 - focus + tiny)

    def merge(self, first: Look, second: Look, final: np.ndarray) -> Look:
        ends = [(0, -side % self.network.stride) for side in final.shape]
        weight = torch.from_numpy(np.pad(final, ends, mode="edge"))[None, None].to(first.features)
        weight = F.avg_pool2d(weight, self.network.stride, stride=self.step)
        return Look(mix(first.gray, second.gray, final), first.features.lerp(second.features, 1 - weight))


def gray(image: np.ndarray) -> np.ndarray:
    return to_gray(image) if image.ndim == 3 else image


def check_step(network: Siamese, step: int | None) -> int:
    """The step, once it is known to be one that the features can have; the stride by default."""
    possible = [2**i for i in range(int(math.log2(network.stride)) + 1)]
    if step is not None and step not in possible:
        raise OptionError(f"dense is {step}; patches can be {', '.join(map(str, possible))} pixels apart")
    return step or network.stride


def fuse_many(images: Sequence[np.ndarray], judge: Any, strategy: str, calibration: Calibration) -> tuple[np.ndarray, np.ndarray]:
    """One after the other, as the papers say, unless calibration is asked for."""
    way = partial(calibrated, form=calibration) if strategy == "calibration" and len(images) > 2 else serial
    return way(images, judge)
