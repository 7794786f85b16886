"""StackMFF-V2 as a fusion method: a depth map, and each pixel from the frame at its depth.

References: [xie2025stackmff]. Chapter: 08_networks.
"""

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from mffrepro.fusion.focus_scan import FocusScan
from mffrepro.fusion.noise import as_gray, noise_variance
from mffrepro.images import FocusStack, Shares, to_unit
from mffrepro.models.stackmff.inference import expected_frame, half_features, to_size
from mffrepro.models.stackmff.network import StackMFF, stretched

#: Surroundings whose sharpness places the network's depth among the frames, as in `mffrepro.depth`.
SIGMA = 3.0
#: Weight of a pixel of which the focus measure knows nothing.
UNSURE = 1e-6
#: Standard deviation of expected frame numbers below which they differ by rounding only.
EQUAL = 1e-3


def fuse(stack: FocusStack, network: StackMFF, *, as_published: bool = False) -> tuple[np.ndarray, Shares, np.ndarray]:
    """Take each pixel from the frame that StackMFF-V2 expects to be the sharpest.

    Args:
        stack: N >= 2 frames in the order of their focus, sides at least 3 pixels, gray or colour.
        network: StackMFF-V2.
        as_published: Read the network as the authors' program does. It sees the frames in the given order, and its expected
            numbers are stretched to the first and the last frame, whether anything is sharp there or not. Otherwise both orders
            count alike, and the numbers are placed among the frames by a focus measure.

    Returns:
        The fused image, which frame each pixel came from, and the depth (H, W) float32 in frame numbers from 0, with fractions.

    References:
        [xie2025stackmff].
    Chapter: 08_networks
    """
    count, size = len(stack), stack.images.shape[1:3]
    halves = half_features(network, map(read_as_gray, stack.images))
    expected = expected_frame(network, halves)
    if as_published:
        depth = stretched(expected) * (count - 1)
    else:
        backwards = expected_frame(network, halves[::-1])
        depth = placed((expected + (count - 1) - backwards) / 2, stack)
    index = depth.round().clamp(0, count - 1)[0].cpu().numpy().astype(np.uint16)  # halves to even
    shares = Shares.of_winner(to_size(index, size), count)
    return shares.blend(stack.images), shares, F.interpolate(depth[None], size, mode="bilinear")[0, 0].cpu().numpy()


def read_as_gray(image: np.ndarray) -> np.ndarray:
    """Convert an image of any type to gray (H, W), float32 in [0, 1].

    By OpenCV, as the authors' program: gray of 8-bit colours is rounded to 8 bits.
    """
    image = image if image.dtype.kind == "u" else image.astype(np.float32)
    return to_unit(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) if image.ndim == 3 else image)


def placed(expected: Tensor, stack: FocusStack) -> Tensor:
    """Map expected frame numbers by a straight line to those of sharpness.

    The line is the least-squares fit to a focus measure, weighted by its confidence. Where it would fall, which says that both
    contradict each other, the numbers are stretched instead. Numbers that are all equal say nothing of depth: all pixels then get
    the mean of the focus measure.

    Args:
        expected: (1, H', W').
        stack: N frames.

    Returns:
        (1, H', W'), from 0 to N - 1.
    """
    scan = FocusScan(SIGMA, noise_variance(stack.images))
    for image in stack.images:
        scan.add(as_gray(image))
    measured = (scan.position(), scan.confidence() ** 2 + UNSURE)
    resized = (torch.from_numpy(x.astype(np.float32))[None, None].to(expected.device) for x in measured)
    position, weight = (F.interpolate(x, expected.shape[-2:], mode="nearest")[0].double() for x in resized)
    weight /= weight.sum()
    mean_x, mean_y = ((weight * x).sum() for x in (expected, position))
    variance = (weight * (expected - mean_x) ** 2).sum()
    if variance < EQUAL**2:
        return torch.full_like(expected, float(mean_y))
    slope = (weight * (expected - mean_x) * (position - mean_y)).sum() / variance
    if slope <= 0:
        return stretched(expected) * (len(stack) - 1)
    return (mean_y + slope * (expected - mean_x)).clamp(0, len(stack) - 1).float()
