r"""StackMFF-V2: one network looks at a whole focal stack, and says for each pixel which frame to take it from.

Features are computed frame by frame, and a recurrent network passes over the frames in both directions. Its score of each frame
is made a share by the softmax, and the frame is the mean of the frame numbers by these shares, stretched to the whole range and
rounded. Nothing is blended: each pixel comes from one frame, so that frames must be in the order of their focus.

What we changed: nothing in the layout. The scores of one frame at a time are kept instead of the states of all, which takes a
fraction of the memory and gives the same.

References: [xie2025stackmff]. Chapter: 08_networks.
"""

from collections.abc import Iterator, Sequence

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mffrepro.images import FocusStack
from mffrepro.models.layers import device_of
from mffrepro.models.weights import NetworkSource, read_published

#: Channels of the five levels, each half as large as the one before.
LEVELS = (8, 16, 24, 32, 48)
STEP = 32  # five halvings
HIDDEN = 16


class Inception(nn.Module):
    """Mix channels, then convolve three groups of them by a square, a wide and a tall kernel; the others pass."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        group = max(1, outputs // 8)
        self.sizes = [outputs - 3 * group, group, group, group]
        self.channel_adj = nn.Conv2d(inputs, outputs, 1)
        self.dwconv_hw = nn.Conv2d(group, group, 3, padding=1, groups=group)
        self.dwconv_w = nn.Conv2d(group, group, (1, 11), padding=(0, 5), groups=group)
        self.dwconv_h = nn.Conv2d(group, group, (11, 1), padding=(5, 0), groups=group)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve (B, inputs, H, W) to (B, outputs, H, W)."""
        same, square, wide, tall = self.channel_adj(x).split(self.sizes, 1)
        return torch.cat([same, self.dwconv_hw(square), self.dwconv_w(wide), self.dwconv_h(tall)], 1)


class Bridge(nn.Module):
    """Weigh places and channels of the five levels of a frame, by all levels together."""

    def __init__(self) -> None:
        super().__init__()
        self.places = nn.Conv2d(2, 1, 7, padding=9, dilation=3)
        self.mixed = nn.Conv1d(1, 1, 3, padding=1, bias=False)
        self.channels = nn.ModuleList([nn.Linear(sum(LEVELS), count) for count in LEVELS])

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """Weigh maps (B, C, H, W) of the five levels."""
        weighed = []
        for x in maps:
            summary = torch.cat([x.mean(1, keepdim=True), x.amax(1, keepdim=True)], 1)
            weighed.append(self.places(summary).sigmoid() * x)
        sums = [u + x for u, x in zip(weighed, maps, strict=True)]
        means = torch.cat([v.mean((2, 3)) for v in sums], 1)
        means = self.mixed(means[:, None])[:, 0]
        shares = [layer(means).sigmoid()[..., None, None] for layer in self.channels]
        return [c * v + u for c, v, u in zip(shares, sums, weighed, strict=True)]


class Features(nn.Module):
    """Compute eight features of each pixel of one frame: an encoder of five halvings, a bridge, and a decoder."""

    def __init__(self) -> None:
        super().__init__()
        sizes = [*LEVELS, 64]
        blocks = [Inception(a, b) for a, b in zip(sizes, sizes[1:], strict=False)]
        self.encoders = nn.ModuleList([nn.Conv2d(1, LEVELS[0], 3, padding=1), *blocks])
        self.norms = nn.ModuleList([nn.GroupNorm(4, count) for count in LEVELS])
        self.bridge = Bridge()
        back = sizes[::-1]
        self.decoders = nn.ModuleList([Inception(a, b) for a, b in zip(back, back[1:], strict=False)])
        self.back_norms = nn.ModuleList([nn.GroupNorm(4, count) for count in back[1:]])
        self.final = nn.Conv2d(LEVELS[0], LEVELS[0], 1)

    def forward(self, gray: Tensor) -> Tensor:
        """Compute (B, 8, H / 2, W / 2) of gray frames (B, 1, H, W), sides multiples of 32; before they are doubled."""
        x, maps = gray, []
        for encoder, norm in zip(self.encoders, self.norms, strict=False):
            x = F.gelu(F.max_pool2d(norm(encoder(x)), 2))
            maps.append(x)
        x = F.gelu(self.encoders[-1](x))
        for i, (decoder, norm, skip) in enumerate(
            zip(self.decoders, self.back_norms, reversed(self.bridge(maps)), strict=True)
        ):
            x = norm(decoder(x))
            x = F.gelu(x if i == 0 else doubled(x)) + skip
        return self.final(x)


def doubled(x: Tensor) -> Tensor:
    """Double the sides of (B, C, H, W); corners stay corners."""
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)


class Recurrent(nn.Module):
    """Pass over the frames in one direction, keeping of each pixel what the frames so far say: a gated recurrent unit."""

    def __init__(self) -> None:
        super().__init__()
        self.conv_gates = nn.Conv2d(LEVELS[0] + HIDDEN, 2 * HIDDEN, 3, padding=1)
        self.conv_can = nn.Conv2d(LEVELS[0] + HIDDEN, HIDDEN, 3, padding=1)

    def forward(self, x: Tensor, state: Tensor) -> Tensor:
        """Go on from a state (B, 16, H, W) by the features (B, 8, H, W) of the next frame."""
        reset, update = self.conv_gates(torch.cat([x, state], 1)).sigmoid().chunk(2, 1)
        candidate = self.conv_can(torch.cat([x, reset * state], 1)).tanh()
        return (1 - update) * state + update * candidate


