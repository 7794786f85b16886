"""Pulse-coupled neural network fusion: directions of the contourlet transform feed neurons, and the more lively one wins."""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from mffrepro.baselines.channels import fuse_channels, gray_levels
from mffrepro.baselines.directions import Level, fuse_directions
from mffrepro.baselines.pulses import firings, normalised, spatial_frequency
from mffrepro.errors import OptionError
from mffrepro.fusion import atrous
from mffrepro.fusion.nsct import join, split
from mffrepro.images import FocusStack
from mffrepro.tiling import in_threads

#: Small bands run together, large ones alone: what one step leaves for the next should stay in the processor's cache.
PIXELS_AT_ONCE = 2**17


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
    count_firings = partial(
        firings,
        iterations=iterations,
        link_decay=link_decay,
        threshold_decay=threshold_decay,
        linking=linking,
        threshold_rise=threshold_rise,
    )
    gray = [image / 255 for image in gray_levels(stack)]
    details, bases = zip(*(atrous.analyse(source, len(directions)) for source in gray), strict=True)
    levels = []
    for count, of_sources in zip(directions, zip(*details, strict=True), strict=True):
        winners = _winners(np.stack([split(detail, count) for detail in of_sources]), count_firings)
        levels.append(Level(partial(split, count=count), join, partial(_take, winners=winners)))
    choose_base = partial(_take, winners=_winners(np.stack(bases)[:, None], count_firings)[0])
    return fuse_channels(stack, lambda s: fuse_directions(s, levels, pyramid="pyrexc", choose_base=choose_base), whole=True)


def _winners(bands: np.ndarray, count_firings: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Choose the source of each coefficient, (N, D, H, W) to (D, H, W)."""
    stimuli = np.stack([normalised(spatial_frequency(plane)) for plane in bands.reshape(-1, *bands.shape[2:])])
    share = max(1, PIXELS_AT_ONCE // stimuli[0].size)
    shares = [stimuli[i : i + share] for i in range(0, len(stimuli), share)]
    counts = np.concatenate(in_threads(count_firings, shares))
    return counts.reshape(bands.shape).argmax(0).astype(np.uint8)


def _take(bands: Sequence[np.ndarray], winners: np.ndarray) -> np.ndarray:
    return np.take_along_axis(np.stack(list(bands)), winners[None], 0)[0]
