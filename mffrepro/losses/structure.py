"""One minus a differentiable Q_Y: structural similarity with the sources, after Yang [yang2008]."""

from collections.abc import Sequence
from typing import NamedTuple, Self

from torch import Tensor

from mffrepro.formulas.similarity import gauss7, similarity, yang


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
    near, far = sources
    a, b, f = (Moments.of(x) for x in (near, far, fused))
    share = (a.variance + stabiliser / 2) / (a.variance + b.variance + stabiliser)
    return 1 - yang(a.similarity(b, stabiliser), share, a.similarity(f, stabiliser), b.similarity(f, stabiliser)).mean()


class Moments(NamedTuple):
    """Local mean and variance of a batch, each full window, and the batch (B, H, W) less its images' means."""

    mean: Tensor
    variance: Tensor
    centred: Tensor

    @classmethod
    def of(cls, image: Tensor) -> Self:
        # E[xy] - E[x]E[y] cancels in float32; about the mean of the image it cancels much less, and the covariance is the same.
        image = image[:, 0]
        centred = image - image.mean((1, 2), keepdim=True)
        return cls(gauss7(image), gauss7(centred.square()) - gauss7(centred).square(), centred)

    def similarity(self, other: Self, stabiliser: float) -> Tensor:
        covariance = gauss7(self.centred * other.centred) - gauss7(self.centred) * gauss7(other.centred)
        means, variances = (self.mean, other.mean), (self.variance, other.variance)
        return similarity(means, variances, covariance, (stabiliser, stabiliser))
