"""Phase congruency kept [zhao2007].

Edges and corners are where the waves of all scales are in phase, at any contrast.

Phase congruency is Kovesi's, from log-Gabor filters of four scales and six orientations; its largest and smallest moments over
orientation respond to edges and to corners.

What we changed: the noise energy of the filters follows from their spectra (Parseval) instead of 24 inverse transforms, and the
strongest source of each pixel is chosen among any number of sources.
"""

import itertools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from mffrepro.formulas.filters import correlate, gaussian, magnitude
from mffrepro.metrics import programs
from mffrepro.metrics.inputs import FusionInputs, GrayImage
from mffrepro.metrics.registry import metric
from mffrepro.threads import in_threads
from mffrepro.tiling import map_pixels, strips

SCALES, ORIENTATIONS = 4, 6
SHORTEST_WAVE, SCALE_RATIO, BANDWIDTH = 3, 2.1, 0.55
ANGULAR_WIDTH = np.pi / ORIENTATIONS / 1.2
NOISE_SIGMAS, NOISE_DIVISOR = 2, 1.7
SPREAD_CUTOFF, SPREAD_GAIN = 0.5, 10
SMALL = 1e-4
THRESHOLD = 0.1

#: From the side of an image to the frequencies along it.
Frequencies = Callable[[int], np.ndarray]

# ------------------------------------------------------------------------------------------------------------ features


class Filters(NamedTuple):
    """Hold log-Gabor filters: products of a radial and an angular factor.

    Attributes:
        radial: One factor (H, W) per scale.
        angular: One factor (H, W) per orientation.
        noise: For each orientation the energy of noise whose amplitude at the finest scale has median 1.
    """

    radial: list[np.ndarray]
    angular: list[np.ndarray]
    noise: list[float]


class Congruency(NamedTuple):
    """Hold phase congruency, its largest and its smallest moment, all (H, W)."""

    phase: np.ndarray
    largest: np.ndarray
    smallest: np.ndarray


def _frequencies(side: int) -> np.ndarray:
    """List the frequencies, zero first.

    An odd side is divided by side - 1, as in the original.
    """
    centred = np.arange(side) - side // 2
    return np.fft.ifftshift(centred / (side - 1 if side % 2 else side))


