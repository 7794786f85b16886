"""Balanced cross-entropy: both classes of a map have the same total weight."""

from torch import Tensor

from mffrepro.losses.focal import EPS


def balanced_loss(prediction: Tensor, target: Tensor) -> Tensor:
    r"""Compute the cross-entropy with each class weighted by the other's area.

    Each image has its own weight.

    .. math:: L = -\operatorname{mean}_i \left(\beta g_i \log p_i + (1 - \beta)(1 - g_i) \log(1 - p_i)\right),
        \qquad \beta = \operatorname{mean}_i (1 - g_i)

    Args:
        prediction: (B, 1, H, W) in [0, 1].
        target: The same shape, 0 or 1.

    Returns:
        Scalar >= 0, lower is better; 0 where an image has one class only.

    Deviations:
        The loss is a mean over pixels; the original is a sum, which grows with the image.

    References:
        [xie2015hed], Eq. 2.

    Chapter: 07_gacn
    """
    share = (1 - target).mean((1, 2, 3), keepdim=True)
    sure = prediction.clamp(EPS, 1 - EPS)
    return -(share * target * sure.log() + (1 - share) * (1 - target) * (1 - sure).log()).mean()
