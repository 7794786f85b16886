"""Sparse representation fusion: patch by patch, the source that needs more of a dictionary to be said is the sharper one."""

import numpy as np

from mffrepro.baselines.channels import fuse_channels
from mffrepro.errors import OptionError
from mffrepro.fusion import dictionaries
from mffrepro.fusion.sparse import fuse_by_codes
from mffrepro.images import FocusStack


def fuse(stack: FocusStack, *, dictionary: str = "default", eps: float = 0.1, stride: int = 1) -> tuple[np.ndarray, None]:
    """Fuse by sparse codes of all 8x8 patches; the largest code wins, per channel.

    A pair of 520x520 pixels takes about half a minute per channel on two cores, with ``eps=5, stride=2`` some seconds.

    Args:
        stack: N >= 2 images, sides at least 8 pixels; gray or colour.
        dictionary: ``"default"`` (learned here), ``"published"`` (the authors', fetched) or a safetensors file.
        eps: Largest length of what a code may leave of a patch, gray on 0..255, over 0.
        stride: Step between patches, pixels, from 1 to 8.

    Returns:
        The fused image; no decision map, since patches of different sources overlap.

    Raises:
        OptionError: `eps` or `stride` out of range.
        DataError: The dictionary cannot be had.
    Deviations:
        The paper codes in a dictionary of cosines; the published results were made with a learned one, which is
        ``dictionary="published"``. They also have stride 1 where the script that belongs to it has 2. Codes are in single
        precision, but for patches whose codes are alike; the at most `eps` that a code leaves of a patch may therefore differ.

    References:
        [yang2010sr], settings of [liu2015mstsr], results compared: [liu2020survey].
    Chapter: 02_baselines
    """
    check_options(eps, stride)
    atoms = dictionaries.load("sr", dictionary)
    return fuse_channels(stack, lambda s: fuse_by_codes(255 * s, atoms, eps=eps, stride=stride) / 255, whole=True)


def check_options(eps: float, stride: int) -> None:
    """Raise OptionError for options that no method with coded patches accepts."""
    if not 0 < eps < np.inf:
        raise OptionError(f"eps is {eps}; use a number over 0")
    if not 1 <= stride <= dictionaries.SIDE:
        raise OptionError(f"stride is {stride}; use 1 to {dictionaries.SIDE}, so that patches leave no gaps")
