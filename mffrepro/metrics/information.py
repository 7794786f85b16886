"""Information kept, from histograms of gray levels: entropies, mutual information and their generalisations.

All read joint histograms of 256 levels. Where a metric's source stretches each image to 0..255 first (`stretched`), gain
and offset of an image are of no consequence, and a constant image has no defined value: the metric is NaN.

What we changed: joint histograms by counting pairs at once instead of looping over pixels; sums over any number of sources.
"""

from collections.abc import Sequence

import numpy as np

from mffrepro.images import ImageOrPath
from mffrepro.metrics.inputs import FusionInputs, GrayImage
from mffrepro.metrics.scoring import score_alone


def stretched(image: GrayImage) -> np.ndarray | None:
    """Levels stretched to 0..255 and rounded; None for a constant image other than black, which has no contrast to stretch."""
    x = image.protocol_range.values  # stretching undoes the range, and rounding ties fall as they do in the published protocol
    low, high = x.min(), x.max()
    if high == 0:
        return x.astype(np.intp)
    if high == low:
        return None
    return np.floor(255 * (x - low) / (high - low) + 0.5).astype(np.intp)


def levels(image: GrayImage) -> np.ndarray:
    """Gray levels 0..255 as they are."""
    return np.floor(image.values + 0.5).astype(np.intp)


def levels_merged(image: GrayImage) -> np.ndarray:
    """Gray levels with 255 counted as 254: what indexing by an 8-bit level + 1 does when 256 saturates."""
    return np.minimum(levels(image), 254)


def joint(image: GrayImage, other: GrayImage, binning) -> np.ndarray:
    """Joint distribution (256, 256) of two images' levels, this image along the rows."""
    pairs = image.get(binning) * 256 + other.get(binning)
    return np.bincount(pairs.ravel(), minlength=65536).reshape(256, 256) / pairs.size


def distribution(image: GrayImage, binning) -> np.ndarray:
    """Distribution of the levels, (256,)."""
    return np.bincount(image.get(binning).ravel(), minlength=256) / image.values.size


def bits(p: np.ndarray) -> float:
    """Entropy of a distribution in bits."""
    p = p[p > 0]
    return abs(p @ np.log2(p))


def entropy(image: GrayImage, binning) -> float:
    return bits(image.get(distribution, binning))


def mutual_information(image: GrayImage, other: GrayImage, binning) -> float:
    """In bits."""
    return image.get(entropy, binning) + other.get(entropy, binning) - bits(image.get(joint, other, binning))


def _all_have_contrast(scene: FusionInputs, fused: GrayImage) -> bool:
    return all(image.get(stretched) is not None for image in (*scene.sources, fused))


def _en(scene: FusionInputs, fused: GrayImage) -> float:
    return fused.get(entropy, levels)


def _en_uint8(scene: FusionInputs, fused: GrayImage) -> float:
    return fused.get(entropy, levels_merged)


def _mi(scene: FusionInputs, fused: GrayImage) -> float:
    return sum(fused.get(mutual_information, source, levels) for source in scene.sources)


def _mi_uint8(scene: FusionInputs, fused: GrayImage) -> float:
    return sum(fused.get(mutual_information, source, levels_merged) for source in scene.sources)


def _fs(scene: FusionInputs, fused: GrayImage) -> float:
    a, b = (fused.get(mutual_information, source, levels) for source in scene.sources)
    return 2 - abs(a / (a + b) - 0.5) if a + b > 0 else np.nan


def _qmi(scene: FusionInputs, fused: GrayImage) -> float:
    if not _all_have_contrast(scene, fused):
        return np.nan
    own = fused.get(entropy, stretched)
    return 2 * sum(fused.get(mutual_information, s, stretched) / (own + s.get(entropy, stretched)) for s in scene.sources)


def tsallis(image: GrayImage, other: GrayImage, q: float) -> float:
    """Tsallis information of order q; symmetric. Each marginal is read with the other's index: the original's slip."""
    pairs = image.get(joint, other, stretched)
    rows, columns = pairs.sum(axis=1), pairs.sum(axis=0)
    independent = np.outer(columns, rows)
    there = independent != 0
    return (1 - np.sum(pairs[there] ** q / independent[there] ** (q - 1))) / (1 - q)


