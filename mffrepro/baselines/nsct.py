"""Nonsubsampled contourlet fusion: up to sixteen directions an octave, and nothing that depends on where a grid falls."""

from functools import partial

import numpy as np

from mffrepro.baselines.channels import fuse_channels
from mffrepro.baselines.directions import Level, choose_max_each, fuse_directions
from mffrepro.errors import OptionError
from mffrepro.fusion.nsct import join, split
from mffrepro.images import FocusStack


def fuse(
    stack: FocusStack, *, directions: tuple[int, ...] = (16, 8, 8, 4), pyramid: str = "pyrexc", filters: str = "7-9"
) -> tuple[np.ndarray, None]:
    """Fuse nonsubsampled contourlets by Li's choose-max rule, per channel.

    Args:
        stack: N >= 2 images, sides at least 2 pixels; gray or colour.
        directions: How many directions each level has, from fine to coarse; powers of two.
        pyramid: Filters of the pyramid, ``"pyrexc"`` or ``"maxflat"``.
        filters: Filters of the directional bank, ``"7-9"`` or ``"vk"``.

    Returns:
        The fused image; no decision map, since each band decides for itself.

    Raises:
        OptionError: There are no levels, a number of directions is no power of two, or there are no such filters.
    Deviations:
        None known from the results in the survey of Liu et al. (2020); the toolbox of Liu, Liu and Wang (2015) has ``"vk"``.
        Zhang and Guo's own rules, by contrast and vectors of directions, are not what tables of comparison were made with.

    References:
        [zhang2009nsct], transform of [dacunha2006], rule of [li1995wavelet], settings of [liu2015mstsr], results compared:
        [liu2020survey].
    Chapter: 02_baselines
    """
    if not directions:
        raise OptionError("directions is empty; give the number of directions of each level")
    levels = [
        Level(partial(split, count=count, filters=filters), partial(join, filters=filters), choose_max_each)
        for count in directions
    ]
    return fuse_channels(stack, lambda s: fuse_directions(s, levels, pyramid=pyramid))
