"""Distance to an all-in-focus reference, where there is one: scikit-image's readings, on the images as they are.

Images of any depth are brought to 0..255 by their dtype, without rounding and without a gray conversion, and the data range
is 255. What we changed: nothing.
"""

import numpy as np

from mffrepro.images import ImageOrPath
from mffrepro.metrics.inputs import FusionInputs, GrayImage
from mffrepro.metrics.scoring import score_alone


def _psnr(scene: FusionInputs, fused: GrayImage) -> float:
    error = np.mean((scene.reference.full - fused.full) ** 2)
    return 10 * np.log10(255**2 / error) if error > 0 else np.inf


def _ssim(scene: FusionInputs, fused: GrayImage) -> float:
    from skimage.metrics import structural_similarity

    axis = 2 if fused.full.ndim == 3 else None
    return structural_similarity(scene.reference.full, fused.full, data_range=255, channel_axis=axis)


def _mae(scene: FusionInputs, fused: GrayImage) -> float:
    return np.mean(np.abs(scene.reference.full - fused.full))


# --------------------------------------------------------------------------------------------------- the metrics


def psnr(reference: ImageOrPath, fused: ImageOrPath) -> float:
    """Peak signal-to-noise ratio against the all-in-focus image.

    From 0 dB up, infinite for equal images, higher is better. Peak 255, all channels together, no gray conversion.

    Args:
        reference: All-in-focus image, (H, W) or (H, W, 3); uint8, uint16 or float in [0, 1].
        fused: Image of that size.
    Returns:
        In decibels.
    Raises:
        ImageError: Sizes or channels differ, or floats leave [0, 1].
    References:
        [vanderwalt2014]; source compared: scikit-image's peak_signal_noise_ratio.
    Chapter: 01_metrics

    Example:
        >>> from mffrepro.metrics.example import near, sharp
        >>> round(psnr(sharp, near), 4)
        22.9597
    """
    return score_alone("psnr", None, [reference, reference], fused, reference=reference)


def ssim(reference: ImageOrPath, fused: ImageOrPath) -> float:
    """Structural similarity to the all-in-focus image.

    Range -1 to 1 (equal images), higher is better. Data range 255, mean over the channels, no gray conversion.

    Args:
        reference: All-in-focus image, (H, W) or (H, W, 3); uint8, uint16 or float in [0, 1].
        fused: Image of that size.
    Returns:
        With scikit-image's defaults: 7x7 uniform window, sample covariance, K 0.01 and 0.03.
    Raises:
        ImageError: Sizes or channels differ, a side is under 7 pixels, or floats leave [0, 1].
    References:
        [wang2004ssim], [vanderwalt2014]; source compared: scikit-image's structural_similarity.
    Chapter: 01_metrics

    Example:
        >>> from mffrepro.metrics.example import near, sharp
        >>> round(ssim(sharp, near), 4)
        0.7359
    """
    return score_alone("ssim", None, [reference, reference], fused, reference=reference)


def mae(reference: ImageOrPath, fused: ImageOrPath) -> float:
    """Mean absolute difference from the all-in-focus image.

    Range 0 (equal images) to 255, lower is better. All channels together, no gray conversion.

    Args:
        reference: All-in-focus image, (H, W) or (H, W, 3); uint8, uint16 or float in [0, 1].
        fused: Image of that size.
    Returns:
        In gray levels of 0..255.
    Raises:
        ImageError: Sizes or channels differ, or floats leave [0, 1].
    References:
        [vanderwalt2014].
    Chapter: 01_metrics

    Example:
        >>> from mffrepro.metrics.example import near, sharp
        >>> round(mae(sharp, near), 4)
        10.8159
    """
    return score_alone("mae", None, [reference, reference], fused, reference=reference)
