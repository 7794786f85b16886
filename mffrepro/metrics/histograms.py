"""Histograms of gray levels: distributions, entropies, mutual information."""

from collections.abc import Callable

import numpy as np

from mffrepro.metrics.inputs import FusionInputs, GrayImage

#: From an image to its integer levels 0..255.
Binning = Callable[[GrayImage], np.ndarray]


def stretched(image: GrayImage) -> np.ndarray | None:
    """Stretch the levels to 0..255 and round them.

    A constant image gives None, unless it is black.
    """
    x = image.protocol_range.values  # stretching undoes the range; in the protocol's range, ties round as in the source
    low, high = x.min(), x.max()
    if high == 0:
        return x.astype(np.intp)
    if high == low:
        return None
    return np.floor(255 * (x - low) / (high - low) + 0.5).astype(np.intp)


def levels(image: GrayImage) -> np.ndarray:
    """Return the gray levels 0..255 as integers."""
    return np.floor(image.values + 0.5).astype(np.intp)


def levels_merged(image: GrayImage) -> np.ndarray:
    """Return the gray levels with 255 counted as 254.

    Code that indexes by an 8-bit level + 1 does this, because 256 saturates.
    """
    return np.minimum(levels(image), 254)


def joint(image: GrayImage, other: GrayImage, binning: Binning) -> np.ndarray:
    """Compute the joint distribution (256, 256) of two images' levels.

    The levels of the first image run along the rows.
    """
    pairs = image.get(binning) * 256 + other.get(binning)
    return np.bincount(pairs.ravel(), minlength=65536).reshape(256, 256) / pairs.size


def distribution(image: GrayImage, binning: Binning) -> np.ndarray:
    """Compute the distribution (256,) of the levels."""
    return np.bincount(image.get(binning).ravel(), minlength=256) / image.values.size


def bits(p: np.ndarray) -> float:
    """Compute the entropy of a distribution in bits."""
    p = p[p > 0]
    return abs(p @ np.log2(p))


def entropy(image: GrayImage, binning: Binning) -> float:
    """Compute the entropy of an image's levels in bits."""
    return bits(image.get(distribution, binning))


def mutual_information(image: GrayImage, other: GrayImage, binning: Binning) -> float:
    """Compute the mutual information of two images' levels in bits."""
    return image.get(entropy, binning) + other.get(entropy, binning) - bits(image.get(joint, other, binning))


def all_have_contrast(inputs: FusionInputs, fused: GrayImage) -> bool:
    """Tell whether every image can be stretched to 0..255."""
    return all(image.get(stretched) is not None for image in (*inputs.sources, fused))
