"""Directions of frequencies by slope, as transforms with shears in the place of rotations count them."""

import numpy as np


def turn(y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Map the line through (y, x) and the origin to half a turn, in [0, 1].

    Even steps of it are even steps of slope.

    It starts at the diagonal of opposite signs, is 1/4 along x, 1/2 at the other diagonal, 3/4 along y, and ends where it
    started. The origin itself counts as along x.
    """
    y, x = np.broadcast_arrays(y, x)
    steep = np.abs(y) > np.abs(x)
    across, along = np.where(steep, x, y), np.where(steep, y, x)
    slope = np.divide(across, along, out=np.zeros(y.shape), where=along != 0)
    return np.where(steep, 3 - slope, 1 + slope) / 4


def distance(turns: np.ndarray, direction: int, count: int) -> np.ndarray:
    """Measure the distance of each turn from the middle of a direction, in widths.

    The half turn is divided into `count` directions of equal width.
    """
    away = (count * turns - direction - 0.5) % count
    return np.minimum(away, count - away)
