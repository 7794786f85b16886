"""Join pictures to one stack: settle orientation, gray and colour, sizes, alpha and colour profiles, and say what was done."""

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mffrepro.images.arrays import check_image, check_same_size
from mffrepro.images.metadata import Metadata, profile_name
from mffrepro.images.orientation import follow_sensor, turned_back
from mffrepro.images.picture import Picture


def join(
    pictures: Iterable[Picture], names: Sequence[str], *, crop: bool = False
) -> tuple[np.ndarray, np.ndarray | None, list[Metadata | None]]:
    """Join pictures of one scene.

    Args:
        pictures: N >= 2, as they are stored; each is copied before the next is asked for, as memory would hold all of them twice.
        names: What errors and warnings call them.
        crop: Crop different sizes to the largest size that all have, around their centres.

    Returns:
        Images (N, H, W) or (N, H, W, 3), upright; their alpha (N, H, W), or None unless all have one; and their metadata.

    Raises:
        ImageError: The pictures differ in size or dtype, or one has a shape or dtype that no image has.
    """
    block, frames, turns, copies = None, [], [], []
    for i, (picture, name) in enumerate(zip(pictures, names, strict=True)):
        _check_shape(picture.pixels, name)
        upright = picture.upright()
        if block is None:
            block = np.empty((len(names), *upright.pixels.shape), upright.pixels.dtype)
        if upright.pixels.shape == block.shape[1:] and upright.pixels.dtype == block.dtype:
            copies.append(block[i])
            copies[-1][...] = upright.pixels
            upright = replace(upright, pixels=copies[-1])
        frames.append(upright)
        turns.append(picture.orientation)
    metadata = [frame.metadata for frame in frames]
    _note_profiles(metadata, names)
    frames = _settle(frames, turns, names, crop)
    alpha = np.stack([frame.alpha for frame in frames]) if _keeps_alpha(frames, names) else None
    if len(copies) == len(frames) and all(frame.pixels is copy for frame, copy in zip(frames, copies, strict=True)):
        return block, alpha, metadata
    for frame, name in zip(frames, names, strict=True):
        check_same_size([frames[0].pixels, frame.pixels], [names[0], name], " (crop=True, --crop)")
    return np.stack([frame.pixels for frame in frames]), alpha, metadata


@dataclass(frozen=True)
class Agreement:
    """Say how the pictures of a stack are brought together.

    Attributes:
        shape: (H, W) or (H, W, 3) of each image.
        dtype: Its type.
        as_stored: Whether the pictures are used as the sensor stored them, not turned.
        has_alpha: Whether all have alpha.
        metadata: Of each picture.
    """

    shape: tuple[int, ...]
    dtype: np.dtype
    as_stored: bool
    has_alpha: bool
    metadata: list[Metadata | None]

    def fit(self, picture: Picture) -> Picture:
        """Turn, crop and convert a decoded picture."""
        frame = picture if self.as_stored else picture.upright()
        alpha = _middle(frame.alpha, *self.shape[:2]) if self.has_alpha else None
        pixels = _middle(frame.pixels, *self.shape[:2])
        pixels = pixels[..., 0] if pixels.shape[2:] == (1,) else pixels
        if pixels.ndim < len(self.shape):
            pixels = _tripled(pixels)
        return Picture(np.ascontiguousarray(pixels), None if alpha is None else np.ascontiguousarray(alpha))


def agree(outlines: Sequence[Picture], names: Sequence[str], *, crop: bool = False) -> Agreement:
    """Find out how pictures come together.

    What they hold does not matter, so that outlines will do. Arguments and errors are those of `join`.
    """
    for outline, name in zip(outlines, names, strict=True):
        _check_shape(outline.pixels, name)
    turns, metadata = [outline.orientation for outline in outlines], [outline.metadata for outline in outlines]
    _note_profiles(metadata, names)
    frames = _settle([outline.upright() for outline in outlines], turns, names, crop)
    has_alpha = _keeps_alpha(frames, names)
    for frame, name in zip(frames, names, strict=True):
        check_same_size([frames[0].pixels, frame.pixels], [names[0], name], " (crop=True, --crop)")
    as_stored = follow_sensor([outline.pixels.shape[:2] for outline in outlines], turns)
    return Agreement(frames[0].pixels.shape, frames[0].pixels.dtype, as_stored, has_alpha, metadata)


