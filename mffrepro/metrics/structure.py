"""Structural similarity with the sources [yang2008, piella2003, cvejic2005].

All metrics compare local means, variances and covariances as [wang2004ssim] does. They differ in the weights of the sources in a
window: by variance (Q_S, Q_W, Q_E), by covariance with the fused image (Q_C), or by how similar the sources are (Q_Y).

What we changed: Q_Y and Q_C have almost no stabilising constant (2e-16), so that in windows where an image is flat the original
code divides one rounding error by another and may return any number. Here a flat window has a variance and covariances of exactly
zero, as the formulas say. The variants ``qy.mfif``, ``qy.zl`` and ``qc.zl`` keep the rounding errors.
"""

import operator
from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any, NamedTuple

import numpy as np

from mffrepro.formulas.arrays import namespace
from mffrepro.formulas.filters import PREWITT, box8_sum, correlate, derivatives, gaussian, magnitude
from mffrepro.formulas.similarity import gauss7, similarity, yang
from mffrepro.metrics import programs
from mffrepro.metrics.inputs import FusionInputs, GrayImage
from mffrepro.metrics.registry import metric
from mffrepro.metrics.weighted_map import WeightedMap, unweighted

#: Stabilising constants (C1, C2) of Q_Y and Q_C, of Q_S, Q_W and Q_E, and of the toolbox's Q_S and Q_W.
TINY = (2e-16, 2e-16)
PIELLA = ((1e-6 * 255) ** 2, (1e-6 * 255) ** 2)
TOOLBOX = ((0.01 * 255) ** 2, (0.03 * 255) ** 2)

Window = Callable[[np.ndarray], np.ndarray]

# ------------------------------------------------------------------------------------------------------------ features


def gauss11(x: np.ndarray) -> np.ndarray:
    """Compute the local mean over each full 11x11 window, Gaussian of sigma 1.5."""
    return correlate(x, gaussian(11, 1.5), gaussian(11, 1.5), "valid")


def box8(x: np.ndarray) -> np.ndarray:
    """Compute the local mean over each full 8x8 window; exact for integers."""
    return box8_sum(x) / 64


