"""The contourlet transform: a Laplacian pyramid, each level split into wedges of direction and thinned to what they hold.

A wedge covers a part of the spectrum, so a part of the samples is enough for it. Its filter is a product of one fan filter per
halving, each sheared to the wedge that it halves; as in `mffrepro.fusion.nsct`, all are responses in frequency, with periodic
borders. There every sample is kept; here those of one lattice for each direction. The filters of pyramid and fans differ too.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from scipy.fft import fftfreq, irfft2, rfft2, rfftfreq
from scipy.ndimage import correlate1d

from mffrepro.errors import OptionError
from mffrepro.fusion.nsct import FILTERS
from mffrepro.fusion.pyramid import sizes

#: Half the taps of the ladder of Phoong et al. for fans, from the middle outwards ("pkva" in the toolbox of Do).
LADDER = (0.6300, -0.1930, 0.0972, -0.0526, 0.0272, -0.0144)


class Direction(NamedTuple):
    """Say how one direction is filtered and sampled."""

    analysis: np.ndarray  # responses (H, W // 2 + 1) at the frequencies of a real Fourier transform
    synthesis: np.ndarray
    kept: tuple[slice, slice]  # rows and columns


def analyse(image: np.ndarray, directions: tuple[int, ...]) -> tuple[list[list[np.ndarray]], np.ndarray]:
    """Compute directional details from fine to coarse, and the base.

    Args:
        image: (H, W) float64; no level that is halved may have a side of one pixel, so for n levels a side has at least
            2 ** (n - 1) + 1.
        directions: How many directions each level has, from fine to coarse; 1, 4, 8 or a higher power of two.

    Returns:
        Per level and direction its samples, about as many for all directions together as the level has pixels; and the base.

    References:
        [do2005contourlet].
    """
    details = []
    for count in directions:
        smaller = _reduce(image)
        details.append(split(image - _expand(smaller, image.shape), count))
        image = smaller
    return details, image


def synthesise(details: list[list[np.ndarray]], base: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Rebuild the image (H, W) of a transform; inverse of `analyse`."""
    for bands, size in zip(reversed(details), reversed(sizes(shape, len(details))), strict=True):
        detail = join(bands, size)
        # What a changed detail and the base say twice is taken from the base: the dual frame of the pyramid.
        base = detail + _expand(base - _reduce(detail), size)
    return base


def split(detail: np.ndarray, count: int) -> list[np.ndarray]:
    """Split one level (H, W) into directions.

    It is mirrored at the lower and the right border up to sides that can be thinned.
    """
    padded = np.pad(detail, [(0, -side % _multiple(count)) for side in detail.shape], mode="symmetric")
    spectrum = rfft2(padded)
    return [irfft2(way.analysis * spectrum, padded.shape)[way.kept] for way in _bank(padded.shape, count)]


def join(bands: list[np.ndarray], shape: tuple[int, int]) -> np.ndarray:
    """Join the directions of one level (H, W); inverse of `split`."""
    padded = tuple(side + -side % _multiple(len(bands)) for side in shape)
    spectrum = 0
    for way, band in zip(_bank(padded, len(bands)), bands, strict=True):
        spread = np.zeros(padded)
        spread[way.kept] = len(bands) * band
        spectrum = spectrum + way.synthesis * rfft2(spread)
    return irfft2(spectrum, padded)[: shape[0], : shape[1]]


def _multiple(count: int) -> int:
    """Compute what both sides must be a multiple of."""
    return max(1, count // 2)


@lru_cache(maxsize=8)  # the channels and sources of one image share them
def _bank(shape: tuple[int, int], count: int) -> list[Direction]:
    if count < 1 or count & (count - 1) or count == 2:
        raise OptionError(f"{count} directions cannot be had by halving twice or more; use 1, 4, 8 or a higher power of two")
    y, x = 2 * np.pi * fftfreq(shape[0])[:, None], 2 * np.pi * rfftfreq(shape[1])
    fans = {}

    def fan(p: tuple[int, int], q: tuple[int, int]) -> np.ndarray:
        if (p, q) not in fans:
            fans[p, q] = _fan(*(rows * y + columns * x for rows, columns in (p, q)))
        return fans[p, q]

    bank = []
    for number in range(count):
        analysis = synthesis = np.ones((shape[0], x.size))
        first = np.zeros(2, int)
        for p, q, second in _halvings(number, count):
            sign = -1 if second else 1
            here, back = _low(sign * fan(p, q)), _low_back(sign * fan(p, q))
            analysis, synthesis = analysis * (back if second else here), synthesis * (here if second else back)
            first += second * np.array(p)  # the second half is sampled between the samples of the first
        steps = (1, 1) if count == 1 else (count // 2, 2) if number < count // 2 else (2, count // 2)
        kept = tuple(slice(int(start % step), None, step) for start, step in zip(first, steps, strict=True))
        bank.append(Direction(analysis, synthesis, kept))
    return bank


def _halvings(number: int, count: int) -> Iterator[tuple[tuple[int, int], tuple[int, int], int]]:
    """Say which fans lead to a direction, and which half of each.

    A fan has a first half, where the frequency p (rows, columns) is nearer to zero than q, and a second one.
    """
    halves = [number >> stage & 1 for stage in reversed(range(count.bit_length() - 1))]
    along = np.array([0, 1])  # the axis that the wedge lies on
    slope = 0  # of its first edge, in units of what one wedge spans on the other axis
    for stage, half in enumerate(halves):
        if stage == 0:
            p, q = (1, 0), (0, 1)
            along = np.array([half, 1 - half])
        elif stage == 1:
            p, q = (1, -1), (1, 1)
            slope = -half
        else:
            p = 2 ** (stage - 1) * along[::-1] - 2 * slope * along
            p, q = tuple(p.tolist()), tuple((2 * along - p).tolist())
            slope = 2 * slope + half
        yield p, q, half


def _fan(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Compute the response that tells the halves of a fan apart: near 1 where p is nearer to zero than q, near -1 elsewhere.

    It changes its sign where p and q both move by half a turn, so a half and its mirror in frequency give the band back.
    """

    def step(angle: np.ndarray) -> np.ndarray:
        return sum(2 * (-1) ** k * tap * np.sin((2 * k + 1) * angle) for k, tap in enumerate(LADDER))

    return step((q + p) / 2) * step((q - p) / 2)


def _low(fan: np.ndarray) -> np.ndarray:
    return (1 + fan) / 2


def _low_back(fan: np.ndarray) -> np.ndarray:
    """Compute the partner of `_low`: their product, and that of their mirrors, add to 1."""
    return (1 + fan) * (2 - fan) / 2


def _reduce(image: np.ndarray) -> np.ndarray:
    """Smooth and halve an image; an odd side is rounded up."""
    return _smooth(image, _taps(FILTERS["7-9"][0]))[::2, ::2]


def _expand(image: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Double an image, to one of two shapes that `_reduce` halves to its own."""
    spread = np.zeros(shape)
    spread[::2, ::2] = image
    return _smooth(spread, 2 * _taps(FILTERS["7-9"][1]))


def _smooth(image: np.ndarray, taps: np.ndarray) -> np.ndarray:
    return correlate1d(correlate1d(image, taps, axis=0, mode="mirror"), taps, axis=1, mode="mirror")


def _taps(half: tuple[float, ...]) -> np.ndarray:
    return np.array([*half[:0:-1], *half])
