"""One minus a differentiable Q_Y: structural similarity with the sources, after Yang [yang2008]."""

from collections.abc import Sequence
from functools import cache

import torch
from torch import Tensor
from torch.nn import functional as F

SIDE, SIGMA = 7, 1.5
#: Above this similarity the sources agree and share a window by variance; below, the better one counts.
AGREEMENT = 0.75


def qy_loss(sources: Sequence[Tensor], fused: Tensor, *, stabiliser: float = 1e-8) -> Tensor:
    r"""How much of the sources' structure the fused image has lost.

    .. math::

        L_{Q_Y} = 1 - \operatorname{mean}_w \begin{cases}
            \lambda_w S(A,F) + (1 - \lambda_w) S(B,F) & S(A,B) \ge 0.75 \\
            \max(S(A,F), S(B,F)) & \text{else}
        \end{cases}

    Args:
        sources: Two gray batches (B, 1, H, W) in [0, 1], sides of at least 7 pixels.
        fused: The same shape.
        stabiliser: Added to numerator and denominator of both factors of the similarity and, in halves, to both variances of
            the sources: windows that are flat everywhere count 1 and have a gradient of 0. The metric has 2e-16 at 0..255; at
            [0, 1] that would be lost in the rounding of a float32. The default is the square of a hundredth of a gray level
            and about as much.
    Returns:
        Scalar, 0 for a perfect copy, at most 2.
    Deviations:
        The case S(A, B) >= 0.75 looks at the sources only and the maximum has a gradient almost everywhere: nothing is smoothed.
    References:
        [yang2008]; the metric is `mffrepro.metrics.qy`.
    """
    a, b = sources
    variance_a, variance_b = (_covariance(x, x) for x in (a, b))
    share = (variance_a + stabiliser / 2) / (variance_a + variance_b + stabiliser)
    to_a, to_b = (_similarity(x, fused, stabiliser) for x in (a, b))
    agree = _similarity(a, b, stabiliser) >= AGREEMENT
    return 1 - torch.where(agree, share * to_a + (1 - share) * to_b, torch.maximum(to_a, to_b)).mean()


def _similarity(x: Tensor, y: Tensor, stabiliser: float) -> Tensor:
    """SSIM of each full window."""
    mean_x, mean_y = _mean(x), _mean(y)
    luminance = (2 * mean_x * mean_y + stabiliser) / (mean_x.square() + mean_y.square() + stabiliser)
    return luminance * (2 * _covariance(x, y) + stabiliser) / (_covariance(x, x) + _covariance(y, y) + stabiliser)


def _covariance(x: Tensor, y: Tensor) -> Tensor:
    # E[xy] - E[x]E[y] cancels in float32; about the mean of the image it cancels much less, and the covariance is the same.
    x, y = (z - z.mean((2, 3), keepdim=True) for z in (x, y))
    return _mean(x * y) - _mean(x) * _mean(y)


def _mean(x: Tensor) -> Tensor:
    weights = x.new_tensor(_gaussian())
    return F.conv2d(F.conv2d(x, weights.view(1, 1, SIDE, 1)), weights.view(1, 1, 1, SIDE))


@cache
def _gaussian() -> tuple[float, ...]:
    weights = torch.exp(-((torch.arange(SIDE, dtype=torch.float64) - SIDE // 2) ** 2) / (2 * SIGMA**2))
    return tuple((weights / weights.sum()).tolist())
