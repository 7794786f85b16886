"""One minus the structural similarity of a fused image to the best of its sources, a loss for the fusion of exposures."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

#: Constant of the similarity for images whose range is 1.
C = 0.03**2


def exposure_loss(sources: Sequence[Tensor], fused: Tensor, *, side: int = 8) -> Tensor:
    r"""Compute one minus the mean similarity to the patches that a fusion should have.

    In each window the wanted patch has the largest contrast of the sources and the structure of their sum. Brightness does not
    count. With the standard deviations :math:`\sigma_k` of the sources and :math:`\sigma_S` of their sum :math:`S`,

    .. math:: L = 1 - \operatorname{mean}_w
        \frac{2 \frac{\max_k \sigma_k}{\sigma_S} \sigma_{SF} + C}{\max_k \sigma_k^2 + \sigma_F^2 + C}.

    It is the measure of [ma2015mef] where the patches are weighted by their contrast.

    Args:
        sources: Batches (B, C, H, W), range 1.
        fused: The same shape.
        side: Side of the windows; only full windows count.

    Returns:
        A scalar; 0 where every patch has the wanted contrast and structure, at most 2.

    References:
        [ma2015mef], [prabhakar2017deepfuse].

    Chapter: 08_networks
    """
    total = sum(sources)
    mean = lambda x: F.avg_pool2d(x, side, 1)  # noqa: E731 - a name for a formula
    variances = torch.stack([(mean(x * x) - mean(x).square()).clamp_min(0) for x in sources])
    largest = variances.amax(0)
    of_sum = (mean(total * total) - mean(total).square()).clamp_min(torch.finfo(total.dtype).eps)
    of_fused = (mean(fused * fused) - mean(fused).square()).clamp_min(0)
    covariance = mean(total * fused) - mean(total) * mean(fused)
    return 1 - ((2 * (largest / of_sum).sqrt() * covariance + C) / (largest + of_fused + C)).mean()
