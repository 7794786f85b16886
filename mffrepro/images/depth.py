"""Bring stored values to the range of their type: depths between 8 and 16 bits, signed and wide integers, floats above one."""

import warnings

import numpy as np

from mffrepro.errors import ImageError, OptionError
from mffrepro.images.frames import Frames, each, mean_of

#: Floats may reach so far beyond [0, 1]: resampling and sharpening overshoot by some per cent. Beyond, they mean something else.
OVERSHOOT, UNDERSHOOT = 1.5, -0.05
#: Overshoot that only rounding explains, cut off without a note.
ROUNDING = 1e-4
#: Depths in bits that cameras store in 16.
_DEPTHS = (8, 10, 12, 14)


# ------------------------------------------------------------------------------------------------- one file


def to_usable(samples: np.ndarray, name: str) -> np.ndarray:
    """Convert stored samples to a usable type without changing a value.

    Usable are uint8, uint16, float32 and float64.

    Raises:
        ImageError: Integers outside 0...65535, or values that are no real numbers.
    """
    kind = samples.dtype
    if kind.kind == "b":
        return samples.astype(np.uint8) * np.uint8(255)
    if kind in (np.uint8, np.uint16, np.float32, np.float64):
        return samples.astype(kind.newbyteorder("="), copy=False)
    if kind == np.float16:
        return samples.astype(np.float32)
    if not np.issubdtype(kind, np.integer):
        raise ImageError(f"{name} holds values of type {kind}; save it as uint8, uint16 or float in [0, 1]")
    if samples.size and (samples.min() < 0 or samples.max() > 65535):
        low, high = samples.min(), samples.max()
        raise ImageError(f"{name} holds {kind} values from {low} to {high}; scale them to 0...65535 and save them as uint16")
    return samples.astype(np.uint16)


def expand_bits(samples: np.ndarray, bits: int) -> np.ndarray:
    """Spread samples of fewer bits than 16 over the whole range.

    Args:
        samples: Of any dtype; only uint16 is changed.
        bits: Bits that the file says are used.
    """
    if samples.dtype != np.uint16 or not 8 < bits < 16:
        return samples
    return _scaled(samples, 2**bits - 1)


# ------------------------------------------------------------------------------------------------- a stack


def check_white(white: float | None, dtype: np.dtype) -> None:
    """Raise OptionError unless `white` can be the value of white in images of a type."""
    if white is None:
        return
    if isinstance(white, bool) or not isinstance(white, (int, float, np.number)):
        raise OptionError(f"white is {white!r}; give the value of white in the images, a number")
    if dtype == np.uint8:
        raise OptionError(f"white is {white:g} but the images have 8 bits, where white is 255; leave it out")
    most = 65535 if dtype == np.uint16 else np.inf
    if not 0 < white <= most or not np.isfinite(white):
        raise OptionError(f"white is {white:g}; give the value of white in the images, a number above 0 and at most {most:g}")


def overshoot(high: float) -> float | None:
    """Return the value to take for white in floats that reach `high`.

    It is None where [0, 1] holds them, and where they are so large that nothing explains them.
    """
    if not 1 + ROUNDING < high <= OVERSHOOT:
        return None
    warnings.warn(f"values reach {high:.4g}, which is taken for white (white= or --white chooses another)", stacklevel=4)
    return high


def scale_to_white(images: np.ndarray | Frames, white: float | None) -> np.ndarray | Frames:
    """Scale images so that `white` becomes 1 or 65535; values beyond are cut off.

    Args:
        images: uint16 or float, of any shape, or frames. Floats are also cut off where they leave [0, 1] by a little: at the low
            end by `UNDERSHOOT`, and at the high end, without `white`, by `ROUNDING`.
        white: Value of white, None for that of the type.
    """
    if np.issubdtype(images.dtype, np.floating):
        scaled = images if white is None else each(images, lambda image: image / np.asarray(white, images.dtype))
        low, high = (scaled.min(), scaled.max()) if 0 not in scaled.shape else (0, 0)
        if not (low < 0 or high > 1) or low < UNDERSHOOT or (white is None and high > 1 + ROUNDING):
            return scaled
        _note_cut(scaled, low, high)
        return each(scaled, lambda image: np.clip(image, 0, 1))
    if white is None or images.dtype != np.uint16:
        return images
    if images.max(initial=0) > white:
        share = mean_of(images, lambda image: image > white)
        warnings.warn(f"{share:.2%} of the values exceed white, {white:g}, and are cut off", stacklevel=4)
    return each(images, lambda image: _scaled(image, white))


def scale_from_white(image: np.ndarray, white: float | None) -> np.ndarray:
    """Bring a result back to the range of its sources, where `white` stood for white."""
    if white is None:
        return image
    if np.issubdtype(image.dtype, np.floating):
        return image * np.asarray(white, image.dtype)
    table = np.floor(np.arange(65536) * (white / 65535) + 0.5).astype(np.uint16)
    return table[image]


def note_unused_bits(images: np.ndarray | Frames) -> None:
    """Warn where 16-bit images hold values of a smaller depth only."""
    if images.dtype != np.uint16 or not (highest := int(images.max(initial=0))):
        return
    for bits in _DEPTHS:
        if highest < 2**bits:
            white = 2**bits - 1
            warnings.warn(
                f"all values are below {2**bits}, as {bits}-bit data in 16 bits are; if so, add --white {white} (white={white})",
                stacklevel=3,
            )
            return


def _note_cut(scaled: np.ndarray | Frames, low: float, high: float) -> None:
    if low < -ROUNDING or high > 1 + ROUNDING:
        share = mean_of(scaled, lambda image: (image < 0) | (image > 1))
        warnings.warn(
            f"{share:.2%} of the values lie outside black and white, from {low:.3g} to {high:.3g}, and are cut off", stacklevel=5
        )


def _scaled(images: np.ndarray, white: float) -> np.ndarray:
    table = np.floor(np.minimum(np.arange(65536) * (65535 / white), 65535) + 0.5).astype(np.uint16)
    return table[images]
