"""Refine the transform between two frames to a fraction of a pixel, by small tiles around places with detail.

Every tile is sampled from both frames halfway between them, so that both are interpolated alike, and freed of its mean and
contrast, so that exposure does not matter. By least squares [lucas1981] a tile tells how far its two versions lie apart, and
how surely in which direction. One transform is fitted to all tiles. A tile weighs more if its versions correlate: it is then
equally sharp in both frames, and that is where a fusion changes from one to the other. It weighs less if it contradicts the
others.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from mffrepro.alignment.geometry import Model, halve, move, normalise
from mffrepro.images import to_255

#: Side of a tile in pixels, and what is sampled around it for smoothing and derivatives.
SIDE, RIM = 31, 4
#: Positions are multiples of this, which OpenCV would round to.
FRACTION = 1 / 32
#: A tile agrees if its versions correlate so much and lie so few pixels from where the transform says.
CORRELATION, TOLERANCE = 0.6, 0.5
#: Iterations end when the tiles move by less, in pixels.
STILL = 0.01

REACH = SIDE // 2 + RIM
_PIXELS = np.stack(np.meshgrid(*2 * [np.arange(-REACH, REACH + 1.0)]), -1)
_CORE = np.s_[:, RIM:-RIM, RIM:-RIM]


@dataclass(frozen=True)
class Fit:
    """Hold a transform from the second frame to the first, and its support.

    Attributes:
        transform: (3, 3).
        agreeing: Share of the tiles whose versions correlate and lie where the transform says; 0 without tiles.
        tiles: How many tiles there were.
    """

    transform: np.ndarray
    agreeing: float
    tiles: int


def refine(first: np.ndarray, second: np.ndarray, start: np.ndarray, places: np.ndarray, model: Model, steps: int) -> Fit:
    """Refine a transform from the second frame to the first.

    Args:
        first: Gray frame (H, W) of any dtype.
        second: Another of the same size.
        start: A transform (3, 3) that is right to within about two pixels.
        places: Centres (K, 2) of the tiles in the first frame, x and y; those too near to a border are left out.
        model: What is fitted: four or eight parameters.
        steps: Most iterations.
    """
    fit = Fit(start, 0.0, 0)
    for _ in range(steps):
        root = halve(fit.transform)
        back = np.linalg.inv(root)
        centres = move(back, places)
        centres = centres[_inside(move(root, centres), first.shape) & _inside(move(back, centres), second.shape)]
        if len(centres) < 8:
            return Fit(start, 0.0, len(centres))
        points = centres[:, None, None] + _PIXELS
        tiles, moved = zip(_sample(first, move(root, points)), _sample(second, move(back, points)), strict=True)
        update, agreeing, step = _fit(*_equations(*tiles, moved[1] - moved[0]), centres, model)
        fit = Fit(normalise(root @ update @ root), agreeing, len(centres))
        if step < STILL:
            break
    return fit


def _inside(points: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    return ((points >= REACH) & (points <= np.array(shape[1::-1]) - 1 - REACH)).all(-1)


def _sample(frame: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sample tiles at points (K, S, S, 2), with mean 0 and deviation 1, and tell by how much rounding moved each, (K, 2).

    Linear interpolation, smoothed, shifts an edge less than OpenCV's cubic does.
    """
    count, side = points.shape[:2]
    rounded = np.rint(points / FRACTION) * FRACTION
    sampled = cv2.remap(
        frame, rounded.reshape(-1, side, 2).astype(np.float32), None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    tiles = cv2.GaussianBlur(to_255(sampled, np.float32), (0, 0), 1).reshape(count, side, side)
    mean, deviation = (f(tiles[_CORE], axis=(1, 2), keepdims=True) for f in (np.mean, np.std))
    return (tiles - mean) / (deviation + 1e-3), (rounded - points).mean((1, 2))


def _equations(first: np.ndarray, second: np.ndarray, moved: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Compute for each tile its normal matrix (K, 2, 2), the shift between its versions (K, 2), and their correlation (K,)."""
    mean = (first + second) / 2
    x = (mean[:, :, 2:] - mean[:, :, :-2])[:, RIM:-RIM, RIM - 1 : 1 - RIM] / 2
    y = (mean[:, 2:] - mean[:, :-2])[:, RIM - 1 : 1 - RIM, RIM:-RIM] / 2
    gradient = np.stack([x, y], 1).reshape(len(x), 2, -1)
    difference = (first - second)[_CORE].reshape(len(x), -1, 1)
    normal = (gradient @ gradient.transpose(0, 2, 1)).astype(np.float64)
    ridge = 1e-3 * np.trace(normal, axis1=1, axis2=2)[:, None, None] * np.eye(2) + 1e-9 * np.eye(2)
    apart = np.linalg.solve(normal + ridge, (gradient @ difference).astype(np.float64))[..., 0] + moved
    return normal, apart, (first[_CORE] * second[_CORE]).mean((1, 2), dtype=np.float64)


def _fit(normal: np.ndarray, apart: np.ndarray, correlation: np.ndarray, centres: np.ndarray, model: Model):
    """Fit one update (3, 3) to all tiles; with it the share of tiles that agree, and how far the update moves them."""
    centre, scale = centres.mean(0), np.abs(centres - centres.mean(0)).max() + 1
    basis = _basis((centres - centre) / scale, model)
    trust = np.clip(correlation, 0, 1) / (1.02 - np.minimum(correlation, 1)) ** 2 + 1e-3
    trace = np.trace(normal, axis1=1, axis2=2) + 1e-9
    weights, weighed = trust, normal @ basis
    for _ in range(10):  # reweighted least squares with Geman and McClure's weights
        left = np.einsum("k,kip,kiq->pq", weights, basis, weighed)
        right = np.einsum("k,kip,ki->p", weights, weighed, apart)
        ridge = 1e-9 * np.trace(left) * np.eye(len(left)) + 1e-12 * np.eye(len(left))
        parameters = np.linalg.solve(left + ridge, -right)
        left_over = apart + basis @ parameters
        errors = np.sqrt(np.einsum("ki,kij,kj->k", left_over, normal, left_over) / trace)
        spread = max(1.4826 * float(np.median(errors)), 0.05)
        weights = trust / (1 + (errors / (2 * spread)) ** 2) ** 2
    agreeing = (correlation > CORRELATION) & (errors < TOLERANCE)
    step = float(np.sqrt(((basis @ parameters) ** 2).sum(-1).mean()))
    return _update(parameters, centre, scale), float(agreeing.mean()), step


def _basis(places: np.ndarray, model: Model) -> np.ndarray:
    """Compute how each parameter moves a place (K, 2): (K, 2, 4) or (K, 2, 8)."""
    x, y = places.T
    zero, one = np.zeros_like(x), np.ones_like(x)
    moves = [(one, zero), (zero, one), (x, y), (-y, x)]
    if model == "homography":
        moves += [(x, -y), (y, x), (x * x, x * y), (x * y, y * y)]
    return np.stack([np.stack(move, -1) for move in moves], -1)


def _update(parameters: np.ndarray, centre: np.ndarray, scale: float) -> np.ndarray:
    """Make the transform (3, 3) that moves places as the parameters say."""
    x, y, zoom, turn, stretch, shear, tilt_x, tilt_y = [*parameters, *np.zeros(8 - len(parameters))] / scale
    inner = np.array([[1 + zoom + stretch, shear - turn, x], [shear + turn, 1 + zoom - stretch, y], [-tilt_x, -tilt_y, 1]])
    outer = np.array([[1 / scale, 0, -centre[0] / scale], [0, 1 / scale, -centre[1] / scale], [0, 0, 1]])
    return np.linalg.inv(outer) @ inner @ outer
