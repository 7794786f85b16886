"""Stationary wavelet fusion: the wavelet transform without decimation, so that a shifted scene gives the shifted result."""

import numpy as np

from mffrepro.baselines.channels import fuse_channels
from mffrepro.errors import OptionError, unknown
from mffrepro.fusion.rules import choose_max
from mffrepro.images import FocusStack


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


def _fuse_channel(sources: np.ndarray, wavelet: str, levels: int) -> np.ndarray:
    import pywt

    height, width = sources.shape[1:]
    margins = [(0, 0), *((0, -side % 2**levels) for side in (height, width))]
    padded = np.pad(sources, margins, mode="symmetric")
    smooth, details = padded, []
    for level in range(levels):  # one at a time: all bands of all sources at once cost more in memory than in arithmetic
        ((smooth, bands),) = pywt.swt2(smooth, wavelet, 1, start_level=level, norm=True)
        details.append(tuple(choose_max(band) for band in bands))
    return pywt.iswt2([smooth.mean(0), *reversed(details)], wavelet, norm=True)[:height, :width]
