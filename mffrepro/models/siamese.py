r"""Score every patch of an image pair by two equal branches and fully connected layers: the base of the patch classifiers.

Such a network is trained on pairs of 16x16 patches and says which of the two is sharper. Its fully connected layers are
written as convolutions, the first as wide as the features of one patch: given a patch it yields one score, given an image
one score for every patch, a pooling stride apart. `focus_map` averages the scores of all patches that cover a pixel.

One thing has to be decided: the values outside a patch. The convolutions keep the size of their input, so at the border of a
patch they need values from beyond. With ``border="zeros"`` they are 0, as in the papers; but inside an image the
neighbouring pixels are known, and the scores of an image are no longer those of its patches. With ``border="context"`` a
patch is cut out with the few pixels around it that the convolutions look at, and both agree to rounding.

References: [liu2017cnn], [li2018icacs]. Chapter: 06_cnnwt.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mffrepro.errors import OptionError
from mffrepro.fusion.multi_image import mix
from mffrepro.images import to_gray
from mffrepro.tiling import spans

Border = Literal["context", "zeros"]
Pool = Literal["max", "avg"]

#: Pixels of a strip while the features of an image are computed: few enough for its maps to stay in the processor's cache.
STRIP_PIXELS = 2**16


class Siamese(nn.Module):
    """Classify which of two patches is sharper by two equal branches.

    The branches share their weights; fully connected layers follow.

    Args:
        plan: The branch: numbers of maps of the 3x3 convolutions, each followed by a ReLU, and ``"pool"`` for a 2x2 pooling.
        hidden: Sizes of the fully connected layers before the last one, which has two outputs.
        channels: Channels of an input patch.
        patch: Side of a patch in pixels, a multiple of the stride.
        width: Factor on all maps of the branch; 1 is the size in the paper.
        pool: Maximum or mean of each 2x2 block.
        border: Values around a patch, see the module.
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
        """Compute two outputs per patch (B, 2, h, w), before the softmax.

        The second says that `a` is sharper.

        Args:
            a: (B, C, H, W), with `halo` pixels around. Sides of a patch and twice the halo give one score, h = w = 1.
            b: The same size.
        """
        return self.compare(self.features(a), self.features(b))

    def in_both_orders(self, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        """Compute ``self(a, b)`` and ``self(b, a)`` with one pass of the branch each."""
        first, second = self.features(a), self.features(b)
        return self.compare(torch.cat([first, second]), torch.cat([second, first])).chunk(2)

    def features(self, x: Tensor, step: int | None = None, branch: nn.ModuleList | None = None) -> Tensor:
        """Run the branch on (B, C, H, W); the features are `step` pixels apart.

        Where `step` is less than the stride, the last poolings keep their windows but move on by one, and what follows has
        holes in its kernels: the features of the image shifted by every multiple of `step`, stitched, for much less work.
        """
        *_, (_, maps) = self.trace(x, step, branch)
        return maps

    def trace(self, x: Tensor, step: int | None = None, branch: nn.ModuleList | None = None) -> Iterator[tuple[str, Tensor]]:
        """Yield the kind of each layer of the branch and the maps after it.

        The kind is ``"conv"`` or ``"pool"``.
        """
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
        """Compute the two outputs of every patch from the features of both images.

        Patches are `step` pixels apart.
        """
        return self.classify(torch.cat([a, b], 1), step)

    def classify(self, x: Tensor, step: int | None = None) -> Tensor:
        """Apply the fully connected layers to joined features."""
        gap = self.stride // (step or self.stride)
        for i, (weight, bias) in enumerate(self._merged() if self.linear and not self.training else self._layers()):
            x = _fully_connected(F.relu(x) if i and not self.linear else x, weight, bias, gap if i == 0 else 1)
        return x

    def _layers(self) -> Iterator[tuple[Tensor, Tensor]]:
        return ((layer.weight, layer.bias) for layer in self.head)

    def _merged(self) -> list[tuple[Tensor, Tensor]]:
        """Multiply the linear layers out: two outputs instead of hundreds for each patch."""
        weight, bias = self.head[0].weight, self.head[0].bias
        for layer in self.head[1:]:
            matrix = layer.weight[:, :, 0, 0]
            weight, bias = torch.einsum("oh,hcij->ocij", matrix, weight), matrix @ bias + layer.bias
        return [(weight, bias)]


def _fully_connected(x: Tensor, weight: Tensor, bias: Tensor, gap: int) -> Tensor:
    """Convolve without padding; features that the kernel just covers, those of one patch, are multiplied by a matrix.

    A convolution with so large a kernel is slow: it took two thirds of a step of the training of CNN-Fuse on a CPU.
    """
    if gap > 1 or x.shape[2:] != weight.shape[2:]:
        return F.conv2d(x, weight, bias, dilation=gap)
    rows, matrix = (part.permute(0, 2, 3, 1).flatten(1) for part in (x, weight))  # no copies where channels lie last
    return F.linear(rows, matrix, bias)[:, :, None, None]


def _reach(plan: Sequence[int | str]) -> tuple[int, int]:
    """Compute the stride of a branch's features, and how many pixels beyond their own block they depend on."""
    stride, reach = 1, 0
    for layer in plan:
        stride, reach = (2 * stride, reach) if layer == "pool" else (stride, reach + stride)
    return stride, reach


def _pool_with_gap(x: Tensor, gap: int, pool: Pool) -> Tensor:
    """Pool 2x2 values that are `gap` apart, at every place."""
    if pool == "max":
        return F.max_pool2d(x, 2, stride=1, dilation=gap)
    rows = (x[..., gap:, :] + x[..., :-gap, :]) / 2
    return (rows[..., gap:] + rows[..., :-gap]) / 2


_POOLS: dict[str, Callable[..., Tensor]] = {"max": F.max_pool2d, "avg": F.avg_pool2d}


# ------------------------------------------------------------------------------------------------ whole images


def pad_for_scores(image: np.ndarray, network: Siamese) -> np.ndarray:
    """Mirror an image at its borders until `features` can take it.

    Its sides become multiples of the stride (A2.16), and the halo is added.

    Args:
        image: (H, W) or (H, W, C), sides at least those of a patch.
        network: The network that will see it.

    Returns:
        (C, H', W'), float32.
    """
    channels = np.moveaxis(np.atleast_3d(image), -1, 0)
    ends = [(network.halo, -side % network.stride + network.halo) for side in channels.shape[1:]]
    return np.pad(channels, [(0, 0), *ends], mode="reflect").astype(np.float32)


@torch.inference_mode()
def image_features(network: Siamese, image: np.ndarray, step: int | None = None) -> Tensor:
    """Run the branch on a whole image (H, W[, C]), a strip of rows at a time.

    The features are (1, maps, h, w).
    """
    step = step or network.stride
    x = torch.from_numpy(pad_for_scores(image, network))[None]
    count = (x.shape[-2] - 2 * network.halo - network.stride) // step + 1
    each = max(network.patch // step, STRIP_PIXELS // (step * x.shape[-1]))
    return torch.cat([_strip(network, x, rows, step) for rows in spans(count, each)], 2)


def _strip(network: Siamese, x: Tensor, rows: range, step: int) -> Tensor:
    """Compute some rows of the features from the rows of the image that they depend on."""
    # A network that pads with zeros may do so at the border of the image only, and its strips begin where blocks of a pooling do.
    spare = 0 if network.halo else -(-network.reach // network.stride) * network.stride
    top = max(0, rows[0] * step - spare)
    part = x[..., top : rows[-1] * step + network.stride + 2 * network.halo + spare, :]
    part = part.to(network.branch[0].weight.device, memory_format=torch.channels_last)
    return network.features(part, step)[..., rows[0] - top // step : rows[-1] + 1 - top // step, :]


@torch.inference_mode()
def first_sharper(network: Siamese, a: Tensor, b: Tensor, step: int | None = None) -> np.ndarray:
    """Compute the probability (h, w) per patch that the first image is sharper.

    It follows from the features of both.
    """
    outputs = network.compare(a, b, step)[0]
    return torch.sigmoid(outputs[1] - outputs[0]).float().cpu().numpy()


def focus_map(scores: np.ndarray, shape: tuple[int, int], *, patch: int, step: int) -> np.ndarray:
    """Average, for every pixel, the scores of all patches that cover it.

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
    """Cut out and classify every patch separately: the slow twin of `first_sharper`.

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
    return torch.sigmoid(outputs[:, 1] - outputs[:, 0]).reshape(shape).float().cpu().numpy()


# ------------------------------------------------------------------------------------------------- many images


class Features(NamedTuple):
    """Hold what a comparison needs to know of one image."""

    gray: np.ndarray  # (H, W[, C]), what the network was shown
    maps: Tensor  # (1, maps, h, w), of the branch


class PatchComparer:
    """Compare images by a patch classifier.

    See `mffrepro.fusion.multi_image.Comparer`.

    Args:
        network: Ready for inference.
        rule: From the focus map (H, W) and the features of both images to the final map (H, W) in [0, 1].
        step: Distance of neighbouring patches in pixels, a power of two up to the stride, which is the default.
        both_orders: Score the swapped images too and average, so that the map cannot depend on the order of the images.
        see: From an image to what the network is shown, (H, W[, C]).
    """

    def __init__(
        self, network: Siamese, rule: Callable[[np.ndarray, Features, Features], np.ndarray], *, step: int | None = None,
        both_orders: bool = False, see: Callable[[np.ndarray], np.ndarray] | None = None,
    ) -> None:  # fmt: skip
        self.network, self.rule, self.both_orders = network, rule, both_orders
        self.step = check_step(network, step)
        self.see = see or gray

    def extract(self, image: np.ndarray) -> Features:
        """Run the branch on one image (H, W[, C]), float in [0, 1]."""
        seen = self.see(image)
        return Features(seen, image_features(self.network, seen, self.step))

    def scores(self, first: Features, second: Features) -> np.ndarray:
        """Average, per pixel, the probabilities that the first image is sharper.

        All patches that cover the pixel count; the result is (H, W).
        """
        raw = first_sharper(self.network, first.maps, second.maps, self.step)
        return focus_map(raw, first.gray.shape[:2], patch=self.network.patch, step=self.step)

    def focus(self, first: Features, second: Features) -> np.ndarray:
        """Compute the focus map (H, W), 1 where the first image is sharper."""
        there = self.scores(first, second)
        return (there + 1 - self.scores(second, first)) / 2 if self.both_orders else there

    def decide(self, first: Features, second: Features) -> tuple[np.ndarray, np.ndarray]:
        """Compute the final map (H, W) and the logit of the focus map.

        The map is 1 where the first image is taken.
        """
        focus = self.focus(first, second)
        tiny = np.finfo(np.float32).eps
        return self.rule(focus, first, second), np.log(focus + tiny) - np.log(1 - focus + tiny)

    def blend(self, first: Features, second: Features, final: np.ndarray) -> Features:
        """Blend two sets of features by a decision map."""
        ends = [(0, -side % self.network.stride) for side in final.shape]
        weight = torch.from_numpy(np.pad(final, ends, mode="edge"))[None, None].to(first.maps)
        weight = F.avg_pool2d(weight, self.network.stride, stride=self.step)
        return Features(mix(first.gray, second.gray, final), first.maps.lerp(second.maps, 1 - weight))


def gray(image: np.ndarray) -> np.ndarray:
    """Convert an image (H, W[, 3]) to gray (H, W)."""
    return to_gray(image) if image.ndim == 3 else image


def check_step(network: Siamese, step: int | None) -> int:
    """Return the step, by default the stride, or raise OptionError."""
    possible = [2**i for i in range(int(math.log2(network.stride)) + 1)]
    if step is not None and step not in possible:
        raise OptionError(f"dense is {step}; patches can be {', '.join(map(str, possible))} pixels apart")
    return step or network.stride
