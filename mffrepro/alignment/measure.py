"""Measure on reduced copies whether a stack is aligned, in a fraction of the time that its alignment takes."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

import numpy as np

from mffrepro.alignment.chain import AGREEING, Frame, match_reduced, prepare, to_full
from mffrepro.alignment.geometry import offset
from mffrepro.progress import steps

#: Longer side of the copies in pixels, and tiles of a pair.
SIDE, TILES = 384, 80
#: Frames that lie so far off their neighbours, or off the middle of the stack, are worth a note, in pixels of the frames and in
#: those of the copies. Strong blur alone moves a registered pair by 1 to 1.6 pixels.
WORTH, WORTH_REDUCED = 1.5, 0.15
#: Longer side of the smallest frames that are judged: in smaller ones the blur of a frame moves its tiles by as much.
SMALLEST = 256


def describe_worst(images: Sequence[np.ndarray], names: Sequence[str]) -> str | None:
    """Say which frame lies farthest off its neighbour, or off the middle.

    Args:
        images: Frames (H, W) or (H, W, 3) of one size.
        names: What the sentence calls them.
    """
    if max(images[0].shape[:2]) < SMALLEST:
        return None
    frames = (prepare(image, name, SIDE) for image, name in zip(steps(images, "measuring"), names, strict=True))
    shape, middle = images[0].shape[:2], (len(images) - 1) // 2
    limit = max(WORTH, WORTH_REDUCED * max(shape) / SIDE)
    pairs = list(_pairs(frames))
    neighbours = [(offset(pair, shape), n + 1, n) for n, pair in enumerate(pairs) if pair is not None]
    others = [(offset(transform, shape), n, middle) for n, transform in _from_middle(pairs, middle)]
    for found in (neighbours, others):
        off, frame, other = max(found, default=(0.0, 0, 0))
        if off >= limit:
            return f"{names[frame]} is {off:.1f} px off {names[other]}"
    return None


def _pairs(frames: Iterable[Frame]) -> Iterator[np.ndarray | None]:
    """Find the transform from each frame to the one before it; None where the two do not match."""
    for first, second in pairwise(frames):
        fit, _ = match_reduced(first, second, TILES)
        yield to_full(fit, first) if fit.agreeing >= AGREEING else None


def _from_middle(pairs: Sequence[np.ndarray | None], middle: int) -> Iterator[tuple[int, np.ndarray]]:
    """Chain pairs outwards from the middle frame, on either side as far as they match."""
    after = ((n + 1, pair) for n, pair in enumerate(pairs) if n >= middle)
    before = ((n, None if pair is None else np.linalg.inv(pair)) for n, pair in reversed([*enumerate(pairs)]) if n < middle)
    for side in (after, before):
        transform = np.eye(3)
        for n, pair in side:
            if pair is None:
                break
            transform = transform @ pair
            yield n, transform
