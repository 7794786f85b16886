"""Count the regions of a binary map with gradients, as GCF's loss does: steps are cut backward into straight lines."""

import torch
from torch import Tensor
from torch.nn import functional as F

#: Upper left, upper, upper right, left neighbour: rows and columns into an image with a row more above, a column at each side.
NEIGHBOURS = ((0, 0), (0, 1), (0, 2), (1, 0))


class _Sign(torch.autograd.Function):
    """The sign of a tensor; backward, gradients pass where its absolute value is at most 1."""

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x.sign()

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, gradient: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return gradient * (x.abs() <= 1)


def step(x: Tensor) -> Tensor:
    """Compute 1 above 0, 0 below, and 0.5 at 0.

    Backward it is a straight line of slope 1/2 where the absolute value is at most 1, and flat elsewhere.
    """
    return _Sign.apply(x) / 2 + 0.5


def region_starts(mask: Tensor, threshold: float) -> Tensor:
    """Count the pixels that differ from their upper and left neighbours, (B,).

    A region begins there.

    Args:
        mask: (B, 1, H, W), 0 or 1; pixels outside are 0.
        threshold: What tanh(differences / 4) of four differences has to be over. It is at most tanh(1), 0.762: above that
            nothing is counted, and only the gradient of the step is left, which falls on every border of the map.

    References:
        [xu2020gcf].
    """
    height, width = mask.shape[-2:]
    around = F.pad(mask, (1, 1, 1, 0))
    changes = sum((mask - around[..., y : y + height, x : x + width]).abs() for y, x in NEIGHBOURS)
    return step(torch.tanh(changes / 4) - threshold).sum((1, 2, 3))


def larger_gradient(a: Tensor, b: Tensor) -> Tensor:
    """Compute 1 where the first image has the larger gradient, (B, 1, H, W).

    It is the distance from the mean of eight neighbours. Zeros lie outside; ties go to the second.
    """
    first, second = ((x - F.avg_pool2d(x, 3, stride=1, padding=1)).abs() for x in (a, b))
    return (first > second).to(a.dtype)