def _qte(scene: FusionInputs, fused: GrayImage) -> float:
    if not _all_have_contrast(scene, fused):
        return np.nan
    return sum(fused.get(tsallis, source, 1.85) for source in scene.sources)


def _qte_nava(scene: FusionInputs, fused: GrayImage) -> float:
    if not _all_have_contrast(scene, fused):
        return np.nan
    q = 0.43137
    a, b = scene.sources
    between = a.get(tsallis, b, q) + a.get(entropy, stretched) ** q + b.get(entropy, stretched) ** q
    return (fused.get(tsallis, a, q) + fused.get(tsallis, b, q)) / between


def _qncie(scene: FusionInputs, fused: GrayImage) -> float:
    if not _all_have_contrast(scene, fused):
        return np.nan
    images = [*scene.sources, fused]
    count = len(images)
    correlation = np.eye(count)  # its entries have logarithms to base 256: bits / 8
    for i in range(count):
        for j in range(i):
            correlation[i, j] = correlation[j, i] = images[i].get(mutual_information, images[j], stretched) / 8
    shares = np.linalg.eigvalsh(correlation) / count
    shares = shares[shares > 0]
    return 1 + shares @ np.log2(shares) / 8


# --------------------------------------------------------------------------------------------------- the metrics


def en(sources: Sequence[ImageOrPath], fused: ImageOrPath, *, gray: str = "matlab", variant: str | None = None) -> float:
    """Entropy of the fused image.

    Range 0 to 8 bits, higher is better. Scale 0..255.

    Args:
        sources: The images that were fused; this metric does not look at them.
        fused: Image of that size.
        gray: Gray conversion, "matlab" or "skimage".
        variant: None, or "uint8": levels 254 and 255 share a bin, as in code that indexes by an 8-bit level + 1.
    Returns:
        Of the histogram of 256 levels, in bits; 0 for a constant image.
    Raises:
        ImageError: Sizes or channels differ, or floats leave [0, 1].
        OptionError: Unknown variant or gray conversion.
    References:
        [roberts2008], [kumar2013]; sources compared: MFIF-Metrics, Kumar's evaluation code.
    Chapter: 01_metrics

    Example:
        >>> from mffrepro.metrics.example import near, far, sharp
        >>> round(en([near, far], sharp), 4)
        7.1694
    """
    return score_alone("en", variant, sources, fused, gray=gray)


def mi(sources: Sequence[ImageOrPath], fused: ImageOrPath, *, gray: str = "matlab", variant: str | None = None) -> float:
    r"""Mutual information between the fused image and the sources.

    From 0 up to 8 bits per source, higher is better. Scale 0..255.

    .. math:: MI = \sum_i H(i) + H(F) - H(i, F)

    Args:
        sources: N >= 2 images of one size, (H, W) or (H, W, 3); uint8, uint16 or float in [0, 1].
        fused: Image of that size.
        gray: Gray conversion, "matlab" or "skimage".
        variant: None, or "uint8": levels 254 and 255 share a bin, as in code that indexes by an 8-bit level + 1.
    Returns:
        The sum over the sources, in bits; 0 for a constant fused image.
    Raises:
        ImageError: Sizes or channels differ, or floats leave [0, 1].
        OptionError: Unknown variant or gray conversion.
    References:
        [qu2002mi], [kumar2013]; source compared: Kumar's evaluation code.
    Chapter: 01_metrics

    Example:
        >>> from mffrepro.metrics.example import near, far, sharp
        >>> round(mi([near, far], sharp), 4)
        7.3839
    """
    return score_alone("mi", variant, sources, fused, gray=gray)


def fs(sources: Sequence[ImageOrPath], fused: ImageOrPath, *, gray: str = "matlab") -> float:
    r"""Fusion symmetry: whether both sources inform the fused image alike.

    Range 1.5 to 2 (equal shares), neither direction is better. Scale 0..255.

    .. math:: FS = 2 - \left| \frac{MI(A,F)}{MI(A,F) + MI(B,F)} - \frac{1}{2} \right|

    Args:
        sources: Two images of one size, (H, W) or (H, W, 3); uint8, uint16 or float in [0, 1].
        fused: Image of that size.
        gray: Gray conversion, "matlab" or "skimage".
    Returns:
        NaN where neither source tells anything of the fused image.
    Raises:
        ImageError: Sizes or channels differ, or floats leave [0, 1].
        OptionError: Unknown gray conversion, or more than two sources.
    References:
        [kumar2013]; source compared: Kumar's evaluation code.
    Chapter: 01_metrics

    Example:
        >>> from mffrepro.metrics.example import near, far, sharp
        >>> round(fs([near, far], sharp), 4)
        1.9877
    """
    return score_alone("fs", None, sources, fused, gray=gray)


