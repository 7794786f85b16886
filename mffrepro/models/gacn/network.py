r"""GACN: one network that yields the decision map and the fused image, trained end to end.

Two photographs pass through the same feature path: four densely connected convolutions, each re-weighted by channel
attention. The spatial frequency of the 64 feature maps is the activity level: it says how sharp each photograph is around each
pixel. A decision path of four convolutions with spatial attention turns the difference of both activity levels into one map, a
steep sigmoid makes it nearly binary, and a guided filter smooths it in the boundary band.

What we changed: nothing in the layout. Where the paper's text and the authors' code differ, `GACN` follows the text and
takes the code's reading by name: ``activity="published"`` (A4.3), ``boundary="published"`` (A4.10). The published
weights were trained with the code's readings and are loaded with them.

References: [ma2022gacn]. Chapter: 07_gacn.
"""

from itertools import pairwise
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mffrepro.fusion.boxes import box_sum, guided_filter
from mffrepro.models.layers import ConvToOne
from mffrepro.models.weights import NetworkSource, read_published

#: Whose description counts where the paper's text and the authors' code differ.
Reading = Literal["paper", "published"]
Boundary = Literal["paper", "published", "none"]


class Maps(NamedTuple):
    """Hold the maps of one forward pass, each (B, 1, H, W).

    1 in a map means: take the first image.
    """

    logit: Tensor  # x of Eq. 4, before the sigmoid
    initial: Tensor  # p of Eq. 4
    final: Tensor  # after boundary smoothing (A4.10)
    fused: Tensor  # Eq. 5, of the gray inputs


class ConvBlock(nn.Sequential):
    """Convolve by 3x3, apply ReLU, then batch normalisation, in this order."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.relu = nn.ReLU(inplace=True)
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Return maps (B, outputs, H, W).

        At inference they are normalised in place, which spares a large array.
        """
        x = self.relu(self.conv(x))
        if self.training or torch.is_grad_enabled():
            return self.norm(x)
        scale = self.norm.weight * torch.rsqrt(self.norm.running_var + self.norm.eps)
        shift = self.norm.bias - scale * self.norm.running_mean
        return torch.addcmul(shift[:, None, None], x, scale[:, None, None], out=x)


