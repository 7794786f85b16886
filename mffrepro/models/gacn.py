r"""GACN: one network that yields the decision map and the fused image, trained end to end.

Two photographs pass through the same feature path: four densely connected convolutions, each re-weighted by channel
attention. The spatial frequency of the 64 feature maps says how sharp each photograph is around each pixel; a decision
path of four convolutions with spatial attention turns the two activities into one decision map, a steep sigmoid makes
it nearly binary, and a guided filter smooths it where it changes.

What we changed: nothing in the layout. Where the paper's text and the authors' code differ, `GACN` follows the text and
takes the code's reading by name: ``activity="public"`` (A4.3), ``boundary="public"`` (section 3.4). The published
weights were trained with the code's readings and are loaded with them.

References: [ma2022gacn]. Chapter: 07_gacn.
"""

import math
import time
from functools import lru_cache
from itertools import pairwise
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mffrepro.fusion.boxes import box_sum, guided_filter
from mffrepro.fusion.multi_image import Calibration, Floats, calibrated, serial
from mffrepro.images import FocusStack, FusionResult, as_stack
from mffrepro.models import gacn_strips
from mffrepro.models.gacn_judge import GacnJudge, ranked_in_bands
from mffrepro.models.gacn_strips import conv_to_one
from mffrepro.models.weights import prepare, read_published

Reading = Literal["paper", "public"]


class Maps(NamedTuple):
    """What one forward pass yields; each (B, 1, H, W). 1 in a map means: take the first image."""

    logit: Tensor  # x of Eq. 4, before the sigmoid
    initial: Tensor  # p of Eq. 4
    final: Tensor  # after boundary smoothing, section 3.4
    fused: Tensor  # Eq. 5, of the gray inputs


