"""Layer-by-layer loss of tlcnn and tlcolor, one term per decoder."""

from collections.abc import Sequence

from torch import Tensor
from torch.nn import functional as F

from mffrepro.errors import OptionError


def layer_loss(sides: Sequence[Tensor], unfocused: Tensor, *, weights: Sequence[float] | None = None, l2: bool = True) -> Tensor:
    r"""Average cross-entropy and squared error over the side outputs.

    These are Eq. 2-5 of tlcnn and Eq. 5-8 of tlcolor.

    .. math:: \Gamma = \sum_n \omega_n \left( -\frac1k \sum_i \left[ y_i \log p_i + (1 - y_i) \log(1 - p_i) \right]
        + \frac1k \sum_i (p_i - y_i)^2 \right)

    Args:
        sides: Logits (B, 2, H, W) of each supervised decoder, in focus and out of focus.
        unfocused: Truth (B, 1, H, W), 1 where the image is out of focus.
        weights: omega, one per side output; equal by default. Their sum may differ from 1: it is divided out (A1.6).
        l2: Whether to add the squared error; without it this is plain cross-entropy.

    Returns:
        Scalar, lower is better; 0 where every probability is right and certain.

    Raises:
        OptionError: The number of weights differs from that of the side outputs, or a weight is negative, or all are 0.

    Deviations:
        Eq. 2 cannot be read and is restored from its description. Eq. 5 has a minus before the mean, which is dropped (A0.9).

    References:
        [tlcnn], [tlcolor].

    Chapter: 03_tlcnn
    """
    weights = [1.0] * len(sides) if weights is None else list(weights)
    if len(weights) != len(sides) or min(weights) < 0 or sum(weights) <= 0:
        raise OptionError(
            f"{weights} are the weights of {len(sides)} side outputs; give one weight per output, none negative and one over 0"
        )
    target = unfocused[:, 0]
    total = sum(w * _stage(side.float(), target, l2) for w, side in zip(weights, sides, strict=True) if w)
    return total / sum(weights)


def _stage(logits: Tensor, target: Tensor, l2: bool) -> Tensor:
    loss = F.cross_entropy(logits, target.long())  # Eq. 3 and 4
    return loss + (logits.softmax(1)[:, 1] - target).square().mean() if l2 else loss  # Eq. 5
