"""The mean of the sources: the floor under every comparison. Half the sharpness of each, all the noise reduction."""

import numpy as np

from mffrepro.fusion.in_turn import mean
from mffrepro.images import FocusStack, to_unit
from mffrepro.progress import steps


def fuse(stack: FocusStack) -> tuple[np.ndarray, None]:
    """Mean of all sources, per channel.

    Args:
        stack: N >= 2 images of any size, gray or colour.

    Returns:
        The mean, rounded half up for integer images; no decision map.

    References:
        [stathaki2008fusion], as the trivial method of every comparison.
    Chapter: 02_baselines
    """
    return mean(map(to_unit, steps(stack.images))), None
