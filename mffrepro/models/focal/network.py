"""Focal: a small network that compares all frames of a focal stack at once and shares out each pixel among them.

Every frame passes through the same convolutions, on three scales. What a frame lacks is seen only beside the others, so each
scale also convolves the largest response of all frames. The order of the frames therefore does not matter, nor does their number.
Two scores come out for each frame and pixel. A softmax over the frames turns the first into the shares of the fused image, and
the second into the probability that this frame is the sharpest, whose mean over neighbouring frames is a depth.

References: [mffrepro2026]. Chapter: 11_lessons.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mffrepro.models.weights import NetworkSource

#: Multiple that the sides of frames must be: the coarsest scale is an eighth.
STEP = 8
#: Pixels around a pixel that its scores depend on, rounded up to a multiple of `STEP`.
REACH = 64


class Exchange(nn.Module):
    """Convolve the maps of each frame together with their maximum over its stack.

    Args:
        channels: Maps in and out.
        compare: False convolves the frame's own maps twice instead: for comparison.
    """

    def __init__(self, channels: int, *, compare: bool = True) -> None:
        super().__init__()
        self.compare = compare
        self.own = nn.Conv2d(channels, channels, 3, padding=1)
        self.best = nn.Conv2d(channels, channels, 3, padding=1, bias=False)

    def forward(self, x: Tensor, stacks: int) -> Tensor:
        """Convolve maps (stacks N, C, H, W), the frames of a stack one after the other."""
        if not self.compare:
            return x + F.relu(self.own(x) + self.best(x))
        best = self.best(largest(x.unflatten(0, (stacks, -1))))
        new = self.own(x).unflatten(0, (stacks, -1)) + best[:, None]
        return x + F.relu(new.flatten(0, 1), inplace=True)


class Focal(nn.Module):
    """Score every frame of a focal stack at every pixel.

    Args:
        widths: Maps at a half, a quarter and an eighth of the size.
        deep: Exchanges at an eighth of the size.
        compare: See `Exchange`.
    """

    def __init__(self, widths: tuple[int, int, int] = (16, 24, 32), deep: int = 3, *, compare: bool = True) -> None:
        super().__init__()
        self.options = {"widths": list(widths), "deep": deep, "compare": compare}
        half, quarter, eighth = widths
        self.first = nn.Conv2d(4, half, 3, padding=1)
        self.compare_half = Exchange(half, compare=compare)
        self.to_quarter = nn.Conv2d(half, quarter, 3, stride=2, padding=1)
        self.compare_quarter = Exchange(quarter, compare=compare)
        self.to_eighth = nn.Conv2d(quarter, eighth, 3, stride=2, padding=1)
        self.compare_eighth = nn.ModuleList([Exchange(eighth, compare=compare) for _ in range(deep)])
        self.back_to_quarter, self.merge_quarter = nn.Conv2d(eighth, quarter, 1), nn.Conv2d(quarter, quarter, 3, padding=1)
        self.back_to_half, self.merge_half = nn.Conv2d(quarter, half, 1), nn.Conv2d(half, half, 3, padding=1)
        self.scores = nn.Conv2d(half, 2 * 4, 3, padding=1)

    def forward(self, frames: Tensor) -> Tensor:
        """Compute both scores (B, N, 2, H, W) of frames (B, N, H, W).

        They are gray in [0, 1], with sides that are multiples of 8.
        """
        stacks = len(frames)
        x = F.pixel_unshuffle(frames.flatten(0, 1)[:, None] - 0.5, 2).contiguous(memory_format=torch.channels_last)
        half = self.compare_half(F.relu(self.first(x), inplace=True), stacks)
        quarter = self.compare_quarter(F.relu(self.to_quarter(half), inplace=True), stacks)
        x = F.relu(self.to_eighth(quarter), inplace=True)
        for compare in self.compare_eighth:
            x = compare(x, stacks)
        x = F.relu(self.merge_quarter(quarter + doubled(self.back_to_quarter(x))), inplace=True)
        x = F.relu(self.merge_half(half + doubled(self.back_to_half(x))), inplace=True)
        return F.pixel_shuffle(self.scores(x), 2).unflatten(0, (stacks, -1))


def largest(x: Tensor) -> Tensor:
    """Take the maximum over the frames of maps (B, N, C, H, W).

    The maps of a pixel lie together in memory, and in this order of axes torch is ten times as fast.
    """
    return x.movedim(2, -1).amax(1).movedim(-1, 1)


def doubled(x: Tensor) -> Tensor:
    """Double the sides of maps (B, C, H, W) by linear interpolation."""
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


SOURCE = NetworkSource(Focal)
