"""Structure-tensor loss: the contrast of all sources against the fused one."""

from collections.abc import Sequence
from typing import Literal

from torch import Tensor

from mffrepro.losses.gradient import EPS, sobel


def tensor_loss(
    sources: Sequence[Tensor], fused: Tensor, *, gradient: Literal["sobel", "forward"] = "sobel", squared: bool = False
) -> Tensor:
    r"""Compare the structure tensors of the sources with that of the fused image.

    .. math:: L_{ST} = \sum_i \Big\lVert \nabla F_i \nabla F_i^T - \sum_{S \in \{A, B\}} \nabla S_i \nabla S_i^T \Big\rVert_F

    Args:
        sources: Gray batches (B, 1, H, W) in [0, 1].
        fused: The same shape.
        gradient: ``"sobel"``, or ``"forward"`` for the difference to the next pixel.
        squared: Return the mean over the pixels of the squared distance, which does not depend on the size of the images.

    Returns:
        Scalar >= 0, the mean over the batch; lower is better. A copy of one source loses the other, so that the smallest value
        is over 0 where both have contrast.

    Deviations:
        GACN takes the loss from DIF-Net and gives no formula (A4.14). Our reading: the sources are the channels of one image,
        whose 2x2 tensors are added pixel by pixel; Sobel gradients; the distance and not its square, summed over pixels as in
        `edge_loss`. Pixels at the border without a gradient are left out.

    References:
        [jung2020difnet]; [ma2022gacn], section 4.5.1.

    Chapter: 07_gacn, 08_networks
    """
    wanted = [sum(entries) for entries in zip(*(_tensor(source, gradient) for source in sources), strict=True)]
    xx, xy, yy = (x - y for x, y in zip(_tensor(fused, gradient), wanted, strict=True))
    squares = xx.square() + 2 * xy.square() + yy.square()
    return squares.mean() if squared else ((squares + EPS**2).sqrt() - EPS).sum((1, 2, 3)).mean()


def _tensor(image: Tensor, gradient: str) -> tuple[Tensor, Tensor, Tensor]:
    """Compute the entries xx, xy and yy of the gradient times its transpose."""
    if gradient == "forward":
        x, y = image.diff(dim=-1)[..., :-1, :], image.diff(dim=-2)[..., :-1]
    else:
        x, y = sobel(image, border="valid")
    return x.square(), x * y, y.square()
