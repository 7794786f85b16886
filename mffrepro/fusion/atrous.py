"""The pyramid without decimation that the nonsubsampled contourlet and shearlet transforms stand on.

Four filters give the image back, and each is a polynomial in one variable x [dacunha2006]. A map puts a function of both
frequencies in the place of x, and so makes two-dimensional filters of them; the next level has the same ones with holes
between the taps. All are symmetric along both axes, and an image mirrored at its borders with such a filter is a product
of its cosine transform: a level costs one transform, whatever the length of the filters.
"""

from collections.abc import Callable

import numpy as np
from scipy.fft import dctn, idctn

from mffrepro.errors import unknown

_ROOT = np.sqrt(2)
#: Low-passes of analysis and of synthesis over x in [-1, 1], which is 1 at frequency zero. The high-passes are these at -x.
_LOW = np.polynomial.Polynomial([_ROOT, 1 - _ROOT]) * [0.5, 0.5]
_LOW_BACK = np.polynomial.Polynomial([_ROOT, 4 - 3 * _ROOT, 2 * _ROOT - 3]) * [0.5, 0.5]

#: By name: the low-pass along one axis that the map is made of, and whether the high-passes of both sides change places.
FILTERS: dict[str, tuple[Callable[[np.ndarray], np.ndarray], bool]] = {
    "pyrexc": (lambda w: (1 + np.cos(w)) / 2, True),
    "maxflat": (lambda w: (8 + 9 * np.cos(w) - np.cos(3 * w)) / 16, False),
}


def analyse(image: np.ndarray, levels: int, *, filters: str = "pyrexc") -> tuple[list[np.ndarray], np.ndarray]:
    """Split an image into details from fine to coarse and a base, all of its size.

    Args:
        image: (H, W) float64, any size.
        levels: How often the base is smoothed, each time twice as wide.
        filters: A key of `FILTERS`.

    References:
        [dacunha2006].
    """
    spectrum, details = dctn(image), []
    for level in range(levels):
        low, high, _, _ = _responses(image.shape, level, filters)
        details.append(idctn(high * spectrum))
        spectrum = low * spectrum
    return details, idctn(spectrum)


def synthesise(details: list[np.ndarray], base: np.ndarray, *, filters: str = "pyrexc") -> np.ndarray:
    """Rebuild the image of a pyramid; inverse of `analyse`."""
    spectrum = dctn(base)
    for level in reversed(range(len(details))):
        _, _, low, high = _responses(base.shape, level, filters)
        spectrum = low * spectrum + high * dctn(details[level])
    return idctn(spectrum)


def _responses(shape: tuple[int, int], level: int, filters: str) -> tuple[np.ndarray, ...]:
    """Compute low and high responses of analysis, then of synthesis, at the frequencies of the cosine transform."""
    if filters not in FILTERS:
        raise unknown("filters of the pyramid", filters, FILTERS)
    along_axis, exchanged = FILTERS[filters]
    rows, columns = (along_axis(2**level * np.pi * np.arange(side) / side) for side in shape)
    x = 2 * rows[:, None] * columns - 1
    highs = (_LOW(-x), _LOW_BACK(-x))
    high, high_back = highs if exchanged else reversed(highs)
    return _LOW(x), high, _LOW_BACK(x), high_back
