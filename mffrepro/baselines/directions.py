"""What the methods on an undecimated pyramid of directions share: level by level split, choose, join."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from mffrepro.fusion import atrous
from mffrepro.fusion.in_turn import choose, derive, mean
from mffrepro.progress import parts


class Level(NamedTuple):
    """Say how one level of the pyramid is split, joined and fused."""

    split: Callable[[np.ndarray], np.ndarray]  # a level (H, W) as its directions (D, H, W)
    join: Callable[[np.ndarray], np.ndarray]  # and back
    choose: Callable[[Sequence[np.ndarray]], np.ndarray]  # from coefficients (D, H, W) of N sources to the fused ones


def fuse_directions(
    sources: Sequence[np.ndarray],
    levels: Sequence[Level],
    *,
    pyramid: str,
    choose_base: Callable[[Sequence[np.ndarray]], np.ndarray] = mean,
) -> np.ndarray:
    """Fuse sources (N, H, W), one channel each.

    Args:
        sources: N images.
        levels: From fine to coarse.
        pyramid: Filters of the pyramid, a key of `atrous.FILTERS`.
        choose_base: From the N bases (H, W) to the fused one; their mean by default.
    """
    pyramids = derive(sources, lambda source: atrous.analyse(source, len(levels), filters=pyramid))
    fused = []
    for number, level in enumerate(parts(levels)):
        # The directions of one level at a time: they are what fills the memory.
        directions = derive(pyramids, lambda made, number=number, level=level: level.split(made[0][number]))
        fused.append(level.join(level.choose(directions)))
    return atrous.synthesise(fused, choose_base(derive(pyramids, lambda made: made[1])), filters=pyramid)


def choose_max_each(bands: Sequence[np.ndarray]) -> np.ndarray:
    """Choose by Li's rule in every direction separately, from N of (D, H, W)."""
    return np.stack(choose(bands))
