"""Curvelet fusion: wedges of direction that grow finer with the scale, on grids no denser than each needs."""

from collections.abc import Sequence

import numpy as np

from mffrepro.baselines.channels import fuse_channels
from mffrepro.fusion.curvelet import analyse, synthesise
from mffrepro.fusion.in_turn import choose, derive, mean
from mffrepro.images import FocusStack


def fuse(stack: FocusStack, *, scales: int = 5, angles: int = 16) -> tuple[np.ndarray, None]:
    """Fuse curvelet coefficients by Li's choose-max rule, each channel separately.

    Args:
        stack: N >= 2 images of any size, gray or colour.
        scales: Scales with the base, >= 2.
        angles: Wedges of the coarsest ring, a multiple of 4 from 8 on; every other finer ring has twice as many.

    Returns:
        The fused image; no decision map, since each band decides for itself.

    Raises:
        OptionError: `scales` or `angles` is not such a number.
    Deviations:
        Rule, number of scales and angles are those of the toolbox of Liu, Liu and Wang (2015), which calls the authors' own
        transform. That may not be passed on; this one follows its paper, and the grids of its bands differ by a few samples.
        There is no published output to compare with; scores recorded by the authors of GACN are met within 0.001.

    References:
        [nencini2007], transform of [candes2006], rule of [li1995wavelet], settings of [liu2015mstsr].
    Chapter: 02_baselines
    """
    return fuse_channels(stack, lambda s: _fuse_channel(s, scales, angles))


def _fuse_channel(sources: Sequence[np.ndarray], scales: int, angles: int) -> np.ndarray:
    parts = derive(sources, lambda source: analyse(source, scales, angles))
    chosen = iter(choose(derive(parts, lambda part: [x for level in part[0] for band in level for x in (band.real, band.imag)])))
    details = [[next(chosen) + 1j * next(chosen) for _ in level] for level in parts[0][0]]
    return synthesise(details, mean(derive(parts, lambda part: part[1])), sources[0].shape, angles)
