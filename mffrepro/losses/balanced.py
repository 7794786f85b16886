"""Balanced cross-entropy: both sides of a map count alike, however large they are."""

from torch import Tensor

from mffrepro.losses.focal import EPS


def balanced_loss(prediction: Tensor, target: Tensor) -> Tensor:
    r"""Cross-entropy in which each class weighs as much as the other is large, one weight per image.

    .. math:: L = -\operatorname{mean}_i \left(\beta g_i \log p_i + (1 - \beta)(1 - g_i) \log(1 - p_i)\right),
        \qquad \beta = \operatorname{mean}_i (1 - g_i)

    Args:
        prediction: (B, 1, H, W) in [0, 1].
        target: The same shape, 0 or 1.
    Returns:
        Scalar >= 0, lower is better; 0 where an image has one class only.
    Deviations:
        The mean over pixels; the original sums, so that its size depends on that of the image.
    References:
        [xie2015hed], Eq. 2.
    Chapter: 07_gacn
    """
    share = (1 - target).mean((1, 2, 3), keepdim=True)
    sure = prediction.clamp(EPS, 1 - EPS)
    return -(share * target * sure.log() + (1 - share) * (1 - target) * (1 - sure).log()).mean()