_SIDE = {gauss7: 7, gauss11: 11, box8: 8}
#: Rows and columns before the centre of the first full window; an even window has its centre at its fourth pixel.
_CENTRE = {window: (side - 1) // 2 for window, side in _SIDE.items()}


def local_mean(image: GrayImage, window: Window) -> np.ndarray:
    """Compute the mean of each full window of an image."""
    return window(image.values)


def flat(image: GrayImage, window: Window) -> np.ndarray:
    """Find the windows whose pixels are all equal."""
    x, side = image.values, _SIDE[window]
    rows = _all_down(_all_across(x[..., 1:] == x[..., :-1], side - 1), side)
    columns = _all_down(x[..., 1:, :] == x[..., :-1, :], side - 1)
    return rows & columns[..., : rows.shape[-1]]


def _all_across(true: np.ndarray, length: int) -> np.ndarray:
    """Find where `length` entries of the row, from here on, are all true."""
    count = true.shape[-1] - length + 1
    return reduce(operator.and_, (true[..., k : k + count] for k in range(length)))


def _all_down(true: np.ndarray, length: int) -> np.ndarray:
    return _all_across(true.swapaxes(-1, -2), length).swapaxes(-1, -2)


def covariance(image: GrayImage, other: GrayImage, window: Window) -> np.ndarray:
    """Compute the local covariance as E[xy] - E[x]E[y], rounding errors included."""
    product = window(image.values * other.values)
    return product - image.get(local_mean, window) * other.get(local_mean, window)


def exact_covariance(image: GrayImage, other: GrayImage, window: Window) -> np.ndarray:
    """Compute the local covariance, exactly 0 where either image is flat."""
    result = image.get(covariance, other, window)
    return namespace(result).where(image.get(flat, window) | other.get(flat, window), 0.0, result)


def ssim_map(
    image: GrayImage,
    other: GrayImage,
    window: Window,
    constants: tuple[float, float],
    moment: Callable[..., np.ndarray] = covariance,
    floor: float = 0.0,
) -> np.ndarray:
    """Compute the SSIM of each full window of two images.

    `floor` is added to the denominator.
    """
    means = image.get(local_mean, window), other.get(local_mean, window)
    own = image.get(moment, image, window), other.get(moment, other, window)
    return similarity(means, own, image.get(moment, other, window), constants, floor)


def variances(
    sources: Sequence[GrayImage], window: Window, moment: Callable[..., np.ndarray], lift: float = 0.5
) -> list[np.ndarray]:
    """Compute the local variance of each source.

    Where no source has any, all have the variance `lift`, so that their shares are equal.
    """
    result = [source.get(moment, source, window) for source in sources]
    lifts = (sum(result) == 0) * lift
    return [variance + lifts for variance in result]


def prewitt(image: GrayImage) -> GrayImage:
    """Compute the image of Prewitt gradient magnitudes."""
    return GrayImage(magnitude(*derivatives(image.values, PREWITT)))


# ------------------------------------------------------------------------------------------------------ Yang's measure


def _yang(a: GrayImage, b: GrayImage, fused: GrayImage, share: np.ndarray, **options: Any) -> WeightedMap:
    """Compute Yang's similarity in each full window."""
    to_a, to_b = (ssim_map(fused, source, gauss7, TINY, **options) for source in (a, b))
    a_to_b = b.get(ssim_map, a, gauss7, TINY, *options.values())
    return unweighted(yang(a_to_b, share, to_a, to_b), _CENTRE[gauss7])


@metric(
    "qy",
    symbol="Q_Y",
    formula=r"""
        Q_Y = \operatorname{mean}_w \begin{cases}
            \lambda_w S(A,F) + (1 - \lambda_w) S(B,F) & S(A,B) \ge 0.75 \\
            \max(S(A,F), S(B,F)) & \text{else}
        \end{cases}
    """,
    low=-1,
    high=1,
    identity=1,
    source=programs.HERE,
    bibkey="yang2008",
    max_sources=2,
    min_side=7,
    batched=True,
    summary="structural similarity, shared by variance or the better of two; exact in flat windows",
    example=0.9887,
)
def qy(inputs: FusionInputs, fused: GrayImage) -> WeightedMap:
    """Measure the structural similarity with the sources, after Yang.

    The mean runs over all full 7x7 windows (Gaussian, sigma 1.5) of the similarity S; lambda is A's share of the sources'
    variance, 0.5 where there is none. Variants that keep the rounding errors of their source return any number, or NaN, where
    a window is flat. The variant "gacn" takes colour images in [0, 1] with gray="skimage".

    Deviations:
        Two flat windows count as equal in contrast and structure, a flat window and another one as not similar at all;
        [ma2022gacn]'s 1e-10 makes two flat windows count nearly 0 in [0, 1].
    """
    var_a, var_b = variances(inputs.sources, gauss7, exact_covariance)
    return _yang(*inputs.sources, fused, var_a / (var_a + var_b), moment=exact_covariance)


@metric(
    "qy.mfif",
    source=programs.COLLECTION,
    bibkey="yang2008",
    summary="structural similarity as qy, with the rounding errors of its source in flat windows",
)
def qy_mfif(inputs: FusionInputs, fused: GrayImage) -> WeightedMap:
    """Measure Yang's similarity with the rounding errors of MFIF-Metrics."""
    var_a, var_b = variances(inputs.sources, gauss7, covariance)
    return _yang(*inputs.sources, fused, var_a / (var_a + var_b))


@metric(
    "qy.zl",
    source=programs.TOOLBOX,
    bibkey="liu2012objective",
    summary="structural similarity as qy, NaN where a window is flat in both sources",
)
def qy_zl(inputs: FusionInputs, fused: GrayImage) -> WeightedMap:
    """Measure Yang's similarity with the rounding errors of the toolbox."""
    var_a, var_b = (source.get(covariance, source, gauss7) for source in inputs.sources)
    return _yang(*inputs.sources, fused, var_a / (var_a + var_b))


@metric(
    "qy.gacn",
    source=programs.GACN,
    bibkey="ma2022gacn",
    summary="structural similarity as qy, with 1e-10 added to the denominators",
)
def qy_gacn(inputs: FusionInputs, fused: GrayImage) -> WeightedMap:
    """Measure Yang's similarity with the stabiliser and value range of GACN."""
    a, b = (source.protocol_range for source in inputs.sources)
    var_a, var_b = (source.get(exact_covariance, source, gauss7) for source in (a, b))
    share = var_a / (var_a + var_b + 1e-10)
    return _yang(a, b, fused.protocol_range, share, moment=exact_covariance, floor=1e-10)


# ---------------------------------------------------------------------------------------------------- Cvejic's measure


def _covariance_share(inputs: FusionInputs, fused: GrayImage, window: Window, moment: Callable[..., np.ndarray]) -> np.ndarray:
    """Compute the first source's share of each window, by covariance."""
    to_a, to_b = (fused.get(moment, source, window) for source in inputs.sources)
    return to_a / (to_a + to_b)


@metric(
    "qc",
    symbol="Q_C",
    formula=r"""
        Q_C = \operatorname{mean}_w \mu_w S(A,F) + (1 - \mu_w) S(B,F), \quad
        \mu_w = \left[\frac{\sigma_{AF}}{\sigma_{AF} + \sigma_{BF}}\right]_0^1
    """,
    low=-1,
    high=1,
    identity=1,
    source=programs.COLLECTION,
    bibkey="cvejic2005",
    max_sources=2,
    min_side=8,
    batched=True,
    summary="structural similarity, shared by covariance",
    example=0.8901,
)
def qc(inputs: FusionInputs, fused: GrayImage) -> WeightedMap:
    """Measure the structural similarity with the sources, after Cvejic.

    The mean runs over all full 8x8 windows; the sources share a window by their covariance with the fused image, equally where
    there is none. Where the share leaves 0..1, it is clipped; the variant "zl" sets the similarity itself to 0 or 1 there.
    """
    share = _covariance_share(inputs, fused, box8, exact_covariance)
    xp = namespace(share)
    share = xp.where(xp.isnan(share), 0.5, xp.clip(share, 0, 1))
    to_a, to_b = (ssim_map(fused, source, box8, TINY, exact_covariance) for source in inputs.sources)
    return unweighted(share * to_a + (1 - share) * to_b, _CENTRE[box8])


@metric(
    "qc.zl",
    source=programs.TOOLBOX,
    bibkey="cvejic2005",
    min_side=7,
    summary="structural similarity as qc in 7x7 Gaussian windows; NaN where a window is flat in both sources",
)
def qc_zl(inputs: FusionInputs, fused: GrayImage) -> WeightedMap:
    """Measure Cvejic's similarity in the Gaussian windows of the toolbox."""
    share = _covariance_share(inputs, fused, gauss7, covariance)
    to_a, to_b = (ssim_map(fused, source, gauss7, TINY) for source in inputs.sources)
    quality = share * to_a + (1 - share) * to_b
    xp = namespace(share)
    return unweighted(xp.where(share < 0, 0.0, xp.where(share > 1, 1.0, quality)), _CENTRE[gauss7])


# ---------------------------------------------------------------------------------------------------- Piella's measures


class Shared(NamedTuple):
    """Hold the SSIM with the sources, and the largest variance of each window."""

    quality: np.ndarray
    salience: np.ndarray
    corner: int

    def unweighted(self) -> WeightedMap:
        """Give every window the same weight."""
        return unweighted(self.quality, self.corner)

    def weighted(self) -> WeightedMap:
        """Weight each window by its largest variance."""
        return WeightedMap(self.quality * self.salience, self.salience, self.corner)


def piella(inputs: FusionInputs, fused: GrayImage) -> Shared:
    """Compute the shared similarity in 8x8 windows."""
    return _shared(inputs.sources, fused, box8, PIELLA)


def piella_toolbox(inputs: FusionInputs, fused: GrayImage) -> Shared:
    """Compute the shared similarity in the Gaussian windows of the toolbox."""
    # In the original, rounding keeps flat windows from being lifted: their sources share equally but the windows weigh nothing.
    return _shared(inputs.sources, fused, gauss11, TOOLBOX, lift=1e-12)


def _shared(
    sources: Sequence[GrayImage], fused: GrayImage, window: Window, constants: tuple[float, float], **options: float
) -> Shared:
    weights = variances(sources, window, exact_covariance, **options)
    maps = (ssim_map(fused, source, window, constants, exact_covariance) for source in sources)
    quality = sum(w * m for w, m in zip(weights, maps, strict=True)) / sum(weights)
    return Shared(quality, reduce(namespace(quality).maximum, weights), _CENTRE[window])


@metric(
    "qs",
    symbol="Q_S",
    formula=r"Q_S = \operatorname{mean}_w \sum_i \lambda^i_w S(i, F), \quad \lambda^i_w = \frac{\sigma_i^2}{\sum_j \sigma_j^2}",
    low=-1,
    high=1,
    identity=1,
    source=programs.COLLECTION,
    bibkey="piella2003",
    min_side=8,
    batched=True,
    summary="structural similarity, shared by variance",
    example=0.9585,
)
def qs(inputs: FusionInputs, fused: GrayImage) -> WeightedMap:
    """Measure the structural similarity, after Piella, with equal window weights.

    The mean runs over all full 8x8 windows, with K = 1e-6 in both constants; the sources share a window by their variance,
    equally where there is none.
    """
    return fused.get_with(inputs, piella).unweighted()


@metric(
    "qs.zl",
    low=-1,
    high=1,
    identity=1,
    source=programs.TOOLBOX,
    bibkey="piella2003",
    min_side=11,
    summary="structural similarity as qs in 11x11 Gaussian windows, K = 0.01 and 0.03",
)
def qs_zl(inputs: FusionInputs, fused: GrayImage) -> WeightedMap:
    """Measure Piella's similarity in the Gaussian windows of the toolbox."""
    return fused.get_with(inputs, piella_toolbox).unweighted()


@metric(
    "qw",
    symbol="Q_W",
    formula=r"Q_W = \sum_w c_w \sum_i \lambda^i_w S(i, F), \quad c_w \propto \max_i \sigma_i^2",
    low=-1,
    high=1,
    identity=1,
    source=programs.COLLECTION,
    bibkey="piella2003",
    min_side=8,
    batched=True,
    summary="structural similarity, shared and weighted by variance",
    example=0.9636,
)
def qw(inputs: FusionInputs, fused: GrayImage) -> WeightedMap:
    """Measure the structural similarity, after Piella, weighted by variance.

    It is the mean of the similarity of `qs` over all full windows, weighted by the largest variance of the sources.
    """
    return fused.get_with(inputs, piella).weighted()


@metric(
    "qw.zl",
    low=-1,
    high=1,
    identity=1,
    source=programs.TOOLBOX,
    bibkey="piella2003",
    min_side=11,
    summary="structural similarity as qw in 11x11 Gaussian windows, K = 0.01 and 0.03",
)
def qw_zl(inputs: FusionInputs, fused: GrayImage) -> WeightedMap:
    """Measure Piella's weighted similarity in the Gaussian windows of the toolbox."""
    return fused.get_with(inputs, piella_toolbox).weighted()


@metric(
    "qe",
    symbol="Q_E",
    formula=r"Q_E = Q_W(A, B, F) \, Q_W(A', B', F')",
    low=-1,
    high=1,
    identity=1,
    source=programs.COLLECTION,
    bibkey="piella2003",
    min_side=8,
    batched=True,
    summary="structural similarity of images and of their edges",
    example=0.8562,
)
def qe(inputs: FusionInputs, fused: GrayImage) -> float:
    """Measure the structural similarity of images and of their edges, after Piella.

    It is `qw` times `qw` of the images of Prewitt magnitudes.
    """
    edges = _shared([source.get(prewitt) for source in inputs.sources], fused.get(prewitt), box8, PIELLA)
    return qw(inputs, fused).mean() * edges.weighted().mean()
