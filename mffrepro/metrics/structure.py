"""Structural similarity between the fused image and its sources, window by window [yang2008, piella2003, cvejic2005].

All compare local means, variances and covariances as [wang2004ssim] does and differ in how the sources share a window:
by variance (Q_S, Q_W, Q_E), by covariance with the fused image (Q_C), or by how much they agree with each other (Q_Y).

What we changed: Q_Y and Q_C have almost no stabilising constant (2e-16), so that in windows where an image is flat the
original code divides one rounding error by another and may return any number. Here a flat window has a variance and
covariances of exactly zero, which is what the formulas mean. The variants ``qy.mfif``, ``qy.zl`` and ``qc.zl`` keep the
rounding errors.
"""

import operator
from collections.abc import Sequence
from functools import reduce
from typing import NamedTuple

import numpy as np

from mffrepro.formulas.arrays import namespace
from mffrepro.formulas.filters import PREWITT, box8_sum, correlate, derivatives, gaussian, magnitude
from mffrepro.formulas.similarity import gauss7, similarity, yang
from mffrepro.images import ImageOrPath
from mffrepro.metrics.inputs import FusionInputs, GrayImage
from mffrepro.metrics.local import Local, evenly
from mffrepro.metrics.scoring import score_alone

#: Stabilising constants C1 = C2 of Q_Y and Q_C, of Q_S, Q_W and Q_E, and the pair of the toolbox's Q_S and Q_W.
TINY = (2e-16, 2e-16)
PIELLA = ((1e-6 * 255) ** 2, (1e-6 * 255) ** 2)
TOOLBOX = ((0.01 * 255) ** 2, (0.03 * 255) ** 2)


def gauss11(x: np.ndarray) -> np.ndarray:
    """Local mean over each full 11x11 window, Gaussian of sigma 1.5."""
    return correlate(x, gaussian(11, 1.5), gaussian(11, 1.5), "valid")


def box8(x: np.ndarray) -> np.ndarray:
    """Local mean over each full 8x8 window; exact for integers."""
    return box8_sum(x) / 64


