"""Networks of pulse-coupled neurons that exchange their pulses: one network per source, and pixels of the most lively one."""

import numpy as np

from mffrepro.baselines.channels import fuse_by_winner, gray_levels
from mffrepro.baselines.focus import decide
from mffrepro.baselines.pulses import firings, spatial_frequency
from mffrepro.images import FocusStack, Shares


def fuse(
    stack: FocusStack, *, exchange: float = 0.5, iterations: int = 200, radius: int = 3, smallest: float = 0.01
) -> tuple[np.ndarray, Shares]:
    """Take each pixel from the source whose neurons around it fire most often.

    The decision is made on gray.

    Args:
        stack: N >= 2 images of any size, gray or colour.
        exchange: How loud a neuron hears those at its place in the other networks; the four beside it in its own count 1.
        iterations: Steps of the networks.
        radius: Half width of the window of the sum and of the vote that follows, pixels, >= 0.
        smallest: Least area of a region taken from one source, as a share of the image.

    Returns:
        Pixels of the sources, and which source each came from.
    Deviations:
        Identity uncertain. The name stands in tables of [tlcolor] without a reference that could be found; the most probable
        reading is the multi-source information exchange of Nie et al. (2021), made for medical images. Only its idea is taken,
        networks that hear one another. Stimulus and constants (those of `pcnn`), exchange and the way from firings to a map
        are this package's choice, so no number of this method speaks for or against that paper.

    References:
        [nie2021exchange], neurons of [qu2008].
    Chapter: 02_baselines
    """
    focus = np.stack([spatial_frequency(image) for image in gray_levels(stack)])
    stimuli = focus / max(focus.max(), np.finfo(float).eps)  # one scale for all sources, so that their firings compare
    counts = firings(stimuli, exchange=exchange, iterations=iterations)
    return fuse_by_winner(stack, decide(counts + stimuli / 2, radius, smallest))  # the stimulus breaks ties
