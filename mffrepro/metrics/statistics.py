"""Statistics of the fused image alone, and its correlation with the sources.

Sharpness and contrast measures (average gradient, spatial frequency [eskicioglu1995], standard deviation, entropy, edge
intensity) rise with noise and ringing as well as with detail: read them beside a metric that looks at the sources.

What we changed: nothing in the numbers.
"""

from collections.abc import Sequence

import numpy as np

from mffrepro.formulas.arrays import namespace
from mffrepro.formulas.filters import derivatives, magnitude
from mffrepro.images import ImageOrPath
from mffrepro.metrics.inputs import FusionInputs, GrayImage
from mffrepro.metrics.local import Local, evenly
from mffrepro.metrics.scoring import score_alone


def forward_differences(image: GrayImage) -> tuple[np.ndarray, np.ndarray]:
    """To the next column and to the next row; 0 at the last ones."""
    x = image.values
    across, down = x * 0, x * 0
    across[..., :-1], down[..., :-1, :] = x[..., 1:] - x[..., :-1], x[..., 1:, :] - x[..., :-1, :]
    return across, down


def _ag_map(scene: FusionInputs, fused: GrayImage) -> Local:
    across, down = fused.get(forward_differences)
    return evenly(namespace(across).sqrt((across**2 + down**2) / 2))


def _ag(scene: FusionInputs, fused: GrayImage) -> float:
    return _ag_map(scene, fused).score()


def _ag_kumar(scene: FusionInputs, fused: GrayImage) -> float:
    x, concatenate = fused.values, namespace(fused.values).concatenate
    right, lower = concatenate([x[..., 1:], x[..., :1]], axis=-1), concatenate([x[..., 1:, :], x[..., :1, :]], axis=-2)
    return evenly(magnitude(right - x, lower - x)).score()


def _sf(scene: FusionInputs, fused: GrayImage) -> float:
    across, down = fused.get(forward_differences)
    return evenly(across**2 + down**2).score() ** 0.5


_sf_kumar = _sf  # the two collections agree here


def _sd(scene: FusionInputs, fused: GrayImage) -> float:
    return namespace(fused.values).std(fused.values, axis=(-2, -1), correction=0)


def _sd_mfif(scene: FusionInputs, fused: GrayImage) -> float:
    return namespace(fused.values).std(fused.values, axis=-2, correction=1).mean(-1)


def _ei_map(scene: FusionInputs, fused: GrayImage) -> Local:
    return evenly(magnitude(*derivatives(fused.values, border="replicate")))


def _ei(scene: FusionInputs, fused: GrayImage) -> float:
    return _ei_map(scene, fused).score()


def _api(scene: FusionInputs, fused: GrayImage) -> float:
    return fused.values.mean((-2, -1))


def _pearson(x: np.ndarray, y: np.ndarray) -> float:
    """Correlation over all pixels; NaN where either image is constant, whatever rounding makes of its mean."""
    xp, over = namespace(x), (-2, -1)
    constant = (xp.amin(x, axis=over) == xp.amax(x, axis=over)) | (xp.amin(y, axis=over) == xp.amax(y, axis=over))
    x, y = (a - xp.mean(a, axis=over, keepdims=True) for a in (x, y))
    correlation = (x * y).sum(over) / ((x * x).sum(over) * (y * y).sum(over)) ** 0.5
    return xp.where(constant, xp.nan, correlation)


def _cc(scene: FusionInputs, fused: GrayImage) -> float:
    return sum(_pearson(source.values, fused.values) for source in scene.sources) / len(scene.sources)


def _scd(scene: FusionInputs, fused: GrayImage) -> float:
    a, b = (source.values for source in scene.sources)
    correlations = _pearson(fused.values - b + 1e-5, a), _pearson(fused.values - a + 1e-5, b)
    xp = namespace(a)
    return sum(xp.where(xp.isnan(c), 0.0, c) for c in correlations)


# --------------------------------------------------------------------------------------------------- the metrics


def ag(sources: Sequence[ImageOrPath], fused: ImageOrPath, *, gray: str = "matlab", variant: str | None = None) -> float:
    r"""Average gradient of the fused image.

    From 0 up, higher is better. Scale 0..255.

    .. math:: AG = \operatorname{mean} \sqrt{(\Delta_x^2 + \Delta_y^2) / 2}

    Args:
        sources: The images that were fused; this metric does not look at them.
        fused: Image of that size.
        gray: Gray conversion, "matlab" or "skimage".
        variant: None, or "kumar": without the division by 2 and with periodic borders, about 1.4 times as large.
    Returns:
        In gray levels per pixel; forward differences, 0 at the last row and column.
    Raises:
        ImageError: Sizes or channels differ, a side is under 2 pixels, or floats leave [0, 1].
        OptionError: Unknown variant or gray conversion.
    References:
        [cui2015], [kumar2013]; sources compared: MFIF-Metrics, Kumar's evaluation code.
    Chapter: 01_metrics

    Example:
        >>> from mffrepro.metrics.example import near, far, sharp
        >>> round(ag([near, far], sharp), 4)
        22.4818
    """
    return score_alone("ag", variant, sources, fused, gray=gray)


