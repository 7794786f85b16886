r"""MFF-SSIM: gradient ascent on the fused image until each of its windows resembles the sharper source; no network.

A focus map takes, for each pixel, the source with the largest mean squared Laplacian around it. Adam maximises
the structural similarity with that source, averaged over the image, from the average of all sources.

What we changed: it ends at once where the sources agree. Window, map, start and rate are those of the authors' code, which takes
1000 steps by default and 300 in its example, as ours does.

References: [xu2020mffssim]. Chapter: 08_networks.
"""

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from mffrepro.errors import OptionError
from mffrepro.formulas.similarity import similarity
from mffrepro.images import FocusStack, to_unit
from mffrepro.models.layers import to_array, to_tensor
from mffrepro.models.weights import pick_device
from mffrepro.threads import in_threads

#: Standard deviation of the Gaussian window in pixels, and the constants of SSIM for images in [0, 1].
SIGMA = 1.5
C1, C2 = 0.01**2, 0.03**2
#: Distance from 1 below which only rounding is left, which Adam would take for a slope: equal sources end at once.
ENOUGH = 1e-5


def window_side(height: int, width: int) -> int:
    """Compute the odd side of the window: 13 for 520x520.

    It is at least 3, and at most what mirroring a narrow image allows.
    """
    return min(2 * int(max(5e-5 * height * width, 3) // 2) + 1, 2 * min(height, width) - 1)


def focus_map(images: np.ndarray, side: int) -> np.ndarray:
    """Choose the source (H, W) with the largest mean squared Laplacian.

    The sources are (N, H, W, C), float32 in [0, 1].
    """
    kernel = np.full((3, 3), 1.0, np.float32)
    kernel[1, 1] = -8
    activity = []
    for image in images:
        squares = cv2.filter2D(image, -1, kernel, borderType=cv2.BORDER_REFLECT_101) ** 2
        sharpness = cv2.blur(squares, (side, side), borderType=cv2.BORDER_REPLICATE)
        activity.append(sharpness if sharpness.ndim == 2 else sharpness.mean(-1))
    return np.argmax(activity, 0)


class Blur:
    """Blur a batch (1, C, H, W) by a Gaussian window, the border mirrored."""

    def __init__(self, side: int) -> None:
        x = np.arange(side) - side // 2
        taps = np.exp(-(x**2) / (2 * SIGMA**2))
        self.taps, self.margin = (taps / taps.sum()).astype(np.float32), side // 2

    def __call__(self, x: Tensor) -> Tensor:
        """Blur a batch."""
        m = self.margin
        padded = F.pad(x, (m, m, m, m), mode="reflect")
        if x.device.type == "cpu":
            blurred = _OnCpu.apply(padded, self.taps)
        else:
            channels, taps = x.shape[1], torch.from_numpy(self.taps).to(x.device)
            columns = F.conv2d(padded, taps.expand(channels, 1, -1)[..., None], padding=(m, 0), groups=channels)
            blurred = F.conv2d(columns, taps.expand(channels, 1, -1)[..., None, :], padding=(0, m), groups=channels)
        return blurred[..., m : m + x.shape[2], m : m + x.shape[3]]


class _OnCpu(torch.autograd.Function):
    """Filter planes by OpenCV in a third of the time of grouped convolutions.

    Zeros lie outside and the taps are symmetric, so that the filter is its own adjoint.
    """

    @staticmethod
    def forward(ctx, x: Tensor, taps: np.ndarray) -> Tensor:
        ctx.taps = taps
        return _filter(x, taps)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None]:
        return _filter(gradient, ctx.taps), None


def _filter(x: Tensor, taps: np.ndarray) -> Tensor:
    planes = x.detach()[0].contiguous().numpy()
    filtered = in_threads(lambda plane: cv2.sepFilter2D(plane, -1, taps, taps, borderType=cv2.BORDER_CONSTANT), planes)
    return torch.from_numpy(np.stack(filtered))[None]


class Objective:
    """Compute the mean similarity with the selected source, which `climb` maximises.

    Args:
        sources: N batches (1, C, H, W) in [0, 1].
        winner: (H, W), number of the source to resemble.
        side: Side of the window, pixels.
    """

    def __init__(self, sources: list[Tensor], winner: Tensor, side: int) -> None:
        self.sources, self.winner = sources, winner
        self.blur = Blur(side)
        means = [self.blur(source) for source in sources]
        self.mean = self._of_winner(means)
        self.variance = self._of_winner([self.blur(x * x) - m * m for x, m in zip(sources, means, strict=True)])

    def __call__(self, fused: Tensor) -> Tensor:
        """Average the similarity over pixels and channels."""
        return self.quality(fused).mean()

    def quality(self, fused: Tensor) -> Tensor:
        """Compute the similarity of every pixel and channel, (1, C, H, W)."""
        mean = self.blur(fused)
        variance = self.blur(fused * fused) - mean * mean
        covariance = self._of_winner([self.blur(source * fused) for source in self.sources]) - self.mean * mean
        return similarity((self.mean, mean), (self.variance, variance), covariance, (C1, C2))

    def _of_winner(self, planes: list[Tensor]) -> Tensor:
        chosen = planes[0]
        for i, plane in enumerate(planes[1:], start=1):
            chosen = torch.where(self.winner == i, plane, chosen)
        return chosen


def climb(objective: Objective, start: Tensor, *, iterations: int, rate: float) -> tuple[Tensor, list[float]]:
    """Maximise an objective by Adam from `start`, clipped to [0, 1] each step.

    Returns the image, and the objective before each step.
    """
    fused = start.clone().requires_grad_()
    optimiser = torch.optim.Adam([fused], lr=rate, maximize=True)
    values = []
    for _ in range(iterations):
        optimiser.zero_grad()
        value = objective(fused)
        values.append(value.item())
        if values[-1] > 1 - ENOUGH:
            break
        value.backward()
        optimiser.step()
        with torch.no_grad():
            fused.clamp_(0, 1)
    return fused.detach(), values


def fuse(stack: FocusStack, *, device: str = "auto", iterations: int = 300, rate: float = 1e-3) -> tuple[np.ndarray, None]:
    """Optimise an image until each of its windows resembles the sharper source.

    It starts from the average of all sources.

    Args:
        stack: N >= 2 images, sides at least 2 pixels, gray or colour; all channels are fused by one map per source.
        device: ``"auto"``, ``"cpu"`` or ``"cuda"``.
        iterations: Steps of Adam, >= 1.
        rate: The length of a step, in shares of the range, over 0.

    Returns:
        The fused image; no decision map, since every pixel is painted anew.

    Raises:
        OptionError: There are no steps, or they have no length.

    References:
        [xu2020mffssim].
    Chapter: 08_networks
    """
    if iterations < 1 or rate <= 0:
        raise OptionError(f"iterations is {iterations} and rate {rate:g}; use at least 1 and more than 0")
    images, where = to_unit(stack.images), pick_device(device)
    side = window_side(*images.shape[1:3])
    winner = torch.from_numpy(focus_map(images, side)).to(where)
    sources = [to_tensor(image, where) for image in images]
    start = sum(sources) / len(sources)
    fused, _ = climb(Objective(sources, winner, side), start, iterations=iterations, rate=rate)
    return to_array(fused), None
