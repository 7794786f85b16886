"""Measures built on models of human vision: contrast (Q_CB), saliency (Q_CV) and visual information (VIFF).

What we changed: frequencies are filtered in half of the plane, since images are real; VIFF's source with the smaller gain is
chosen among any number of sources; and work on a source is done once.
"""

from collections.abc import Sequence

import numpy as np
from scipy.fft import fftfreq, irfft2, rfft2, rfftfreq

from mffrepro.formulas.filters import correlate, derivatives, gaussian, magnitude
from mffrepro.images import ImageOrPath
from mffrepro.metrics.information import stretched
from mffrepro.metrics.inputs import FusionInputs, GrayImage
from mffrepro.metrics.local import Local, evenly, nowhere
from mffrepro.metrics.scoring import score_alone


def radial_frequency(shape: tuple[int, int], divisor: float) -> np.ndarray:
    """Distance from frequency zero, Nyquist at side / divisor, for a half-plane transform (H, W // 2 + 1)."""
    down = 2 * fftfreq(shape[0]) * shape[0] / divisor
    across = 2 * rfftfreq(shape[1]) * shape[1] / divisor
    return np.hypot(down[:, None], across)


def _filtered(image: np.ndarray, response: np.ndarray) -> np.ndarray:
    return irfft2(rfft2(image) * response, image.shape)


def _have_contrast(scene: FusionInputs, fused: GrayImage) -> bool:
    return all(image.get(stretched) is not None for image in (*scene.sources, fused))


# ---------------------------------------------------------------------------------------------- contrast: Chen and Blum


def contrast(image: GrayImage) -> np.ndarray:
    """Masked local contrast (H, W) of the stretched image after the contrast sensitivity of the eye."""
    x = image.get(stretched).astype(float)
    r = radial_frequency(x.shape, 30)
    seen = _filtered(x, np.exp(-((r / 15.3870) ** 2)) - 0.7622 * np.exp(-((r / 1.3456) ** 2)))
    c = np.abs(_blurred(seen, 2) / _blurred(seen, 4) - 1)
    return c**3 / (c**2 + 1e-4)


def _blurred(image: np.ndarray, sigma: float) -> np.ndarray:
    """31x31 Gaussian, not normalised to sum 1, as in the original."""
    offsets = np.arange(-15, 16)
    weights = np.exp(-(offsets**2) / (2 * sigma**2)) / (np.sqrt(2 * np.pi) * sigma)
    return correlate(image, weights, weights)


def _qcb_map(scene: FusionInputs, fused: GrayImage) -> Local:
    if not _have_contrast(scene, fused):
        return nowhere(fused.values.shape)
    own, others = fused.get(contrast), [source.get(contrast) for source in scene.sources]
    weights = [c**2 for c in others]
    kept = [np.minimum(own, c) / np.maximum(own, c) for c in others]
    return evenly(sum(w * k for w, k in zip(weights, kept, strict=True)) / sum(weights))


def _qcb(scene: FusionInputs, fused: GrayImage) -> float:
    return _qcb_map(scene, fused).score()


# ------------------------------------------------------------------------------------------ saliency: Chen and Varshney


def saliency(image: GrayImage) -> np.ndarray:
    """Sum of the fifth powers of the Sobel gradient in each 16x16 block."""
    return _block_sums(magnitude(*derivatives(image.get(stretched).astype(float))) ** 5)


