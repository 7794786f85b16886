"""Collect the readings of one metric that give different numbers: variants, slips and other inputs."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from scipy import ndimage

import mffrepro as mff
from mffrepro import metrics as quality
from mffrepro.metrics.inputs import as_gray

#: Quantity, first reading and its value, second reading and its value.
Row = tuple[str, str, float, str, float]


def as_jpeg(image: np.ndarray, level: int) -> np.ndarray:
    """Encode an 8-bit colour image as JPEG and decode it again.

    Args:
        image: (H, W, 3) uint8.
        level: Quality, 1 to 100.
    """
    import torch
    from torchvision.io import decode_jpeg, encode_jpeg

    return decode_jpeg(encode_jpeg(torch.from_numpy(image).permute(2, 0, 1), level)).permute(1, 2, 0).numpy()


def circulated_qabf(sources: list[np.ndarray], fused: np.ndarray) -> float:
    """Compute Q^{AB/F} with a slip: for equal gradients, the gradient.

    It is that of ``analysis_Qabf.m``, a program that is passed on.

    Args:
        sources: Gray images (H, W), float.
        fused: (H, W), float.
    """

    def gradient(x):
        across, down = (ndimage.sobel(x, axis, mode="constant") for axis in (1, 0))
        return np.hypot(across, down), np.arctan(down / np.where(across == 0, 1e-5, across))

    (g_f, a_f), total, weights = gradient(fused), 0.0, 0.0
    for g, a in map(gradient, sources):
        ratio = np.minimum(g, g_f) / np.maximum(np.maximum(g, g_f), 1e-5)
        ratio = np.where(g == g_f, g, ratio)
        angle = 1 - np.abs(a - a_f) * 2 / np.pi
        kept = 0.9994 / (1 + np.exp(-15 * (ratio - 0.5))) * 0.9879 / (1 + np.exp(-22 * (angle - 0.8)))
        total, weights = total + (kept * g).sum(), weights + g.sum()
    return total / weights


def awkward(image: np.ndarray, light: int = 235) -> np.ndarray:
    """Make a photograph on which readings differ.

    Its sides become odd, one corner black and one white, as underexposed and overexposed corners are, and one flat and light.

    Args:
        image: (H, W, 3) uint8.
        light: Gray level of the flat corner.
    """
    image = image[: image.shape[0] - 1 + image.shape[0] % 2, : image.shape[1] - 1 + image.shape[1] % 2].copy()
    image[:24, :24], image[:24, -24:], image[-24:, -24:] = 0, 255, light
    return image


def differing_readings(sources: list[np.ndarray], fused: np.ndarray, reference: np.ndarray) -> pd.DataFrame:
    """Compute every pair of readings that this package knows, on one fused photograph.

    Args:
        sources: (H, W, 3) uint8.
        fused: (H, W, 3) uint8.
        reference: (H, W, 3) uint8.

    Returns:
        quantity (a symbol in TeX), reading, value, other reading, its value.
    """
    every = mff.evaluate(sources, fused, "everything", reference=reference)
    rows: list[Row] = list(_variants(every))
    for name, reading, other, value in _slips(sources, fused, reference, every):
        rows.append((quality.get(name).symbol, reading, every[name], other, value))
    gray, result = [as_gray(image).values for image in sources], as_gray(fused).values
    of_255, of_1 = (circulated_qabf([image / white for image in gray], result / white) for white in (1, 255))
    program = "`analysis_Qabf.m`"
    rows.append((quality.get("qabf").symbol, f"{program}, levels 0..255", of_255, f"{program}, levels 0..1", of_1))
    return pd.DataFrame(rows, columns=["quantity", "reading", "value", "other reading", "its value"])


def _variants(every: dict[str, float]) -> Iterator[Row]:
    for card in quality.CARDS:
        if card.variant_of and every[card.name] != every[card.variant_of]:
            first = quality.get(card.variant_of)
            yield (
                card.symbol,
                f"`{first.name}`, {first.source}",
                every[first.name],
                f"`{card.name}`, {card.source}",
                every[card.name],
            )


def _slips(
    sources: list[np.ndarray], fused: np.ndarray, reference: np.ndarray, every: dict[str, float]
) -> Iterator[tuple[str, str, str, float]]:
    """Yield readings that are no variant of the package: a slip, or another input."""
    from skimage.metrics import peak_signal_noise_ratio, structural_similarity

    for name, value in mff.evaluate(sources, fused, ["qg", "qcb", "fmi_edge"], gray="skimage").items():
        yield name, "gray as MATLAB, rounded", "gray as scikit-image, not rounded", value
    for level in (95, 75):
        value = mff.evaluate(sources, as_jpeg(fused, level), "qabf")["qabf"]
        yield "qabf", "lossless file", f"fused image saved as JPEG {level}", value

    gray, whole, sharp = as_gray(fused).values, fused.astype(float), reference.astype(float)
    yield "ssim", "data range 255", "data range left at 1", structural_similarity(sharp, whole, data_range=1, channel_axis=2)
    yield "psnr", "peak 255 on 0..255", "peak 255 on [0, 1]", peak_signal_noise_ratio(sharp / 255, whole / 255, data_range=255)
    wrapping, saturating = ([np.diff(x, axis=axis) for axis in (0, 1)] for x in (gray.astype(np.uint8), gray))
    yield "sf", "differences of numbers", "differences of bytes, wrapping", _frequency(*wrapping, pixels=gray.size)
    clipped = [difference.clip(0) for difference in saturating]
    yield "sf", "differences of numbers", "differences of bytes, saturating", _frequency(*clipped, pixels=gray.size)
    down, across = np.gradient(gray)
    yield "ag", "forward differences", "central differences", np.sqrt((across**2 + down**2) / 2).mean()
    yield "mi", "bits", "nats", every["mi"] * np.log(2)


def _frequency(*differences: np.ndarray, pixels: int) -> float:
    return np.sqrt(sum((d.astype(float) ** 2).sum() for d in differences) / pixels)


def readable(readings: pd.DataFrame) -> pd.DataFrame:
    """Format the readings as text, with their difference.

    Args:
        readings: What `differing_readings` returns.
    """
    shown = readings.copy()
    gaps = readings["its value"] - readings["value"]
    shown["difference"] = ["undefined" if np.isnan(gap) else f"{gap:+.4f}" if abs(gap) >= 5e-5 else f"{gap:+.0e}" for gap in gaps]
    for column in ("value", "its value"):
        shown[column] = ["–" if np.isnan(value) else f"{value:.4f}" for value in readings[column]]
    return shown
