"""The nonsubsampled shearlet transform: a pyramid without decimation, each level filtered by short wedges of direction.

The wedges are Meyer windows over the slope of a frequency, drawn on a small grid; the size of the grid is the size of the
filters. The windows add up to one everywhere, so a level is the sum of its directions.
"""

from functools import lru_cache

import numpy as np
from scipy.fft import fftfreq, ifft2, irfft2, rfft2, rfftfreq

from mffrepro.errors import OptionError
from mffrepro.fusion import atrous
from mffrepro.fusion.pseudopolar import distance, turn


def analyse(
    image: np.ndarray, directions: tuple[int, ...], sizes: tuple[int, ...], *, pyramid: str = "maxflat"
) -> tuple[list[np.ndarray], np.ndarray]:
    """Compute directional details from fine to coarse, and the base.

    Args:
        image: (H, W) float64, any size.
        directions: How many directions each level has, from fine to coarse; even.
        sizes: Side of the shearing filters of each level, pixels.
        pyramid: Filters of the pyramid, a key of `atrous.FILTERS`.

    Returns:
        Per level (directions, H, W); and the base (H, W). All real, of the image's size, and following its shifts.

    References:
        [easley2008].
    """
    details, base = atrous.analyse(image, len(directions), filters=pyramid)
    return [split(*level) for level in zip(details, directions, sizes, strict=True)], base


def synthesise(details: list[np.ndarray], base: np.ndarray, *, pyramid: str = "maxflat") -> np.ndarray:
    """Rebuild the image of a transform; inverse of `analyse`."""
    return atrous.synthesise([join(bands) for bands in details], base, filters=pyramid)


def split(detail: np.ndarray, count: int, size: int) -> np.ndarray:
    """Split one level (H, W) into directions (count, H, W) that add up to it.

    Borders wrap around.
    """
    spectrum = rfft2(detail)
    return np.stack([irfft2(response * spectrum, detail.shape) for response in _responses(detail.shape, count, size)])


def join(bands: np.ndarray) -> np.ndarray:
    """Join the directions of one level; inverse of `split`."""
    return bands.sum(0)


@lru_cache(maxsize=4)  # the channels and sources of one image share them
def _responses(shape: tuple[int, int], count: int, size: int) -> np.ndarray:
    """Compute responses (count, H, W // 2 + 1) of the shearing filters at the frequencies of a real Fourier transform."""
    taps = ifft2(_windows(count, size)).real
    at = np.rint(fftfreq(size, 1 / size))
    rows, columns = (np.exp(-2j * np.pi * np.outer(f, at)) for f in (fftfreq(shape[0]), rfftfreq(shape[1])))
    return (rows @ taps @ columns.T).real  # what is not symmetric about the middle tap would shift the band


def _windows(count: int, size: int) -> np.ndarray:
    """Compute Meyer windows (count, size, size) over the slope of each frequency; they add up to one."""
    if count < 2 or count % 2:
        raise OptionError(f"{count} directions do not fill two cones; use an even number")
    if size < 2:
        raise OptionError(f"shearing filters of side {size} have no direction; use 2 or more")
    turns = turn(fftfreq(size)[:, None], fftfreq(size))
    windows = np.stack([_meyer(distance(turns, k, count)) for k in range(count)])
    windows[:, 0, 0] = 1 / count  # the mean has no direction
    return windows


def _meyer(t: np.ndarray) -> np.ndarray:
    """Evaluate Meyer's window: 1 up to a third from its middle, 0 from two thirds on; with its neighbours it adds up to one."""
    t = np.clip(3 * t - 1, 0, 1)
    return np.cos(np.pi / 2 * t**4 * (35 - 84 * t + 70 * t**2 - 20 * t**3)) ** 2
