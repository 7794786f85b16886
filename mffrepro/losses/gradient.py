"""The gradient-aware loss of GACN: one minus a differentiable Q_g."""

import math
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

EPS = 1e-6  # keeps roots and quotients finite where an image is flat; gradients of [0, 1] images reach 4


def qg_loss(
    sources: Sequence[Tensor],
    fused: Tensor,
    *,
    angle: Literal["abs", "smooth", "folded"] = "abs",
    reduction: Literal["global", "pixel"] = "global",
    steepness: float = 1000.0,
) -> Tensor:
    r"""How much of the sources' gradients the fused image has lost, Eq. 8-18 of GACN.

    .. math:: L_{Q_g} = 1 - \frac{\sum_i (Q_i^{AF} w_i^A + Q_i^{BF} w_i^B)}{\sum_i (w_i^A + w_i^B)}

    Args:
        sources: Gray batches (B, 1, H, W) in [0, 1].
        fused: The same shape.
        angle: ``"abs"`` is Eq. 11, ``"smooth"`` its approximation Eq. 14, ``"folded"`` the form of the metric, which
            treats opposite directions as equal (A4.5).
        reduction: ``"global"`` is Eq. 18, ``"pixel"`` the mean of per-pixel ratios, as in the authors' code (A4.2).
        steepness: k of the smooth step Eq. 12.
    Returns:
        Scalar, lower is better; about 0.01 for a perfect copy, since Q saturates below 1.
    References:
        [ma2022gacn]; the metric is [xydeas2000].
    """
    strength_f, angle_f = _gradient(fused)
    gained, weights = 0.0, 0.0
    for source in sources:
        strength, direction = _gradient(source)
        quality = _strength_term(strength, strength_f, steepness) * _angle_term(direction, angle_f, angle, steepness)  # Eq. 17
        gained, weights = gained + quality * strength, weights + strength  # w = g^1
    if reduction == "pixel":
        return 1 - (gained / weights).mean()
    over_image = (1, 2, 3)
    return (1 - gained.sum(over_image) / weights.sum(over_image)).mean()


def sobel(image: Tensor, *, padding: int = 1) -> tuple[Tensor, Tensor]:
    """Horizontal and vertical differences of a batch (B, 1, H, W), zeros outside; without padding, of the inner pixels only."""
    x = image.new_tensor([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]])
    return F.conv2d(image, torch.stack((x, x.T))[:, None], padding=padding).split(1, 1)


def _gradient(image: Tensor) -> tuple[Tensor, Tensor]:
    """Strength (Eq. 8) and direction (Eq. 9), zero border."""
    sx, sy = sobel(image)
    strength = (sx.square() + sy.square() + EPS**2).sqrt()
    sx = torch.where(sx.abs() < EPS, torch.full_like(sx, EPS), sx)
    return strength, torch.atan(sy / sx)


def _step(x: Tensor, y: Tensor, steepness: float) -> Tensor:
    return torch.sigmoid(steepness * (x - y))  # Eq. 12


def _strength_term(source: Tensor, fused: Tensor, steepness: float) -> Tensor:
    fused_is_stronger = _step(fused, source, steepness)
    # Away from the switch one of the two quotients is huge and its weight zero: bounding it keeps gradients finite.
    ratio = fused_is_stronger * (source / fused).clamp(max=1e3) + (1 - fused_is_stronger) * (fused / source).clamp(
        max=1e3
    )  # Eq. 13
    return torch.sigmoid(10 * (ratio - 0.5))  # Eq. 15


def _angle_term(source: Tensor, fused: Tensor, kind: str, steepness: float) -> Tensor:
    difference = source - fused
    if kind == "smooth":
        size = difference * (2 * _step(source, fused, steepness) - 1)  # Eq. 14
    else:
        size = difference.abs()
    agreement = 1 - size / (math.pi / 2)  # Eq. 11
    if kind == "folded":
        agreement = agreement.abs()
    return torch.sigmoid(20 * (agreement - 0.75))  # Eq. 16
