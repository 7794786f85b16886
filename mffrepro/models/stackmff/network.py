"""StackMFF-V2: one network that reads a whole focal stack and says for each pixel which frame is the sharpest.

Features are computed frame by frame. A recurrent network then passes over the frames in both directions and scores each frame at
each pixel. A softmax turns the scores into shares, and the mean of the frame numbers by these shares is a continuous depth.
Nothing is blended: each pixel comes from one frame. The frames must be in the order of their focus.

What we changed: nothing in the layout. Of the second direction only running sums are kept, which needs half of the memory and
gives the same result.

References: [xie2025stackmff]. Chapter: 08_networks.
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mffrepro.models.weights import NetworkSource, read_published

#: Channels of the five levels of the encoder, each half as large as the one before, and of its deepest maps.
LEVELS, DEEPEST = (8, 16, 24, 32, 48), 64
#: Multiple that the sides of frames must be: five levels halve them.
STEP = 2 ** len(LEVELS)
#: Channels of the state that passes from frame to frame.
HIDDEN = 16


class Inception(nn.Module):
    """Mix channels, then convolve groups of them by square, wide and tall kernels."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        group = max(1, outputs // 8)
        self.sizes = [outputs - 3 * group, group, group, group]  # the first group passes as it is
        self.mix = nn.Conv2d(inputs, outputs, 1)
        self.square = nn.Conv2d(group, group, 3, padding=1, groups=group)
        self.wide = nn.Conv2d(group, group, (1, 11), padding=(0, 5), groups=group)
        self.tall = nn.Conv2d(group, group, (11, 1), padding=(5, 0), groups=group)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve (B, inputs, H, W) to (B, outputs, H, W)."""
        same, square, wide, tall = self.mix(x).split(self.sizes, 1)
        return torch.cat([same, self.square(square), self.wide(wide), self.tall(tall)], 1)


class Bridge(nn.Module):
    """Weight pixels and channels of the five levels of a frame by attention."""

    def __init__(self) -> None:
        super().__init__()
        self.pixels = nn.Conv2d(2, 1, 7, padding=9, dilation=3)
        self.across = nn.Conv1d(1, 1, 3, padding=1, bias=False)
        self.channels = nn.ModuleList([nn.Linear(sum(LEVELS), count) for count in LEVELS])

    def forward(self, levels: Sequence[Tensor]) -> list[Tensor]:
        """Weight the maps (B, C, H, W) of each level."""
        weighted = [torch.sigmoid(self.pixels(_mean_and_max(x))) * x for x in levels]
        sums = [u + x for u, x in zip(weighted, levels, strict=True)]
        means = torch.cat([v.mean((2, 3)) for v in sums], 1)
        means = self.across(means[:, None])[:, 0]
        weights = [torch.sigmoid(layer(means))[..., None, None] for layer in self.channels]
        return [c * v + u for c, v, u in zip(weights, sums, weighted, strict=True)]


def _mean_and_max(x: Tensor) -> Tensor:
    return torch.cat([x.mean(1, keepdim=True), x.amax(1, keepdim=True)], 1)


class Features(nn.Module):
    """Compute eight features of each pixel of one frame."""

    def __init__(self) -> None:
        super().__init__()
        down = (*LEVELS, DEEPEST)
        up = down[::-1]
        self.encoders = nn.ModuleList([nn.Conv2d(1, LEVELS[0], 3, padding=1), *(Inception(a, b) for a, b in pairwise(down))])
        self.bridge = Bridge()
        self.decoders = nn.ModuleList([Inception(a, b) for a, b in pairwise(up)])
        self.encoder_norms = nn.ModuleList([nn.GroupNorm(4, count) for count in LEVELS])
        self.decoder_norms = nn.ModuleList([nn.GroupNorm(4, count) for count in up[1:]])
        self.final = nn.Conv2d(LEVELS[0], LEVELS[0], 1)

    def forward(self, gray: Tensor) -> Tensor:
        """Compute (B, 8, H/2, W/2) of gray frames (B, 1, H, W).

        Doubled, they become the features by a sigmoid.
        """
        x, levels = gray, []
        for encoder, norm in zip(self.encoders[:-1], self.encoder_norms, strict=True):
            x = F.gelu(F.max_pool2d(norm(encoder(x)), 2))
            levels.append(x)
        x = F.gelu(self.encoders[-1](x))
        for decoder, norm, skip in zip(self.decoders, self.decoder_norms, reversed(self.bridge(levels)), strict=True):
            x = norm(decoder(x))
            x = F.gelu(x if x.shape == skip.shape else doubled(x)) + skip
        return self.final(x)


def doubled(x: Tensor) -> Tensor:
    """Double the sides of (B, C, H, W) by linear interpolation; corners stay corners."""
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)


class Recurrent(nn.Module):
    """Pass over the frames in one direction by a convolutional gated recurrent unit."""

    def __init__(self) -> None:
        super().__init__()
        self.gates = nn.Conv2d(LEVELS[0] + HIDDEN, 2 * HIDDEN, 3, padding=1)
        self.candidate = nn.Conv2d(LEVELS[0] + HIDDEN, HIDDEN, 3, padding=1)

    def forward(self, x: Tensor, state: Tensor) -> Tensor:
        """Update a state (B, 16, H, W) by the features (B, 8, H, W) of the next frame."""
        reset, update = torch.sigmoid(self.gates(torch.cat([x, state], 1))).chunk(2, 1)
        candidate = torch.tanh(self.candidate(torch.cat([x, reset * state], 1)))
        return state + update * (candidate - state)


class StackMFF(nn.Module):
    """Find which frame of a focal stack is the sharpest at each pixel.

    The network has 51 524 parameters.
    """

    def __init__(self) -> None:
        super().__init__()
        self.options: dict = {}
        self.features = Features()
        self.forwards, self.backwards = Recurrent(), Recurrent()
        self.apply(_initialise)

    def forward(self, frames: Tensor) -> Tensor:
        """Compute the expected frame number (B, H, W) of frames (B, N, H, W).

        Gray in [0, 1], sides multiples of 32. Numbers start at 0; they span only a part of 0 to N - 1, see `stretched`.
        """
        return self.expect([torch.sigmoid(doubled(self.features(frame[:, None]))) for frame in frames.unbind(1)])

    def expect(self, features: Sequence[Tensor]) -> Tensor:
        """Compute the expected frame number (B, H, W) from features.

        They are (B, 8, H, W) of each frame.
        """
        before = list(_states(self.forwards, features))
        weighted, total = 0.0, 0.0
        for after, x in enumerate(_states(self.backwards, reversed(features)), 1):
            share = (before.pop() + x).amax(1).exp()  # of the softmax; the score lies between -2 and 2
            weighted, total = weighted + (len(features) - after) * share, total + share
        return weighted / total


def _states(recurrent: Recurrent, features: Iterable[Tensor]) -> Iterable[Tensor]:
    """Yield the state after each frame; the first follows zeros."""
    state = None
    for x in features:
        state = recurrent(x, x.new_zeros(len(x), HIDDEN, *x.shape[-2:]) if state is None else state)
        yield state


def stretched(expected: Tensor) -> Tensor:
    """Stretch each map of (B, H, W) from its smallest value, 0, to its largest, 1.

    A flat map becomes 0.
    """
    low, high = expected.amin((1, 2), keepdim=True), expected.amax((1, 2), keepdim=True)
    return (expected - low) / (high - low).clamp_min(torch.finfo(expected.dtype).tiny)


def _initialise(layer: nn.Module) -> None:
    """Draw initial weights as the authors do, but for the recurrent part, whose convolutions theirs draws orthogonal."""
    if isinstance(layer, Recurrent):
        nn.init.orthogonal_(layer.gates.weight)
        nn.init.orthogonal_(layer.candidate.weight)
    elif isinstance(layer, nn.Conv2d):
        nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
        nn.init.zeros_(layer.bias)
    elif isinstance(layer, nn.Linear):
        nn.init.normal_(layer.weight, std=0.001)
        nn.init.zeros_(layer.bias)


# ------------------------------------------------------------------------------------------ published weights

#: Beginnings of the authors' names, and ours; the authors number levels from 1.
NAMES = {
    "layer_interaction.layer_interaction_depth.forward_cell_list.0.conv_gates": "forwards.gates",
    "layer_interaction.layer_interaction_depth.forward_cell_list.0.conv_can": "forwards.candidate",
    "layer_interaction.layer_interaction_depth.backward_cell_list.0.conv_gates": "backwards.gates",
    "layer_interaction.layer_interaction_depth.backward_cell_list.0.conv_can": "backwards.candidate",
    "feature_extraction.scab.catt.get_all_att": "features.bridge.across",
    "feature_extraction.scab.satt.shared_conv2d.0": "features.bridge.pixels",
    "feature_extraction.final": "features.final",
}
NUMBERED = {"scab.catt.att": "bridge.channels", "encoder": "encoders", "decoder": "decoders"} | {
    "ebn": "encoder_norms",
    "dbn": "decoder_norms",
}
INSIDE = {"channel_adj": "mix", "dwconv_hw": "square", "dwconv_w": "wide", "dwconv_h": "tall"}


def published(name: str) -> tuple[dict[str, Tensor], dict]:
    """Load the authors' tensors under our names."""
    return {renamed(key): tensor for key, tensor in read_published(name).items()}, {}


def renamed(key: str) -> str:
    """Translate the authors' name of a tensor to ours.

    Such as ``module.feature_extraction.encoder2.0.channel_adj.bias``.
    """
    path, _, kind = key.removeprefix("module.").rpartition(".")
    if path in NAMES:
        return f"{NAMES[path]}.{kind}"
    path = path.removeprefix("feature_extraction.")
    theirs = next(name for name in NUMBERED if path.startswith(name))
    number, *inside = path.removeprefix(theirs).split(".")
    inside = [INSIDE[part] for part in inside if part in INSIDE]
    return ".".join(["features", NUMBERED[theirs], str(int(number) - 1), *inside, kind])


SOURCE = NetworkSource(StackMFF, published=published)
