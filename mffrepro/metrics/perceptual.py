"""Models of human vision: contrast, saliency and visual information.

What we changed: frequencies are filtered in half of the plane, since images are real; VIFF's source with the smaller gain is
chosen among any number of sources; and features of a source are computed once.
"""

import numpy as np

from mffrepro.formulas.filters import correlate, derivatives, gaussian, magnitude
from mffrepro.metrics import programs
from mffrepro.metrics.histograms import all_have_contrast, stretched
from mffrepro.metrics.inputs import FusionInputs, GrayImage
from mffrepro.metrics.registry import metric
from mffrepro.metrics.weighted_map import WeightedMap, undefined, unweighted


def radial_frequency(shape: tuple[int, int], divisor: float) -> np.ndarray:
    """Compute the distance (H, W // 2 + 1) from frequency zero, for rfft2.

    The Nyquist frequency of a side lies at side / divisor.
    """
    down = 2 * np.fft.fftfreq(shape[0]) * shape[0] / divisor
    across = 2 * np.fft.rfftfreq(shape[1]) * shape[1] / divisor
    return np.hypot(down[:, None], across)


def _filtered(image: np.ndarray, response: np.ndarray) -> np.ndarray:
    from scipy.fft import irfft2, rfft2

    return irfft2(rfft2(image) * response, image.shape)


# ---------------------------------------------------------------------------------------------- contrast: Chen and Blum


def contrast(image: GrayImage) -> np.ndarray:
    """Compute the masked local contrast (H, W) of the stretched image.

    The image is first filtered by the contrast sensitivity of the eye.
    """
    x = image.get(stretched).astype(float)
    r = radial_frequency(x.shape, 30)
    seen = _filtered(x, np.exp(-((r / 15.3870) ** 2)) - 0.7622 * np.exp(-((r / 1.3456) ** 2)))
    c = np.abs(_blurred(seen, 2) / _blurred(seen, 4) - 1)
    return c**3 / (c**2 + 1e-4)


def _blurred(image: np.ndarray, sigma: float) -> np.ndarray:
    """Blur by a 31x31 Gaussian that is not normalised to sum 1, as in the original."""
    offsets = np.arange(-15, 16)
    weights = np.exp(-(offsets**2) / (2 * sigma**2)) / (np.sqrt(2 * np.pi) * sigma)
    return correlate(image, weights, weights)


@metric(
    "qcb",
    symbol="Q_{CB}",
    formula=r"Q_{CB} = \operatorname{mean}_p \frac{\sum_i C_i^2 \, \min(C_i, C_F) / \max(C_i, C_F)}{\sum_i C_i^2}",
    low=0,
    high=1,
    identity=1,
    source=programs.TOOLBOX,
    bibkey="chen2009",
    summary="local contrast kept, after a model of the eye",
    example=0.7515,
)
def qcb(inputs: FusionInputs, fused: GrayImage) -> WeightedMap:
    """Measure the local contrast kept, after a model of the eye (Chen and Blum).

    The mean runs over all pixels. Each image is first stretched to 0..255; NaN where an image is constant.
    """
    if not all_have_contrast(inputs, fused):
        return undefined(fused.values.shape)
    own, others = fused.get(contrast), [source.get(contrast) for source in inputs.sources]
    weights = [c**2 for c in others]
    kept = [np.minimum(own, c) / np.maximum(own, c) for c in others]
    return unweighted(sum(w * k for w, k in zip(weights, kept, strict=True)) / sum(weights))


# ------------------------------------------------------------------------------------------ saliency: Chen and Varshney


def saliency(image: GrayImage) -> np.ndarray:
    """Sum the fifth powers of the Sobel gradient in each 16x16 block."""
    return _block_sums(magnitude(*derivatives(image.get(stretched).astype(float))) ** 5)