class ConvBlock(nn.Sequential):
    """Convolution 3x3, ReLU, batch normalisation, in this order."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.relu = nn.ReLU(inplace=True)
        self.norm = nn.BatchNorm2d(outputs)


class ChannelSE(nn.Module):
    """CSE: the global mean of each channel decides how much that channel counts."""

    def __init__(self, channels: int, reduction: int = 8) -> None:
        super().__init__()
        self.squeeze = nn.Linear(channels, channels // reduction, bias=False)
        self.excite = nn.Linear(channels // reduction, channels, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return x * self.weight(x.mean((2, 3)))[:, :, None, None]

    def weight(self, mean: Tensor) -> Tensor:
        """Of each channel, (B, C), from its mean over the image, (B, C)."""
        return torch.sigmoid(self.excite(F.relu(self.squeeze(mean))))


class SpatialSE(nn.Module):
    """SSE: one 7x7 convolution over all channels decides how much each pixel counts."""

    def __init__(self, channels: int, kernel: int = 7) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, 1, kernel, padding=kernel // 2, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        weight = torch.sigmoid(conv_to_one(x, self.conv))
        return x * weight if torch.is_grad_enabled() else x.mul_(weight)  # a new array costs more than the product


class FeaturePath(nn.Module):
    """(B, 1, H, W) -> (B, 64, H, W): four dense layers of 16 maps, each seen by all later ones."""

    def __init__(self, attention: bool = True) -> None:
        super().__init__()
        self.conv = nn.ModuleList([ConvBlock(inputs, 16) for inputs in (1, 16, 32, 48)])
        self.se = nn.ModuleList([ChannelSE(16) if attention else nn.Identity() for _ in range(4)])

    def forward(self, gray: Tensor) -> Tensor:
        features = [self.se[0](self.conv[0](gray))]
        for conv, se in zip(self.conv[1:], self.se[1:], strict=True):
            features.append(se(conv(torch.cat(features, 1))))
        return torch.cat(features, 1)


class DecisionPath(nn.Module):
    """(B, 64, H, W) -> (B, 1, H, W): attention before, between and after four convolutions."""

    def __init__(self, attention: bool = True) -> None:
        super().__init__()
        channels = (64, 48, 32, 16, 1)
        self.se = nn.ModuleList([SpatialSE(c) if attention else nn.Identity() for c in channels])
        self.conv = nn.ModuleList([ConvBlock(a, b) for a, b in pairwise(channels)])

    def forward(self, activity: Tensor) -> Tensor:
        x = self.se[0](activity)
        for conv, se in zip(self.conv, self.se[1:], strict=True):
            x = se(conv(x))
        return x


class GACN(nn.Module):
    """The gradient-aware cascade network, 68 820 parameters.

    Args:
        activity: ``"paper"`` feeds the decision path with SF_A - SF_B of Eq. 1-3; ``"public"`` with
            sigmoid(1000 (S_A - S_B)) of plain window sums S, as the authors' code does (A4.3).
        boundary: ``"paper"`` smooths where the blurred map lies in [0.1, 0.8]; ``"public"`` blends by the soft weight
            of the authors' code; ``"none"`` leaves the initial map (A4.11).
        attention: False leaves out both kinds of attention; the paper has no such ablation, but the claim (C4.21).
        slope: k of Eq. 4.
    """

    radius = 5  # r of Eq. 1-3: windows of 11x11
    band = (0.1, 0.8)  # boundary region of section 3.4 (A4.10)
    guided_radius, guided_eps = 3, 0.1  # not in the paper; authors' code (A4.12)

    def __init__(
        self,
        *,
        activity: Reading = "paper",
        boundary: Reading | Literal["none"] = "paper",
        attention: bool = True,
        slope: float = 1000.0,
    ) -> None:
        super().__init__()
        self.activity, self.boundary, self.slope = activity, boundary, slope
        self.options = {"activity": activity, "boundary": boundary, "attention": attention}  # saved with the weights
        self.features = FeaturePath(attention)
        self.decision = DecisionPath(attention)
        self.register_buffer("gaussian", _gaussian_kernel(radius=4, sigma=8.0), persistent=False)

    def forward(self, a: Tensor, b: Tensor) -> Maps:
        """Maps for two gray batches (B, 1, H, W) in [0, 1]."""
        return self.decide(a, b, self.sharpness(a), self.sharpness(b))

    def sharpness(self, gray: Tensor) -> Tensor:
        """Activity level of one image, (B, 64, H, W): all that a pair needs to know of it, so it is kept and reused."""
        return self.spatial_frequency(self.features(gray).float())  # under autocast too: window sums need the digits

    def spatial_frequency(self, features: Tensor) -> Tensor:
        if self.activity == "public":  # zeros outside, no normalisation, no root
            return box_sum(squared_differences(features), self.radius)
        # Borders repeat, "same padding" (A4.3): the difference across the border is 0, the window repeats its edge.
        r = self.radius
        squares = F.pad(squared_differences(features, repeat=True), (r, r, r, r), mode="replicate")
        sums = box_sum(squares, r)[..., r:-r, r:-r]
        return torch.add(sums.new_tensor(1e-12), sums, alpha=1 / (2 * r + 1) ** 2).sqrt_()  # Eq. 1-3; finite gradient at 0

    def decide(self, a: Tensor, b: Tensor, sharpness_a: Tensor, sharpness_b: Tensor) -> Maps:
        activity = sharpness_a - sharpness_b
        if self.activity == "public":
            activity = activity.mul_(1000).sigmoid_()
        logit = self.decision(activity).float()
        initial = torch.sigmoid(self.slope * logit)  # Eq. 4
        final = self.smooth_boundary(initial, a, b)
        return Maps(logit, initial, final, b + final * (a - b))  # Eq. 5

    def smooth_boundary(self, initial: Tensor, a: Tensor, b: Tensor) -> Tensor:
        """Section 3.4: guided filtering of the map where it changes, with the provisional fusion as guide."""
        if self.boundary == "none":
            return initial
        blurred = F.conv2d(initial, self.gaussian, padding=self.gaussian.shape[-1] // 2)
        low, high = self.band
        smooth = guided_filter(b + initial * (a - b), initial, self.guided_radius, self.guided_eps)
        inside = (blurred >= low) & (blurred <= high)
        if self.boundary == "paper":
            return torch.where(inside, smooth, initial)
        # The authors' code: weight 1 in the band and a soft tail outside, 1 - u(2u - 1) above it, 3u - 2u^2 below.
        tail = torch.where(blurred > high, 1 - blurred * (2 * blurred - 1), blurred * (3 - 2 * blurred))
        weight = torch.where(inside, torch.ones_like(tail), tail)
        return initial + weight * (smooth - initial)


def squared_differences(x: Tensor, *, repeat: bool = False) -> Tensor:
    """Squared difference to the left neighbour plus that to the upper one; outside lies 0, or the border repeated."""
    total = torch.zeros_like(x)
    step = x[..., :, 1:] - x[..., :, :-1]
    total[..., :, 1:].addcmul_(step, step)  # in place: at 64 maps each new array costs as much as the arithmetic
    step = x[..., 1:, :] - x[..., :-1, :]
    total[..., 1:, :].addcmul_(step, step)
    if not repeat:
        total[..., :, 0] += x[..., :, 0].square()
        total[..., 0, :] += x[..., 0, :].square()
    return total


def _gaussian_kernel(radius: int, sigma: float) -> Tensor:
    x = torch.arange(-radius, radius + 1, dtype=torch.float64)
    line = torch.exp(-(x**2) / (2 * sigma**2))
    kernel = torch.outer(line, line)
    return (kernel / kernel.sum()).float()[None, None]


def from_published(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Rename the tensors of the authors' ``GACN.pkl`` to those of `GACN`."""
    renamed = {}
    for key, tensor in state.items():
        block, _, rest = key.partition(".")
        if block.startswith("se_"):
            i = int(block[3:])
            layer = {"fc.0.weight": "squeeze.weight", "fc.2.weight": "excite.weight"}[rest] if i < 4 else "conv.weight"
            new = f"features.se.{i}.{layer}" if i < 4 else f"decision.se.{i - 4}.{layer}"
        else:
            path, i = ("features", int(block[-1])) if block.startswith("feature") else ("decision", int(block[-1]) - 1)
            layer = rest.removeprefix(f"{block}_").replace("Conv2d", "conv").replace("BatchNorm", "norm")
            new = f"{path}.conv.{i}.{layer}"
        renamed[new] = tensor
    return renamed