def _toolbox_frequencies(side: int) -> np.ndarray:
    """List the frequencies of the toolbox's low-pass filter.

    They are divided by the side, and in the wrong order where the side is odd.
    """
    return np.fft.fftshift((np.arange(side) - side // 2) / side)


def filters(shape: tuple[int, int], lowpass_frequencies: Frequencies) -> Filters:
    """Make the filters for images of a shape."""
    y, x = (_frequencies(side) for side in shape)
    radius = np.hypot(y[:, None], x)
    radius[0, 0] = 1
    angle = np.arctan2(-y[:, None], x)
    lowpass_radius = np.hypot(lowpass_frequencies(shape[0])[:, None], lowpass_frequencies(shape[1]))
    lowpass = 1 / (1 + (lowpass_radius / 0.45) ** 30)
    radial = [_log_gabor(radius, SHORTEST_WAVE * SCALE_RATIO**scale) * lowpass for scale in range(SCALES)]
    angular = in_threads(lambda orientation: _angular(angle, orientation * np.pi / ORIENTATIONS), range(ORIENTATIONS))
    every_scale = sum(radial)
    return Filters(radial, angular, in_threads(lambda a: _noise(radial[0] * a, every_scale * a), angular))


def _log_gabor(radius: np.ndarray, wavelength: float) -> np.ndarray:
    result = np.exp(-(np.log(radius * wavelength) ** 2) / (2 * np.log(BANDWIDTH) ** 2))
    result[0, 0] = 0
    return result


def _angular(angle: np.ndarray, towards: float) -> np.ndarray:
    distance = np.abs((angle - towards + np.pi) % (2 * np.pi) - np.pi)
    return np.exp(-(distance**2) / (2 * ANGULAR_WIDTH**2))


def scene_filters(inputs: FusionInputs, lowpass_frequencies: Frequencies) -> Filters:
    """Make the filters for all images of a scene."""
    return filters(inputs.shape[:2], lowpass_frequencies)


def congruency(inputs: FusionInputs, image: GrayImage, lowpass_frequencies: Frequencies) -> Congruency:
    """Compute the phase congruency of an image of a scene."""
    from scipy.fft import fft2

    radial, angular, noise = inputs.get(scene_filters, lowpass_frequencies)
    spectrum = fft2(image.values)
    bands = [spectrum * r for r in radial]
    oriented = in_threads(lambda pair: _oriented_energy(_responses(bands, pair[0]), pair[1]), zip(angular, noise, strict=True))
    maps = list(itertools.chain(*oriented))
    pieces = strips(*image.values.shape, pixels=2**16, halo=0)
    parts = in_threads(lambda piece: map_pixels(_moments, *(m[piece.rows] for m in maps)), pieces)
    return Congruency(*(np.concatenate(part) for part in zip(*parts, strict=True)))


def _responses(bands: list[np.ndarray], angular: np.ndarray) -> list[np.ndarray]:
    """Compute the complex response of each scale in one orientation.

    The real part is even, the imaginary part odd.
    """
    from scipy.fft import ifft2

    return [ifft2(band * angular, overwrite_x=True) for band in bands]


def _oriented_energy(responses: list[np.ndarray], noise: float) -> list[np.ndarray]:
    """Compute energy in phase above the noise, and amplitude, of one orientation.

    Both are summed over the scales; the energy is weighted by the spread of frequencies.
    """
    noise = noise * np.sqrt(np.median(responses[0].real ** 2 + responses[0].imag ** 2))
    return map_pixels(lambda *strips: _energy(strips, noise), *responses)


def _energy(responses: Sequence[np.ndarray], noise: float) -> tuple[np.ndarray, np.ndarray]:
    even, odd = np.stack([r.real for r in responses]), np.stack([r.imag for r in responses])
    amplitude = magnitude(even, odd)
    total, strongest = amplitude.sum(axis=0), amplitude.max(axis=0)
    even_sum, odd_sum = even.sum(axis=0), odd.sum(axis=0)
    length = magnitude(even_sum, odd_sum) + SMALL
    mean_even, mean_odd = even_sum / length, odd_sum / length
    energy = even_sum * mean_even + odd_sum * mean_odd
    energy -= np.abs(even * mean_odd - odd * mean_even).sum(axis=0)
    energy = np.maximum(energy - noise, 0)
    spread = total / (strongest + SMALL) / SCALES
    return energy / (1 + np.exp((SPREAD_CUTOFF - spread) * SPREAD_GAIN)), total


def _moments(*oriented: np.ndarray) -> Congruency:
    """Compute phase congruency and its moments.

    The arguments are energy and amplitude of each orientation in turn.
    """
    energy, amplitude = np.stack(oriented[::2]), np.stack(oriented[1::2])
    share, towards = energy / amplitude, np.arange(ORIENTATIONS)[:, None, None] * np.pi / ORIENTATIONS
    x, y = share * np.cos(towards), share * np.sin(towards)
    xx, yy, xy = (products.sum(axis=0) / ORIENTATIONS for products in (2 * x * x, 2 * y * y, x * y))
    split = np.sqrt(xy**2 + (xx - yy) ** 2) + SMALL
    return Congruency(energy.sum(axis=0) / (amplitude.sum(axis=0) + SMALL), (xx + yy + split) / 2, (xx + yy - split) / 2)


def _noise(finest: np.ndarray, every_scale: np.ndarray) -> float:
    """Compute the energy of pure noise.

    The median of its squared amplitude at the finest scale is 1.
    """
    even = (every_scale + np.roll(every_scale[::-1, ::-1], 1, axis=(0, 1))) / 2
    tau = np.sqrt(np.sum(even**2) / np.sum(finest**2) / np.log(2))
    return tau * (np.sqrt(np.pi / 2) + NOISE_SIGMAS * np.sqrt(2 - np.pi / 2)) / NOISE_DIVISOR


# ------------------------------------------------------------------------------------------------- local correlation


class Masked(NamedTuple):
    """Hold the maps of a source where its phase congruency is above the threshold.

    Attributes:
        maps: The maps, zero elsewhere.
        mask: Where the phase congruency is above the threshold.
    """

    maps: Congruency
    mask: np.ndarray


def masked(maps: Congruency) -> Masked:
    """Set maps to zero where the phase congruency is not above the threshold."""
    mask = maps.phase > THRESHOLD
    return Masked(Congruency(*(m * mask for m in maps)), mask)


def targets(inputs: FusionInputs, lowpass_frequencies: Frequencies) -> list[Masked]:
    """Compute the maps of each source, and last those of the strongest source.

    The strongest source of a pixel has the largest phase congruency there.
    """
    sources = [source.get_with(inputs, congruency, lowpass_frequencies) for source in inputs.sources]
    best = sources[-1]
    for maps in sources[-2::-1]:
        larger = maps.phase > best.phase
        best = Congruency(*(np.where(larger, ours, before) for ours, before in zip(maps, best, strict=True)))
    return [masked(maps) for maps in (*sources, best)]


def _window(x: np.ndarray) -> np.ndarray:
    return correlate(x, gaussian(11, 1.5), gaussian(11, 1.5))


def mean_and_variance(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Compute local mean and variance in Gaussian windows of sigma 1.5."""
    mean = _window(x)
    return mean, _window(x * x) - mean**2


def target_statistics(inputs: FusionInputs, lowpass_frequencies: Frequencies) -> list[list[tuple[np.ndarray, np.ndarray]]]:
    """Compute local mean and variance of each target's three maps."""
    return in_threads(lambda target: [mean_and_variance(m) for m in target.maps], inputs.get(targets, lowpass_frequencies))


def _kept(inputs: FusionInputs, fused: GrayImage, lowpass_frequencies: Frequencies) -> float:
    goals = inputs.get(targets, lowpass_frequencies)
    known = inputs.get(target_statistics, lowpass_frequencies)
    count = np.count_nonzero(goals[-1].mask)
    if not count:
        return np.nan

    def mean_correlation(kind: int, own: np.ndarray) -> float:
        own_statistics = mean_and_variance(own)
        similar = (
            _correlation(own, goal.maps[kind], own_statistics, statistics[kind]) * goal.mask
            for goal, statistics in zip(goals, known, strict=True)
        )
        return np.sum(np.maximum.reduce(list(similar))) / count

    maps = fused.get_with(inputs, congruency, lowpass_frequencies)
    return np.prod(in_threads(lambda pair: mean_correlation(*pair), enumerate(maps)))


def _correlation(x: np.ndarray, y: np.ndarray, statistics_x: tuple, statistics_y: tuple) -> np.ndarray:
    (mean_x, var_x), (mean_y, var_y) = statistics_x, statistics_y
    covariance = _window(x * y) - mean_x * mean_y
    return (covariance + SMALL) / (np.sqrt(np.abs(var_x * var_y)) + SMALL)


# ------------------------------------------------------------------------------------------------------------- metrics


@metric(
    "qp",
    symbol="Q_P",
    formula=r"Q_P = P_p \, P_M \, P_m",
    high=1,
    source=programs.COLLECTION,
    bibkey="zhao2007",
    min_side=3,
    summary="phase congruency and its moments kept",
    example=0.7646,
)
def qp(inputs: FusionInputs, fused: GrayImage) -> float:
    """Measure how well phase congruency and its moments are kept (Zhao).

    It is the product of the mean local correlations of phase congruency and of its largest and smallest moment, each with the
    best of the sources or of their maximum; NaN where no source has phase congruency over 0.1. An image fused with itself
    scores nearly 1: only its maps as a source are masked.
    """
    return _kept(inputs, fused, _frequencies)


@metric(
    "qp.zl",
    high=1,
    source=programs.TOOLBOX,
    bibkey="zhao2007",
    summary="phase congruency kept as qp, with the toolbox's low-pass filter, which differs for odd sides",
)
def qp_zl(inputs: FusionInputs, fused: GrayImage) -> float:
    """Measure the phase congruency kept with the low-pass filter of the toolbox."""
    return _kept(inputs, fused, _toolbox_frequencies)
