"""Pulse-coupled neural network fusion: directions of the contourlet transform feed neurons, and the more lively one wins."""

from functools import partial

import numpy as np

from mffrepro.baselines.liveliest import fuse_liveliest
from mffrepro.baselines.pulses import firings, spatial_frequency
from mffrepro.errors import OptionError
from mffrepro.fusion.nsct import join, split
from mffrepro.images import FocusStack


def fuse(
    stack: FocusStack,
    *,
    directions: tuple[int, ...] = (16, 8, 8, 4),
    iterations: int = 200,
    link_decay: float = 1.0,
    threshold_decay: float = 0.2,
    linking: float = 3.0,
    threshold_rise: float = 20.0,
) -> tuple[np.ndarray, None]:
    """Take contourlet coefficients from the source whose neurons fire most often.

    The base is included; the decision is made on gray.

    Args:
        stack: N >= 2 images of any size, gray or colour.
        directions: How many directions each level has, from fine to coarse; powers of two.
        iterations: Steps of the network.
        link_decay: Rate at which a neuron forgets its neighbours' pulses, per step.
        threshold_decay: Rate at which its threshold falls.
        linking: Strength of the neighbours against its own stimulus.
        threshold_rise: What its own pulse adds to its threshold.

    Returns:
        The fused image; no decision map, since each band decides for itself.

    Raises:
        OptionError: There are no levels, or a number of directions is no power of two.
    Deviations:
        The paper fuses gray images; in colour the decisions on gray hold for every channel. Any number of sources: ties go to
        the first. The constants are those of the author's code, the transform that of `nsct`. There is no published output
        to compare with.

    References:
        [qu2008], transform of [dacunha2006].
    Chapter: 02_baselines
    """
    if not directions:
        raise OptionError("directions is empty; give the number of directions of each level")
    count = partial(
        firings,
        iterations=iterations,
        link_decay=link_decay,
        threshold_decay=threshold_decay,
        linking=linking,
        threshold_rise=threshold_rise,
    )
    transforms = [(partial(split, count=number), join) for number in directions]
    return fuse_liveliest(stack, transforms, pyramid="pyrexc", stimulus=spatial_frequency, count=count)