# ----------------------------------------------------------------------------------------------- inference


@lru_cache(maxsize=4)
def load(weights: str = "default", *, device: str = "auto", boundary: str | None = None) -> GACN:
    """GACN ready for inference.

    Args:
        weights: As in `fuse`.
        device: ``"auto"``, ``"cpu"`` or ``"cuda"``.
        boundary: Overrides the reading of section 3.4 that the weights come with.
    """
    readings = {"activity": "public", "boundary": "public"}  # those that the authors trained with
    network = prepare(GACN, "gacn", weights, device, lambda: (from_published(read_published("gacn.published")), readings))
    network.boundary = boundary or network.boundary
    return network


def fuse(
    stack: FocusStack,
    *,
    weights: str = "default",
    device: str = "auto",
    strategy: Literal["auto", "serial", "calibration"] = "auto",
    calibration: Literal["rank", Calibration] = "rank",
    boundary: Literal["paper", "public", "none"] | None = None,
    as_published: bool | None = None,
) -> FusionResult:
    """Fuse a stack with GACN; the map is computed on gray and applied to all channels (A4.17).

    Images of over 8 million pixels are worked on in bands of rows, so that memory does not grow with their number or size but for
    what is given and returned; ``calibration="carry"`` alone keeps the 64 maps of two whole images.

    Args:
        stack: N >= 2 images, sides at least 11 pixels, gray or colour.
        weights: ``"default"`` (this project's), ``"published"`` (the authors'), the ablations on the method's card, ``"random"``,
            or a ``.safetensors`` file.
        device: ``"auto"``, ``"cpu"`` or ``"cuda"``.
        strategy: For more than two images; ``"auto"`` is ``"calibration"``.
        calibration: Form of the calibration, see `mffrepro.fusion.multi_image.calibrated`. ``"rank"`` is the fastest, the
            sharpest, and gives the same image in whatever order the stack comes.
        boundary: Boundary smoothing; by default the reading that the weights were trained with.
        as_published: True smooths the boundary as the authors' code does, False as the paper's text says, whatever the
            weights; None leaves it to the weights.
    Returns:
        Fused image and decision map.
    Raises:
        ImageError: Images too small.
        DataError: Weights that cannot be had.
    References:
        [ma2022gacn].
    Chapter: 07_gacn
    """
    as_stack(stack, min_side=2 * GACN.radius + 1)
    if boundary is None and as_published is not None:
        boundary = "public" if as_published else "paper"
    judge = GacnJudge(load(weights, device=device, boundary=boundary), whole=calibration == "carry")
    started = time.perf_counter()
    images = Floats(stack.images)
    if strategy == "serial" or len(stack) == 2:
        fused, decision = serial(images, judge)
    elif calibration == "rank" and math.prod(stack.images.shape[1:3]) > gacn_strips.LARGE:
        fused, decision = ranked_in_bands(stack.images, judge.network)
    else:
        fused, decision = calibrated(images, judge, form=calibration)
    return FusionResult.finish(stack, fused, decision, started, "gacn")
