"""Focal loss: cross-entropy with small weights for pixels that are already right."""

from torch import Tensor

EPS = 1e-6  # probabilities are clamped by this much, which keeps the logarithm finite


def focal_loss(prediction: Tensor, target: Tensor, *, gamma: float = 2.0, alpha: float | None = None) -> Tensor:
    r"""Compute the focal loss of a soft map, averaged over all pixels.

    .. math:: L = -\operatorname{mean}_i \alpha_i (1 - t_i)^\gamma \log t_i,
        \qquad t_i = \begin{cases} p_i & g_i = 1 \\ 1 - p_i & g_i = 0 \end{cases}

    Args:
        prediction: (B, 1, H, W) in [0, 1].
        target: The same shape, 0 or 1.
        gamma: >= 0; 0 is plain cross-entropy.
        alpha: Weight of the pixels whose target is 1, in [0, 1]; the others have the weight 1 - alpha. None: all have weight 1.

    Returns:
        Scalar >= 0, lower is better.

    Deviations:
        The loss is a mean over pixels; the original divides the sum by the number of objects, and a decision map has no objects.

    References:
        [lin2017focal].

    Chapter: 07_gacn
    """
    right = (prediction * target + (1 - prediction) * (1 - target)).clamp(EPS, 1 - EPS)
    loss = -((1 - right) ** gamma) * right.log()
    if alpha is not None:
        loss = loss * (alpha * target + (1 - alpha) * (1 - target))
    return loss.mean()
