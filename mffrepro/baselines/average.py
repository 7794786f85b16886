"""The mean of the sources: the floor under every comparison. Half the sharpness of each, all the noise reduction."""

import time

from mffrepro.images import FocusStack, FusionResult, to_unit


def fuse(stack: FocusStack) -> FusionResult:
    """Mean of all sources, per channel.

    Args:
        stack: N >= 2 images of any size, gray or colour.
    Returns:
        The mean, rounded half up for integer images; no decision map.
    References:
        [stathaki2008fusion], as the trivial method of every comparison.
    Chapter: 02_baselines
    """
    started = time.perf_counter()
    return FusionResult.finish(stack, to_unit(stack.images).mean(0), None, started, "average")
