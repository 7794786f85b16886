"""Stationary wavelet fusion: the wavelet transform without decimation, so that a shifted scene gives the shifted result."""

from collections.abc import Sequence
from functools import partial

import numpy as np

from mffrepro.baselines.channels import fuse_channels
from mffrepro.errors import OptionError, unknown
from mffrepro.fusion.in_turn import choose, derive, mean
from mffrepro.images import FocusStack
from mffrepro.progress import parts


def fuse(stack: FocusStack, *, wavelet: str = "haar", levels: int = 4) -> tuple[np.ndarray, None]:
    """Fuse undecimated wavelets by Li's choose-max rule, each channel separately.

    Args:
        stack: N >= 2 images of any size, gray or colour.
        wavelet: Discrete wavelet, by its name in PyWavelets.
        levels: Bands of detail, >= 1.

    Returns:
        The fused image; no decision map, since each band decides for itself.

    Raises:
        OptionError: `levels` is under 1, or PyWavelets knows no such wavelet.
    Deviations:
        The original takes the larger magnitude pixel by pixel; Li's rule is used here, as in the other transforms. Sides are
        extended by reflection to a multiple of 2^levels. There is no published output to compare with.

    References:
        [rockinger1997], rule of [li1995wavelet].
    Chapter: 02_baselines
    """
    import pywt

    if levels < 1:
        raise OptionError(f"levels is {levels}; use 1 or more")
    if wavelet not in pywt.wavelist(kind="discrete"):
        raise unknown("discrete wavelet", wavelet, pywt.wavelist(kind="discrete"))
    return fuse_channels(stack, lambda s: _fuse_channel(s, wavelet, levels))


def _fuse_channel(sources: Sequence[np.ndarray], wavelet: str, levels: int) -> np.ndarray:
    import pywt

    height, width = sources[0].shape
    margins = [(0, -side % 2**levels) for side in (height, width)]
    smooth, details = derive(sources, lambda source: np.pad(source, margins, mode="symmetric")), []
    for level in parts(range(levels)):  # one at a time: all bands of all sources at once cost more in memory than in arithmetic
        split = partial(pywt.swt2, wavelet=wavelet, level=1, start_level=level, norm=True)
        pairs = derive(smooth, lambda source, split=split: split(source)[0])
        details.append(tuple(choose(derive(pairs, lambda pair: pair[1]))))
        smooth = derive(pairs, lambda pair: pair[0])
    return pywt.iswt2([mean(smooth), *reversed(details)], wavelet, norm=True)[:height, :width]
