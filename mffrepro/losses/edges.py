"""Edge-preserving loss: the gradients of the fused image against those of the photograph it should be."""

from torch import Tensor

from mffrepro.losses.gradient import EPS, sobel


def edge_loss(original: Tensor, fused: Tensor) -> Tensor:
    r"""Length of the difference of gradients, summed over the image.

    .. math:: L_{EP} = \sum_i \sqrt{(s^{Fx}_i - s^{Rx}_i)^2 + (s^{Fy}_i - s^{Ry}_i)^2}

    Args:
        original: The all-in-focus photograph R, (B, 1, H, W) in [0, 1].
        fused: The same shape.
    Returns:
        Scalar >= 0, the mean over the batch; lower is better.
    Deviations:
        GACN names an edge-preserving loss and gives no formula (A4.14). This is our reading: Sobel gradients as in its Eq. 8, and
        a sum over pixels, since the weight of 1e-4 that it gives would leave nothing of a mean. The outermost pixels have no
        gradient and are left out.
    References:
        [ma2022gacn], section 4.5.1.
    Chapter: 07_gacn
    """
    gaps = [x - y for x, y in zip(sobel(fused, border="valid"), sobel(original, border="valid"), strict=True)]
    squares = sum(gap.square() for gap in gaps)
    # Less EPS, so that a copy loses nothing; the root keeps a finite gradient there.
    return ((squares + EPS**2).sqrt() - EPS).sum((1, 2, 3)).mean()