def sf(sources: Sequence[ImageOrPath], fused: ImageOrPath, *, gray: str = "matlab", variant: str | None = None) -> float:
    r"""Spatial frequency of the fused image.

    From 0 up, higher is better. Scale 0..255.

    .. math:: SF = \sqrt{\tfrac{1}{HW}\sum \Delta_x^2 + \tfrac{1}{HW}\sum \Delta_y^2}

    Args:
        sources: The images that were fused; this metric does not look at them.
        fused: Image of that size.
        gray: Gray conversion, "matlab" or "skimage".
        variant: None, or "kumar", which gives the same number.
    Returns:
        In gray levels; both sums are divided by the number of pixels, not of differences.
    Raises:
        ImageError: Sizes or channels differ, a side is under 2 pixels, or floats leave [0, 1].
        OptionError: Unknown variant or gray conversion.
    References:
        [eskicioglu1995]; sources compared: MFIF-Metrics, Kumar's evaluation code.
    Chapter: 01_metrics

    Example:
        >>> from mffrepro.metrics.example import near, far, sharp
        >>> round(sf([near, far], sharp), 4)
        34.3626
    """
    return score_alone("sf", variant, sources, fused, gray=gray)


def sd(sources: Sequence[ImageOrPath], fused: ImageOrPath, *, gray: str = "matlab", variant: str | None = None) -> float:
    """Standard deviation of the fused image.

    Range 0 to 127.5, higher is better. Scale 0..255.

    Args:
        sources: The images that were fused; this metric does not look at them.
        fused: Image of that size.
        gray: Gray conversion, "matlab" or "skimage".
        variant: None, or "mfif": the mean over columns of the sample deviation of each.
    Returns:
        The population deviation over all pixels, in gray levels.
    Raises:
        ImageError: Sizes or channels differ, a side is under 2 pixels, or floats leave [0, 1].
        OptionError: Unknown variant or gray conversion.
    References:
        [kumar2013]; sources compared: Kumar's evaluation code, MFIF-Metrics.
    Chapter: 01_metrics

    Example:
        >>> from mffrepro.metrics.example import near, far, sharp
        >>> round(sd([near, far], sharp), 4)
        35.6569
    """
    return score_alone("sd", variant, sources, fused, gray=gray)


def ei(sources: Sequence[ImageOrPath], fused: ImageOrPath, *, gray: str = "matlab") -> float:
    """Edge intensity of the fused image.

    From 0 up, higher is better. Scale 0..255.

    Args:
        sources: The images that were fused; this metric does not look at them.
        fused: Image of that size.
        gray: Gray conversion, "matlab" or "skimage".
    Returns:
        The mean Sobel gradient (kernels not normalised, border repeated).
    Raises:
        ImageError: Sizes or channels differ, or floats leave [0, 1].
        OptionError: Unknown gray conversion.
    References:
        [rajalingam2018]; source compared: MFIF-Metrics.
    Chapter: 01_metrics

    Example:
        >>> from mffrepro.metrics.example import near, far, sharp
        >>> round(ei([near, far], sharp), 4)
        199.6867
    """
    return score_alone("ei", None, sources, fused, gray=gray)


def api(sources: Sequence[ImageOrPath], fused: ImageOrPath, *, gray: str = "matlab") -> float:
    """Average pixel intensity of the fused image.

    Range 0 to 255, neither direction is better. Scale 0..255.

    Args:
        sources: The images that were fused; this metric does not look at them.
        fused: Image of that size.
        gray: Gray conversion, "matlab" or "skimage".
    Returns:
        The mean, in gray levels.
    Raises:
        ImageError: Sizes or channels differ, or floats leave [0, 1].
        OptionError: Unknown gray conversion.
    References:
        [kumar2013]; source compared: Kumar's evaluation code.
    Chapter: 01_metrics

    Example:
        >>> from mffrepro.metrics.example import near, far, sharp
        >>> round(api([near, far], sharp), 4)
        147.8069
    """
    return score_alone("api", None, sources, fused, gray=gray)


def cc(sources: Sequence[ImageOrPath], fused: ImageOrPath, *, gray: str = "matlab") -> float:
    """Correlation of the fused image with the sources.

    Range -1 to 1 (an image fused with itself), higher is better. Scale 0..255.

    Args:
        sources: N >= 2 images of one size, (H, W) or (H, W, 3); uint8, uint16 or float in [0, 1].
        fused: Image of that size.
        gray: Gray conversion, "matlab" or "skimage".
    Returns:
        The mean over sources of the Pearson correlation; NaN where an image is constant.
    Raises:
        ImageError: Sizes or channels differ, or floats leave [0, 1].
        OptionError: Unknown gray conversion.
    Deviations:
        Computed in floating point; on 8-bit images the original saturates and returns numbers without meaning.
    References:
        [kumar2013]; source compared: Kumar's evaluation code.
    Chapter: 01_metrics

    Example:
        >>> from mffrepro.metrics.example import near, far, sharp
        >>> round(cc([near, far], sharp), 4)
        0.8743
    """
    return score_alone("cc", None, sources, fused, gray=gray)


def scd(sources: Sequence[ImageOrPath], fused: ImageOrPath, *, gray: str = "matlab") -> float:
    r"""Sum of the correlations of differences.

    Range -2 to 2, higher is better. Scale 0..255.

    .. math:: SCD = r(F - B, A) + r(F - A, B)

    Args:
        sources: Two images of one size, (H, W) or (H, W, 3); uint8, uint16 or float in [0, 1].
        fused: Image of that size.
        gray: Gray conversion, "matlab" or "skimage".
    Returns:
        Each summand is 0 where the difference or the source is constant, as for an image fused with itself.
    Raises:
        ImageError: Sizes or channels differ, or floats leave [0, 1].
        OptionError: Unknown gray conversion, or more than two sources.
    References:
        [aslantas2015scd]; source compared: MFIF-Metrics.
    Chapter: 01_metrics

    Example:
        >>> from mffrepro.metrics.example import near, far, sharp
        >>> round(scd([near, far], sharp), 4)
        1.5814
    """
    return score_alone("scd", None, sources, fused, gray=gray)
