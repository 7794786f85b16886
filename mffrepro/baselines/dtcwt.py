"""Dual-tree complex wavelet fusion: six directions an octave, and magnitudes that hardly depend on where the grid falls."""

from collections.abc import Sequence

import numpy as np

from mffrepro.baselines.channels import fuse_channels
from mffrepro.errors import OptionError, unknown
from mffrepro.fusion.dtcwt import FIRST_LEVEL, analyse, synthesise
from mffrepro.fusion.in_turn import choose, derive, mean
from mffrepro.fusion.pyramid import smallest_side
from mffrepro.images import FocusStack, require_side

#: Directions of an octave.
DIRECTIONS = 6


def fuse(stack: FocusStack, *, levels: int = 4, first: str = "near_sym_a") -> tuple[np.ndarray, None]:
    """Fuse dual-tree complex wavelets by Li's choose-max rule on magnitudes.

    Each channel is fused separately.

    Args:
        stack: N >= 2 images, sides at least 17 pixels for four levels; gray or colour.
        levels: Octaves, >= 1.
        first: Filters of the first level, ``"near_sym_a"`` or ``"legall"``; the later levels use ``qshift_06``.

    Returns:
        The fused image; no decision map, since each band decides for itself.

    Raises:
        ImageError: The images are too small for that many levels.
        OptionError: `levels` is under 1, or there are no such filters.
    Deviations:
        None known from the results in the survey of Liu et al. (2020); the toolbox of Liu, Liu and Wang (2015) has ``"legall"``.

    References:
        [lewis2007], transform of [selesnick2005], rule of [li1995wavelet], results compared: [liu2020survey], [liu2015mstsr].
    Chapter: 02_baselines
    """
    if levels < 1:
        raise OptionError(f"levels is {levels}; use 1 or more")
    if first not in FIRST_LEVEL:
        raise unknown("filters for the first level", first, FIRST_LEVEL)
    require_side(stack, smallest_side(levels))
    return fuse_channels(stack, lambda s: _fuse_channel(s, levels, first))


def _fuse_channel(sources: Sequence[np.ndarray], levels: int, first: str) -> np.ndarray:
    parts = derive(sources, lambda source: analyse(source, levels, first=first))
    chosen = choose(derive(parts, lambda part: [band for directions in part[0] for band in directions]))
    details = [np.stack(chosen[at : at + DIRECTIONS]) for at in range(0, len(chosen), DIRECTIONS)]
    return synthesise(details, mean(derive(parts, lambda part: part[1])), sources[0].shape, first=first)
