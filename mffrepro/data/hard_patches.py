"""Pairs of patches on which classifiers of sharpness can differ: one kind of difficulty each, the same for every network.

Each pair shows a place of a photograph twice, and the first is the sharper one in the middle. A training shows textured places
and five levels of Gaussian blur; here the focus ends within the patch, there is hardly any texture, the blur is another one, or
something that is no blur (noise, a shift, compression) has changed both. All pairs are in 8 bits, as photographs are.

What is drawn depends on the number of the pair and on nothing else, so two kinds show the same places, at the same level of blur
where both have the five levels.

References: [liu2017cnn], [li2018icacs]. Chapter: 06_cnnwt.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np

from mffrepro.data.labelled import LabelledImage
from mffrepro.data.lens import disc_blur
from mffrepro.data.synthetic import gaussian_blur, jpeg
from mffrepro.errors import ImageError, OptionError

#: Side of a pair in pixels: the largest patch of any recipe, and what its network looks at around it.
SIDE = 64
#: Pixels around a pair while it is made, which no blur here looks over.
REACH = 24
WHOLE = SIDE + 2 * REACH
#: Side of the patch in the middle whose variance chooses the place.
PATCH = 16
LEVELS = 5
#: Variance of the Gaussian of standard deviation 2 when it is cut off to 7x7, in square pixels: that of one level of blur.
LEVEL_VARIANCE = 2.693
#: Distance in pixels of a focus border from the middle, from and to.
BORDER = (2.0, 6.0)
#: Standard deviation of the noise, levels of 255.
NOISE = 10.0
#: Quality of the JPEG files, of 100.
QUALITY = 30

Make = Callable[[np.ndarray, np.random.Generator], tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Kind:
    """Describe a kind of pair.

    Attributes:
        make: From a part of a photograph (H, W) uint8 to the sharper and the other one.
        variance: Least and largest variance of the sharp patch, on 0..255; the training has 25 and more. Flat patches are no
            constant ones, which blur does not change.
    """

    make: Make
    variance: tuple[float, float] = (25.0, np.inf)


def by_level(sharp: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Blur by one of the five levels of the training."""
    return sharp, gaussian_blur(sharp, 2.0, size=7, times=_level(rng))


