"""Laplacian pyramid fusion: band by band, the sharper source wins.

A pyramid splits each source into bands of detail, one octave each, and a small base. In every band the coefficient with
the larger magnitude is kept, since a source in focus has the stronger detail; the bases are averaged.
"""

import time
from collections.abc import Sequence

import numpy as np

from mffrepro.errors import OptionError
from mffrepro.fusion.pyramid import analyse, smallest_side, synthesise
from mffrepro.fusion.rules import choose_max
from mffrepro.images import FocusStack, FusionResult, as_stack, to_unit


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
    scaled = to_unit(stack.images, np.float64)
    channels = np.moveaxis(scaled, -1, 0) if stack.is_colour else scaled[None]
    fused = [_fuse_channel(sources, levels) for sources in channels]
    return FusionResult.finish(stack, np.stack(fused, -1) if stack.is_colour else fused[0], None, started, "lp")


def _fuse_channel(sources: Sequence[np.ndarray], levels: int) -> np.ndarray:
    pyramids = [analyse(source, levels) for source in sources]
    details = [choose_max(np.stack(bands)) for bands in zip(*(details for details, _ in pyramids), strict=True)]
    base = sum(base for _, base in pyramids) / len(pyramids)
    return synthesise(details, base, sources[0].shape)
