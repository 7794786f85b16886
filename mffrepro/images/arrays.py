"""Check images and convert their range: an image is a NumPy array (H, W) or (H, W, 3), uint8, uint16 or float in [0, 1].

Range follows from the dtype alone, never from the values: guessing it from the values is how one metric gets two rankings.
"""

import os
import warnings
from collections.abc import Sequence

import numpy as np

from mffrepro.errors import ImageError

#: Values that `from_unit` converts at once: few enough that its floats stay in the processor's cache.
BLOCK = 2**18

Image = np.ndarray
ImageOrPath = np.ndarray | str | os.PathLike

#: Gray weights by name: ``skimage`` is ITU-R BT.709 as in scikit-image, ``matlab`` is MATLAB's rgb2gray.
GRAY_WEIGHTS = {
    "skimage": (0.2125, 0.7154, 0.0721),
    "matlab": (0.298936021293775, 0.587043074451121, 0.114020904255103),
}


# ------------------------------------------------------------------------------------------------ checking


def check_image(image: np.ndarray, name: str = "image", min_side: int = 1) -> np.ndarray:
    """Check that an array is a usable image, and return it.

    The module says what a usable image is.

    Raises:
        ImageError: Wrong shape or dtype, empty, a side under `min_side` pixels, NaN, or floats outside [0, 1].
    """
    image = np.asarray(image)
    if image.dtype == bool or not (image.dtype in (np.uint8, np.uint16) or np.issubdtype(image.dtype, np.floating)):
        raise ImageError(f"{name} has dtype {image.dtype}; convert it to uint8, uint16 or float in [0, 1]")
    if image.ndim == 3 and image.shape[2] == 1:
        image = image[..., 0]
    if image.ndim == 3 and image.shape[2] == 4:
        warnings.warn(f"{name}: the alpha channel is dropped", stacklevel=2)
        image = image[..., :3]
    if image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] != 3):
        raise ImageError(f"{name} has shape {image.shape}; give (H, W) gray or (H, W, 3) colour")
    if image.size == 0 or min(image.shape[:2]) < min_side:
        size = f"{image.shape[1]}x{image.shape[0]}"
        raise ImageError(f"{name} is {size} pixels; at least {min_side}x{min_side} are needed, so use a larger image")
    if np.issubdtype(image.dtype, np.floating):
        low, high = image.min(), image.max()  # NaN spreads through both
        if not np.isfinite(low + high):
            raise ImageError(f"{name} contains NaN or infinite values; replace them first")
        if low < 0 or high > 1:
            raise ImageError(
                f"{name} is float with values in [{low:g}, {high:g}]; scale it to [0, 1], or say what white is (white=, --white)"
            )
    return image


def check_same_size(images: Sequence[np.ndarray], names: Sequence[str], remedy: str = "") -> None:
    """Raise ImageError unless all images agree in size, channels and dtype.

    `remedy` names what crops them, if anything does.
    """
    for image, name in zip(images[1:], names[1:], strict=True):
        check_same_shape(image.shape, images[0].shape, name, names[0], remedy)
        if image.dtype != images[0].dtype:
            raise ImageError(f"{name} is {image.dtype} but {names[0]} is {images[0].dtype}; convert them to one type")


def check_same_shape(shape: tuple[int, ...], wanted: tuple[int, ...], name: str, first: str, remedy: str = "") -> None:
    """Raise ImageError unless an image has size and channels of the first."""
    if shape[:2] != wanted[:2]:
        sizes = f"{shape[1]}x{shape[0]} pixels but {first} is {wanted[1]}x{wanted[0]}"
        raise ImageError(f"{name} is {sizes}; register and crop them to one size{remedy}")
    if len(shape) != len(wanted):
        raise ImageError(f"{name} and {first} are not both gray or both colour; convert one of them")


# ---------------------------------------------------------------------------------------- range and gray


def to_unit(image: np.ndarray, dtype: np.dtype | type = np.float32) -> np.ndarray:
    """Convert any image to float in [0, 1] by its dtype.

    uint8 / 255, uint16 / 65535, floats as they are. Of frames all are decoded.
    """
    image = np.asarray(image)
    if image.dtype == np.uint8:
        return image.astype(dtype) / np.asarray(255, dtype)
    if image.dtype == np.uint16:
        return image.astype(dtype) / np.asarray(65535, dtype)
    return image.astype(dtype, copy=False)


def to_255(image: Image, dtype: type = np.float64) -> np.ndarray:
    """Convert any image to floats in 0..255 by its dtype alone, not rounded."""
    if image.dtype == np.uint8:
        return image.astype(dtype)
    if image.dtype == np.uint16:
        return image.astype(dtype) / np.asarray(257, dtype)
    return image.astype(dtype) * np.asarray(255, dtype)


def from_unit(image: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Convert floats near [0, 1] back to a dtype: clipped, rounded half up."""
    if np.issubdtype(dtype, np.floating):
        return np.clip(image, 0, 1).astype(dtype, copy=False)
    converted, image = np.empty(np.shape(image), dtype), np.asarray(image)
    rows = max(1, BLOCK * max(1, len(converted)) // max(1, converted.size)) if converted.ndim else 1
    for top in range(0, len(converted), rows) if converted.ndim else [...]:
        part = slice(top, top + rows) if converted.ndim else ...
        scaled = np.clip(image[part], 0, 1)
        scaled *= np.asarray(np.iinfo(dtype).max, image.dtype)
        scaled += np.asarray(0.5, image.dtype)
        converted[part] = np.floor(scaled, out=scaled)
    return converted


def to_gray(image: np.ndarray, weights: str = "skimage") -> np.ndarray:
    """Weight the channels of a float image (..., H, W, 3) to gray, not rounded.

    It is for networks and guides.
    """
    return image @ np.asarray(GRAY_WEIGHTS[weights], image.dtype)
