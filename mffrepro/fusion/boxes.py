"""Sums over square windows, and the guided filter that stands on them."""

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from mffrepro.fusion.guided import guided


def box_sum(x: Tensor, radius: int) -> Tensor:
    """Sum over a (2 radius + 1)^2 window around each pixel, zero outside the image.

    Args:
        x: (B, C, H, W).
        radius: Half width of the window, >= 0.

    Returns:
        (B, C, H, W), differentiable.
    """
    return _window_sums(x, radius) if torch.compiler.is_exporting() else _BoxSum.apply(x, radius)


class _BoxSum(torch.autograd.Function):
    """Sum over windows; with zero borders the sum is its own adjoint, so that one routine serves both directions."""

    @staticmethod
    def forward(ctx, x: Tensor, radius: int) -> Tensor:
        ctx.radius = radius
        return _window_sums(x, radius)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None]:
        return _window_sums(gradient, ctx.radius), None


def _window_sums(x: Tensor, radius: int) -> Tensor:
    if torch.compiler.is_exporting():
        return _by_convolution(x, radius)  # ONNX knows neither running sums nor pooling with a divisor
    if x.device.type != "cpu":
        return _by_pooling(x, radius)
    if x.dtype == torch.float32 and x.shape[1] > 1:
        return _by_convolution(x, radius)
    return _by_running_sums(x, radius)


def _by_pooling(x: Tensor, radius: int) -> Tensor:
    """Sum by pooling on a GPU, where a convolution might round its factors to 10 bits."""
    side = 2 * radius + 1
    rows = F.avg_pool2d(x, (side, 1), 1, (radius, 0), divisor_override=1)
    return F.avg_pool2d(rows, (1, side), 1, (0, radius), divisor_override=1)


def _by_convolution(x: Tensor, radius: int) -> Tensor:
    """Sum many maps at once by convolution.

    64 maps of 75x520 and windows of 11x11 take 1.3 ms, running sums 6.7 ms. Each window is summed afresh: a running sum in
    float32 would move 345 pixels of GACN's decision map on Lytro 01, since k = 1000 magnifies its error.
    """
    ones = x.new_ones(x.shape[1], 1, 2 * radius + 1, 1)
    with torch.autocast("cpu", enabled=False):
        columns = F.conv2d(x.contiguous(memory_format=torch.channels_last), ones, padding=(radius, 0), groups=len(ones))
        return F.conv2d(columns, ones.transpose(2, 3), padding=(0, radius), groups=len(ones))


def _by_running_sums(x: Tensor, radius: int) -> Tensor:
    """Sum by OpenCV, which keeps running sums in double; the cost does not grow with the window."""
    side = 2 * radius + 1
    planes = x.detach().permute(0, 2, 3, 1).contiguous().numpy()  # free for channels-last tensors
    sums = np.empty_like(planes)
    for plane, total in zip(planes, sums, strict=True):
        options = {"normalize": False, "borderType": cv2.BORDER_CONSTANT}
        total[...] = cv2.boxFilter(plane, -1, (side, side), **options).reshape(plane.shape)
    return torch.from_numpy(sums).permute(0, 3, 1, 2)


def box_mean(x: Tensor, radius: int) -> Tensor:
    """Average over the part of a window that lies inside the image.

    The window has (2 radius + 1)^2 pixels; shapes are as in `box_sum`.
    """
    height, width = x.shape[-2:]
    rows = _window_counts(height, radius, x)
    columns = _window_counts(width, radius, x)
    return box_sum(x, radius) / (rows[:, None] * columns)


def _window_counts(size: int, radius: int, like: Tensor) -> Tensor:
    i = torch.arange(size, device=like.device)
    return ((i + radius).clamp(max=size - 1) - (i - radius).clamp(min=0) + 1).to(like.dtype)


def guided_filter(guide: Tensor, image: Tensor, radius: int, eps: float) -> Tensor:
    """Smooth an image along the edges of a guide image.

    Args:
        guide: (B, 1, H, W) in [0, 1].
        image: (B, 1, H, W), the map to smooth.
        radius: Half width of the square window.
        eps: Regularisation, in squared units of the guide.

    Returns:
        (B, 1, H, W); it can leave the range of `image` a little.

    References:
        [he2013guided], gray guide.
    """
    return guided(guide, image, eps, lambda x: box_mean(x, radius))