class StackMFF(nn.Module):
    """Score how sharp each pixel of each frame of a stack is; 51 524 parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.options: dict = {}
        self.features = Features()
        self.forwards, self.backwards = Recurrent(), Recurrent()

    def forward(self, frames: Tensor) -> Tensor:
        """Compute the mean frame number (B, H, W), from 0, of gray frames (B, N, H, W) in [0, 1].

        Sides are multiples of 32. The mean is by the softmax of the scores, and spans a part of 0 to N - 1 only.
        """
        return self.expect([doubled(self.features(frame[:, None])).sigmoid() for frame in frames.unbind(1)])

    def expect(self, features: Sequence[Tensor]) -> Tensor:
        """Compute the mean frame number (B, H, W) from the features (B, 8, H, W), in [0, 1], of each frame."""
        state = features[0].new_zeros(len(features[0]), HIDDEN, *features[0].shape[-2:])
        before = []
        for x in features:
            state = self.forwards(x, state)
            before.append(state)
        state, weighed, total = torch.zeros_like(state), 0.0, 0.0
        for number, x in reversed([*enumerate(features)]):
            state = self.backwards(x, state)
            share = (before.pop() + state).amax(1).exp()  # of the softmax; scores lie between -2 and 2
            weighed, total = weighed + number * share, total + share
        return weighed / total


def stretched(expected: np.ndarray, count: int) -> np.ndarray:
    """Stretch mean frame numbers to all frames, 0 to `count` - 1; where all are one number, the first frame is taken."""
    low, high = expected.min(), expected.max()
    return (count - 1) * (expected - low) / max(high - low, np.finfo(np.float32).tiny)


def published(name: str) -> tuple[dict[str, Tensor], dict]:
    """Load the authors' tensors under our names."""
    return {ours(key): tensor for key, tensor in read_published(name).items()}, {}


def ours(key: str) -> str:
    """Translate the authors' name of a tensor."""
    recurrent = "module.layer_interaction.layer_interaction_depth."
    if key.startswith(recurrent):
        way, _, rest = key.removeprefix(recurrent).partition("_cell_list.0.")
        return f"{way}s.{rest}"
    key = key.removeprefix("module.feature_extraction.")
    for theirs, name in (
        ("scab.catt.get_all_att", "bridge.mixed"), ("scab.satt.shared_conv2d.0", "bridge.places"), ("scab.catt.att", "bridge.channels."),
        ("encoder", "encoders."), ("decoder", "decoders."), ("ebn", "norms."), ("dbn", "back_norms."),
    ):  # fmt: skip
        if key.startswith(theirs):
            rest = key.removeprefix(theirs)
            if not name.endswith("."):
                return f"features.{name}{rest}"
            number, _, rest = rest.partition(".")
            return f"features.{name}{int(number) - 1}.{rest.removeprefix('0.')}"
    return f"features.{key}"


# ----------------------------------------------------------------------------------------------- inference

#: Pixels of all frames whose states are held at once: 64 bytes each.
STATES = 2**22
#: Rows by which one frame reaches further than the one before: two convolutions of 3x3.
REACH = 2


@torch.inference_mode()
def expected_frame(network: StackMFF, grays: Iterable[np.ndarray]) -> np.ndarray:
    """Compute the mean frame number (H, W), float32, from 0, of gray frames (H, W) in [0, 1] that come one by one.

    Kept of each frame are eight features at half its size. The recurrent network passes over strips of rows, with as many rows
    around them as it sees, so that the result is that of the whole image.
    """
    device, halves = device_of(network), []
    for gray in grays:
        x = torch.from_numpy(np.ascontiguousarray(gray, np.float32))[None, None].to(device)
        size = [-(-side // STEP) * STEP for side in gray.shape]
        halves.append(network.features(F.interpolate(x, size, mode="bilinear", align_corners=False)))
    height, width = size
    halo = REACH * len(halves)
    rows = max(STATES // (len(halves) * width), halo)
    parts = []
    for strip in strips(height, width, rows * width, halo):
        features = [doubled(half)[..., strip.with_halo, :].sigmoid() for half in halves]
        parts.append(strip.crop(network.expect(features))[0])
    return torch.cat(parts).cpu().numpy()


SOURCE = NetworkSource(StackMFF, published=published)


def fuse(stack: FocusStack, network: StackMFF, *, both_ways: bool = False) -> tuple[np.ndarray, Shares]:
    """Take each pixel from the frame that the network expects to be the sharpest.

    Args:
        stack: N >= 2 frames in the order of their focus, sides at least 32 pixels, gray or colour.
        network: StackMFF-V2.
        both_ways: Average the expected frame over both orders of the frames, which makes the result independent of the
            direction; the published program looks in the given order only.

    Returns:
        The fused image, and its shares: each pixel is that of one frame.

    Deviations:
        As the published program reads frames: gray values of 8 bits, rounded. Frames of 16 bits keep theirs.

    References:
        [xie2025stackmff].
    Chapter: 08_networks
    """
    grays = [read_as_gray(image) for image in stack.images]
    expected = expected_frame(network, grays)
    if both_ways:
        expected = (expected + (len(grays) - 1) - expected_frame(network, grays[::-1])) / 2
    winner = nearest(np.round(stretched(expected, len(grays))).astype(index_type(len(grays))), stack.images[0].shape[:2])
    shares = Shares.of_winner(winner, len(grays))
    return shares.blend(stack.images), shares
