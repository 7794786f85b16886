"""Statistics of the fused image alone, and its correlation with the sources.

Sharpness and contrast measures (average gradient, spatial frequency [eskicioglu1995], standard deviation, entropy, edge
intensity) rise with noise and ringing as well as with detail: read them beside a metric that compares with the sources.

What we changed: nothing in the numbers.
"""

import numpy as np

from mffrepro.formulas.arrays import namespace
from mffrepro.formulas.filters import derivatives, magnitude
from mffrepro.metrics import programs
from mffrepro.metrics.histograms import entropy, levels, levels_merged
from mffrepro.metrics.inputs import FusionInputs, GrayImage
from mffrepro.metrics.registry import metric
from mffrepro.metrics.weighted_map import WeightedMap, unweighted


def forward_differences(image: GrayImage) -> tuple[np.ndarray, np.ndarray]:
    """Compute the differences to the next column and row, 0 at the last ones."""
    x = image.values
    across, down = x * 0, x * 0
    across[..., :-1], down[..., :-1, :] = x[..., 1:] - x[..., :-1], x[..., 1:, :] - x[..., :-1, :]
    return across, down


def pearson(x: np.ndarray, y: np.ndarray) -> float:
    """Compute the correlation over all pixels.

    It is NaN where either image is constant, even if the mean of that image has a rounding error.
    """
    xp, over = namespace(x), (-2, -1)
    constant = (xp.amin(x, axis=over) == xp.amax(x, axis=over)) | (xp.amin(y, axis=over) == xp.amax(y, axis=over))
    x, y = (a - xp.mean(a, axis=over, keepdims=True) for a in (x, y))
    correlation = (x * y).sum(over) / ((x * x).sum(over) * (y * y).sum(over)) ** 0.5
    return xp.where(constant, xp.nan, correlation)


# ------------------------------------------------------------------------------------------------------------- metrics


@metric(
    "ag",
    symbol="AG",
    formula=r"AG = \operatorname{mean} \sqrt{(\Delta_x^2 + \Delta_y^2) / 2}",
    low=0,
    source=programs.COLLECTION,
    bibkey="cui2015",
    min_side=2,
    batched=True,
    summary="average gradient",
    example=22.4818,
)
def ag(inputs: FusionInputs, fused: GrayImage) -> WeightedMap:
    """Measure the average gradient of the fused image; the sources are not used.

    In gray levels per pixel, from forward differences, 0 at the last row and column. The variant "kumar" is about 1.4 times as
    large.
    """
    across, down = fused.get(forward_differences)
    return unweighted(namespace(across).sqrt((across**2 + down**2) / 2))


@metric(
    "ag.kumar",
    low=0,
    source=programs.KUMAR,
    bibkey="kumar2013",
    batched=True,
    summary="average gradient, not halved, periodic border",
)
def ag_kumar(inputs: FusionInputs, fused: GrayImage) -> WeightedMap:
    """Measure the average gradient with Kumar's border and scale."""
    x, concatenate = fused.values, namespace(fused.values).concatenate
    right, lower = concatenate([x[..., 1:], x[..., :1]], axis=-1), concatenate([x[..., 1:, :], x[..., :1, :]], axis=-2)
    return unweighted(magnitude(right - x, lower - x))


@metric(
    "sf.kumar",
    low=0,
    source=programs.KUMAR,
    bibkey="kumar2013",
    summary="spatial frequency; the same number as sf",
)
@metric(
    "sf",
    symbol="SF",
    formula=r"SF = \sqrt{\tfrac{1}{HW}\sum \Delta_x^2 + \tfrac{1}{HW}\sum \Delta_y^2}",
    low=0,
    source=programs.COLLECTION,
    bibkey="eskicioglu1995",
    min_side=2,
    batched=True,
    summary="spatial frequency",
    example=34.3626,
)
def sf(inputs: FusionInputs, fused: GrayImage) -> float:
    """Measure the spatial frequency of the fused image; the sources are not used.

    In gray levels; both sums are divided by the number of pixels, not of differences.
    """
    across, down = fused.get(forward_differences)
    return unweighted(across**2 + down**2).mean() ** 0.5


