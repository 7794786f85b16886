"""Keep the transforms of a stack in a JSON file, to align the same frames again, or others taken in the same way."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mffrepro.alignment.geometry import is_plausible
from mffrepro.errors import ImageError, brief
from mffrepro.images import write_atomically
from mffrepro.images.limits import real_path

#: First entry of a file, with the version of its layout.
FORMAT = "mffrepro transforms 1"
#: Most bytes of a file: 10,000 frames take about three million.
MOST_BYTES = 10_000_000


def save_transforms(path: str | os.PathLike, transforms: np.ndarray, shape: tuple[int, ...]) -> Path:
    """Write transforms as JSON, whole or not at all.

    Args:
        path: The file.
        transforms: (N, 3, 3) of `estimate`.
        shape: (H, W) of the frames.

    Raises:
        ImageError: The file cannot be written.
    """
    content = {"format": FORMAT, "width": int(shape[1]), "height": int(shape[0]), "transforms": np.asarray(transforms).tolist()}
    try:
        write_atomically(path, (json.dumps(content, indent=1) + "\n").encode())
    except OSError as error:
        raise ImageError(f"{path} cannot be written ({error.strerror}); choose another place") from None
    return Path(path)


def load_transforms(
    path: str | os.PathLike, count: int, shape: tuple[int, ...], *, kept: Sequence[int] = (), given: int = 0
) -> np.ndarray:
    """Read the transforms (N, 3, 3) that `save_transforms` wrote.

    Args:
        path: The file.
        count: Number of frames that are to be aligned.
        shape: Their (H, W).
        kept: Numbers of these frames, from 0, where others were left out.
        given: How many frames there were before; if the file holds the transforms of so many, those of `kept` are taken.

    Raises:
        ImageError: The file cannot be read, is no such file, or belongs to frames of another number or size.
    """
    content = _parse(Path(path))
    size = f"{brief(content['width'])}x{brief(content['height'])}"
    if (content["height"], content["width"]) != tuple(shape[:2]):
        raise ImageError(f"{path} is for frames of {size} pixels, not {shape[1]}x{shape[0]}; estimate the transforms anew")
    transforms = content["transforms"]
    if isinstance(transforms, list) and count < given == len(transforms):
        transforms = [transforms[number] for number in kept]
    return check_transforms(transforms, count, shape, str(path))


def check_transforms(transforms: Any, count: int, shape: tuple[int, ...], name: str = "transforms") -> np.ndarray:
    """Check that transforms can be those of a stack.

    Args:
        transforms: Whatever a caller or a file gave.
        count: Number of frames.
        shape: Their (H, W).
        name: How errors call the transforms.

    Returns:
        (N, 3, 3) float64.

    Raises:
        ImageError: Wrong shape or number, values that are no finite numbers, or a transform that no camera makes.
    """
    try:
        checked = np.array(transforms) if _holds_no_text(transforms) else np.array("texts")
    except (ValueError, OverflowError):
        checked = np.array("ragged")
    if checked.ndim != 3 or checked.shape[1:] != (3, 3) or checked.dtype.kind not in "if":
        raise ImageError(f"{name} must hold 3x3 matrices of numbers; estimate the transforms anew")
    if len(checked) != count:
        raise ImageError(
            f"{name} holds {len(checked)} transforms but there are {count} frames; give the frames that were aligned"
        )
    checked = checked.astype(np.float64)
    for n, transform in enumerate(checked, 1):
        if not np.isfinite(transform).all() or transform[2, 2] != 1 or not is_plausible(transform, shape):
            raise ImageError(f"{name}: transform {n} is none that aligns a frame; estimate the transforms anew")
    return checked


def _holds_no_text(values: Any, depth: int = 3) -> bool:
    """Tell whether lists, nested to a depth, hold no texts: NumPy would make every text as long as the longest."""
    if isinstance(values, (list, tuple)):
        return depth > 0 and all(_holds_no_text(one, depth - 1) for one in values)
    return not isinstance(values, (str, bytes))


def _parse(path: Path) -> dict[str, Any]:
    """Read the file as the dictionary it must be."""
    try:
        with real_path(path).open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise ImageError(f"{path} cannot be read ({error.strerror}); check the path") from None
    if len(data) > MOST_BYTES:
        raise ImageError(f"{path} is too large for a file of transforms; check the path")
    try:
        content = json.loads(data, parse_constant=_refuse)
    except (ValueError, RecursionError):
        content = None
    known = {"format", "width", "height", "transforms"}
    if not isinstance(content, dict) or content.keys() != known or content["format"] != FORMAT:
        raise ImageError(f"{path} is no file of transforms; write one with --save-transforms")
    if type(content["width"]) is not int or type(content["height"]) is not int:
        raise ImageError(f"{path} gives no size of the frames; write it anew with --save-transforms")
    return content


def _refuse(constant: str) -> None:
    raise ValueError(constant)
