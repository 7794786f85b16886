"""Ratio of low-pass pyramid: contrast instead of difference.

Each level holds an image divided by its own low-pass version, which is local contrast as the eye sees it; the larger
ratio wins and the coarsest images are averaged.
"""

from collections.abc import Callable, Sequence

import numpy as np

from mffrepro.baselines.channels import fuse_channels
from mffrepro.errors import OptionError
from mffrepro.fusion.in_turn import choose, derive, mean
from mffrepro.fusion.pyramid import analyse, smallest_side, synthesise
from mffrepro.images import FocusStack, require_side

#: Keeps the ratio finite in black, on a scale of 0..255.
FLOOR = 1e-6


def fuse(stack: FocusStack, *, levels: int = 4) -> tuple[np.ndarray, None]:
    """Fuse a ratio-of-low-pass pyramid by Li's choose-max rule, per channel.

    Args:
        stack: N >= 2 images, sides at least 17 pixels for four levels; gray or colour.
        levels: Ratios, >= 1.

    Returns:
        The fused image; no decision map, since each level decides for itself.

    Raises:
        ImageError: The images are too small for that many levels.
        OptionError: `levels` is under 1.
    Deviations:
        Toet takes the ratio that is farthest from one; the toolbox of Liu, Liu and Wang (2015), which published tables were
        made with, takes the largest by Li's rule, and so does this. Dark detail therefore loses against bright.

    References:
        [toet1989], rule of [li1995wavelet], settings of [liu2015mstsr].
    Chapter: 02_baselines
    """
    if levels < 1:
        raise OptionError(f"levels is {levels}; use 1 or more")
    require_side(stack, smallest_side(levels))
    return fuse_channels(stack, lambda s: fuse_ratios(derive(s, lambda plane: 255 * plane), levels) / 255)


def fuse_ratios(
    sources: Sequence[np.ndarray], levels: int, fuse_base: Callable[[Sequence[np.ndarray]], np.ndarray] = mean
) -> np.ndarray:
    """Fuse the ratios of one level of N sources (H, W), lower levels by recursion.

    Values are on 0..255; the levels are multiplied.
    """
    if levels == 0:
        return fuse_base(sources)
    height, width = sources[0].shape
    parts = derive(sources, _split)
    (ratio,) = choose(derive(parts, lambda part: part[:1]))
    base = fuse_ratios(derive(parts, lambda part: part[1]), levels - 1, fuse_base)
    expanded = synthesise([np.zeros_like(ratio)], base, ratio.shape)
    return (ratio * (expanded + FLOOR))[:height, :width]


def _split(source: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Split an image into its ratio to the next level, with even sides, and that level."""
    source = np.pad(source, [(0, side % 2) for side in source.shape], mode="reflect")
    (detail,), base = analyse(source, 1)
    return source / (source - detail + FLOOR), base
