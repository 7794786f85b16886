"""Contourlet fusion: up to sixteen directions an octave, each with only as many samples as it needs."""

from collections.abc import Sequence

import numpy as np

from mffrepro.baselines.channels import fuse_channels
from mffrepro.errors import OptionError
from mffrepro.fusion.contourlet import analyse, synthesise
from mffrepro.fusion.in_turn import choose, derive, mean
from mffrepro.fusion.pyramid import smallest_side
from mffrepro.images import FocusStack, require_side


def fuse(stack: FocusStack, *, directions: tuple[int, ...] = (16, 8, 8, 4)) -> tuple[np.ndarray, None]:
    """Fuse contourlets by Li's choose-max rule, per channel.

    Args:
        stack: N >= 2 images, sides at least 17 pixels for four levels; gray or colour.
        directions: How many directions each level has, from fine to coarse; 1, 4, 8 or a higher power of two.

    Returns:
        The fused image; no decision map, since each band decides for itself.

    Raises:
        ImageError: The images are too small for that many levels.
        OptionError: There are no levels, or a number of directions cannot be had.
    Deviations:
        The rule of fusion and the numbers of directions are those of ``nsct``, so the two differ by the transform alone: the
        paper describes no fusion. The pyramid mirrors an image at its borders, the fans continue a level periodically.

    References:
        [do2005contourlet], filters of [phoong1995], rule of [li1995wavelet].
    Chapter: 02_baselines
    """
    if not directions:
        raise OptionError("directions is empty; give the number of directions of each level")
    require_side(stack, smallest_side(len(directions)))
    return fuse_channels(stack, lambda sources: _fuse_channel(sources, directions))


def _fuse_channel(sources: Sequence[np.ndarray], directions: tuple[int, ...]) -> np.ndarray:
    parts = derive(sources, lambda source: analyse(source, directions))
    chosen = iter(choose(derive(parts, lambda part: [band for bands in part[0] for band in bands])))
    details = [[next(chosen) for _ in range(count)] for count in directions]
    return synthesise(details, mean(derive(parts, lambda part: part[1])), sources[0].shape)