def qmi(sources: Sequence[ImageOrPath], fused: ImageOrPath, *, gray: str = "matlab") -> float:
    r"""Mutual information normalised by the entropies.

    Range 0 to N sources (an image fused with itself), higher is better. Each image is stretched to 0..255.

    .. math:: Q_{MI} = 2 \sum_i \frac{MI(i, F)}{H(i) + H(F)}

    Args:
        sources: N >= 2 images of one size, (H, W) or (H, W, 3); uint8, uint16 or float in [0, 1].
        fused: Image of that size.
        gray: Gray conversion, "matlab" or "skimage".
    Returns:
        NaN where an image is constant, unless it is black.
    Raises:
        ImageError: Sizes or channels differ, or floats leave [0, 1].
        OptionError: Unknown gray conversion.
    References:
        [hossny2008]; source compared: Liu's imageFusionMetrics.
    Chapter: 01_metrics

    Example:
        >>> from mffrepro.metrics.example import near, far, sharp
        >>> round(qmi([near, far], sharp), 4)
        1.0653
    """
    return score_alone("qmi", None, sources, fused, gray=gray)


def qte(sources: Sequence[ImageOrPath], fused: ImageOrPath, *, gray: str = "matlab", variant: str | None = None) -> float:
    r"""Tsallis information between the fused image and the sources.

    Unbounded, higher is better; its scale depends on the order. Each image is stretched to 0..255.

    .. math:: T_q(X, Y) = \frac{1}{1-q} \left( 1 - \sum_{x,y} \frac{p(x,y)^q}{(p_x p_y)^{q-1}} \right)

    Args:
        sources: Two images of one size, (H, W) or (H, W, 3); uint8, uint16 or float in [0, 1].
        fused: Image of that size.
        gray: Gray conversion, "matlab" or "skimage".
        variant: None: the sum of both with order 1.85; or "nava": order 0.43137, divided by H(A)^q + H(B)^q + T(A, B).
    Returns:
        NaN where an image is constant, unless it is black.
    Raises:
        ImageError: Sizes or channels differ, or floats leave [0, 1].
        OptionError: Unknown variant or gray conversion, or more than two sources.
    Deviations:
        The marginals are read with each other's index, a slip that every published number contains; for more than two sources
        neither formula is defined.
    References:
        [cvejic2006], [nava2007]; sources compared: MFIF-Metrics, Liu's imageFusionMetrics.
    Chapter: 01_metrics

    Example:
        >>> from mffrepro.metrics.example import near, far, sharp
        >>> round(qte([near, far], sharp), 4)
        43.4228
    """
    return score_alone("qte", variant, sources, fused, gray=gray)


def qncie(sources: Sequence[ImageOrPath], fused: ImageOrPath, *, gray: str = "matlab") -> float:
    r"""Nonlinear correlation information entropy of sources and fused image.

    Range 0 to 1, higher is better. Each image is stretched to 0..255.

    .. math:: Q_{NCIE} = 1 + \sum_k \frac{\lambda_k}{K} \log_{256} \frac{\lambda_k}{K}

    Args:
        sources: N >= 2 images of one size, (H, W) or (H, W, 3); uint8, uint16 or float in [0, 1].
        fused: Image of that size.
        gray: Gray conversion, "matlab" or "skimage".
    Returns:
        From the eigenvalues of the K x K matrix of nonlinear correlations, K = N + 1; NaN where an image is constant, unless it
        is black.
    Raises:
        ImageError: Sizes or channels differ, or floats leave [0, 1].
        OptionError: Unknown gray conversion.
    References:
        [wang2008ncie]; source compared: Liu's imageFusionMetrics.
    Chapter: 01_metrics

    Example:
        >>> from mffrepro.metrics.example import near, far, sharp
        >>> round(qncie([near, far], sharp), 4)
        0.8302
    """
    return score_alone("qncie", None, sources, fused, gray=gray)
