"""Dice loss: one minus the overlap of a soft map with its label."""

from torch import Tensor


def dice_loss(prediction: Tensor, target: Tensor, *, smooth: float = 1.0) -> Tensor:
    r"""Compute the Dice loss (Eq. 7 of GACN), averaged over the batch.

    .. math:: L_{Dice} = 1 - \frac{2\sum_i p_i g_i + 1}{\sum_i p_i^2 + \sum_i g_i^2 + 1}

    Args:
        prediction: (B, 1, H, W) in [0, 1].
        target: The same shape, 0 or 1.
        smooth: Value of the two ones in the formula; they keep the loss of an empty label finite.

    Returns:
        Scalar in [0, 1], 0 where prediction and target agree.

    Deviations:
        One ratio per image; the authors' code sums over the whole batch, where large regions outweigh small ones.

    References:
        [ma2022gacn], Eq. 7; [milletari2016vnet].
    """
    over_image = tuple(range(1, prediction.ndim))
    overlap = (prediction * target).sum(over_image)
    sizes = prediction.square().sum(over_image) + target.square().sum(over_image)
    return (1 - (2 * overlap + smooth) / (sizes + smooth)).mean()