def _block_sums(x: np.ndarray) -> np.ndarray:
    """Sum over 16x16 blocks, with zeros added below and to the right."""
    x = np.pad(x, [(0, -side % 16) for side in x.shape])
    return x.reshape(x.shape[0] // 16, 16, x.shape[1] // 16, 16).sum(axis=(1, 3))


def _distortion(inputs: FusionInputs, fused: GrayImage) -> WeightedMap:
    """Compute the visible distortion of each 16x16 block."""
    if not all_have_contrast(inputs, fused):
        return undefined((-(-fused.values.shape[0] // 16), -(-fused.values.shape[1] // 16)))
    r = 0.144 * radial_frequency(fused.values.shape, 8)
    eye = 2.6 * (0.0192 + r) * np.exp(-(r**1.1))
    weights = [source.get(saliency) for source in inputs.sources]
    distortions = (
        _block_sums(_filtered(source.get(stretched) - fused.get(stretched).astype(float), eye) ** 2) / 256
        for source in inputs.sources
    )
    return WeightedMap(sum(w * d for w, d in zip(weights, distortions, strict=True)), sum(weights))


def _qcv_map(inputs: FusionInputs, fused: GrayImage) -> WeightedMap:
    """Enlarge the blocks to image size; the pixels of a block share its weight."""
    height, width = fused.values.shape
    pixels = _block_sums(np.ones((height, width)))
    enlarged = (np.kron(part / pixels, np.ones((16, 16)))[:height, :width] for part in _distortion(inputs, fused)[:2])
    return WeightedMap(*enlarged)


@metric(
    "qcv",
    symbol="Q_{CV}",
    formula=r"Q_{CV} = \frac{\sum_i \sum_b \lambda_i(b) D(i, F)(b)}{\sum_i \sum_b \lambda_i(b)}",
    better="lower",
    low=0,
    identity=0,
    source=programs.TOOLBOX,
    bibkey="chen2007",
    summary="visible distortion in salient regions",
    quality_map=_qcv_map,
    example=171.0822,
)
def qcv(inputs: FusionInputs, fused: GrayImage) -> float:
    """Measure the visible distortion in salient regions (Chen and Varshney).

    It is the mean squared difference after the contrast sensitivity of the eye, over 16x16 blocks weighted by their edges. Each
    image is first stretched to 0..255; NaN where an image is constant.
    """
    return _distortion(inputs, fused).mean()


# ---------------------------------------------------------------------------------------- visual information fidelity

#: Variance of the visual noise, and the weights of the four scales.
NOISE = 0.005 * 255**2
SCALE_WEIGHTS = (1 / 2.15, 0, 0.15 / 2.15, 1 / 2.15)


def _window(scale: int) -> np.ndarray:
    side = 2 ** (4 - scale) + 1
    return gaussian(side, side / 5)


def _local_mean(x: np.ndarray, scale: int) -> np.ndarray:
    return correlate(x, _window(scale), _window(scale), "valid")


def at_scale(image: GrayImage, scale: int) -> np.ndarray:
    """Return an image at a scale, 0 for the image itself.

    Each scale is the one before, blurred by its own window and reduced to every second pixel.
    """
    return image.values if scale == 0 else _local_mean(image.get(at_scale, scale - 1), scale)[::2, ::2]


def mean_and_variance(image: GrayImage, scale: int) -> tuple[np.ndarray, np.ndarray]:
    """Compute local mean and variance of an image at a scale."""
    x = image.get(at_scale, scale)
    mean = _local_mean(x, scale)
    return mean, np.maximum(_local_mean(x * x, scale) - mean**2, 0)


def _gain_and_information(source: GrayImage, fused: GrayImage, scale: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Compute gain, information kept and information of a source, per pixel.

    The gain is that of the fused image over the source.
    """
    (mu_s, var_s), (mu_f, var_f) = source.get(mean_and_variance, scale), fused.get(mean_and_variance, scale)
    covariance = _local_mean(source.get(at_scale, scale) * fused.get(at_scale, scale), scale) - mu_s * mu_f
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


def _viff_map(inputs: FusionInputs, fused: GrayImage) -> WeightedMap:
    """Enlarge the scales to image size and add them.

    A pixel of a coarse scale covers 2^scale x 2^scale pixels.
    """
    gained, weight = np.zeros(fused.values.shape), np.zeros(fused.values.shape)
    for scale, share in enumerate(SCALE_WEIGHTS):
        if share:
            parts, side = _fidelity(inputs, fused, scale), 2**scale
            share /= parts.weight.sum() * side**2
            height, width = (side * n for n in parts.weight.shape)
            inside = np.s_[parts.corner : parts.corner + height, parts.corner : parts.corner + width]
            gained[inside] += share * np.kron(parts.gained, np.ones((side, side)))
            weight[inside] += share * np.kron(parts.weight, np.ones((side, side)))
    return WeightedMap(gained, weight)


def _fidelity(inputs: FusionInputs, fused: GrayImage, scale: int) -> WeightedMap:
    """Compute the information kept of the source with the smallest gain per pixel.

    The weight is the information of that source. Of equal gains, the last source counts.
    """
    gain, kept, there = _gain_and_information(inputs.sources[-1], fused, scale)
    for source in inputs.sources[-2::-1]:
        other_gain, other_kept, other_there = _gain_and_information(source, fused, scale)
        smaller = other_gain < gain
        gain, kept, there = (
            np.where(smaller, ours, before) for ours, before in ((other_gain, gain), (other_kept, kept), (other_there, there))
        )
    return WeightedMap(kept, there, _first_pixel(scale))


def _first_pixel(scale: int) -> int:
    """Return the first row of the image that the first pixel of a scale covers.

    It is the row of the window's centre minus half of 2^scale.
    """
    position = len(_window(scale)) // 2
    for coarser in range(scale, 0, -1):
        position = 2 * position + len(_window(coarser)) // 2
    return position - 2**scale // 2


@metric(
    "viff",
    symbol="VIFF",
    formula=r"VIFF = \sum_k p_k \frac{\sum_p V_k(p)}{\sum_p V^0_k(p)}",
    low=0,
    identity=1,
    source=programs.COLLECTION,
    bibkey="han2013viff",
    min_side=41,
    summary="visual information fidelity",
    quality_map=_viff_map,
    example=0.8199,
)
def viff(inputs: FusionInputs, fused: GrayImage) -> float:
    """Measure the visual information fidelity of the fusion.

    It is the information about the source with the smallest gain that the fused image keeps, divided by the information of that
    source, and weighted over the scales with 1, 0, 0.15 and 1 over 2.15.

    Deviations:
        Gray only; the Lab conversion of the original for colour images is left out, because all other metrics here use gray.
    """
    return sum(w * _fidelity(inputs, fused, scale).mean() for scale, w in enumerate(SCALE_WEIGHTS) if w)
