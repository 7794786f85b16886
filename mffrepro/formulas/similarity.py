"""Structural similarity of windows [wang2004ssim, yang2008]."""

from typing import Any

from mffrepro.formulas.arrays import namespace
from mffrepro.formulas.filters import correlate, gaussian

#: Sources that are at least this similar share a window by variance; otherwise the better one counts.
AGREEMENT = 0.75


def gauss7(x: Any) -> Any:
    """Compute the local mean over each full 7x7 window, Gaussian of sigma 1.5."""
    return correlate(x, gaussian(7, 1.5), gaussian(7, 1.5), "valid")


def similarity(
    means: tuple[Any, Any], variances: tuple[Any, Any], covariance: Any, constants: tuple[float, float], floor: float = 0.0
) -> Any:
    """Compute the SSIM of each window from local moments.

    Args:
        means: Local mean of each image.
        variances: Local variance of each image.
        covariance: Local covariance of the images.
        constants: C1 and C2, which stabilise luminance and structure.
        floor: Added to the denominator.
    """
    (mean_x, mean_y), (variance_x, variance_y), (c1, c2) = means, variances, constants
    top = (2 * mean_x * mean_y + c1) * (2 * covariance + c2)
    return top / ((mean_x**2 + mean_y**2 + c1) * (variance_x + variance_y + c2) + floor)


def yang(a_to_b: Any, share: Any, to_a: Any, to_b: Any) -> Any:
    """Combine the similarities with two sources, after Yang.

    Where the sources agree, they share the window; elsewhere the better one counts.

    Args:
        a_to_b: Similarity of the sources.
        share: Share of the first source, 0 to 1.
        to_a: Similarity of the fused image with the first source.
        to_b: Similarity of the fused image with the second source.
    """
    xp = namespace(share)
    return xp.where(a_to_b >= AGREEMENT, share * to_a + (1 - share) * to_b, xp.maximum(to_a, to_b))
