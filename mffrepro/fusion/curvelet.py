"""The fast discrete curvelet transform by wrapping, real, with curvelets at the finest scale too.

Smooth windows cut the plane of frequencies into square rings, and each ring into wedges, twice as many at every other finer
scale. A wedge leans, so it fills its bounding box badly; taken modulo a smaller rectangle no two of its frequencies meet,
and the transform of that rectangle gives the coefficients. The squares of all windows add up to one: the transform keeps the
energy, and its transpose is its inverse. The outermost ring reaches past the highest frequency and meets itself from the
other side, where the squares add up to one again.

All sizes follow from where the windows are not zero, so any image size will do.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from scipy.fft import fft2, ifft2, next_fast_len

from mffrepro.errors import OptionError
from mffrepro.fusion.pseudopolar import distance, turn


class _Tile(NamedTuple):
    """Hold a window on the plane of frequencies, wrapped into a rectangle."""

    frequencies: np.ndarray  # flat indices into the image's spectrum
    places: np.ndarray  # flat indices into the rectangle
    weights: np.ndarray
    shape: tuple[int, int]

    def cut(self, spectrum: np.ndarray) -> np.ndarray:
        rectangle = np.zeros(self.shape, complex)
        rectangle.flat[self.places] = self.weights * spectrum.flat[self.frequencies]
        return ifft2(rectangle, norm="ortho")

    def add_to(self, spectrum: np.ndarray, coefficients: np.ndarray) -> None:
        back = self.weights * fft2(coefficients, norm="ortho").flat[self.places]
        np.add.at(spectrum.reshape(-1), self.frequencies, back)  # a broad wedge of the outermost ring can hold some twice


def analyse(image: np.ndarray, scales: int = 5, angles: int = 16) -> tuple[list[list[np.ndarray]], np.ndarray]:
    """Compute curvelet coefficients from fine to coarse, and the base.

    Args:
        image: (H, W) float64, any size.
        scales: Scales with the base, >= 2.
        angles: Wedges of the coarsest ring, a multiple of 4. Opposite ones make one band, so there are half as many bands.

    Returns:
        Per scale a list of bands (h, w) whose sizes differ: complex, the real part of even curvelets, the imaginary part of
        odd ones; and the base (h, w), real.

    Raises:
        OptionError: Too few scales, or no such number of angles.

    References:
        [candes2006].
    """
    spectrum = fft2(image, norm="ortho")
    rings, base = _tiles(image.shape, scales, angles)
    return [[np.sqrt(2) * tile.cut(spectrum) for tile in ring] for ring in rings], base.cut(spectrum).real


def synthesise(details: list[list[np.ndarray]], base: np.ndarray, shape: tuple[int, int], angles: int = 16) -> np.ndarray:
    """Rebuild the image of size `shape` from its transform; inverse of `analyse`."""
    rings, base_tile = _tiles(shape, len(details) + 1, angles)
    wedges, rest = np.zeros(shape, complex), np.zeros(shape, complex)
    for ring, bands in zip(rings, details, strict=True):
        for tile, band in zip(ring, bands, strict=True):
            tile.add_to(wedges, band)
    base_tile.add_to(rest, base)
    # Each wedge stands for its opposite as well, whose coefficients are the conjugates: the real part takes both.
    return ifft2(np.sqrt(2) * wedges + rest, norm="ortho").real


@lru_cache(maxsize=2)  # the channels and sources of one image share them
def _tiles(shape: tuple[int, int], scales: int, angles: int) -> tuple[list[list[_Tile]], _Tile]:
    if scales < 2:
        raise OptionError(f"scales is {scales}; use 2 or more")
    if angles < 8 or angles % 4:
        raise OptionError(f"angles is {angles}; use a multiple of 4 from 8 on")
    rings = []
    for scale in range(scales - 1):
        reach = [side / 3 / 2**scale for side in shape]
        rows, columns = (_frequencies(r) for r in reach)
        wide, narrow = (_low(rows, columns, [r / part for r in reach]) for part in (1, 2))
        ring = np.sqrt(np.maximum(wide**2 - narrow**2, 0))
        half = angles // 2 * 2 ** ((scales - 1 - scale) // 2)
        wedges = _wedges(rows[:, None] / reach[0], columns / reach[1], half)
        rings.append([_wrap(ring * wedge, rows, columns, shape, steep) for wedge, steep in wedges])
    reach = [side / 3 / 2 ** (scales - 1) for side in shape]
    rows, columns = (_frequencies(r) for r in reach)
    return rings, _wrap(_low(rows, columns, reach), rows, columns, shape, steep=True)


def _frequencies(reach: float) -> np.ndarray:
    """List the whole frequencies that a low-pass of this reach lets through."""
    last = int(2 * reach)
    return np.arange(-last, last + 1)


def _low(rows: np.ndarray, columns: np.ndarray, reach: list[float]) -> np.ndarray:
    """Compute a low-pass window: 1 up to `reach` along both axes, 0 from twice that on."""
    y, x = (_fall(np.abs(k) / r - 1) for k, r in zip((rows, columns), reach, strict=True))
    return y[:, None] * x


def _wedges(y: np.ndarray, x: np.ndarray, count: int) -> Iterator[tuple[np.ndarray, bool]]:
    """Compute windows over direction, each on one side of the origin, and whether they lie nearer to the y axis."""
    turns = turn(y, x)
    for k in range(count):
        middle, steep = (k + 0.5) / count, k >= count // 2
        ahead = y + (3 - 4 * middle) * x if steep else x + (4 * middle - 1) * y
        yield _fall(distance(turns, k, count)) * (ahead > 0), steep


def _wrap(window: np.ndarray, rows: np.ndarray, columns: np.ndarray, shape: tuple[int, int], steep: bool) -> _Tile:
    """Wrap a window into a tile: whole along its long side, modulo its greatest breadth along the other."""
    inside = window > 0
    upright = inside if steep else inside.T
    # Lengths that transform fast; two samples at least, so that a coefficient has a neighbour.
    length, breadth = (next_fast_len(max(_breadth(extent), 2)) for extent in (upright.any(1)[None], upright))
    height, width = (length, breadth) if steep else (breadth, length)
    i, j = np.nonzero(inside)
    frequencies = rows[i] % shape[0] * shape[1] + columns[j] % shape[1]
    return _Tile(frequencies, rows[i] % height * width + columns[j] % width, window[i, j], (height, width))


def _breadth(inside: np.ndarray) -> int:
    """Measure the greatest distance between the first and the last of a row, both counted."""
    rows = inside[inside.any(1)]
    return int((rows.shape[1] - rows[:, ::-1].argmax(1) - rows.argmax(1)).max(initial=0))


def _fall(t: np.ndarray) -> np.ndarray:
    """Fall from 1 at 0 to 0 at 1, infinitely smoothly; its square and that of its mirror add up to one."""
    t = np.clip(t, 0, 1)
    down, up = _bump(t), _bump(1 - t)
    return down / np.hypot(down, up)


def _bump(t: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore"):
        return np.exp(1 - 1 / (1 - np.exp(1 - 1 / t)))
