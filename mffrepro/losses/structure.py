"""One minus a differentiable Q_Y [yang2008]."""

from collections.abc import Sequence
from typing import NamedTuple, Self

from torch import Tensor

from mffrepro.formulas.similarity import gauss7, similarity, yang


def qy_loss(sources: Sequence[Tensor], fused: Tensor, *, stabiliser: float = 1e-8) -> Tensor:
    r"""Measure how much of the sources' structure the fused image has lost.

    .. math::

        L_{Q_Y} = 1 - \operatorname{mean}_w \begin{cases}
            \lambda_w S(A,F) + (1 - \lambda_w) S(B,F) & S(A,B) \ge 0.75 \\
            \max(S(A,F), S(B,F)) & \text{else}
        \end{cases}

    Args:
        sources: Two gray batches (B, 1, H, W) in [0, 1], sides of at least 7 pixels.
        fused: The same shape.
        stabiliser: Added to numerator and denominator of both factors of the similarity and, in halves, to the variance of each
            source: windows that are flat in all images count 1 and have a derivative of 0. The metric uses 2e-16 on 0..255,
            which a float32 on [0, 1] cannot resolve; the default is about the square of a hundredth of a gray level.

    Returns:
        Scalar, 0 for a perfect copy, at most 2.

    Deviations:
        None: the case S(A, B) >= 0.75 depends on the sources only and the maximum has a derivative almost everywhere, so that
        nothing must be smoothed.

    References:
        [yang2008]; the metric is `mffrepro.metrics.qy`.
    """
    near, far = sources
    a, b, f = (Moments.of(x) for x in (near, far, fused))
    share = (a.variance + stabiliser / 2) / (a.variance + b.variance + stabiliser)
    return 1 - yang(a.similarity(b, stabiliser), share, a.similarity(f, stabiliser), b.similarity(f, stabiliser)).mean()


class Moments(NamedTuple):
    """Hold the local moments of a batch of gray images.

    Attributes:
        mean: Mean of each full window.
        variance: Variance of each full window.
        centred: The batch (B, H, W) minus the mean of each image.
    """

    mean: Tensor
    variance: Tensor
    centred: Tensor

    @classmethod
    def of(cls, image: Tensor) -> Self:
        """Compute the moments of a batch (B, 1, H, W)."""
        # E[xy] - E[x]E[y] loses digits in float32; after subtracting the image's mean far fewer, with the same covariance.
        image = image[:, 0]
        centred = image - image.mean((1, 2), keepdim=True)
        return cls(gauss7(image), gauss7(centred.square()) - gauss7(centred).square(), centred)

    def similarity(self, other: Self, stabiliser: float) -> Tensor:
        """Compute the structural similarity with another batch in each full window."""
        covariance = gauss7(self.centred * other.centred) - gauss7(self.centred) * gauss7(other.centred)
        means, variances = (self.mean, other.mean), (self.variance, other.variance)
        return similarity(means, variances, covariance, (stabiliser, stabiliser))
