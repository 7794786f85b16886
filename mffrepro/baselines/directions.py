"""What the methods on an undecimated pyramid of directions share: level by level split, choose, join."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from mffrepro.fusion import atrous
from mffrepro.fusion.rules import choose_max


class Level(NamedTuple):
    """Say how one level of the pyramid is split, joined and fused."""

    split: Callable[[np.ndarray], np.ndarray]  # a level (H, W) as its directions (D, H, W)
    join: Callable[[np.ndarray], np.ndarray]  # and back
    choose: Callable[[np.ndarray], np.ndarray]  # from coefficients of N sources (N, D, H, W) to the fused ones (D, H, W)


def fuse_directions(
    sources: np.ndarray,
    levels: Sequence[Level],
    *,
    pyramid: str,
    choose_base: Callable[[np.ndarray], np.ndarray] = lambda bases: bases.mean(0),
) -> np.ndarray:
    """Fuse sources (N, H, W), one channel each.

    Args:
        sources: N images.
        levels: From fine to coarse.
        pyramid: Filters of the pyramid, a key of `atrous.FILTERS`.
        choose_base: From the bases (N, H, W) to the fused one; their mean by default.
    """
    details, bases = zip(*(atrous.analyse(source, len(levels), filters=pyramid) for source in sources), strict=True)
    fused = []
    for level, of_sources in zip(levels, zip(*details, strict=True), strict=True):
        # The directions of one level at a time: they are what fills the memory.
        fused.append(level.join(level.choose(np.stack([level.split(detail) for detail in of_sources]))))
    return atrous.synthesise(fused, choose_base(np.stack(bases)), filters=pyramid)


def choose_max_each(bands: np.ndarray) -> np.ndarray:
    """Choose by Li's rule in every direction separately: (N, D, H, W) to (D, H, W)."""
    return np.stack([choose_max(band) for band in np.moveaxis(bands, 1, 0)])