class ChannelSE(nn.Module):
    """Weight each channel by a function of the global means of all channels (CSE)."""

    def __init__(self, channels: int, reduction: int = 8) -> None:
        super().__init__()
        self.squeeze = nn.Linear(channels, channels // reduction, bias=False)
        self.excite = nn.Linear(channels // reduction, channels, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Weight the channels of (B, C, H, W)."""
        return x * self.weight(x.mean((2, 3)))[:, :, None, None]

    def weight(self, mean: Tensor) -> Tensor:
        """Compute the weights (B, C) of the channels from their means (B, C)."""
        return torch.sigmoid(self.excite(F.relu(self.squeeze(mean))))


class SpatialSE(nn.Module):
    """Weight each pixel by a 7x7 convolution over all channels (SSE)."""

    def __init__(self, channels: int, kernel: int = 7) -> None:
        super().__init__()
        self.conv = ConvToOne(channels, kernel)

    def forward(self, x: Tensor) -> Tensor:
        """Weight the pixels of (B, C, H, W); in place where no gradient is needed."""
        weight = torch.sigmoid(self.conv(x))
        return x * weight if torch.is_grad_enabled() else x.mul_(weight)  # a new array costs more than the product


class FeaturePath(nn.Module):
    """Extract feature maps (B, 64, H, W) from (B, 1, H, W) by four dense layers."""

    def __init__(self, attention: bool = True) -> None:
        super().__init__()
        self.conv = nn.ModuleList([ConvBlock(inputs, 16) for inputs in (1, 16, 32, 48)])
        self.se = nn.ModuleList([ChannelSE(16) if attention else nn.Identity() for _ in range(4)])

    def forward(self, gray: Tensor) -> Tensor:
        """Concatenate the maps of all layers; each layer sees those of all earlier ones."""
        features = [self.se[0](self.conv[0](gray))]
        for conv, se in zip(self.conv[1:], self.se[1:], strict=True):
            features.append(se(conv(torch.cat(features, 1))))
        return torch.cat(features, 1)


class DecisionPath(nn.Module):
    """Turn the difference of two activity levels (B, 64, H, W) into one map."""

    def __init__(self, attention: bool = True) -> None:
        super().__init__()
        channels = (64, 48, 32, 16, 1)
        self.se = nn.ModuleList([SpatialSE(c) if attention else nn.Identity() for c in channels])
        self.conv = nn.ModuleList([ConvBlock(a, b) for a, b in pairwise(channels)])

    def forward(self, activity: Tensor) -> Tensor:
        """Apply attention before, between and after four convolutions."""
        x = self.se[0](activity)
        for conv, se in zip(self.conv, self.se[1:], strict=True):
            x = se(conv(x))
        return x


class GACN(nn.Module):
    """Decide between two gray images by their activity levels, and fuse them.

    The network has 68 820 parameters.

    Args:
        activity: ``"paper"`` feeds the decision path with SF_A - SF_B of Eq. 1-3; ``"published"`` with
            sigmoid(1000 (S_A - S_B)) of plain window sums S, as the authors' code does (A4.3).
        boundary: ``"paper"`` smooths where the blurred map lies in [0.1, 0.8]; ``"published"`` blends by the soft weight
            of the authors' code; ``"none"`` keeps the initial map (A4.11).
        attention: False leaves out both kinds of attention. The paper has no such ablation; the claim C4.21 needs it.
        slope: k of Eq. 4.
    """

    radius = 5  # r of Eq. 1-3: windows of 11x11
    band = (0.1, 0.8)  # boundary band (A4.10)
    guided_radius, guided_eps = 3, 0.1  # not in the paper; authors' code (A4.12)

    def __init__(
        self, *, activity: Reading = "paper", boundary: Boundary = "paper", attention: bool = True, slope: float = 1000.0
    ) -> None:
        super().__init__()
        self.activity, self.boundary, self.slope = activity, boundary, slope
        self.options = {"activity": activity, "boundary": boundary, "attention": attention}  # saved with the weights
        self.features = FeaturePath(attention)
        self.decision = DecisionPath(attention)
        self.register_buffer("gaussian", _gaussian_kernel(radius=4, sigma=8.0), persistent=False)

    def forward(self, a: Tensor, b: Tensor) -> Maps:
        """Compute the maps and the fused image of two gray batches (B, 1, H, W) in [0, 1]."""
        logit, initial, final = self.decide(a, b, self.extract(a), self.extract(b))
        return Maps(logit, initial, final, b + final * (a - b))  # Eq. 5

    def extract(self, gray: Tensor) -> Tensor:
        """Compute the activity level (B, 64, H, W) of one image.

        A decision needs to know nothing else of it.
        """
        return self.spatial_frequency(self.features(gray).float())  # float32 under autocast too: window sums need the digits

    def spatial_frequency(self, features: Tensor) -> Tensor:
        """Compute the spatial frequency of feature maps around each pixel, Eq. 1-3."""
        if self.activity == "published":  # zeros outside, no normalisation, no root
            return box_sum(squared_differences(features), self.radius)
        # Borders repeat, "same padding" (A4.3): the difference across the border is 0, the window repeats its edge.
        r = self.radius
        squares = F.pad(squared_differences(features, repeat=True), (r, r, r, r), mode="replicate")
        sums = box_sum(squares, r)[..., r:-r, r:-r]
        return torch.add(sums.new_tensor(1e-12), sums, alpha=1 / (2 * r + 1) ** 2).sqrt_()  # finite gradient at 0

    def decide(
        self, a: Tensor, b: Tensor, activity_a: Tensor, activity_b: Tensor, *, boundary: Boundary | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Compute logit, initial and final map from two images and their activity levels.

        Args:
            a: First image (B, 1, H, W) in [0, 1].
            b: Second image.
            activity_a: Activity level of the first, from `extract`.
            activity_b: Activity level of the second.
            boundary: Reading of the boundary smoothing (A4.10); by default that of the network.
        """
        activity = activity_a - activity_b
        if self.activity == "published":
            activity = activity.mul_(1000).sigmoid_()
        logit = self.decision(activity).float()
        initial = torch.sigmoid(self.slope * logit)  # Eq. 4
        return logit, initial, self.smooth_boundary(initial, a, b, boundary or self.boundary)

    def smooth_boundary(self, initial: Tensor, a: Tensor, b: Tensor, reading: Boundary) -> Tensor:
        """Filter the map in its boundary band by a guided filter (A4.10).

        The guide is the provisional fusion.
        """
        if reading == "none":
            return initial
        blurred = F.conv2d(initial, self.gaussian, padding=self.gaussian.shape[-1] // 2)
        low, high = self.band
        smooth = guided_filter(b + initial * (a - b), initial, self.guided_radius, self.guided_eps)
        inside = (blurred >= low) & (blurred <= high)
        if reading == "paper":
            return torch.where(inside, smooth, initial)
        # The authors' code: weight 1 in the band and a soft tail outside, 1 - u(2u - 1) above it, 3u - 2u^2 below.
        tail = torch.where(blurred > high, 1 - blurred * (2 * blurred - 1), blurred * (3 - 2 * blurred))
        weight = torch.where(inside, torch.ones_like(tail), tail)
        return initial + weight * (smooth - initial)


def squared_differences(x: Tensor, *, repeat: bool = False) -> Tensor:
    """Add the squared differences to the left and to the upper neighbour.

    Outside the image lies 0, or the repeated border.
    """
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


def published(name: str) -> tuple[dict[str, Tensor], dict]:
    """Load the authors' tensors under our names, with their readings."""
    return from_published(read_published(name)), {"activity": "published", "boundary": "published"}


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


SOURCE = NetworkSource(GACN, published=published)