def _block_sums(x: np.ndarray) -> np.ndarray:
    """Over 16x16 blocks, zeros added below and to the right."""
    x = np.pad(x, [(0, -side % 16) for side in x.shape])
    return x.reshape(x.shape[0] // 16, 16, x.shape[1] // 16, 16).sum(axis=(1, 3))


def _distortion(scene: FusionInputs, fused: GrayImage) -> Local:
    """Of each 16x16 block."""
    if not _have_contrast(scene, fused):
        return nowhere((-(-fused.values.shape[0] // 16), -(-fused.values.shape[1] // 16)))
    r = 0.144 * radial_frequency(fused.values.shape, 8)
    eye = 2.6 * (0.0192 + r) * np.exp(-(r**1.1))
    weights = [source.get(saliency) for source in scene.sources]
    distortions = (
        _block_sums(_filtered(source.get(stretched) - fused.get(stretched).astype(float), eye) ** 2) / 256
        for source in scene.sources
    )
    return Local(sum(w * d for w, d in zip(weights, distortions, strict=True)), sum(weights))


def _qcv_map(scene: FusionInputs, fused: GrayImage) -> Local:
    """The blocks at image size, each shared by its pixels inside the image."""
    height, width = fused.values.shape
    pixels = _block_sums(np.ones((height, width)))
    enlarged = (np.kron(part / pixels, np.ones((16, 16)))[:height, :width] for part in _distortion(scene, fused)[:2])
    return Local(*enlarged)


def _qcv(scene: FusionInputs, fused: GrayImage) -> float:
    return _distortion(scene, fused).score()


# ---------------------------------------------------------------------------------------- visual information fidelity

#: Variance of the visual noise, and the weights of the four scales.
NOISE = 0.005 * 255**2
SCALE_WEIGHTS = (1 / 2.15, 0, 0.15 / 2.15, 1 / 2.15)


def _window(scale: int) -> np.ndarray:
    side = 2 ** (4 - scale) + 1
    return gaussian(side, side / 5)


def _local(x: np.ndarray, scale: int) -> np.ndarray:
    return correlate(x, _window(scale), _window(scale), "valid")


def at_scale(image: GrayImage, scale: int) -> np.ndarray:
    """The image, or for scales 1 to 3 the one before, blurred by this scale's window and every second pixel of it."""
    return image.values if scale == 0 else _local(image.get(at_scale, scale - 1), scale)[::2, ::2]


def mean_and_variance(image: GrayImage, scale: int) -> tuple[np.ndarray, np.ndarray]:
    x = image.get(at_scale, scale)
    mean = _local(x, scale)
    return mean, np.maximum(_local(x * x, scale) - mean**2, 0)


def _gain_and_information(source: GrayImage, fused: GrayImage, scale: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Gain of the fused image over a source, information kept and information there was, per pixel."""
    (mu_s, var_s), (mu_f, var_f) = source.get(mean_and_variance, scale), fused.get(mean_and_variance, scale)
    covariance = _local(source.get(at_scale, scale) * fused.get(at_scale, scale), scale) - mu_s * mu_f
    gain = covariance / (var_s + 1e-10)
    rest = var_f - gain * covariance
    dull = var_s < 1e-10
    gain, rest, var_s = np.where(dull, 0, gain), np.where(dull, var_f, rest), np.where(dull, 0, var_s)
    dull = var_f < 1e-10
    gain, rest = np.where(dull, 0, gain), np.where(dull, 0, rest)
    rest = np.where(gain < 0, var_f, rest)
    gain = np.maximum(gain, 0)
    rest = np.maximum(rest, 1e-10)
    return gain, np.log10(1 + gain**2 * var_s / (rest + NOISE)) + 1e-7, np.log10(1 + var_s / NOISE) + 1e-7


def _viff(scene: FusionInputs, fused: GrayImage) -> float:
    return sum(w * _fidelity(scene, fused, scale).score() for scale, w in enumerate(SCALE_WEIGHTS) if w)


def _viff_map(scene: FusionInputs, fused: GrayImage) -> Local:
    """The scales at image size, each with its own weight in all: one pixel of a coarse scale covers 2^scale pixels."""
    gained, weight = np.zeros(fused.values.shape), np.zeros(fused.values.shape)
    for scale, share in enumerate(SCALE_WEIGHTS):
        if share:
            parts, side = _fidelity(scene, fused, scale), 2**scale
            share /= parts.weight.sum() * side**2
            height, width = (side * n for n in parts.weight.shape)
            inside = np.s_[parts.corner : parts.corner + height, parts.corner : parts.corner + width]
            gained[inside] += share * np.kron(parts.gained, np.ones((side, side)))
            weight[inside] += share * np.kron(parts.weight, np.ones((side, side)))
    return Local(gained, weight)


def _fidelity(scene: FusionInputs, fused: GrayImage, scale: int) -> Local:
    """Information kept and there, of the source with the smallest gain at each pixel; of equal gains, that of the last source."""
    gain, kept, there = _gain_and_information(scene.sources[-1], fused, scale)
    for source in scene.sources[-2::-1]:
        other_gain, other_kept, other_there = _gain_and_information(source, fused, scale)
        smaller = other_gain < gain
        gain, kept, there = (
            np.where(smaller, ours, before) for ours, before in ((other_gain, gain), (other_kept, kept), (other_there, there))
        )
    return Local(kept, there, _first_pixel(scale))


def _first_pixel(scale: int) -> int:
    """Row and column of the image where the first window of a scale has its centre, less half of what its pixel covers."""
    position = len(_window(scale)) // 2
    for coarser in range(scale, 0, -1):
        position = 2 * position + len(_window(coarser)) // 2
    return position - 2**scale // 2


# --------------------------------------------------------------------------------------------------- the metrics


def qcb(sources: Sequence[ImageOrPath], fused: ImageOrPath, *, gray: str = "matlab") -> float:
    r"""Local contrast kept, as the eye sees it (Chen and Blum).

    Range 0 to 1 (an image fused with itself), higher is better. Each image is stretched to 0..255.

    .. math:: Q_{CB} = \operatorname{mean}_p \frac{\sum_i C_i^2 \, \min(C_i, C_F) / \max(C_i, C_F)}{\sum_i C_i^2}

    Args:
        sources: N >= 2 images of one size, (H, W) or (H, W, 3); uint8, uint16 or float in [0, 1].
        fused: Image of that size.
        gray: Gray conversion, "matlab" or "skimage".
    Returns:
        The mean over all pixels; NaN where an image is constant.
    Raises:
        ImageError: Sizes or channels differ, or floats leave [0, 1].
        OptionError: Unknown gray conversion.
    References:
        [chen2009]; source compared: Liu's imageFusionMetrics.
    Chapter: 01_metrics

    Example:
        >>> from mffrepro.metrics.example import near, far, sharp
        >>> round(qcb([near, far], sharp), 4)
        0.7515
    """
    return score_alone("qcb", None, sources, fused, gray=gray)


def qcv(sources: Sequence[ImageOrPath], fused: ImageOrPath, *, gray: str = "matlab") -> float:
    r"""Distortion that the eye sees in salient regions (Chen and Varshney).

    From 0 (an image fused with itself) up, lower is better. Each image is stretched to 0..255.

    .. math:: Q_{CV} = \frac{\sum_i \sum_b \lambda_i(b) D(i, F)(b)}{\sum_i \sum_b \lambda_i(b)}

    Args:
        sources: N >= 2 images of one size, (H, W) or (H, W, 3); uint8, uint16 or float in [0, 1].
        fused: Image of that size.
        gray: Gray conversion, "matlab" or "skimage".
    Returns:
        The mean squared difference after the contrast sensitivity of the eye, over 16x16 blocks weighted by their edges; NaN
        where an image is constant.
    Raises:
        ImageError: Sizes or channels differ, or floats leave [0, 1].
        OptionError: Unknown gray conversion.
    References:
        [chen2007]; source compared: Liu's imageFusionMetrics.
    Chapter: 01_metrics

    Example:
        >>> from mffrepro.metrics.example import near, far, sharp
        >>> round(qcv([near, far], sharp), 4)
        171.0822
    """
    return score_alone("qcv", None, sources, fused, gray=gray)


def viff(sources: Sequence[ImageOrPath], fused: ImageOrPath, *, gray: str = "matlab") -> float:
    r"""Visual information fidelity for fusion.

    From 0 up, 1 for an image fused with itself, higher is better. Scale 0..255.

    .. math:: VIFF = \sum_k p_k \frac{\sum_p V_k(p)}{\sum_p V^0_k(p)}

    Args:
        sources: N >= 2 images of one size, (H, W) or (H, W, 3); uint8, uint16 or float in [0, 1].
        fused: Image of that size.
        gray: Gray conversion, "matlab" or "skimage".
    Returns:
        The information about the source with the smallest gain that the fused image keeps, over what there is, weighted over
        the scales with 1, 0, 0.15 and 1 over 2.15.
    Raises:
        ImageError: Sizes or channels differ, a side is under 41 pixels, or floats leave [0, 1].
        OptionError: Unknown gray conversion.
    Deviations:
        Gray only; the Lab conversion of the original for colour images is left out, as all other metrics here judge gray.
    References:
        [han2013viff]; source compared: MFIF-Metrics.
    Chapter: 01_metrics

    Example:
        >>> from mffrepro.metrics.example import near, far, sharp
        >>> round(viff([near, far], sharp), 4)
        0.8199
    """
    return score_alone("viff", None, sources, fused, gray=gray)
