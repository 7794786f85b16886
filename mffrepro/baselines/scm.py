"""Spiking cortical model fusion: directions of the shearlet transform feed neurons, and the more lively one wins."""

from functools import partial

import numpy as np

from mffrepro.baselines.liveliest import fuse_liveliest
from mffrepro.baselines.pulses import spatial_frequency, spikes
from mffrepro.errors import OptionError
from mffrepro.fusion.nsst import join, split
from mffrepro.images import FocusStack


def fuse(
    stack: FocusStack,
    *,
    directions: tuple[int, ...] = (16, 16, 8, 8),
    sizes: tuple[int, ...] = (16, 16, 8, 8),
    pyramid: str = "maxflat",
    iterations: int = 200,
    decay: float = 0.2,
    threshold_decay: float = 0.9,
    threshold_rise: float = 20.0,
) -> tuple[np.ndarray, None]:
    """Take shearlet coefficients from the source whose neurons spike most often.

    The base is included; the decision is made on gray.

    Args:
        stack: N >= 2 images, sides at least 2 pixels; gray or colour.
        directions: How many directions each level has, from fine to coarse; even numbers.
        sizes: Side of the shearing filters of each level, pixels.
        pyramid: Filters of the pyramid, ``"maxflat"`` or ``"pyrexc"``.
        iterations: Steps of the network.
        decay: Share of its activity that a neuron keeps, per step.
        threshold_decay: Share of its threshold that it keeps.
        threshold_rise: What its own pulse adds to its threshold.

    Returns:
        The fused image; no decision map, since each band decides for itself.

    Raises:
        OptionError: No levels, not as many sizes as directions, an odd number of directions, or there are no such filters.
    Deviations:
        Read from the abstract of Hou et al. (2018), whose text was not available. It fuses infrared and visible light, finds the
        constants by an artificial bee colony, and feeds the neurons of the base with a saliency of edges; here the constants
        are those of the model's authors, in 200 steps instead of 40, after which many neurons have fired equally often, and
        the base is fed like the directions. The transform is that of `nsst`. There is no published output to compare with.

    References:
        [hou2018scm], model of [zhan2009scm], transform of [easley2008].
    Chapter: 02_baselines
    """
    if not directions or len(directions) != len(sizes):
        raise OptionError(f"there are {len(directions)} directions and {len(sizes)} sizes; give both for each level")
    count = partial(spikes, iterations=iterations, decay=decay, threshold_decay=threshold_decay, threshold_rise=threshold_rise)
    transforms = [(partial(split, count=number, size=size), join) for number, size in zip(directions, sizes, strict=True)]
    return fuse_liveliest(stack, transforms, pyramid=pyramid, stimulus=partial(spatial_frequency, diagonals=True), count=count)
