"""Go on where the memory of a GPU does not suffice: in smaller strips, and if need be on the CPU."""

import warnings
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

import torch
from torch import nn

from mffrepro.tiling import smaller_strips

Result = TypeVar("Result")


def with_room(work: Callable[[nn.Module], Result], network: nn.Module, on_cpu: Callable[[], nn.Module]) -> Result:
    """Do some work with a network, in another way where memory is lacking.

    A warning says which way it took.

    Args:
        work: Takes the network, on whatever device it is.
        network: The network to begin with.
        on_cpu: Returns the same network on the CPU; called only if needed.
    """
    with suppress(torch.OutOfMemoryError):
        return work(network)
    torch.cuda.empty_cache()  # now that the error, which held the arrays of the attempt, is gone
    with suppress(torch.OutOfMemoryError):
        with smaller_strips():
            result = work(network)
        warnings.warn("the GPU has too little memory for whole images; they were fused in smaller strips", stacklevel=3)
        return result
    torch.cuda.empty_cache()
    warnings.warn("the GPU has too little memory; the images were fused on the CPU", stacklevel=3)
    return work(on_cpu())
