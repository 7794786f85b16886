"""Geometry of frames: 3x3 matrices that map pixel (x, y, 1) of one frame to another, with pixel centres at whole numbers."""

from typing import Literal

import numpy as np

#: What may differ between two frames: shift, rotation and magnification, or any homography.
Model = Literal["similarity", "homography"]
#: Magnification between two frames of one stack, the least and the most.
SCALES = 0.8, 1.25


def move(transform: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Map points (..., 2) by a transform (3, 3)."""
    mapped = points @ transform[:, :2].T + transform[:, 2]
    return mapped[..., :2] / mapped[..., 2:]


def move_patches(transform: np.ndarray, centres: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """Map patches of pixels by a transform, linearly within a patch.

    Args:
        transform: (3, 3).
        centres: (K, 2).
        pixels: (S, S, 2), relative to the centre.

    Returns:
        (K, S, S, 2) float32.
    """
    mapped = move(transform, centres)
    depth = centres @ transform[2, :2] + transform[2, 2]
    linear = (transform[None, :2, :2] - mapped[:, :, None] * transform[2, :2]) / depth[:, None, None]
    side = len(pixels)
    inner = (linear.astype(np.float32) @ pixels.reshape(-1, 2).T.astype(np.float32)).transpose(0, 2, 1)
    return inner.reshape(-1, side, side, 2) + mapped.astype(np.float32)[:, None, None]


def shift(x: float, y: float) -> np.ndarray:
    """Make the transform that moves points by (x, y)."""
    return np.array([[1, 0, x], [0, 1, y], [0, 0, 1]], np.float64)


def normalise(transform: np.ndarray) -> np.ndarray:
    """Scale a transform so that its last element is 1."""
    return transform / transform[2, 2]


def halve(transform: np.ndarray) -> np.ndarray:
    """Compute the transform that gives `transform` if it is applied twice.

    It is the principal square root, by Denman and Beavers' iteration; it exists for rotations by less than half a turn.
    """
    root, inverse = transform / np.cbrt(np.linalg.det(transform)), np.eye(3)
    for _ in range(8):  # quadratic convergence: four suffice for all that is plausible
        root, inverse = (root + np.linalg.inv(inverse)) / 2, (inverse + np.linalg.inv(root)) / 2
    return normalise(root)


def reduction(shape: tuple[int, ...], reduced: tuple[int, ...]) -> np.ndarray:
    """Make the transform from a frame of `shape` (H, W) to its reduced copy."""
    x, y = reduced[1] / shape[1], reduced[0] / shape[0]
    return np.array([[x, 0, (x - 1) / 2], [0, y, (y - 1) / 2], [0, 0, 1]])


def grid(shape: tuple[int, ...], count: int = 9) -> np.ndarray:
    """List pixels (count * count, 2) that are spread evenly over a frame (H, W)."""
    x, y = (np.rint(np.linspace(0, side - 1, count)) for side in shape[1::-1])
    return np.stack(np.meshgrid(x, y), -1).reshape(-1, 2)


def offset(transform: np.ndarray, shape: tuple[int, ...]) -> float:
    """Measure how far a transform moves a frame (H, W), in pixels.

    It is the root mean square over the area of the frame.
    """
    points = grid(shape)
    return float(np.sqrt(((move(transform, points) - points) ** 2).sum(-1).mean()))


def corners(shape: tuple[int, ...]) -> np.ndarray:
    """List the corners (4, 2) of a frame (H, W) clockwise from the top left.

    They lie on the outer edges of its pixels.
    """
    height, width = shape[:2]
    return np.array([[0, 0], [width, 0], [width, height], [0, height]]) - 0.5


def is_plausible(transform: np.ndarray, shape: tuple[int, ...]) -> bool:
    """Tell whether a camera can have moved so between two frames.

    It can without reflection and fold, and with a magnification within `SCALES` at every corner.
    """
    if not np.isfinite(transform).all() or np.abs(transform).max() > 1e6:
        return False
    depth = corners(shape) @ transform[2, :2] + transform[2, 2]
    area = np.linalg.det(transform)
    if area <= 0 or depth.min() <= 0:
        return False
    scales = np.sqrt(area / depth**3)
    return bool(scales.min() >= SCALES[0] and scales.max() <= SCALES[1])


def common_area(transforms: np.ndarray, shape: tuple[int, ...]) -> tuple[slice, slice]:
    """Find the rows and columns that every frame covers.

    Args:
        transforms: (N, 3, 3), from each frame to the common pixels.
        shape: (H, W) of the frames.

    Returns:
        Slices of rows and columns, empty where there are none.
    """
    quads = np.stack([move(transform, corners(shape)) for transform in transforms])
    tolerance = 1e-6  # of a pixel, for rounding
    left, top = np.ceil([quads[:, [0, 3], 0].max() - tolerance, quads[:, [0, 1], 1].max() - tolerance]).astype(int)
    right, bottom = np.floor([quads[:, [1, 2], 0].min() + tolerance, quads[:, [2, 3], 1].min() + tolerance]).astype(int) + 1
    (height, width), (left, top) = shape[:2], (max(left, 0), max(top, 0))
    return slice(top, max(top, min(bottom, height))), slice(left, max(left, min(right, width)))


def covered(transform: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Mark the common pixels that a frame (H, W) covers: bool (H, W)."""
    height, width = shape[:2]
    x, y = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)[:, None]
    quad = move(transform, corners(shape))
    inside = np.ones((height, width), bool)
    for (x0, y0), (x1, y1) in zip(quad, np.roll(quad, -1, 0), strict=True):
        inside &= np.float32(x1 - x0) * (y - np.float32(y0)) - np.float32(y1 - y0) * (x - np.float32(x0)) >= 0
    return inside
