"""Edge-preserving loss: compare the gradients of fused image and reference."""

from torch import Tensor

from mffrepro.losses.gradient import EPS, sobel


def edge_loss(original: Tensor, fused: Tensor) -> Tensor:
    r"""Sum the length of the difference between two gradient fields over the image.

    .. math:: L_{EP} = \sum_i \sqrt{(s^{Fx}_i - s^{Rx}_i)^2 + (s^{Fy}_i - s^{Ry}_i)^2}

    Args:
        original: The all-in-focus photograph R, (B, 1, H, W) in [0, 1].
        fused: The same shape.

    Returns:
        Scalar >= 0, the mean over the batch; lower is better.

    Deviations:
        GACN names an edge-preserving loss and gives no formula (A4.14). Our reading: Sobel gradients as in its Eq. 8, and a sum
        over pixels, because with GACN's weight of 1e-4 a mean would have no effect. The outermost pixels have no gradient and
        are left out.

    References:
        [ma2022gacn], section 4.5.1.

    Chapter: 07_gacn
    """
    gaps = [x - y for x, y in zip(sobel(fused, border="valid"), sobel(original, border="valid"), strict=True)]
    squares = sum(gap.square() for gap in gaps)
    # EPS is subtracted so that a copy has loss 0; inside the root it keeps the derivative finite there.
    return ((squares + EPS**2).sqrt() - EPS).sum((1, 2, 3)).mean()
