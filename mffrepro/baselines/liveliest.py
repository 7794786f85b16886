"""Take each coefficient of a pyramid of directions from the source whose neuron fires most often: what pcnn and scm share."""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from mffrepro.baselines.channels import fuse_channels, gray_levels
from mffrepro.baselines.directions import Level, fuse_directions
from mffrepro.baselines.pulses import normalised
from mffrepro.fusion import atrous
from mffrepro.images import FocusStack
from mffrepro.threads import in_threads

#: Small bands run together, large ones alone: what one step leaves for the next should stay in the processor's cache.
PIXELS_AT_ONCE = 2**17

#: From a level (H, W) to its directions (D, H, W), and back.
Transform = tuple[Callable[[np.ndarray], np.ndarray], Callable[[np.ndarray], np.ndarray]]


def fuse_liveliest(
    stack: FocusStack,
    transforms: Sequence[Transform],
    *,
    pyramid: str,
    stimulus: Callable[[np.ndarray], np.ndarray],
    count: Callable[[np.ndarray], np.ndarray],
) -> tuple[np.ndarray, None]:
    """Fuse by the counts of pulses, which are decided on gray; the base is included.

    Args:
        stack: N >= 2 images.
        transforms: One for each level, from fine to coarse.
        pyramid: Filters of the pyramid, a key of `mffrepro.fusion.atrous.FILTERS`.
        stimulus: From a band (H, W) to what its neurons are fed; it is stretched to [0, 1].
        count: From stimuli (N, H, W) to how often each neuron fires.

    Returns:
        The fused image, and None, since each band decides for itself.
    """
    gray = [image / 255 for image in gray_levels(stack)]
    details, bases = zip(*(atrous.analyse(source, len(transforms), filters=pyramid) for source in gray), strict=True)
    winners_of = partial(_winners, stimulus=stimulus, count=count)
    levels = []
    for (split, join), of_sources in zip(transforms, zip(*details, strict=True), strict=True):
        winners = winners_of(np.stack([split(detail) for detail in of_sources]))
        levels.append(Level(split, join, partial(_take, winners=winners)))
    choose_base = partial(_take, winners=winners_of(np.stack(bases)[:, None])[0])
    return fuse_channels(stack, lambda s: fuse_directions(s, levels, pyramid=pyramid, choose_base=choose_base), whole=True)


def _winners(bands: np.ndarray, stimulus: Callable, count: Callable) -> np.ndarray:
    """Choose the source of each coefficient, (N, D, H, W) to (D, H, W)."""
    stimuli = np.stack([normalised(stimulus(plane)) for plane in bands.reshape(-1, *bands.shape[2:])])
    share = max(1, PIXELS_AT_ONCE // stimuli[0].size)
    shares = [stimuli[i : i + share] for i in range(0, len(stimuli), share)]
    counts = np.concatenate(in_threads(count, shares))
    return counts.reshape(bands.shape).argmax(0).astype(np.uint8)


def _take(bands: Sequence[np.ndarray], winners: np.ndarray) -> np.ndarray:
    return np.take_along_axis(np.stack(list(bands)), winners[None], 0)[0]