def _settle(frames: list[Picture], turns: Sequence[int], names: Sequence[str], crop: bool) -> list[Picture]:
    """Settle what upright pictures disagree about."""
    frames = _as_stored(frames, turns)
    if crop:
        frames = _cropped(frames, names)
    return _all_colour(frames, names)


def _check_shape(pixels: np.ndarray, name: str) -> None:
    """Raise ImageError for arrays that are no images, before their values are looked at."""
    blank = np.broadcast_to(np.zeros((), pixels.dtype), pixels.shape) if pixels.dtype.kind in "uf" else pixels
    check_image(blank, name)


def _as_stored(frames: list[Picture], turns: Sequence[int]) -> list[Picture]:
    """Turn upright pictures back to how the sensor stored them, where they belong together so."""
    stored = [
        frame.pixels.shape[1::-1] if turn >= 5 else frame.pixels.shape[:2] for frame, turn in zip(frames, turns, strict=True)
    ]
    if not follow_sensor(stored, turns):
        return frames
    listed = " and ".join(map(str, sorted(set(turns))))
    warnings.warn(
        f"EXIF orientations differ ({listed}) but the stored sizes agree; the images are fused as the sensor stored them",
        stacklevel=5,
    )
    return [replace(frame, orientation=turned_back(turn)).upright() for frame, turn in zip(frames, turns, strict=True)]


def _cropped(frames: list[Picture], names: Sequence[str]) -> list[Picture]:
    """Crop different sizes to the largest that all have, around their centres."""
    sizes = [frame.pixels.shape[:2] for frame in frames]
    height, width = min(height for height, _ in sizes), min(width for _, width in sizes)
    changed = [name for name, size in zip(names, sizes, strict=True) if size != (height, width)]
    if not changed:
        return frames
    warnings.warn(f"{_listed(changed)}: cropped to {width}x{height} pixels, which all images have", stacklevel=5)

    def middle(array: np.ndarray | None) -> np.ndarray | None:
        return None if array is None else _middle(array, height, width)

    return [replace(f, pixels=middle(f.pixels), alpha=middle(f.alpha)) for f in frames]


def _middle(array: np.ndarray, height: int, width: int) -> np.ndarray:
    """Cut the middle out of an array (H, W, ...)."""
    top, left = (array.shape[0] - height) // 2, (array.shape[1] - width) // 2
    return array[top : top + height, left : left + width]


def _all_colour(frames: list[Picture], names: Sequence[str]) -> list[Picture]:
    """Drop a third axis of one channel, and give gray pictures three channels where others are colour."""
    frames = [replace(f, pixels=f.pixels[..., 0]) if f.pixels.shape[2:] == (1,) else f for f in frames]
    gray = [name for frame, name in zip(frames, names, strict=True) if frame.pixels.ndim == 2]
    if not gray or len(gray) == len(frames):
        return frames
    warnings.warn(f"{_listed(gray)}: gray among colour images, converted to colour", stacklevel=5)
    return [replace(f, pixels=_tripled(f.pixels)) if f.pixels.ndim == 2 else f for f in frames]


def _tripled(gray: np.ndarray) -> np.ndarray:
    return np.broadcast_to(gray[..., None], (*gray.shape, 3))


def _keeps_alpha(frames: Sequence[Picture], names: Sequence[str]) -> bool:
    with_alpha = [name for frame, name in zip(frames, names, strict=True) if frame.alpha is not None]
    if with_alpha and len(with_alpha) < len(names):
        warnings.warn(f"{_listed(with_alpha)}: the alpha channel is dropped, as the other images have none", stacklevel=4)
    return len(with_alpha) == len(names)


def _note_profiles(metadata: Sequence[Metadata | None], names: Sequence[str]) -> None:
    """Warn where files have different colour profiles: equal values are then different colours."""
    profiles = [(name, one.icc) for name, one in zip(names, metadata, strict=True) if one is not None]
    other = next(((name, icc) for name, icc in profiles if icc != profiles[0][1]), None)
    if other is not None:
        profiles = " and ".join(f"{name} has {profile_name(icc)}" for name, icc in (profiles[0], other))
        warnings.warn(
            f"colour profiles differ ({profiles}); convert them to one, as their values are fused as they are", stacklevel=4
        )


def _listed(names: Sequence[str]) -> str:
    """Name one of several images, and the number of the others."""
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"
