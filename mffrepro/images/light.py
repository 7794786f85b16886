"""Convert between stored values and linear light, in which brightness adds up and a change of exposure is a factor."""

import numpy as np


def to_linear(unit: np.ndarray) -> np.ndarray:
    """Convert values of sRGB in [0, 1] to linear light in [0, 1]."""
    return np.where(unit <= 0.04045, unit / 12.92, ((np.maximum(unit, 0.04045) + 0.055) / 1.055) ** 2.4)


def from_linear(linear: np.ndarray) -> np.ndarray:
    """Convert linear light in [0, 1] to values of sRGB in [0, 1]."""
    return np.where(linear <= 0.0031308, linear * 12.92, 1.055 * np.maximum(linear, 0.0031308) ** (1 / 2.4) - 0.055)


def multiply_light(image: np.ndarray, gains: np.ndarray) -> np.ndarray:
    """Multiply the light of an image by a factor for each channel, cut off at white.

    Args:
        image: (H, W) or (H, W, C), uint8, uint16 or float in [0, 1].
        gains: (C,), one factor for gray.
    """
    channels = image[..., None] if image.ndim == 2 else image
    if np.issubdtype(image.dtype, np.floating):
        changed = from_linear(np.minimum(to_linear(channels) * gains, 1)).astype(image.dtype)
        return changed.reshape(image.shape)
    top = np.iinfo(image.dtype).max
    levels = to_linear(np.arange(top + 1) / top)
    changed = np.empty_like(channels)
    for channel, gain in enumerate(gains):
        table = np.floor(from_linear(np.minimum(levels * gain, 1)) * top + 0.5).astype(image.dtype)
        changed[..., channel] = table[channels[..., channel]]
    return changed.reshape(image.shape)
