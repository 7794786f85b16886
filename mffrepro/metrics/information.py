"""Information kept: mutual information and its generalisations.

All metrics read joint histograms of 256 levels. Where the source of a metric stretches each image to 0..255 first (`stretched`),
gain and offset of an image have no effect, and a constant image has no defined value: the metric is NaN.

What we changed: joint histograms by counting pairs at once instead of looping over pixels; sums over any number of sources.
"""

import numpy as np

from mffrepro.metrics import programs
from mffrepro.metrics.histograms import all_have_contrast, entropy, joint, levels, levels_merged, mutual_information, stretched
from mffrepro.metrics.inputs import FusionInputs, GrayImage
from mffrepro.metrics.registry import metric


def tsallis(image: GrayImage, other: GrayImage, q: float) -> float:
    """Compute the Tsallis information of order q; symmetric.

    Each marginal is read with the other's index: a slip of the original that is in all published numbers.
    """
    pairs = image.get(joint, other, stretched)
    rows, columns = pairs.sum(axis=1), pairs.sum(axis=0)
    independent = np.outer(columns, rows)
    there = independent != 0
    return (1 - np.sum(pairs[there] ** q / independent[there] ** (q - 1))) / (1 - q)


# ------------------------------------------------------------------------------------------------------------- metrics


@metric(
    "mi",
    symbol="MI",
    formula=r"MI = \sum_i H(i) + H(F) - H(i, F)",
    low=0,
    source=programs.KUMAR,
    bibkey="qu2002mi",
    summary="mutual information with the sources, summed, in bits",
    example=7.3839,
)
def mi(inputs: FusionInputs, fused: GrayImage) -> float:
    """Measure the mutual information between the fused image and the sources.

    It is a sum over the sources, at most 8 bits for each; 0 for a constant fused image.
    """
    return sum(fused.get(mutual_information, source, levels) for source in inputs.sources)


@metric(
    "mi.uint8",
    low=0,
    source=programs.KUMAR,
    bibkey="kumar2013",
    summary="mutual information with levels 254 and 255 merged, as in code that indexes by an 8-bit level + 1",
)
def mi_uint8(inputs: FusionInputs, fused: GrayImage) -> float:
    """Measure the mutual information of saturating 8-bit code."""
    return sum(fused.get(mutual_information, source, levels_merged) for source in inputs.sources)


@metric(
    "qmi",
    symbol="Q_{MI}",
    formula=r"Q_{MI} = 2 \sum_i \frac{MI(i, F)}{H(i) + H(F)}",
    low=0,
    source=programs.TOOLBOX,
    bibkey="hossny2008",
    summary="mutual information normalised by the entropies",
    example=1.0653,
)
def qmi(inputs: FusionInputs, fused: GrayImage) -> float:
    """Measure the mutual information with the sources, normalised by the entropies.

    An image fused with itself scores the number of sources. Each image is first stretched to 0..255; NaN where an image is
    constant, unless it is black.
    """
    if not all_have_contrast(inputs, fused):
        return np.nan
    own = fused.get(entropy, stretched)
    return 2 * sum(fused.get(mutual_information, s, stretched) / (own + s.get(entropy, stretched)) for s in inputs.sources)


@metric(
    "qte",
    symbol="Q_{TE}",
    formula=r"T_q(X, Y) = \frac{1}{1-q} \left( 1 - \sum_{x,y} \frac{p(x,y)^q}{(p_x p_y)^{q-1}} \right)",
    source=programs.COLLECTION,
    bibkey="cvejic2006",
    max_sources=2,
    summary="Tsallis information of order 1.85, summed over the sources",
    example=43.4228,
)
def qte(inputs: FusionInputs, fused: GrayImage) -> float:
    """Measure the Tsallis information between the fused image and the sources.

    It is the sum over both sources with order q = 1.85; its scale depends on the order. Each image is first stretched to 0..255;
    NaN where an image is constant, unless it is black.

    Deviations:
        The marginals are read with each other's index, a slip that every published number contains. For more than two sources
        neither reading is defined.
    """
    if not all_have_contrast(inputs, fused):
        return np.nan
    return sum(fused.get(tsallis, source, 1.85) for source in inputs.sources)


@metric(
    "qte.nava",
    source=programs.TOOLBOX,
    bibkey="nava2007",
    summary="Tsallis information of order 0.43137, divided by H(A)^q + H(B)^q + T(A, B)",
)
def qte_nava(inputs: FusionInputs, fused: GrayImage) -> float:
    """Measure the normalised Tsallis information after Nava."""
    if not all_have_contrast(inputs, fused):
        return np.nan
    q = 0.43137
    a, b = inputs.sources
    between = a.get(tsallis, b, q) + a.get(entropy, stretched) ** q + b.get(entropy, stretched) ** q
    return (fused.get(tsallis, a, q) + fused.get(tsallis, b, q)) / between


@metric(
    "qncie",
    symbol="Q_{NCIE}",
    formula=r"Q_{NCIE} = 1 + \sum_k \frac{\lambda_k}{K} \log_{256} \frac{\lambda_k}{K}",
    low=0,
    high=1,
    source=programs.TOOLBOX,
    bibkey="wang2008ncie",
    summary="nonlinear correlation information entropy",
    example=0.8302,
)
def qncie(inputs: FusionInputs, fused: GrayImage) -> float:
    """Measure the nonlinear correlation information entropy of all images.

    It is computed from the eigenvalues of the K x K matrix of nonlinear correlations, K = N + 1. Each image is first stretched to
    0..255; NaN where an image is constant, unless it is black.
    """
    if not all_have_contrast(inputs, fused):
        return np.nan
    images = [*inputs.sources, fused]
    count = len(images)
    correlation = np.eye(count)  # its entries have logarithms to base 256: bits / 8
    for i in range(count):
        for j in range(i):
            correlation[i, j] = correlation[j, i] = images[i].get(mutual_information, images[j], stretched) / 8
    shares = np.linalg.eigvalsh(correlation) / count
    shares = shares[shares > 0]
    return 1 + shares @ np.log2(shares) / 8
