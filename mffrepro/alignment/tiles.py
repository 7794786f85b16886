"""Refine the transform between two frames to a fraction of a pixel, by small tiles around places with detail.

Every tile is sampled from both frames halfway between them, so that both are interpolated alike. The sharper of the two versions
is smoothed until both are equally sharp, and both are freed of their mean and contrast: neither focus nor exposure then matters.
By least squares [lucas1981] a tile tells how far its two versions lie apart, and how surely in which direction. One transform is
fitted to all tiles. A tile weighs more if its versions correlate, and less if it contradicts the others.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from mffrepro.alignment.geometry import Model, halve, move, move_patches, normalise
from mffrepro.images import to_255

#: Side of a tile in pixels, and what is sampled around it for smoothing and derivatives.
SIDE, RIM = 31, 8
#: Positions are multiples of this, which OpenCV would round to.
FRACTION = np.float32(1 / 32)
#: Standard deviations in pixels between which the smoothing that makes two versions equally sharp is interpolated.
BLURS = (0.7, 1.0, 1.5, 2.0, 3.0, 4.0, 5.5)
#: A tile agrees if its versions correlate so much and lie so few pixels from where the transform says.
CORRELATION, TOLERANCE = 0.6, 0.5
#: Iterations end when the tiles move by less, in pixels.
STILL = 0.01
#: Fewer tiles tell nothing.
LEAST = 8

REACH = SIDE // 2 + RIM
_PIXELS = np.stack(np.meshgrid(*2 * [np.arange(-REACH, REACH + 1.0)]), -1)
_CORE = np.s_[:, RIM:-RIM, RIM:-RIM]
#: Pixels of a tile count less towards its border, where either version may hold what the other does not; they sum to 1.
_WINDOW = np.outer(*2 * [np.hanning(SIDE + 2)[1:-1]]).astype(np.float32) * np.float32(4 / (SIDE + 1) ** 2)


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
    root = halve(start)
    back = np.linalg.inv(root)
    centres = move(back, places)
    centres = centres[_inside(move(root, centres), first.shape) & _inside(move(back, centres), second.shape)]
    if len(centres) < LEAST:
        return Fit(start, 0.0, len(centres))
    transform, blur = start, None
    for _ in range(steps):
        ways = (first, root), (second, back)
        (ours, moved), (theirs, moved_too) = (_sample(gray, move_patches(way, centres, _PIXELS)) for gray, way in ways)
        blur = _blur_between(ours, theirs) if blur is None else blur
        equations = _equations(_blurred(ours, blur), _blurred(theirs, -blur))
        update, agreeing, step = _fit(*equations, moved_too - moved, centres, model)
        transform = normalise(root @ update @ root)
        if step < STILL:
            break
        root = halve(transform)
        back = np.linalg.inv(root)
    return Fit(transform, agreeing, len(centres))


def _inside(points: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    return ((points >= REACH) & (points <= np.array(shape[1::-1]) - 1 - REACH)).all(-1)


def _sample(frame: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sample tiles at points (K, S, S, 2), and tell by how much rounding moved each, (K, 2).

    Linear interpolation, smoothed, shifts an edge less than OpenCV's cubic does.
    """
    count, side = points.shape[:2]
    rounded = np.rint(points / FRACTION) * FRACTION
    sampled = cv2.remap(frame, rounded.reshape(-1, side, 2), None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    moved = np.full(side**2, 1 / side**2, np.float32) @ (rounded - points).reshape(count, -1, 2)
    return _smoothed(to_255(sampled, np.float32).reshape(count, side, side), 1.0), moved


def _smoothed(tiles: np.ndarray, sigma: float) -> np.ndarray:
    side = tiles.shape[1]  # all at once, one below the other: what crosses their borders stays in the rim
    return cv2.GaussianBlur(tiles.reshape(-1, side), (0, 0), sigma).reshape(tiles.shape)


def _blur_between(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Find by which Gaussian the sharper version of each tile must be smoothed (K,): negative where that is the second."""
    sharpness = [_sharpness(tiles) for tiles in (first, second)]
    goal, second_sharper = np.minimum(*sharpness), sharpness[1] > sharpness[0]
    sharper = np.where(second_sharper[:, None, None], second, first)
    tried = np.stack([np.maximum(*sharpness), *(_sharpness(_smoothed(sharper, sigma)) for sigma in BLURS)])
    tried, goal = np.log(tried[::-1].T + 1e-9), np.log(goal + 1e-9)  # from the strongest smoothing, so that sharpness rises
    sigmas = [np.interp(wanted, known, (0, *BLURS)[::-1]) for wanted, known in zip(goal, tried, strict=True)]
    return np.array(sigmas) * np.where(second_sharper, -1, 1)


def _blurred(tiles: np.ndarray, blur: np.ndarray) -> np.ndarray:
    """Smooth the tiles whose blur is positive, as much as it says; under 0.3 pixels nothing changes."""
    pairs = zip(tiles, blur, strict=True)
    return np.stack([tile if sigma < 0.3 else cv2.GaussianBlur(tile, (0, 0), sigma) for tile, sigma in pairs])


def _sharpness(tiles: np.ndarray) -> np.ndarray:
    """Measure the energy of the derivatives of each tile relative to its variance."""
    gradient = _gradient(_standardised(tiles))
    return np.einsum("kdp,kdp,p->k", gradient, gradient, _WINDOW.reshape(-1))


def _standardised(tiles: np.ndarray) -> np.ndarray:
    """Give each tile weighted mean 0 and weighted deviation 1."""
    core = tiles[_CORE]
    mean = np.einsum("kij,ij->k", core, _WINDOW)[:, None, None]
    variance = np.einsum("kij,kij,ij->k", core, core, _WINDOW)[:, None, None] - mean**2
    return (tiles - mean) / (np.sqrt(np.maximum(variance, 0)) + np.float32(1e-3))


def _gradient(tiles: np.ndarray) -> np.ndarray:
    """Differentiate tiles: (K, 2, SIDE * SIDE), x and y."""
    x = (tiles[:, :, 2:] - tiles[:, :, :-2])[:, RIM:-RIM, RIM - 1 : 1 - RIM]
    y = (tiles[:, 2:] - tiles[:, :-2])[:, RIM - 1 : 1 - RIM, RIM:-RIM]
    return np.stack([x, y], 1).reshape(len(tiles), 2, -1) / 2


def _equations(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Compute for each tile its normal matrix (K, 2, 2), the shift between its versions (K, 2), and their correlation (K,)."""
    first, second = _standardised(first), _standardised(second)
    gradient = _gradient((first + second) / 2)
    weighed = gradient * (SIDE**2 * _WINDOW.reshape(-1))
    difference = (first - second)[_CORE].reshape(len(first), -1, 1)
    normal = (weighed @ gradient.transpose(0, 2, 1)).astype(np.float64)
    ridge = (1e-3 * np.trace(normal, axis1=1, axis2=2) + 1e-9)[:, None, None] * np.eye(2)
    apart = np.linalg.solve(normal + ridge, (weighed @ difference).astype(np.float64))[..., 0]
    return normal, apart, np.einsum("kij,kij,ij->k", first[_CORE], second[_CORE], _WINDOW).astype(np.float64)


def _fit(normal, apart, correlation, moved, centres, model: Model) -> tuple[np.ndarray, float, float]:
    """Fit one update (3, 3) to all tiles; with it the share of tiles that agree, and how far the update moves them.

    A tile is trusted by the inverse of its residual, which is small where its versions correlate. One that contradicts the others
    loses its weight by Geman and McClure's function.
    """
    apart = apart + moved
    centre, scale = centres.mean(0), np.abs(centres - centres.mean(0)).max() + 1
    basis = _basis((centres - centre) / scale, model)
    weighed = normal @ basis
    trust = np.clip(correlation, 0, 1) / (1.02 - np.minimum(correlation, 1)) ** 2 + 1e-3
    trace = np.trace(normal, axis1=1, axis2=2) + 1e-9
    weights = trust
    for _ in range(10):
        left = np.einsum("k,kip,kiq->pq", weights, basis, weighed)
        right = np.einsum("k,kip,ki->p", weights, weighed, apart)
        parameters = np.linalg.solve(left + (1e-9 * np.trace(left) + 1e-12) * np.eye(len(left)), -right)
        errors = apart + basis @ parameters
        errors = np.sqrt(np.einsum("ki,kij,kj->k", errors, normal, errors) / trace)
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
    x, y, zoom, turn, stretch, shear, tilt_x, tilt_y = np.append(parameters, np.zeros(8 - len(parameters))) / scale
    inner = np.array([[1 + zoom + stretch, shear - turn, x], [shear + turn, 1 + zoom - stretch, y], [-tilt_x, -tilt_y, 1]])
    outer = np.array([[1 / scale, 0, -centre[0] / scale], [0, 1 / scale, -centre[1] / scale], [0, 0, 1]])
    return np.linalg.inv(outer) @ inner @ outer
