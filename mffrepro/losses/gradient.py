"""The gradient-aware loss of GACN: one minus a differentiable Q_g."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from mffrepro.formulas.edges import TOOLBOX, agreement, orientation
from mffrepro.formulas.filters import derivatives

EPS = 1e-6  # keeps roots and quotients finite where an image is flat; gradients of [0, 1] images reach 4


def qg_loss(
    sources: Sequence[Tensor],
    fused: Tensor,
    *,
    angle: Literal["abs", "smooth", "folded"] = "abs",
    reduction: Literal["global", "pixel"] = "global",
    steepness: float = 1000.0,
) -> Tensor:
    r"""Measure how much of the sources' gradients is lost (GACN, Eq. 8-18).

    .. math:: L_{Q_g} = 1 - \frac{\sum_i (Q_i^{AF} w_i^A + Q_i^{BF} w_i^B)}{\sum_i (w_i^A + w_i^B)}

    Args:
        sources: Gray batches (B, 1, H, W) in [0, 1].
        fused: The same shape.
        angle: ``"abs"`` is Eq. 11, ``"smooth"`` is its approximation Eq. 14, ``"folded"`` is the form of the metric, in which
            opposite directions are equal (A4.5).
        reduction: ``"global"`` is Eq. 18, ``"pixel"`` is the mean of per-pixel ratios, as in the authors' code (A4.2).
        steepness: k in the smooth step Eq. 12.

    Returns:
        Scalar, lower is better; about 0.01 for a perfect copy, since Q saturates below 1.

    References:
        [ma2022gacn]; the metric is [xydeas2000].
    """
    strength_f, angle_f = _gradient(fused)
    gained, weights = 0.0, 0.0
    for source in sources:
        strength, direction = _gradient(source)
        ratio = strength_ratio(strength, strength_f, steepness)
        quality = TOOLBOX.kept(ratio, angle_agreement(direction, angle_f, angle, steepness))  # Eq. 15-17
        gained, weights = gained + quality * strength, weights + strength  # w = g^1
    if reduction == "pixel":
        return 1 - (gained / weights).mean()
    over_image = (1, 2, 3)
    return (1 - gained.sum(over_image) / weights.sum(over_image)).mean()


def sobel(image: Tensor, *, border: str = "zero") -> tuple[Tensor, Tensor]:
    """Compute horizontal and vertical differences of a batch (B, 1, H, W).

    Args:
        image: The batch.
        border: Border of `mffrepro.formulas.filters.correlate`; with "valid", the result holds the inner pixels only.
    """
    across, down = derivatives(image[:, 0], border=border)
    return across[:, None], down[:, None]


def _gradient(image: Tensor) -> tuple[Tensor, Tensor]:
    """Compute strength (Eq. 8) and direction (Eq. 9) with zero border."""
    sx, sy = sobel(image)
    return (sx.square() + sy.square() + EPS**2).sqrt(), orientation(sx, sy, none=EPS, instead=EPS)


def _step(x: Tensor, y: Tensor, steepness: float) -> Tensor:
    return torch.sigmoid(steepness * (x - y))  # Eq. 12


def strength_ratio(source: Tensor, fused: Tensor, steepness: float) -> Tensor:
    """Compute Eq. 13, the weaker over the stronger gradient, with a smooth switch."""
    stronger = _step(fused, source, steepness)  # near 1 where the fused gradient is the stronger one
    # Away from the switch one of the two quotients is huge and has weight zero: bounding it keeps derivatives finite.
    return stronger * (source / fused).clamp(max=1e3) + (1 - stronger) * (fused / source).clamp(max=1e3)


def angle_agreement(source: Tensor, fused: Tensor, kind: str, steepness: float) -> Tensor:
    """Compute Eq. 11, or Eq. 14 with its smooth absolute value."""
    difference = source - fused
    if kind == "smooth":
        return 1 - difference * (2 * _step(source, fused, steepness) - 1) * (2 / torch.pi)
    return agreement(difference, folded=kind == "folded")
