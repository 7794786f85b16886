"""Nonsubsampled shearlet fusion: short wedge filters in place of the contourlet's filter bank."""

from functools import partial

import numpy as np

from mffrepro.baselines.channels import fuse_channels
from mffrepro.baselines.directions import Level, choose_max_each, fuse_directions
from mffrepro.errors import OptionError
from mffrepro.fusion.nsst import join, split
from mffrepro.images import FocusStack


def fuse(
    stack: FocusStack,
    *,
    directions: tuple[int, ...] = (16, 16, 8, 8),
    sizes: tuple[int, ...] = (16, 16, 8, 8),
    pyramid: str = "maxflat",
) -> tuple[np.ndarray, None]:
    """Fuse nonsubsampled shearlets by Li's choose-max rule, per channel.

    Args:
        stack: N >= 2 images, sides at least 2 pixels; gray or colour.
        directions: How many directions each level has, from fine to coarse; even numbers.
        sizes: Side of the shearing filters of each level, pixels.
        pyramid: Filters of the pyramid, ``"maxflat"`` or ``"pyrexc"``.

    Returns:
        The fused image; no decision map, since each band decides for itself.

    Raises:
        OptionError: No levels, not as many sizes as directions, an odd number of directions, or there are no such filters.
    Deviations:
        Papers that compare with shearlets name no rule; the usual one is taken. The transform has the settings of Yin et al.
        (2019); images need not be square. The windows are drawn on the filters' own grid, where they add up to one, and not
        resampled from a polar grid and divided by their sum. There is no published output to compare with.

    References:
        Transform of [easley2008], settings of [yin2019nsst], rule of [li1995wavelet].
    Chapter: 02_baselines
    """
    if not directions or len(directions) != len(sizes):
        raise OptionError(f"there are {len(directions)} directions and {len(sizes)} sizes; give both for each level")
    levels = [
        Level(partial(split, count=count, size=size), join, choose_max_each)
        for count, size in zip(directions, sizes, strict=True)
    ]
    return fuse_channels(stack, lambda s: fuse_directions(s, levels, pyramid=pyramid))
