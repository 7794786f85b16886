"""Keep the share of each source per pixel without an array for every source: a main source, and more where a pixel mixes several.

Almost every pixel of a fused image comes from one source. N float arrays for that fact took most of the memory of a fusion.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from mffrepro.images.arrays import to_unit

#: The pixels of a source that it shares with others: flat numbers in ascending order, and its shares, float32.
Mixed = tuple[np.ndarray, np.ndarray]
#: Shares of a source that has its pixels whole.
NOTHING: Mixed = (np.zeros(0, np.intp), np.zeros(0, np.float32))


class Shares:
    """Hold the share of each of N sources per pixel, exactly and in little memory.

    ``np.asarray(shares)`` and `dense` are the array (N, H, W). A number as index gives the plane (H, W) of one source,
    any other index makes the array first.

    Args:
        main: (H, W), number of the source with the largest share, the first of equals. It has the whole pixel unless `mixed` says
            another share of it.
        mixed: For each of N sources its shares of the pixels that several sources contribute to.
    """

    def __init__(self, main: np.ndarray, mixed: Sequence[Mixed]) -> None:
        self.main = main.astype(index_type(len(mixed)), copy=False)
        self.mixed = list(mixed)

    @classmethod
    def of_winner(cls, winner: np.ndarray, count: int) -> "Shares":
        """Give each pixel whole to the one of `count` sources that `winner` names."""
        return cls(winner, [NOTHING] * count)

    @classmethod
    def of_planes(cls, planes: Iterable[np.ndarray]) -> "Shares":
        """Convert shares that come source by source, each (H, W).

        Only one is held at a time.
        """
        main, best, mixed = None, None, []
        for i, given in enumerate(planes):
            plane = np.asarray(given, np.float32)
            if best is None:
                main, best = np.zeros(plane.shape, np.uint16), np.full(plane.shape, -np.inf, np.float32)
            for pixel in np.flatnonzero((plane > 1) & (best == 1)):  # a map that overshoots takes it over
                mixed[main.flat[pixel]] = _merged(mixed[main.flat[pixel]], (np.array([pixel]), np.ones(1, np.float32)))
            mixed.append(_sparse(plane, np.flatnonzero((plane != 0) & ((plane != 1) | (best >= 1)))))
            np.copyto(main, i, where=plane > best)
            np.maximum(best, plane, out=best)
        for pixel in np.flatnonzero(best == 0):  # a pixel that no source has; it does not occur in a decision
            mixed[main.flat[pixel]] = _merged(mixed[main.flat[pixel]], (np.array([pixel]), np.zeros(1, np.float32)))
        return cls(main, mixed)

    @classmethod
    def of_largest(cls, sources: np.ndarray, shares: np.ndarray, count: int) -> "Shares":
        """Convert the largest shares of each pixel, in falling order.

        Args:
            sources: (K, H, W), numbers of the sources.
            shares: (K, H, W) float32, their shares; all others are 0.
            count: How many sources there are.
        """
        several = shares[0] != 1
        mixed = []
        for number in range(count):
            own = (sources == number) & several & (shares != 0)
            pixels = np.flatnonzero(own.any(0))
            mixed.append((pixels, np.where(own, shares, 0).reshape(len(shares), -1)[:, pixels].sum(0, dtype=np.float32)))
        return cls(sources[0], mixed)

    # -------------------------------------------------------------------------------------------- as an array

    @property
    def shape(self) -> tuple[int, int, int]:
        """Sides of the array, (N, H, W)."""
        return len(self.mixed), *self.main.shape

    def __len__(self) -> int:
        return len(self.mixed)

    def __getitem__(self, source: Any) -> np.ndarray:
        if not isinstance(source, int | np.integer):
            return self.dense()[source]
        source = range(len(self))[source]
        plane = (self.main == source).astype(np.float32)
        pixels, values = self.mixed[source]
        plane.reshape(-1)[pixels] = values
        return plane

    def __array__(self, dtype: np.dtype | None = None, copy: bool | None = None) -> np.ndarray:
        return self.dense() if dtype is None else self.dense().astype(dtype)

    def dense(self) -> np.ndarray:
        """Return the shares as an array (N, H, W), float32."""
        shares = np.empty(self.shape, np.float32)
        for source, plane in enumerate(shares):
            plane[...] = self[source]
        return shares

    # ------------------------------------------------------------------------------------------------- using it

    def blend(self, sources: Iterable[np.ndarray], convert: Callable[[np.ndarray], np.ndarray] | None = None) -> np.ndarray:
        """Add up the sources, weighted by their shares; only one is asked for at a time.

        Args:
            sources: N of (H, W) or (H, W, C), any dtype.
            convert: Converts values to the floats that are added; by default to [0, 1], float32 unless they are float64.
        """
        convert = convert or (lambda image: to_unit(image, np.float64 if image.dtype == np.float64 else np.float32))
        total = None
        for number, source in enumerate(sources):
            if total is None:
                total = np.zeros(source.shape, convert(source[:0]).dtype)
            pixels, values = self.mixed[number]
            whole = self.main == number
            whole.reshape(-1)[pixels] = False
            total[whole] += convert(source[whole])
            some = convert(source.reshape(self.main.size, -1)[pixels])
            total.reshape(self.main.size, -1)[pixels] += values[:, None] * some
        return total

    def weighted(self, values: Sequence[float]) -> np.ndarray:
        """Average one value of each source by the shares, (H, W) float64."""
        total = np.asarray(values, np.float64)[self.main]
        flat = total.reshape(-1)
        for pixels, _ in self.mixed:
            flat[pixels] = 0
        for value, (pixels, shares) in zip(values, self.mixed, strict=True):
            flat[pixels] += value * shares
        return total

    def moved(self, where: np.ndarray, source: int, target: int) -> "Shares":
        """Move the shares of a source to another one where a mask (H, W) is set."""
        main, whole = self.main.copy(), where & (self.main == source)
        whole.reshape(-1)[self.mixed[source][0]] = False
        main[where & (main == source)] = target
        pixels, values = self.mixed[source]
        leaving = where.reshape(-1)[pixels]
        mixed = list(self.mixed)
        mixed[source] = (pixels[~leaving], values[~leaving])
        mixed[target] = _merged(mixed[target], (pixels[leaving], values[leaving]))
        own, shares = mixed[target]
        mixed[target] = own, shares + whole.reshape(-1)[own]  # what it gets whole and had a part of
        return Shares(main, mixed)


class SharesInTurn:
    """Follow the shares of sources that are fused one after the other.

    Args:
        shape: (H, W).
    """

    def __init__(self, shape: tuple[int, int]) -> None:
        self._main, self._mixes = np.zeros(shape, np.uint16), np.zeros(shape, bool)
        self._mixed = [NOTHING]

    def add(self, before: np.ndarray) -> None:
        """Add a source.

        Args:
            before: (H, W) float, the share of what was there; the new source has the rest. It may leave [0, 1].
        """
        both = (before != 0) & (before != 1)
        fresh = np.flatnonzero(both & ~self._mixes)  # pixels that one source had whole until now
        owner = self._main.reshape(-1)[fresh]
        for source, (pixels, values) in enumerate(self._mixed):
            values = (values * before.reshape(-1)[pixels]).astype(np.float32)
            kept = values != 0
            self._mixed[source] = _merged((pixels[kept], values[kept]), _sparse(before, fresh[owner == source]))
        self._mixes = both | (self._mixes & (before != 0))
        self._main[before == 0] = len(self._mixed)
        self._mixed.append(_sparse(1 - before, np.flatnonzero(both)))

    def shares(self) -> Shares:
        """Return the shares of all sources so far."""
        main, best = self._main.copy(), np.where(self._mixes, np.float32(-np.inf), np.float32(1))
        for source, (pixels, values) in enumerate(self._mixed):
            larger = values > best.reshape(-1)[pixels]
            main.reshape(-1)[pixels[larger]] = source
            best.reshape(-1)[pixels[larger]] = values[larger]
        return Shares(main, self._mixed)


def index_type(count: int) -> type[np.integer]:
    """Return the smallest type for the numbers of so many sources."""
    return np.uint8 if count <= 256 else np.uint16


def _sparse(plane: np.ndarray, pixels: np.ndarray) -> Mixed:
    return pixels, plane.reshape(-1)[pixels].astype(np.float32)


def _merged(first: Mixed, second: Mixed) -> Mixed:
    """Join the pixels of two lists; the shares of a pixel in both add up."""
    if not len(second[0]):
        return first
    pixels, places = np.unique(np.concatenate([first[0], second[0]]), return_inverse=True)
    values = np.zeros(len(pixels), np.float32)
    np.add.at(values, places, np.concatenate([first[1], second[1]]))
    return pixels, values
