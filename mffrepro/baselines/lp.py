"""Laplacian pyramid fusion: band by band, the sharper source wins.

A pyramid splits each source into bands of detail, one octave each, and a small base. In every band the coefficient with
the larger magnitude is kept, since a source in focus has the stronger detail; the bases are averaged.
"""

import time
from functools import partial

import numpy as np

from mffrepro.baselines._frame import fuse_channels
from mffrepro.errors import OptionError
from mffrepro.fusion.pyramid import analyse, smallest_side, synthesise
from mffrepro.fusion.rules import choose_max
from mffrepro.images import FocusStack, FusionResult, as_stack


def fuse(stack: FocusStack, *, levels: int = 4) -> FusionResult:
    """Laplacian pyramid fusion with Li's choose-max rule, each channel on its own.

    Args:
        stack: N >= 2 images, sides at least 17 pixels for four levels; gray or colour.
        levels: Bands of detail, >= 1.
    Returns:
        The fused image; no decision map, since each band decides for itself.
    Raises:
        ImageError: The images are too small for that many levels.
        OptionError: `levels` is under 1.
    Deviations:
        None known from the toolbox of Liu, Liu and Wang (2015) at four levels.
    References:
        [burt1983laplacian], rule of [li1995wavelet], settings of [liu2015mstsr].
    Chapter: 02_baselines
    """
    if levels < 1:
        raise OptionError(f"levels is {levels}; use 1 or more")
    as_stack(stack, min_side=smallest_side(levels))
    started = time.perf_counter()
    return fuse_channels(stack, partial(_fuse_channel, levels=levels), started, "lp")


def _fuse_channel(sources: np.ndarray, levels: int) -> np.ndarray:
    pyramids = [analyse(source, levels) for source in sources]
    details = [choose_max(np.stack(bands)) for bands in zip(*(details for details, _ in pyramids), strict=True)]
    base = sum(base for _, base in pyramids) / len(pyramids)
    return synthesise(details, base, sources[0].shape)
