"""Estimate how the frames of a focal stack lie over each other: neighbours in pairs, chained from the middle outwards.

Neighbours differ least: a lens that changes its magnification while it focuses makes the first and the last frame too
different. A pair is matched by features of reduced copies, then refined on tiles, first reduced, then at full resolution.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np

from mffrepro.alignment import features
from mffrepro.alignment.geometry import Model, grid, halve, is_plausible, move, normalise, offset, reduction, shift
from mffrepro.alignment.tiles import LEAST, Fit, refine
from mffrepro.errors import ImageError
from mffrepro.threads import in_threads_one_by_one

#: Longer side of the reduced copies, in pixels.
REDUCED = 512
#: Most tiles of a pair, the cells (columns, rows) that give one each, and the window of their detail.
TILES, CELLS, WINDOW = 200, (24, 18), 15
#: A place with less of the strongest detail of a frame gives no tile.
FAINT = 1e-3
#: Share of the tiles that must agree: neighbours of real stacks reach 0.9, pictures of different things 0.1.
AGREEING = 0.4
#: A stack whose frames lie so near to their place, in pixels, is left as it is: resampling would cost more than it mends.
STILL = 0.05


@dataclass(frozen=True)
class Frame:
    """Hold what a frame is matched by.

    Attributes:
        gray: (H, W) of the frame's dtype.
        reduced: Its reduced copy, stretched to uint8.
        features: Places and descriptors of the copy.
        name: How errors call the frame.
    """

    gray: np.ndarray
    reduced: np.ndarray
    features: features.Features
    name: str


def prepare(image: np.ndarray, name: str, side: int = REDUCED) -> Frame:
    """Reduce an image (H, W) or (H, W, 3) and detect its features.

    Args:
        image: uint8, uint16 or float in [0, 1].
        name: How errors call the frame.
        side: Longer side of the reduced copy, in pixels.
    """
    image = image if image.dtype in (np.uint8, np.uint16) else image.astype(np.float32, copy=False)
    gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) if image.ndim == 3 else image
    ratio = min(1.0, side / max(gray.shape))
    size = tuple(max(1, round(length * ratio)) for length in gray.shape[::-1])
    reduced = _stretched(cv2.resize(gray, size, interpolation=cv2.INTER_AREA))
    return Frame(gray, reduced, features.detect(reduced), name)


def _stretched(gray: np.ndarray) -> np.ndarray:
    """Stretch all but the darkest and the brightest pixels over uint8, so that dark and 12-bit frames have features too."""
    low, high = np.percentile(gray, [0.5, 99.5])
    return np.uint8(np.clip((gray - np.float32(low)) * np.float32(255 / max(high - low, 1e-9)), 0, 255))


def match(first: Frame, second: Frame, model: Model) -> np.ndarray:
    """Estimate the transform (3, 3) from the second frame to the first.

    Raises:
        ImageError: They have too little in common; the sentence names the second.
    """
    fit, places = match_reduced(first, second)
    to_reduced = reduction(first.gray.shape, first.reduced.shape)
    transform = to_full(fit, first)
    _check(fit, transform, first, second)
    finest = refine(first.gray, second.gray, transform, move(np.linalg.inv(to_reduced), places), model, steps=3)
    if not finest.agreeing:  # tiles without detail at full resolution
        return transform
    _check(fit, finest.transform, first, second)
    return finest.transform


def to_full(fit: Fit, frame: Frame) -> np.ndarray:
    """Convert the transform between two reduced copies to one between frames."""
    to_reduced = reduction(frame.gray.shape, frame.reduced.shape)
    return normalise(np.linalg.inv(to_reduced) @ fit.transform @ to_reduced)


def match_reduced(first: Frame, second: Frame, tiles: int = TILES) -> tuple[Fit, np.ndarray]:
    """Fit a similarity transform to the reduced copies of two frames.

    Args:
        first: The frame that stays in place.
        second: Its neighbour.
        tiles: Most tiles.

    Returns:
        The fit from the second to the first, and the centres (K, 2) of its tiles in the first.
    """
    rough = features.rough_similarity(first.features, second.features)
    fit, places = Fit(np.eye(3), 0.0, 0), np.zeros((0, 2))
    for start in (rough, np.eye(3)):  # frames without features may still lie near enough
        if start is not None and is_plausible(start, first.reduced.shape):
            places = _places(first.reduced, second.reduced, start)[:tiles]
            fit = refine(first.reduced, second.reduced, start, places, "similarity", steps=3)
            if fit.agreeing >= AGREEING:
                break
    return fit, places


def _places(first: np.ndarray, second: np.ndarray, start: np.ndarray) -> np.ndarray:
    """Choose places (K, 2) in the first frame where both have detail, spread over the frame."""
    size = first.shape[::-1]
    over = cv2.warpPerspective(second, start, size, borderMode=cv2.BORDER_REPLICATE)
    detail = np.minimum(*(cv2.cornerMinEigenVal(gray, WINDOW, 3) for gray in (first, over)))
    rows, columns = (np.linspace(0, side, cells + 1).astype(int) for side, cells in zip(first.shape, CELLS[::-1], strict=True))
    found = []
    for top, bottom in pairwise(rows):
        for left, right in pairwise(columns):
            if (cell := detail[top:bottom, left:right]).size:
                y, x = np.unravel_index(cell.argmax(), cell.shape)
                found.append((cell[y, x], left + x, top + y))
    found = np.array(sorted(found, reverse=True)[:TILES])
    return found[found[:, 0] > max(FAINT * found[0, 0], 1e-9), 1:]


def _check(fit: Fit, transform: np.ndarray, first: Frame, second: Frame) -> None:
    """Raise ImageError unless a match can be believed."""
    pair = f"{second.name} cannot be aligned with {first.name}"
    if fit.tiles < LEAST:
        raise ImageError(f"{pair}: they share too little detail; leave {second.name} out, or do without alignment")
    if fit.agreeing < AGREEING:
        reason = f"only {fit.agreeing:.0%} of their detail matches, {AGREEING:.0%} are needed"
        raise ImageError(f"{pair}: {reason}; leave {second.name} out if it shows something else")
    if not is_plausible(transform, first.gray.shape):
        raise ImageError(f"{pair}: their magnifications differ by more than a fifth; leave {second.name} out")


def estimate_chain(frames: Iterable[Frame], model: Model) -> np.ndarray:
    """Estimate the transforms (N, 3, 3) of frames that come one by one.

    Only a few are held at a time.
    """
    shape, names = (0, 0), []

    def known() -> Iterator[Frame]:
        nonlocal shape
        for frame in frames:
            shape = frame.gray.shape
            names.append(frame.name)
            yield frame

    pairs = list(in_threads_one_by_one(lambda pair: match(*pair, model), pairwise(known())))
    return _from_middle(pairs, shape, names)


def _from_middle(pairs: Sequence[np.ndarray], shape: tuple[int, ...], names: Sequence[str]) -> np.ndarray:
    """Chain the transforms between neighbours from the middle frame outwards.

    With an even number of frames the common pixels lie halfway between the two in the middle.
    """
    count = len(pairs) + 1
    middle = (count - 1) // 2
    transforms = [np.eye(3)] * count
    if count % 2 == 0:
        transforms[middle] = np.linalg.inv(halve(pairs[middle]))
    for n in range(middle + 1, count):
        transforms[n] = transforms[n - 1] @ pairs[n - 1]
    for n in range(middle - 1, -1, -1):
        transforms[n] = transforms[n + 1] @ np.linalg.inv(pairs[n])
    transforms = np.stack([normalise(transform) for transform in transforms])
    for transform, name in zip(transforms, names, strict=True):
        if not is_plausible(transform, shape):
            raise ImageError(f"{name} cannot be aligned with the middle of the stack: its scale differs by over a fifth")
    if max(offset(transform, shape) for transform in transforms) < STILL:
        return np.stack([np.eye(3)] * count)
    return shift(*_even_shift(transforms, shape)) @ transforms


def _even_shift(transforms: np.ndarray, shape: tuple[int, ...]) -> tuple[float, float]:
    """Choose by which fraction of a pixel to move all frames so that interpolation softens them alike.

    Interpolation at a fraction f of a pixel keeps whole pixels as they are and softens most at one half, about as
    1 - cos(2 pi f). A frame that stayed in place would be the sharpest everywhere.
    """
    steps = np.arange(-16, 16) / 32
    sources = np.stack([move(np.linalg.inv(transform), grid(shape, 16)) for transform in transforms])
    phases = np.exp(2j * np.pi * sources).mean(1)
    softening = (phases[:, None] * np.exp(-2j * np.pi * steps)[:, None]).real
    unequal = softening.var(0) + 1e-4 * steps[:, None] ** 2
    x, y = steps[unequal.argmin(0)]
    return float(x), float(y)