def across_a_border(sharp: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Let a straight focus border pass near the middle.

    Its distance lies within `BORDER`; beyond it the other one is the sharper.
    """
    _, blurred = by_level(sharp, rng)
    angle, distance = rng.uniform(0, 2 * np.pi), rng.uniform(*BORDER)
    y, x = np.ogrid[: sharp.shape[0], : sharp.shape[1]]
    y, x = y - (sharp.shape[0] - 1) / 2, x - (sharp.shape[1] - 1) / 2
    near = x * np.cos(angle) + y * np.sin(angle) < distance
    return np.where(near, sharp, blurred), np.where(near, blurred, sharp)


def by_disc(sharp: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Blur by the disc of a lens.

    Its variance is that of one of the five levels, with a radius of 3.3 to 7.3 pixels.
    """
    return sharp, disc_blur(sharp, 2 * np.sqrt(LEVEL_VARIANCE * _level(rng)))


def noisy(sharp: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Add the noise of a sensor to both, after the blur."""
    first, second = (_rounded(image + rng.normal(0, NOISE, image.shape)) for image in by_level(sharp, rng))
    return first, second


def shifted(sharp: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Move one of the two by a pixel, up, down, left or right."""
    pair = list(by_level(sharp, rng))
    which, direction, axis = rng.integers(2, size=3)
    pair[which] = np.roll(pair[which], 2 * direction - 1, axis)
    return pair[0], pair[1]


def compressed(sharp: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Compress both as JPEG files, after the blur.

    Their blocks begin anywhere, at the same place in both.
    """
    pair = by_level(sharp, rng)
    top, left = rng.integers(8, size=2)
    first, second = (np.pad(jpeg(image[top:, left:], QUALITY), [(top, 0), (left, 0)], mode="edge") for image in pair)
    return first, second


def by_sigma(sharp: np.ndarray, rng: np.random.Generator, *, sigma: float) -> tuple[np.ndarray, np.ndarray]:
    """Blur by a Gaussian of any strength."""
    return sharp, gaussian_blur(sharp, sigma)


#: Gaussians weaker than the first level of the training (1.64 pixels) and stronger than its last one (3.67).
OUTSIDE = {f"sigma {sigma:g}": Kind(partial(by_sigma, sigma=sigma)) for sigma in (0.5, 1.0, 5.0, 7.0)}
KINDS: dict[str, Kind] = {
    "plain": Kind(by_level),
    "across a border": Kind(across_a_border),
    "flat": Kind(by_level, variance=(0.5, 5.0)),
    "disc": Kind(by_disc),
    "noisy": Kind(noisy),
    "shifted": Kind(shifted),
    "jpeg": Kind(compressed),
} | OUTSIDE


def hard_pairs(photographs: Sequence[LabelledImage], kind: str, count: int) -> np.ndarray:
    """Make pairs of one kind.

    Args:
        photographs: Visited in turn; sides of at least 112 pixels.
        kind: A name of `KINDS`.
        count: Number of pairs.

    Returns:
        (count, 2, 64, 64) uint8: the one that is sharper in the middle, and the other. `middle` cuts them to size.

    Raises:
        ImageError: A photograph is too small.
    """
    made = np.empty((count, 2, SIDE, SIDE), np.uint8)
    inside = np.s_[REACH : REACH + SIDE, REACH : REACH + SIDE]
    for turn in range(min(count, len(photographs))):
        gray = cv2.cvtColor(photographs[turn].image, cv2.COLOR_RGB2GRAY)
        if min(gray.shape) < WHOLE:
            raise ImageError(f"{photographs[turn].name} has {gray.shape[0]} x {gray.shape[1]} pixels; use at least 112 x 112")
        variances = _variances(gray)
        for i in range(turn, count, len(photographs)):
            rng = np.random.default_rng(i)
            top, left = _corner(variances, rng, *KINDS[kind].variance)
            part = gray[top : top + WHOLE, left : left + WHOLE]
            made[i] = [image[inside] for image in KINDS[kind].make(part, rng)]
    return made


def middle(pairs: np.ndarray, side: int) -> np.ndarray:
    """Cut pairs (..., 64, 64) to their middle, (..., side, side).

    Raises:
        OptionError: The side is odd, or over 64.
    """
    if side % 2 or not 0 < side <= SIDE:
        raise OptionError(f"side is {side}; give an even number of pixels up to {SIDE}")
    start = (SIDE - side) // 2
    return pairs[..., start : start + side, start : start + side]


def _variances(gray: np.ndarray) -> np.ndarray:
    """Compute the variance of the patch in the middle of every part of a photograph, by the corner of the part."""
    sums = (cv2.boxFilter(gray.astype(np.float64) ** power, -1, (PATCH, PATCH), anchor=(0, 0)) for power in (1, 2))
    mean, square = sums
    margin = WHOLE // 2 - PATCH // 2
    rows, columns = (slice(margin, margin + length - WHOLE + 1) for length in gray.shape)
    return (square - mean**2)[rows, columns]


def _corner(variances: np.ndarray, rng: np.random.Generator, least: float, most: float) -> tuple[int, int]:
    """Draw a corner where the variance is as it should; where there is none, the one whose variance is nearest."""
    distance = np.maximum(np.maximum(least - variances, variances - most), 0)
    allowed = np.flatnonzero(distance == distance.min())
    top, left = np.unravel_index(allowed[rng.integers(len(allowed))], variances.shape)
    return int(top), int(left)


def _level(rng: np.random.Generator) -> int:
    return int(rng.integers(1, LEVELS + 1))


def _rounded(image: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)