@metric(
    "sd",
    symbol="SD",
    low=0,
    high=127.5,
    source=programs.KUMAR,
    bibkey="kumar2013",
    min_side=2,
    batched=True,
    summary="standard deviation over all pixels",
    example=35.6569,
)
def sd(inputs: FusionInputs, fused: GrayImage) -> float:
    """Measure the standard deviation of the fused image; the sources are not used.

    It is the population deviation over all pixels, in gray levels.
    """
    return namespace(fused.values).std(fused.values, axis=(-2, -1), correction=0)


@metric(
    "sd.mfif",
    low=0,
    source=programs.COLLECTION,
    bibkey="kumar2013",
    batched=True,
    summary="standard deviation of each column (of a sample), averaged over the columns",
)
def sd_mfif(inputs: FusionInputs, fused: GrayImage) -> float:
    """Measure the mean over columns of the sample deviation of each."""
    return namespace(fused.values).std(fused.values, axis=-2, correction=1).mean(-1)


@metric(
    "en",
    symbol="EN",
    formula=r"EN = -\sum_k p_k \log_2 p_k",
    low=0,
    high=8,
    source=programs.COLLECTION,
    bibkey="roberts2008",
    summary="entropy of the gray levels in bits",
    example=7.1694,
)
def en(inputs: FusionInputs, fused: GrayImage) -> float:
    """Measure the entropy of the fused image; the sources are not used.

    In bits, from the histogram of 256 levels; 0 for a constant image.
    """
    return fused.get(entropy, levels)


@metric(
    "en.uint8",
    low=0,
    high=8,
    source=programs.KUMAR,
    bibkey="kumar2013",
    summary="entropy with levels 254 and 255 merged, as in code that indexes by an 8-bit level + 1",
)
def en_uint8(inputs: FusionInputs, fused: GrayImage) -> float:
    """Measure the entropy of saturating 8-bit code."""
    return fused.get(entropy, levels_merged)


@metric(
    "ei",
    symbol="EI",
    low=0,
    source=programs.COLLECTION,
    bibkey="rajalingam2018",
    batched=True,
    summary="edge intensity: mean Sobel gradient",
    example=199.6867,
)
def ei(inputs: FusionInputs, fused: GrayImage) -> WeightedMap:
    """Measure the edge intensity of the fused image; the sources are not used.

    It is the mean Sobel gradient (kernels not normalised, border repeated).
    """
    return unweighted(magnitude(*derivatives(fused.values, border="replicate")))


@metric(
    "api",
    symbol="API",
    better=None,
    low=0,
    high=255,
    source=programs.KUMAR,
    bibkey="kumar2013",
    batched=True,
    summary="average pixel intensity",
    example=147.8069,
)
def api(inputs: FusionInputs, fused: GrayImage) -> float:
    """Measure the mean gray level of the fused image; the sources are not used."""
    return fused.values.mean((-2, -1))


@metric(
    "cc",
    symbol="CC",
    formula=r"CC = \operatorname{mean}_i r(i, F)",
    low=-1,
    high=1,
    identity=1,
    source=programs.KUMAR,
    bibkey="kumar2013",
    batched=True,
    summary="mean correlation with the sources",
    example=0.8743,
)
def cc(inputs: FusionInputs, fused: GrayImage) -> float:
    """Measure the Pearson correlation of the fused image with the sources.

    NaN where an image is constant.

    Deviations:
        Computed in floating point; on 8-bit images the original saturates and returns numbers without meaning.
    """
    return sum(pearson(source.values, fused.values) for source in inputs.sources) / len(inputs.sources)


@metric(
    "scd",
    symbol="SCD",
    formula=r"SCD = r(F - B, A) + r(F - A, B)",
    low=-2,
    high=2,
    identity=0,
    source=programs.COLLECTION,
    bibkey="aslantas2015scd",
    max_sources=2,
    batched=True,
    summary="sum of the correlations of differences",
    example=1.5814,
)
def scd(inputs: FusionInputs, fused: GrayImage) -> float:
    """Measure the sum of the correlations of differences.

    A summand is 0 where the difference or the source is constant, as for an image fused with itself.
    """
    a, b = (source.values for source in inputs.sources)
    correlations = pearson(fused.values - b + 1e-5, a), pearson(fused.values - a + 1e-5, b)
    xp = namespace(a)
    return sum(xp.where(xp.isnan(c), 0.0, c) for c in correlations)
