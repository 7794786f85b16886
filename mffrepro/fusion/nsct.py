"""The nonsubsampled contourlet transform: a pyramid without decimation, each level split into wedges of direction.

A directional filter bank splits a band in two, and each half in two again. Its filters are one pair for one dimension, turned
to two by putting the mean of two cosines in the place of one (the McClellan transform) and moved by shears. With periodic
borders a filter is a product in frequency, so the whole tree of a direction is one real response: the product of what the
pair answers to a few sheared frequencies. No filter is ever laid out in the plane.
"""

from functools import lru_cache

import numpy as np
from numpy.polynomial import chebyshev
from scipy.fft import fftfreq, irfft2, rfft2, rfftfreq

from mffrepro.errors import OptionError, unknown
from mffrepro.fusion import atrous

#: Low-passes of analysis and of synthesis by name: the middle tap, then those to one side. The high-passes are their mirrors
#: in frequency. "7-9" has the taps of Cohen, Daubechies and Feauveau.
FILTERS = {
    "7-9": (
        (0.602949018236360, 0.266864118442873, -0.078223266528990, -0.016864118442875, 0.026748757410810),
        (0.557543526228502, 0.295635881557125, -0.028771763114249, -0.045635881557125),
    ),
    "vk": ((1 / 2, 1 / 4), (3 / 4, 1 / 4, -1 / 8)),
}


def analyse(
    image: np.ndarray, directions: tuple[int, ...], *, pyramid: str = "pyrexc", filters: str = "7-9"
) -> tuple[list[np.ndarray], np.ndarray]:
    """Compute directional details from fine to coarse, and the base.

    Args:
        image: (H, W) float64, any size.
        directions: How many directions each level has, from fine to coarse; powers of two.
        pyramid: Filters of the pyramid, a key of `atrous.FILTERS`.
        filters: Filters of the directional bank, a key of `FILTERS`.

    Returns:
        Per level (directions, H, W); and the base (H, W). All real, of the image's size, and following its shifts.

    References:
        [dacunha2006].
    """
    details, base = atrous.analyse(image, len(directions), filters=pyramid)
    return [split(detail, count, filters=filters) for detail, count in zip(details, directions, strict=True)], base


def synthesise(details: list[np.ndarray], base: np.ndarray, *, pyramid: str = "pyrexc", filters: str = "7-9") -> np.ndarray:
    """Rebuild the image of a transform; inverse of `analyse`."""
    return atrous.synthesise([join(bands, filters=filters) for bands in details], base, filters=pyramid)


def split(detail: np.ndarray, count: int, *, filters: str = "7-9") -> np.ndarray:
    """Split one level (H, W) into directions (count, H, W); periodic at the borders."""
    spectrum, (analysis, _) = rfft2(detail), _responses(detail.shape, count, filters)
    return np.stack([irfft2(response * spectrum, detail.shape) for response in analysis])


def join(bands: np.ndarray, *, filters: str = "7-9") -> np.ndarray:
    """Join the directions of one level; inverse of `split`."""
    shape = bands.shape[1:]
    _, synthesis = _responses(shape, len(bands), filters)
    return irfft2(sum(response * rfft2(band) for response, band in zip(synthesis, bands, strict=True)), shape)


@lru_cache(maxsize=4)  # the channels and sources of one image share them
def _responses(shape: tuple[int, int], count: int, filters: str) -> tuple[np.ndarray, np.ndarray]:
    """Compute analysis and synthesis responses (count, H, W // 2 + 1) at the frequencies of a real Fourier transform."""
    if count < 1 or count & (count - 1):
        raise OptionError(f"{count} directions cannot be had by halving; use a power of two")
    if filters not in FILTERS:
        raise unknown("directional filters", filters, FILTERS)
    y, x = 2 * np.pi * fftfreq(shape[0])[:, None], 2 * np.pi * rfftfreq(shape[1])
    bands = [(np.ones((shape[0], x.size)),) * 2]
    for stage in range(count.bit_length() - 1):
        bands = [
            (analysis * here, synthesis * back)
            for channel, (analysis, synthesis) in enumerate(bands)
            for here, back in _halves(*_stage(y, x, stage, channel), filters)
        ]
    return tuple(np.stack(responses) for responses in zip(*bands, strict=True))


def _stage(y: np.ndarray, x: np.ndarray, stage: int, channel: int) -> tuple[np.ndarray, np.ndarray]:
    """Choose the two angles whose cosines the filters of this stage and channel compare: fans first, then sheared fans."""
    if stage == 0:
        return y, x
    if stage == 1:
        return y - x, y + x
    half = 2 ** (stage - 1)
    if channel >= half:  # the second half lies along the other axis
        y, x, channel = x, y, channel - half
    # Slope of the channel's upsampling matrix: equation (3.18) of M. N. Do's thesis (EPFL, 2001).
    slope = 2 * (channel // 2) - half // 2 + 1
    a, b = 2 * y, half * x - 2 * slope * y
    return (b - a, a) if channel % 2 == 0 else (a, b + a)


def _halves(a: np.ndarray, b: np.ndarray, filters: str) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Compute analysis and synthesis response of both halves of a band."""
    cosine = (np.cos(a) - np.cos(b)) / 2
    # cos(n w) is the n-th Chebyshev polynomial of cos(w), so symmetric taps are coefficients of such a series.
    low, back = ((taps[0], *(2 * tap for tap in taps[1:])) for taps in FILTERS[filters])
    return (
        (chebyshev.chebval(cosine, low), chebyshev.chebval(cosine, back)),
        (chebyshev.chebval(-cosine, back), chebyshev.chebval(-cosine, low)),
    )
