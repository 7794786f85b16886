"""Published images: which there are, and how near a result comes to them."""

from pathlib import Path

import numpy as np

import mffrepro as mff

#: Survey of Liu et al. (2020): two pairs of Lytro, two gray ones. MFIFB: the pairs whose sources are lossless there.
SURVEY = ("g_01", "g_02", "c_01", "c_02")
MFIFB = ("aymaz_03", "aymaz_10")


def read(path: Path) -> np.ndarray:
    """A stored image, one channel where all three are the same."""
    image = mff.read_image(path)
    return image[..., 0] if image.ndim == 3 and (np.ptp(image, -1) == 0).all() else image


def sources(published, pair: str) -> list[np.ndarray]:
    """The two sources; the wrappers of MFIFB pass B first, which decides ties."""
    return [published(f"src_{pair}_{name}") for name in (("B", "A") if pair in MFIFB else ("1", "2"))]


def share_equal(fused: np.ndarray, golden: np.ndarray) -> float:
    assert fused.shape == golden.shape
    return float((fused == golden).mean())


def decibels(fused: np.ndarray, golden: np.ndarray) -> float:
    assert fused.shape == golden.shape
    return float(10 * np.log10(255**2 / max(np.square(fused.astype(float) - golden).mean(), 1e-9)))
