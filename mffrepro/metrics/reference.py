"""Distance to an all-in-focus reference, as scikit-image defines it.

There is no gray conversion, unless one of the two images is gray: then the gray values of the other are compared with it.

Images of any depth are brought to 0..255 by their dtype, without rounding, and the data range is 255. What we changed: nothing.
"""

import numpy as np

from mffrepro.images import to_gray
from mffrepro.metrics import programs
from mffrepro.metrics.inputs import FusionInputs, GrayImage
from mffrepro.metrics.registry import metric


@metric(
    "psnr",
    symbol="PSNR",
    formula=r"PSNR = 10 \log_{10} \frac{255^2}{\operatorname{mean} (R - F)^2}",
    low=0,
    identity=np.inf,
    gray=None,
    source=programs.SKIMAGE,
    bibkey="vanderwalt2014",
    needs="reference",
    summary="peak signal-to-noise ratio in decibels",
    example=22.9597,
)
def psnr(inputs: FusionInputs, fused: GrayImage) -> float:
    """Measure the peak signal-to-noise ratio against the all-in-focus image.

    In decibels, with a peak of 255.
    """
    reference, full = _alike(inputs, fused)
    error = np.mean((reference - full) ** 2)
    return 10 * np.log10(255**2 / error) if error > 0 else np.inf


@metric(
    "ssim",
    symbol="SSIM",
    low=-1,
    high=1,
    identity=1,
    gray=None,
    source=programs.SKIMAGE,
    bibkey="wang2004ssim",
    further_keys=("vanderwalt2014",),
    needs="reference",
    min_side=7,
    summary="structural similarity, 7x7 uniform window",
    example=0.7359,
)
def ssim(inputs: FusionInputs, fused: GrayImage) -> float:
    """Measure the structural similarity to the all-in-focus image.

    The mean runs over pixels and channels, with scikit-image's defaults: 7x7 uniform window, sample covariance, K 0.01 and 0.03.
    """
    from skimage.metrics import structural_similarity

    reference, full = _alike(inputs, fused)
    return structural_similarity(reference, full, data_range=255, channel_axis=2 if full.ndim == 3 else None)


@metric(
    "mae",
    symbol="MAE",
    formula=r"MAE = \operatorname{mean} |R - F|",
    better="lower",
    low=0,
    high=255,
    identity=0,
    gray=None,
    source=programs.SKIMAGE,
    bibkey="vanderwalt2014",
    needs="reference",
    summary="mean absolute difference in gray levels",
    example=10.8159,
)
def mae(inputs: FusionInputs, fused: GrayImage) -> float:
    """Measure the mean absolute difference from the all-in-focus image.

    In gray levels of 0..255.
    """
    reference, full = _alike(inputs, fused)
    return np.mean(np.abs(reference - full))


def _alike(inputs: FusionInputs, fused: GrayImage) -> tuple[np.ndarray, np.ndarray]:
    """Return reference and fused image, float64 in 0..255, both in colour or both gray."""
    pair = inputs.reference.full, fused.full
    return pair if pair[0].ndim == pair[1].ndim else tuple(x if x.ndim == 2 else to_gray(x, "matlab") for x in pair)
