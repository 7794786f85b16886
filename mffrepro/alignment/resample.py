"""Move the frames of a stack onto their common pixels."""

from collections.abc import Sequence

import cv2
import numpy as np

from mffrepro.alignment.geometry import common_area, covered, shift
from mffrepro.errors import ImageError
from mffrepro.images import Frames, Shares
from mffrepro.images.spool import Spool


def resample(
    images: np.ndarray | Frames, transforms: np.ndarray, *, crop: bool, into: np.ndarray | None = None
) -> np.ndarray | Frames:
    """Resample frames by cubic interpolation.

    Where a frame does not reach, it repeats its neighbour towards the middle of the stack, so that a fusion never takes what no
    lens saw.

    Args:
        images: (N, H, W) or (N, H, W, 3), uint8, uint16 or float in [0, 1].
        transforms: (N, 3, 3), from each frame to the common pixels.
        crop: Whether to keep only what all frames cover.
        into: Where to write; it may be `images` itself. By default new memory; frames go to a temporary file in any case.

    Returns:
        (N, h, w[, 3]) of the dtype of `images`; frames where these are frames.

    Raises:
        ImageError: `crop`, and the frames have less than a quarter of their area in common.
    """
    shape = images.shape[1:3]
    rows, columns = common_area(transforms, shape) if crop else (slice(0, shape[0]), slice(0, shape[1]))
    size = rows.stop - rows.start, columns.stop - columns.start
    if size[0] * size[1] * 4 < shape[0] * shape[1]:
        raise ImageError(f"the frames share only {size[1]}x{size[0]} of {shape[1]}x{shape[0]} pixels; leave out those far off")
    origin = shift(-columns.start, -rows.start)
    if isinstance(images, Frames):
        return _spooled(images, origin @ transforms, size, fill=not crop)
    out = _room(images if into is None else into, size, new=into is None)
    for image, transform, target in zip(images, transforms, out, strict=True):
        target[...] = _moved(image, origin @ transform, size)
    if not crop:
        _fill(out, [covered(transform, shape) for transform in transforms])
    return out


def _spooled(images: Frames, transforms: np.ndarray, size: tuple[int, int], *, fill: bool) -> Frames:
    """Resample frames into a temporary file, from the middle outwards, so that each finds its neighbour there."""
    spool, kept = Spool(), {}
    for frame, neighbour in [((len(images) - 1) // 2, None), *inward(len(images))]:
        moved = _moved(images[frame], transforms[frame], size)
        if fill and neighbour is not None and not (valid := covered(transforms[frame], size)).all():
            moved = np.where(valid if moved.ndim == 2 else valid[..., None], moved, kept[neighbour]())
        kept[frame] = spool.keep(moved)
    return Frames([kept[n] for n in range(len(images))], (*size, *images.shape[3:]), images.dtype)


def _room(like: np.ndarray, size: tuple[int, int], *, new: bool) -> np.ndarray:
    """Make room for frames of another size, or find it at the start of `like`, where frame n ends before n + 1 begins."""
    shape = (len(like), *size, *like.shape[3:])
    return np.empty(shape, like.dtype) if new else like.reshape(-1)[: np.prod(shape)].reshape(shape)


def _moved(image: np.ndarray, transform: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    if np.array_equal(transform, np.eye(3)) and size == image.shape[:2]:
        return image
    work = image.astype(np.float32) if image.dtype == np.float16 else image
    options = {"flags": cv2.INTER_CUBIC, "borderMode": cv2.BORDER_REFLECT_101}
    if transform[2, :2].any():
        moved = cv2.warpPerspective(work, transform, size[::-1], **options)
    else:
        moved = cv2.warpAffine(work, transform[:2], size[::-1], **options)
    return np.clip(moved, 0, 1) if np.issubdtype(image.dtype, np.floating) else moved


def inward(count: int) -> list[tuple[int, int]]:
    """List every frame but the middle one with its neighbour towards the middle.

    The neighbour's own row comes first.
    """
    middle = (count - 1) // 2
    return [(n, n - 1) for n in range(middle + 1, count)] + [(n, n + 1) for n in range(middle - 1, -1, -1)]


def _fill(frames: np.ndarray, valid: Sequence[np.ndarray]) -> None:
    for frame, neighbour in inward(len(frames)):
        frames[frame][~valid[frame]] = frames[neighbour][~valid[frame]]


def credit_source(decision: np.ndarray | Shares, transforms: np.ndarray) -> np.ndarray | Shares:
    """Move shares to the frames that were repeated where others do not reach.

    Args:
        decision: The share of each frame at the common pixels, not cropped: (N, H, W), or as `FusionResult.shares` keeps them.
        transforms: (N, 3, 3), from each frame to the common pixels.

    Returns:
        Of the kind of `decision`, zero wherever a frame does not reach but the middle one.
    """
    if isinstance(decision, Shares):
        for frame, neighbour in reversed(inward(len(decision))):
            decision = decision.moved(~covered(transforms[frame], decision.shape[1:]), frame, neighbour)
        return decision
    decision = decision.copy()
    for frame, neighbour in reversed(inward(len(decision))):
        outside = ~covered(transforms[frame], decision.shape[1:])
        decision[neighbour][outside] += decision[frame][outside]
        decision[frame][outside] = 0
    return decision
