"""Dense SIFT fusion: gradient histograms around every pixel say which source is sharp, and match what they cannot decide.

The sum of a descriptor before it is normalised measures focus. Blocks vote for the source with the larger sum. What is left
between the sources is decided by local matching: a pixel is compared with the most similar place of the other source, which
forgives small errors of registration.
"""

from typing import NamedTuple

import cv2
import numpy as np
from scipy import ndimage

from mffrepro.errors import OptionError
from mffrepro.fusion.multi_image import UnitImages, serial
from mffrepro.images import FocusStack, Shares, from_unit, to_gray, to_unit
from mffrepro.threads import in_threads

#: A descriptor is a histogram of this many directions in each of BINS x BINS cells.
DIRECTIONS, BINS = 8, 4
#: How sharply a gradient belongs to one direction: the power of the cosine between them.
SHARPNESS = 9
#: Values of a normalised descriptor are cut off here, against highlights [lowe2004].
CUT = 0.2
#: Matching looks this far, and spatial frequency is taken in windows of this half width.
REACH = 3


def fuse(stack: FocusStack, *, scale: int = 48, block: int = 8, smallest: int = 3600) -> tuple[np.ndarray, Shares]:
    """Fuse by the focus of dense SIFT descriptors, refined by matching them.

    The decision is made on gray.

    Args:
        stack: N >= 2 images of any size, gray or colour.
        scale: Twice the side of the square that a descriptor covers, pixels; a multiple of 8 from 16 on.
        block: Side of the voting blocks, pixels, >= 1.
        smallest: Least area of a region that the votes decide, pixels; in images under 72 times that, a 72nd of the image.

    Returns:
        The fused image and its decision: one source, or half of each where matching comes to no decision.

    Raises:
        OptionError: `scale` is not a multiple of 8 from 16 on, or `block` under 1.
    Deviations:
        Gray is rounded to 8 bits whatever the depth of the images, as in the authors' code. The border of matching is not
        known; it moves under one pixel in a thousand of the results in the survey of Liu et al. (2020). More than two sources
        are fused one after the other. `smallest` is fixed in the original, which leaves small images undecided.

    References:
        [liu2015dsift], descriptor of [lowe2004], results compared: [liu2020survey].
    Chapter: 02_baselines
    """
    if scale < 8 or scale % 8:
        raise OptionError(f"scale is {scale}; use a positive multiple of 8")
    if block < 1:
        raise OptionError(f"block is {block}; use 1 or more")
    _, shares = serial(UnitImages(stack.images, np.float64), DescriptorComparer(scale // 2, block, smallest))
    fused = shares.blend(stack.images, lambda image: 255 * to_unit(image, np.float64))  # halves of 8 bits are exact, and round up
    return fused / 255, shares


class Features(NamedTuple):
    """Hold what a comparison needs to know of one image."""

    gray: np.ndarray  # (H, W) on 0..255
    histograms: "Histograms"
    focus: np.ndarray  # (H, W), sum of the descriptor


class DescriptorComparer:
    """Compare images by dense SIFT descriptors.

    See `mffrepro.fusion.multi_image.Comparer`.

    Args:
        side: Side of the square that a descriptor covers, pixels.
        block: See `fuse`.
        smallest: See `fuse`.
    """

    def __init__(self, side: int, block: int, smallest: int) -> None:
        self.side, self.block, self.smallest = side, block, smallest

    def extract(self, image: np.ndarray) -> Features:
        """Compute the descriptors of one image (H, W[, 3]), float in [0, 1]."""
        gray = to_gray(image, "matlab") if image.ndim == 3 else image
        gray = from_unit(gray, np.dtype(np.uint8)).astype(np.float64)
        histograms = describe(gray / max(gray.max(), 1), self.side)
        return Features(gray, histograms, histograms.total())

    def decide(self, first: Features, second: Features) -> tuple[np.ndarray, np.ndarray]:
        """Compute the final map (H, W) and the difference of the votes.

        The map is 1 where the first image is taken.
        """
        votes = _votes(first.focus - second.focus, self.block)
        smallest = min(self.smallest, first.gray.size / 72)
        sure = [_without_small(share > 0.99, smallest) for share in votes]
        final = np.where(sure[0] == sure[1], 0.5, sure[0])
        undecided = np.zeros(final.shape, bool)
        inside = slice(REACH, -REACH)
        undecided[inside, inside] = final[inside, inside] == 0.5
        final[undecided] = _match(first, second, undecided)
        return final, votes[0] - votes[1]


# --------------------------------------------------------------------------------------------- descriptors


class Histograms(NamedTuple):
    """Hold histograms of gradient directions around every pixel.

    A descriptor consists of BINS x BINS of them.

    Attributes:
        cells: (DIRECTIONS, H + margin, W + margin), the histogram of the cell that starts there.
        cell: Side of a cell, pixels.
    """

    cells: np.ndarray
    cell: int

    def at(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Return the descriptors (n, 128) of n pixels, cell by cell, not normalised."""
        parts = [self.cells[:, rows + i * self.cell, columns + j * self.cell] for j, i in np.ndindex(BINS, BINS)]
        return np.concatenate(parts).T

    def total(self) -> np.ndarray:
        """Sum the descriptor of every pixel, (H, W)."""
        summed, last = self.cells.sum(0), (BINS - 1) * self.cell
        height, width = (side - last for side in summed.shape)
        return sum(summed[i * self.cell :, j * self.cell :][:height, :width] for j, i in np.ndindex(BINS, BINS))


def describe(gray: np.ndarray, side: int) -> Histograms:
    """Compute the histograms of every pixel.

    Args:
        gray: (H, W) float64; zero outside.
        side: Side of the square that a descriptor covers, a multiple of 4.

    References:
        [lazebnik2006], whose code the published results use.
    """
    height, width = gray.shape
    padded = np.pad(gray, side // 2 - 1)
    smooth = cv2.getGaussianKernel(5, 1, cv2.CV_64F)
    slope = np.gradient(smooth @ smooth.T, axis=1)
    slope *= 2 / np.abs(slope).sum()
    across, down = (cv2.filter2D(padded, -1, kernel, borderType=cv2.BORDER_CONSTANT) for kernel in (slope, slope.T))
    strength, angle = np.hypot(across, down), np.arctan2(down, across)
    # The weight of a gradient falls linearly to zero one cell away from the middle of a cell, half a pixel off the centre.
    cell = side // BINS
    ramp = np.maximum(1 - np.abs(np.arange(1, side + 1) - (side / 2 - 0.5)) / cell, 0)[::-1]

    def histogram(k: int) -> np.ndarray:
        share = strength * np.maximum(np.cos(angle - 2 * np.pi * k / DIRECTIONS), 0) ** SHARPNESS
        summed = cv2.sepFilter2D(share, -1, ramp, ramp, anchor=(side // 2 - 1,) * 2, borderType=cv2.BORDER_CONSTANT)
        return summed[: height + (BINS - 1) * cell, : width + (BINS - 1) * cell]

    return Histograms(np.stack(in_threads(histogram, range(DIRECTIONS))), cell)


def normalise(descriptors: np.ndarray) -> np.ndarray:
    """Normalise descriptors in place against highlights.

    Longer ones get length one, values over `CUT` are cut off, then the length is one again.
    """
    length = np.linalg.norm(descriptors, axis=-1)
    long = length > 1
    cut = np.minimum(descriptors[long] / length[long][:, None], CUT)
    descriptors[long] = cut / np.linalg.norm(cut, axis=-1, keepdims=True)
    return descriptors


# ------------------------------------------------------------------------------------------------ deciding


def _votes(advantage: np.ndarray, block: int) -> tuple[np.ndarray, np.ndarray]:
    """Compute the share of the blocks around each pixel in which the first source has more focus, and the second."""
    side = min(block, *advantage.shape)
    sums = _window_sums(advantage, side)[side - 1 :, side - 1 :]
    blocks = [np.pad(won.astype(np.float64), [(0, side - 1)] * 2) for won in (sums > 0, sums < 0, np.isfinite(sums))]
    first, second, count = (_window_sums(won, side) for won in blocks)
    return first / count, second / count


def _window_sums(image: np.ndarray, side: int) -> np.ndarray:
    """Sum over the square that ends at each pixel."""
    last = (side - 1, side - 1)
    return cv2.boxFilter(image, -1, (side, side), normalize=False, anchor=last, borderType=cv2.BORDER_CONSTANT)


def _without_small(mask: np.ndarray, smallest: float) -> np.ndarray:
    """Remove regions of the mask under that many pixels, then such holes."""
    for value in (True, False):
        regions, _ = ndimage.label(mask == value, np.ones((3, 3)))
        small = np.bincount(regions.ravel()) < smallest
        small[0] = False
        mask = np.where(small[regions], not value, mask)
    return mask


def _match(first: Features, second: Features, undecided: np.ndarray) -> np.ndarray:
    """Give each undecided pixel 1 or 0 if it and its place in the other source agree on who is sharper, else a half."""
    here = np.nonzero(undecided)
    side = 2 * REACH + 1
    near = cv2.dilate(undecided.astype(np.uint8), np.ones((side, side), np.uint8)) > 0
    described = [normalise(image.histograms.at(*np.nonzero(near))).astype(np.float32) for image in (first, second)]
    numbers = np.cumsum(near).reshape(near.shape) - 1
    frequency = [_spatial_frequency(image.gray) for image in (first, second)]
    there = in_threads(lambda pair: _nearest(*pair, numbers, here), (described, described[::-1]))
    first_wins = frequency[0][here] > frequency[1][there[0]]
    second_wins = frequency[1][here] > frequency[0][there[1]]
    return np.where(first_wins == second_wins, 0.5, first_wins)


def _nearest(one: np.ndarray, other: np.ndarray, numbers: np.ndarray, here: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
    """Find within `REACH` pixels the descriptor of `other` nearest to that of `one`; of equals the first by columns.

    Args:
        one: (n, 128) descriptors of one source.
        other: The same of the other.
        numbers: (H, W), the row of each pixel's descriptor in both.
        here: Rows and columns of the pixels to match.
    """
    wanted = one[numbers[here]]
    best, place = np.full(len(wanted), np.inf, np.float32), np.stack(here)
    for right, down in np.ndindex(2 * REACH + 1, 2 * REACH + 1):
        candidate = np.stack([here[0] + down - REACH, here[1] + right - REACH])
        difference = other[numbers[tuple(candidate)]] - wanted
        distance = np.einsum("nd,nd->n", difference, difference)
        nearer = distance < best
        best[nearer], place[:, nearer] = distance[nearer], candidate[:, nearer]
    return tuple(place)


def _spatial_frequency(gray: np.ndarray) -> np.ndarray:
    """Sum of squared differences between neighbours, both ways, within the window around each pixel."""
    side = 2 * REACH + 1
    total = np.zeros_like(gray)
    for axis in (0, 1):
        squares = np.diff(gray, axis=axis, prepend=0) ** 2
        window = (side, side - 1) if axis == 0 else (side - 1, side)  # OpenCV gives width first
        anchor = (REACH, REACH - 1) if axis == 0 else (REACH - 1, REACH)
        total += cv2.boxFilter(squares, -1, window, normalize=False, anchor=anchor, borderType=cv2.BORDER_CONSTANT)
    return total
