"""An image from its gradient, level by level through Haar's wavelets, smoothed on the way up.

The wavelet coefficients of the image follow from its gradient alone: sums of differences on every level. Where a gradient is
that of no image, as after fusion, the blocks of the wavelets show; a few steps towards the solution of Poisson's equation on
each level blend them away.
"""

import numpy as np


def integrate(along_rows: np.ndarray, along_columns: np.ndarray, *, steps: int = 3) -> np.ndarray:
    """Integrate forward differences to an image, up to a constant.

    Where no image has these differences, the result has the nearest.

    Args:
        along_rows: (H, W) differences to the right neighbour; the last column is not read.
        along_columns: (H, W) differences to the lower neighbour; the last row is not read.
        steps: Smoothing steps per level; 0 shows the blocks.

    Returns:
        (H, W), exact where the differences are those of an image.

    References:
        [sevcenco2013]; smoothing of [hampton2010].
    """
    height, width = along_rows.shape
    side = 1 << (max(height, width) - 1).bit_length()
    if side == 1:
        return np.zeros((1, 1))
    dx = _mirror(_mirror_steps(along_rows, 1, side), 0, side)
    dy = _mirror(_mirror_steps(along_columns, 0, side), 1, side)
    diagonal = (np.diff(dx, axis=0) + np.diff(dy, axis=1)) / 4
    return _from_level((dx[1:] + dx[:-1]) / 2, (dy[:, 1:] + dy[:, :-1]) / 2, diagonal[::2, ::2], steps)[:height, :width]


def _mirrored(length: int, side: int) -> np.ndarray:
    """Index a signal that is continued by mirroring it about its ends, which are not repeated."""
    period = max(2 * (length - 1), 1)
    i = np.arange(side) % period
    return np.minimum(i, period - i) if length > 1 else i


def _mirror(image: np.ndarray, axis: int, side: int) -> np.ndarray:
    return np.take(image, _mirrored(image.shape[axis], side), axis)


def _mirror_steps(steps: np.ndarray, axis: int, side: int) -> np.ndarray:
    """Take the (side - 1) differences along an axis of the mirrored image, whose sign changes backwards."""
    at = _mirrored(steps.shape[axis], side)
    sign = np.expand_dims(np.diff(at), 1 - axis)
    return sign * np.take(steps, np.minimum(at[1:], at[:-1]), axis)


def _from_level(x: np.ndarray, y: np.ndarray, diagonal: np.ndarray, steps: int) -> np.ndarray:
    """Rebuild (2n, 2n) pixels from differences between neighbouring pairs (2n - 1, 2n - 1) and diagonal coefficients (n, n)."""
    horizontal, vertical = x[::2, ::2], y[::2, ::2]
    base = _from_level(*_coarser(x, y), steps) if len(x) > 1 else np.zeros((1, 1))
    image = np.empty((len(x) + 1,) * 2)
    for i, down in enumerate((-1, 1)):
        for j, right in enumerate((-1, 1)):
            image[i::2, j::2] = (base + down * vertical + right * horizontal + down * right * diagonal) / 2
    for _ in range(steps if len(x) > 1 else 0):
        image = _smooth(image, x, y)
    return image


def _coarser(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Compute the differences and the diagonal coefficients of the next level."""
    (x_up, x_down), (y_left, y_right) = _pair_sums(x), (sums.T for sums in _pair_sums(y.T))
    x_middle, y_middle = x[::2, 1::2], y[1::2, ::2]
    wider_x = (x_up + x_down) / 2 + x_middle[:-1] + x_middle[1:]
    wider_y = (y_left + y_right) / 2 + y_middle[:, :-1] + y_middle[:, 1:]
    diagonal = (x_down - x_up + y_right - y_left) / 4 + (np.diff(x_middle, axis=0) + np.diff(y_middle, axis=1)) / 2
    return wider_x, wider_y, diagonal[::2, ::2]


def _pair_sums(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sum every other value and the next but one along rows, in every other row and in the next but one."""
    sums = x[::2, :-2:2] + x[::2, 2::2]
    return sums[:-1], sums[1:]


def _smooth(image: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Take one step of Jacobi's iteration on diagonal neighbours, mirrored at the borders."""
    x, y = np.pad(x, 1), np.pad(y, 1)
    x[[0, -1], 1:-1] = np.diff(image[[0, -1]], axis=1)
    y[1:-1, [0, -1]] = np.diff(image[:, [0, -1]], axis=0)
    across, along = np.diff(x, axis=1), np.diff(y, axis=0)
    divergence = across[1:] + across[:-1] + along[:, 1:] + along[:, :-1]
    around = np.pad(image, 1, mode="symmetric")
    return (around[:-2, :-2] + around[:-2, 2:] + around[2:, :-2] + around[2:, 2:] - divergence) / 4
