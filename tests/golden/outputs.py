"""Published images: which there are, and how near a result comes to them."""

import os
from pathlib import Path

import numpy as np

import mffrepro as mff

#: Survey of Liu et al. (2020): two pairs of Lytro, two gray ones. MFIFB: two of the pairs that are lossless there.
SURVEY = ("g_01", "g_02", "c_01", "c_02")
MFIFB = ("aymaz_03", "aymaz_10")
#: All pairs of MFIFB whose sources and results are lossless; the goldens hold the first two.
LOSSLESS = (
    *MFIFB, "aymaz_01", "aymaz_05", "aymaz_06", "aymaz_07", "aymaz_08", "aymaz_09", "aymaz_12", "aymaz_13",
    "aymaz_14", "aymaz_15", "aymaz_16", "aymaz_17", "aymaz_18", "aymaz_20", "aymaz_21", "aymaz_22", "aymaz_23", "aymaz_25",
    "aymaz_26", "aymaz_27", "newspaper", "temple",
)  # fmt: skip

#: Pairs that are stored gray and were colour to the programs, whose results have three equal channels.
SEEN_IN_COLOUR = ("aymaz_01",)


def stored(folder: Path, name: str) -> np.ndarray:
    """A stored image of the goldens or, where they lack it, of a checkout of MFIFB, the folder ``MFFREPRO_MFIFB``.

    It has as many channels as the file: MFIFB has gray pictures in files for colour, which some programs treat as colour.
    """
    if (path := folder / f"{name}.png").exists():
        return mff.read_image(path)
    kind, _, rest = name.partition("_")
    part = f"input/{rest.rpartition('_')[0]}/{rest}" if kind == "src" else f"fused_images/{name}"
    (path,) = (Path(os.environ["MFFREPRO_MFIFB"]) / part).parent.glob(f"{part.rpartition('/')[2]}.*")
    return mff.read_image(path)


def in_colour(image: np.ndarray) -> np.ndarray:
    """An image with three channels."""
    return image if image.ndim == 3 else np.repeat(image[..., None], 3, axis=-1)


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
