"""One minus structural similarity, a loss of autoencoders."""

from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional as F

from mffrepro.formulas.similarity import similarity

#: Constants of the similarity for images whose range is 1.
C1, C2 = 0.01**2, 0.03**2


def ssim_loss(prediction: Tensor, target: Tensor, *, side: int = 11, sigma: float = 1.5, pad: bool = False) -> Tensor:
    r"""Compute one minus the mean structural similarity of two batches.

    .. math:: L = 1 - \operatorname{mean}_w
        \frac{(2\mu_x\mu_y + C_1)(2\sigma_{xy} + C_2)}{(\mu_x^2 + \mu_y^2 + C_1)(\sigma_x^2 + \sigma_y^2 + C_2)}

    Args:
        prediction: (B, C, H, W), range 1; all channels have the same weight.
        target: The same shape.
        side: Side of the Gaussian window, odd.
        sigma: Standard deviation of the Gaussian window.
        pad: Whether to pad the images with zeros; without it only full windows count.

    Returns:
        (B,), one loss per image of the batch; 0 for equal images, at most 2.

    References:
        [wang2004ssim].

    Chapter: 08_networks
    """
    mean_x, mean_y = (_mean(x, side, sigma, pad) for x in (prediction, target))
    variance_x = _mean(prediction * prediction, side, sigma, pad) - mean_x.square()
    variance_y = _mean(target * target, side, sigma, pad) - mean_y.square()
    covariance = _mean(prediction * target, side, sigma, pad) - mean_x * mean_y
    return 1 - similarity((mean_x, mean_y), (variance_x, variance_y), covariance, (C1, C2)).mean((1, 2, 3))


def _mean(x: Tensor, side: int, sigma: float, pad: bool) -> Tensor:
    channels, margin = x.shape[1], side // 2 if pad else 0
    taps = x.new_tensor(_gaussian(side, sigma)).expand(channels, 1, side)
    columns = F.conv2d(x, taps[..., None], padding=(margin, 0), groups=channels)
    return F.conv2d(columns, taps[..., None, :], padding=(0, margin), groups=channels)


@lru_cache(maxsize=8)
def _gaussian(side: int, sigma: float) -> tuple[float, ...]:
    weights = torch.exp(-((torch.arange(side, dtype=torch.float64) - side // 2) ** 2) / (2 * sigma**2))
    return tuple((weights / weights.sum()).tolist())