_SIDE = {gauss7: 7, gauss11: 11, box8: 8}
#: Rows and columns before the centre of the first full window; an even window has its centre at its fourth pixel.
_CENTRE = {window: (side - 1) // 2 for window, side in _SIDE.items()}


def local_mean(image: GrayImage, window) -> np.ndarray:
    return window(image.values)


def flat(image: GrayImage, window) -> np.ndarray:
    """True where all pixels of a window are equal."""
    x, side = image.values, _SIDE[window]
    rows = _all_down(_all_across(x[..., 1:] == x[..., :-1], side - 1), side)
    columns = _all_down(x[..., 1:, :] == x[..., :-1, :], side - 1)
    return rows & columns[..., : rows.shape[-1]]


def _all_across(true: np.ndarray, length: int) -> np.ndarray:
    """True where the next `length` entries of the row are."""
    count = true.shape[-1] - length + 1
    return reduce(operator.and_, (true[..., k : k + count] for k in range(length)))


def _all_down(true: np.ndarray, length: int) -> np.ndarray:
    return _all_across(true.swapaxes(-1, -2), length).swapaxes(-1, -2)


def covariance(image: GrayImage, other: GrayImage, window) -> np.ndarray:
    """Local covariance as E[xy] - E[x]E[y], rounding errors included."""
    product = window(image.values * other.values)
    return product - image.get(local_mean, window) * other.get(local_mean, window)


def exact_covariance(image: GrayImage, other: GrayImage, window) -> np.ndarray:
    """Local covariance, exactly 0 where either image is flat."""
    result = image.get(covariance, other, window)
    return namespace(result).where(image.get(flat, window) | other.get(flat, window), 0.0, result)


def ssim_map(
    fused: GrayImage, source: GrayImage, window, constants: tuple[float, float], moment=covariance, floor: float = 0.0
) -> np.ndarray:
    """SSIM of each full window; `floor` is added to the denominator."""
    means = fused.get(local_mean, window), source.get(local_mean, window)
    own = fused.get(moment, fused, window), source.get(moment, source, window)
    return similarity(means, own, fused.get(moment, source, window), constants, floor)


def variances(sources: Sequence[GrayImage], window, moment, lift: float = 0.5) -> list[np.ndarray]:
    """Local variance of each source; `lift` for all where none has any, so that they share such a window equally."""
    result = [source.get(moment, source, window) for source in sources]
    lifts = (sum(result) == 0) * lift
    return [variance + lifts for variance in result]


class Shared(NamedTuple):
    """SSIM with each source, shared by variance, and the largest variance of each full window."""

    quality: np.ndarray
    salience: np.ndarray
    corner: int

    def evenly(self) -> Local:
        return evenly(self.quality, self.corner)

    def weighted(self) -> Local:
        return Local(self.quality * self.salience, self.salience, self.corner)


def _shared(sources: Sequence[GrayImage], fused: GrayImage, window, constants, **options) -> Shared:
    weights = variances(sources, window, exact_covariance, **options)
    maps = (ssim_map(fused, source, window, constants, exact_covariance) for source in sources)
    quality = sum(w * m for w, m in zip(weights, maps, strict=True)) / sum(weights)
    return Shared(quality, reduce(namespace(quality).maximum, weights), _CENTRE[window])


# -------------------------------------------------------------------------------------------------------- Yang's measure


def _agreeing(a: GrayImage, b: GrayImage, fused: GrayImage, share: np.ndarray, **options) -> Local:
    """SSIM of each window: shared by variance where the sources agree, else the better of the two."""
    to_a, to_b = (ssim_map(fused, source, gauss7, TINY, **options) for source in (a, b))
    a_to_b = b.get(ssim_map, a, gauss7, TINY, *options.values())
    return evenly(yang(a_to_b, share, to_a, to_b), _CENTRE[gauss7])


def _qy_map(scene: FusionInputs, fused: GrayImage) -> Local:
    var_a, var_b = variances(scene.sources, gauss7, exact_covariance)
    return _agreeing(*scene.sources, fused, var_a / (var_a + var_b), moment=exact_covariance)


def _qy(scene: FusionInputs, fused: GrayImage) -> float:
    return _qy_map(scene, fused).score()


def _qy_mfif(scene: FusionInputs, fused: GrayImage) -> float:
    var_a, var_b = variances(scene.sources, gauss7, covariance)
    return _agreeing(*scene.sources, fused, var_a / (var_a + var_b)).score()


def _qy_zl(scene: FusionInputs, fused: GrayImage) -> float:
    var_a, var_b = (source.get(covariance, source, gauss7) for source in scene.sources)
    return _agreeing(*scene.sources, fused, var_a / (var_a + var_b)).score()


def _qy_gacn(scene: FusionInputs, fused: GrayImage) -> float:
    a, b = (source.protocol_range for source in scene.sources)
    var_a, var_b = (source.get(exact_covariance, source, gauss7) for source in (a, b))
    share = var_a / (var_a + var_b + 1e-10)
    return _agreeing(a, b, fused.protocol_range, share, moment=exact_covariance, floor=1e-10).score()


# ----------------------------------------------------------------------------------------------------- Piella's measures


def _qs_map(scene: FusionInputs, fused: GrayImage) -> Local:
    return fused.get(piella, scene).evenly()


def _qs(scene: FusionInputs, fused: GrayImage) -> float:
    return _qs_map(scene, fused).score()


def _qs_zl(scene: FusionInputs, fused: GrayImage) -> float:
    return fused.get(piella_toolbox, scene).evenly().score()


def _qw_map(scene: FusionInputs, fused: GrayImage) -> Local:
    return fused.get(piella, scene).weighted()


def _qw(scene: FusionInputs, fused: GrayImage) -> float:
    return _qw_map(scene, fused).score()


def _qw_zl(scene: FusionInputs, fused: GrayImage) -> float:
    return fused.get(piella_toolbox, scene).weighted().score()


def _qe(scene: FusionInputs, fused: GrayImage) -> float:
    edges = _shared([source.get(prewitt) for source in scene.sources], fused.get(prewitt), box8, PIELLA)
    return _qw(scene, fused) * edges.weighted().score()


def piella(fused: GrayImage, scene: FusionInputs) -> Shared:
    return _shared(scene.sources, fused, box8, PIELLA)


def piella_toolbox(fused: GrayImage, scene: FusionInputs) -> Shared:
    # In the original, rounding keeps flat windows from being lifted: they share equally but weigh nothing.
    return _shared(scene.sources, fused, gauss11, TOOLBOX, lift=1e-12)


def prewitt(image: GrayImage) -> GrayImage:
    """Image of Prewitt magnitudes."""
    return GrayImage(magnitude(*derivatives(image.values, PREWITT)))


# ------------------------------------------------------------------------------------------------------ Cvejic's measure


def _covariance_share(scene: FusionInputs, fused: GrayImage, window, moment) -> np.ndarray:
    to_a, to_b = (fused.get(moment, source, window) for source in scene.sources)
    return to_a / (to_a + to_b)


def _qc_map(scene: FusionInputs, fused: GrayImage) -> Local:
    share = _covariance_share(scene, fused, box8, exact_covariance)
    xp = namespace(share)
    share = xp.where(xp.isnan(share), 0.5, xp.clip(share, 0, 1))
    to_a, to_b = (ssim_map(fused, source, box8, TINY, exact_covariance) for source in scene.sources)
    return evenly(share * to_a + (1 - share) * to_b, _CENTRE[box8])


def _qc(scene: FusionInputs, fused: GrayImage) -> float:
    return _qc_map(scene, fused).score()


def _qc_zl(scene: FusionInputs, fused: GrayImage) -> float:
    share = _covariance_share(scene, fused, gauss7, covariance)
    to_a, to_b = (ssim_map(fused, source, gauss7, TINY) for source in scene.sources)
    quality = share * to_a + (1 - share) * to_b
    xp = namespace(share)
    return evenly(xp.where(share < 0, 0.0, xp.where(share > 1, 1.0, quality))).score()


# --------------------------------------------------------------------------------------------------- the metrics


def qy(sources: Sequence[ImageOrPath], fused: ImageOrPath, *, gray: str = "matlab", variant: str | None = None) -> float:
    r"""Structural similarity with the sources, after Yang.

    Range -1 to 1 (an image fused with itself), higher is better. Scale 0..255.

    .. math::

        Q_Y = \operatorname{mean}_w \begin{cases}
            \lambda_w S(A,F) + (1 - \lambda_w) S(B,F) & S(A,B) \ge 0.75 \\
            \max(S(A,F), S(B,F)) & \text{else}
        \end{cases}

    Args:
        sources: Two images of one size, (H, W) or (H, W, 3); uint8, uint16 or float in [0, 1].
        fused: Image of that size.
        gray: Gray conversion, "matlab" or "skimage".
        variant: None: windows that are flat in an image count exactly; "mfif" or "zl": with the rounding errors of the source
            there, any number or NaN; "gacn": 1e-10 added to the denominators, colour images in [0, 1] with gray="skimage".
    Returns:
        The mean over all full 7x7 windows (Gaussian, sigma 1.5) of the similarity S; lambda is A's share of the sources'
        variance, 0.5 where there is none.
    Raises:
        ImageError: Sizes or channels differ, a side is under 7 pixels, or floats leave [0, 1].
        OptionError: Unknown variant or gray conversion, or more than two sources.
    Deviations:
        Of two flat windows the contrast and structure are equal, of a flat one and another they are not at all; [ma2022gacn]'s
        1e-10 makes the former count nearly 0 in [0, 1].
    References:
        [yang2008], [ma2022gacn]; sources compared: MFIF-Metrics, Liu's imageFusionMetrics.
    Chapter: 01_metrics

    Example:
        >>> from mffrepro.metrics.example import near, far, sharp
        >>> round(qy([near, far], sharp), 4)
        0.9887
    """
    return score_alone("qy", variant, sources, fused, gray=gray)


def qc(sources: Sequence[ImageOrPath], fused: ImageOrPath, *, gray: str = "matlab", variant: str | None = None) -> float:
    r"""Structural similarity with the sources, after Cvejic.

    Range -1 to 1 (an image fused with itself), higher is better. Scale 0..255.

    .. math::

        Q_C = \operatorname{mean}_w \mu_w S(A,F) + (1 - \mu_w) S(B,F), \quad
        \mu_w = \left[\frac{\sigma_{AF}}{\sigma_{AF} + \sigma_{BF}}\right]_0^1

    Args:
        sources: Two images of one size, (H, W) or (H, W, 3); uint8, uint16 or float in [0, 1].
        fused: Image of that size.
        gray: Gray conversion, "matlab" or "skimage".
        variant: None: 8x8 windows; or "zl": 7x7 Gaussian windows, clipped where the share leaves 0..1, NaN where a window is
            flat in both sources.
    Returns:
        The mean over all full windows of the similarity, shared by the covariance of each source with the fused image; equally
        where there is none.
    Raises:
        ImageError: Sizes or channels differ, a side is under 8 pixels, or floats leave [0, 1].
        OptionError: Unknown variant or gray conversion, or more than two sources.
    References:
        [cvejic2005]; sources compared: MFIF-Metrics, Liu's imageFusionMetrics.
    Chapter: 01_metrics

    Example:
        >>> from mffrepro.metrics.example import near, far, sharp
        >>> round(qc([near, far], sharp), 4)
        0.8901
    """
    return score_alone("qc", variant, sources, fused, gray=gray)


def qs(sources: Sequence[ImageOrPath], fused: ImageOrPath, *, gray: str = "matlab", variant: str | None = None) -> float:
    r"""Structural similarity with the sources, after Piella: every window counts alike.

    Range -1 to 1 (an image fused with itself), higher is better. Scale 0..255.

    .. math:: Q_S = \operatorname{mean}_w \sum_i \lambda^i_w S(i, F), \quad \lambda^i_w = \frac{\sigma_i^2}{\sum_j \sigma_j^2}

    Args:
        sources: N >= 2 images of one size, (H, W) or (H, W, 3); uint8, uint16 or float in [0, 1].
        fused: Image of that size.
        gray: Gray conversion, "matlab" or "skimage".
        variant: None: 8x8 windows, K = 1e-6; or "zl": 11x11 Gaussian windows (images of 11x11 pixels at least), K = 0.01 and
            0.03.
    Returns:
        The mean over all full windows of the similarity, shared by the variance of the sources; equally where there is none.
    Raises:
        ImageError: Sizes or channels differ, a side is under 8 pixels, or floats leave [0, 1].
        OptionError: Unknown variant or gray conversion.
    References:
        [piella2003]; sources compared: MFIF-Metrics, Liu's imageFusionMetrics.
    Chapter: 01_metrics

    Example:
        >>> from mffrepro.metrics.example import near, far, sharp
        >>> round(qs([near, far], sharp), 4)
        0.9585
    """
    return score_alone("qs", variant, sources, fused, gray=gray)


def qw(sources: Sequence[ImageOrPath], fused: ImageOrPath, *, gray: str = "matlab", variant: str | None = None) -> float:
    r"""Structural similarity with the sources, after Piella: windows of high variance count more.

    Range -1 to 1 (an image fused with itself), higher is better. Scale 0..255.

    .. math:: Q_W = \sum_w c_w \sum_i \lambda^i_w S(i, F), \quad c_w \propto \max_i \sigma_i^2

    Args:
        sources: N >= 2 images of one size, (H, W) or (H, W, 3); uint8, uint16 or float in [0, 1].
        fused: Image of that size.
        gray: Gray conversion, "matlab" or "skimage".
        variant: None: 8x8 windows, K = 1e-6; or "zl": 11x11 Gaussian windows (images of 11x11 pixels at least), K = 0.01 and
            0.03.
    Returns:
        The weighted mean over all full windows of the similarity of `qs`.
    Raises:
        ImageError: Sizes or channels differ, a side is under 8 pixels, or floats leave [0, 1].
        OptionError: Unknown variant or gray conversion.
    References:
        [piella2003]; sources compared: MFIF-Metrics, Liu's imageFusionMetrics.
    Chapter: 01_metrics

    Example:
        >>> from mffrepro.metrics.example import near, far, sharp
        >>> round(qw([near, far], sharp), 4)
        0.9636
    """
    return score_alone("qw", variant, sources, fused, gray=gray)


def qe(sources: Sequence[ImageOrPath], fused: ImageOrPath, *, gray: str = "matlab") -> float:
    r"""Structural similarity of images and of their edges, after Piella.

    Range -1 to 1 (an image fused with itself), higher is better. Scale 0..255.

    .. math:: Q_E = Q_W(A, B, F) \, Q_W(A', B', F')

    Args:
        sources: N >= 2 images of one size, (H, W) or (H, W, 3); uint8, uint16 or float in [0, 1].
        fused: Image of that size.
        gray: Gray conversion, "matlab" or "skimage".
    Returns:
        `qw` times `qw` of the images of Prewitt magnitudes.
    Raises:
        ImageError: Sizes or channels differ, a side is under 8 pixels, or floats leave [0, 1].
        OptionError: Unknown gray conversion.
    References:
        [piella2003]; source compared: MFIF-Metrics.
    Chapter: 01_metrics

    Example:
        >>> from mffrepro.metrics.example import near, far, sharp
        >>> round(qe([near, far], sharp), 4)
        0.8562
    """
    return score_alone("qe", None, sources, fused, gray=gray)
