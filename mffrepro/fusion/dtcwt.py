"""The dual-tree complex wavelet transform of Kingsbury in two dimensions, written as products with sparse matrices.

The first level filters without decimation, so its even and odd samples are the inputs of two trees whose filters are half
a sample apart from there on. Four neighbouring real coefficients make two complex ones: six directions an octave, with a
magnitude that hardly changes when the image moves. Filter tables: [selesnick2005].

A filter with reflection at the borders is a matrix with few entries, so each level is ``A X B'``. The filters of the later
levels are orthonormal and the two trees mirror each other, so their matrices stay orthonormal with the borders included:
synthesis is the transpose, and needs no filters of its own.
"""

from functools import lru_cache

import numpy as np
from scipy.sparse import csr_array

#: First level, by name: low-pass of analysis and of synthesis; the high-passes follow from them.
FIRST_LEVEL = {
    "near_sym_a": ((-1 / 20, 1 / 4, 3 / 5, 1 / 4, -1 / 20), (-3 / 280, -3 / 56, 73 / 280, 17 / 28, 73 / 280, -3 / 56, -3 / 280)),
    "legall": ((-1 / 8, 1 / 4, 3 / 4, 1 / 4, -1 / 8), (1 / 4, 1 / 2, 1 / 4)),
}
#: Later levels: low-pass of tree a, "qshift_06"; tree b has it reversed.
LATER_LEVELS = (
    0.03516383657149474, 0.0, -0.08832942445107285, 0.23389032060723564, 0.7602723690661257, 0.5875182977235605,
    0.0, -0.11430183714424873, 0.0, 0.0,
)  # fmt: skip


def analyse(image: np.ndarray, levels: int, *, first: str = "near_sym_a") -> tuple[list[np.ndarray], np.ndarray]:
    """Compute complex details from fine to coarse, and the base.

    Args:
        image: (H, W) float64, any size.
        levels: Octaves, >= 1.
        first: Filters of the first level, a key of `FIRST_LEVEL`.

    Returns:
        Per level six directions (6, h, w), complex; and the base (h, w), real.

    References:
        [selesnick2005].
    """
    details = []
    for level in range(levels):
        image = _pad(image, level)
        (low_y, high_y), (low_x, high_x) = (_filters(side, level, first)[:2] for side in image.shape)
        low, high = low_y @ image, high_y @ image
        details.append(np.concatenate([_to_complex(_along_rows(high_x, low)), _to_complex(_along_rows(low_x, high)),
                                       _to_complex(_along_rows(high_x, high))]))  # fmt: skip
        image = _along_rows(low_x, low)
    return details, image


def synthesise(details: list[np.ndarray], base: np.ndarray, shape: tuple[int, int], *, first: str = "near_sym_a") -> np.ndarray:
    """Rebuild the image of size `shape` from its transform; inverse of `analyse`."""
    for level in reversed(range(len(details))):
        vertical, horizontal, diagonal = (_to_real(pair) for pair in np.split(details[level], 3))
        sides = [2 * side for side in details[level].shape[1:]]
        sides = sides if level == 0 else [2 * side for side in sides]
        (low_y, high_y), (low_x, high_x) = (_filters(side, level, first)[2:] for side in sides)
        low = _along_rows(low_x, base) + _along_rows(high_x, vertical)
        high = _along_rows(low_x, horizontal) + _along_rows(high_x, diagonal)
        image = low_y @ low + high_y @ high
        finer = shape if level == 0 else [2 * side for side in details[level - 1].shape[1:]]
        base = _crop(image, finer, level)
    return base


def _along_rows(matrix: csr_array, image: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray((matrix @ image.T).T)


def _pad(image: np.ndarray, level: int) -> np.ndarray:
    """Repeat the edge until the level can decimate: one sample at the end for the first, one at either end for the others."""
    if level == 0:
        return np.pad(image, [(0, side % 2) for side in image.shape], mode="edge")
    return np.pad(image, [(side % 4 // 2,) * 2 for side in image.shape], mode="edge")


def _crop(image: np.ndarray, shape: tuple[int, int], level: int) -> np.ndarray:
    top, left = (0, 0) if level == 0 else ((have - want) // 2 for have, want in zip(image.shape, shape, strict=True))
    return image[top : top + shape[0], left : left + shape[1]]


@lru_cache(maxsize=64)
def _filters(side: int, level: int, first: str) -> tuple[csr_array, csr_array, csr_array, csr_array]:
    """Choose low and high filters of analysis, then of synthesis, for signals of that length."""
    if level == 0:
        low, low_back = (np.array(taps) for taps in FIRST_LEVEL[first])
        taps = (low, _modulate(low_back), low_back, _modulate(low))
        return tuple(_matrix([(h, np.arange(side) + len(h) // 2, 1)], side) for h in taps)
    low_a = np.array(LATER_LEVELS)
    high_b = -low_a * (-1.0) ** np.arange(len(low_a))
    starts = 4 * np.arange(side // 4) + len(low_a)  # tree b takes the even samples, tree a the odd ones
    low = _matrix([(low_a[::-1], starts, 2), (low_a, starts + 1, 2)], side)
    high = _matrix([(high_b[::-1], starts + 1, 2), (high_b, starts, 2)], side)
    return low, high, low.T.tocsr(), high.T.tocsr()


def _modulate(taps: np.ndarray) -> np.ndarray:
    """Turn a low-pass into a high-pass: every second tap negative, the middle one positive."""
    return taps * (-1.0) ** (np.arange(len(taps)) - len(taps) // 2)


def _matrix(filters: list[tuple[np.ndarray, np.ndarray, int]], side: int) -> csr_array:
    """Build a sparse matrix whose rows are ``sum_n taps[n] x[start - step n]`` with `x` reflected at its ends."""
    rows, columns, values = [], [], []
    for i, (taps, starts, step) in enumerate(filters):
        samples = (starts[:, None] - step * np.arange(len(taps))) % (2 * side)
        columns.append(np.minimum(samples, 2 * side - 1 - samples))
        rows.append(np.broadcast_to(i + len(filters) * np.arange(len(starts))[:, None], samples.shape))
        values.append(np.broadcast_to(taps, samples.shape))
    entries = [np.concatenate(parts).ravel() for parts in (values, rows, columns)]
    matrix = csr_array((entries[0], (entries[1], entries[2])), shape=(len(filters) * len(filters[0][1]), side))
    matrix.sum_duplicates()
    return matrix


def _to_complex(quads: np.ndarray) -> np.ndarray:
    """Combine each 2x2 real coefficients, one from either tree and axis, into two complex ones of opposite direction."""
    a, b, c, d = quads[::2, ::2], quads[::2, 1::2], quads[1::2, ::2], quads[1::2, 1::2]
    p, q = (a + 1j * b) / np.sqrt(2), (d - 1j * c) / np.sqrt(2)
    return np.stack([p - q, p + q])


def _to_real(pair: np.ndarray) -> np.ndarray:
    p, q = (pair[1] + pair[0]) / np.sqrt(2), (pair[1] - pair[0]) / np.sqrt(2)
    quads = np.empty((2 * p.shape[0], 2 * p.shape[1]))
    quads[::2, ::2], quads[::2, 1::2], quads[1::2, ::2], quads[1::2, 1::2] = p.real, p.imag, -q.imag, q.real
    return quads
