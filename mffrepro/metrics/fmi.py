"""Feature mutual information in sliding 3x3 windows [haghighat2011, haghighat2014].

The nine feature values of a window, scaled to sum 1, are taken for the distribution of a variable with nine values. Two windows
have no joint distribution of their own; one is built between independence and the strongest possible dependence (the
Frechet bound), as far as their correlation demands, and its mutual information is related to their entropies.

What we changed: the windows of a strip are worked on at once. Equal windows count 1 and are skipped. Constant windows carry
no information: two of them count 1, one against another window counts 0, which is what the original gives up to rounding.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy as np
from scipy.special import xlogy

from mffrepro.formulas.filters import derivatives
from mffrepro.images import ImageOrPath
from mffrepro.metrics.inputs import FusionInputs, GrayImage
from mffrepro.metrics.local import Local, evenly
from mffrepro.metrics.scoring import score_alone
from mffrepro.tiling import in_threads

SIDE = 3
CELLS = SIDE * SIDE
#: Windows per strip and per block: a block's 17 numbers per window stay in the processor's cache.
STRIP, BLOCK = 16384, 2048

# ------------------------------------------------------------------------------------------------------------ features


def pixels(image: GrayImage) -> np.ndarray:
    return image.values


def horizontal_gradient(image: GrayImage) -> np.ndarray:
    """MATLAB's gradient with one output: central differences along the rows, one-sided at their ends."""
    return np.gradient(image.values, axis=1)


def cosine_transform(image: GrayImage) -> np.ndarray:
    """Orthonormal DCT-II of the whole image."""
    from scipy.fft import dctn

    return np.zeros_like(image.values) if _constant(image) else dctn(image.values, norm="ortho")


def edge_map(image: GrayImage) -> np.ndarray:
    """MATLAB's edge(I): Sobel, threshold at four times the mean squared strength, thinned; 0 or 1."""
    across, down = (d / 8 for d in derivatives(image.values, border="replicate"))
    strength = across**2 + down**2
    around = np.pad(strength, 1)  # neighbours outside the image are weaker than any edge
    left, right, up, below = around[1:-1, :-2], around[1:-1, 2:], around[:-2, 1:-1], around[2:, 1:-1]
    slack = 100 * np.finfo(float).eps
    across, down = np.abs(across), np.abs(down)
    along_row = (across >= down - slack) & (left <= strength) & (strength > right)
    along_column = (down >= across - slack) & (up <= strength) & (strength > below)
    return ((strength > 4 * strength.mean()) & (along_row | along_column)).astype(float)


@lru_cache(maxsize=1)
def meyer_wavelet():
    """Discrete Meyer filters of 102 taps: PyWavelets' 62 and the zeros that MATLAB's table has around them."""
    import pywt

    bank = [np.pad(taps, 20) for taps in pywt.Wavelet("dmey").filter_bank]
    return pywt.Wavelet("dmey102", filter_bank=bank)


def wavelet_coefficients(image: GrayImage) -> np.ndarray:
    """One level of the discrete Meyer transform, the four bands tiled and scaled to 0..1 together."""
    import pywt

    approximation, (horizontal, vertical, diagonal) = pywt.dwt2(image.values, meyer_wavelet(), mode="symmetric")
    tiled = np.block([[approximation, horizontal], [vertical, diagonal]])
    return np.zeros_like(tiled) if _constant(image) else (tiled - tiled.min()) / (tiled.max() - tiled.min())


def _constant(image: GrayImage) -> bool:
    """No features then, while a transform would show its rounding errors."""
    return image.values.min() == image.values.max()


# ---------------------------------------------------------------------------------------------- from windows to numbers


def windows(feature: np.ndarray) -> np.ndarray:
    """(9, M) values of every full window, column by column as MATLAB counts them."""
    height, width = feature.shape[0] - SIDE + 1, feature.shape[1] - SIDE + 1
    return np.stack([feature[y : y + height, x : x + width].ravel() for x in range(SIDE) for y in range(SIDE)])


def similarity(f: np.ndarray, a: np.ndarray) -> np.ndarray:
    """Normalised mutual information of each pair of windows.

    Args:
        f: (9, M) values of the windows of the fused image.
        a: The same of a source.
    Returns:
        (M,), 1 for equal windows.
    """
    constant_f, constant_a = (np.all(w == w[0], axis=0) for w in (f, a))
    result = (np.all(f == a, axis=0) | (constant_f & constant_a)).astype(float)
    todo = np.flatnonzero((result == 0) & ~constant_f & ~constant_a)
    for block in np.split(todo, range(BLOCK, len(todo), BLOCK)):
        result[block] = _dependence(_distribution(f.take(block, axis=1)), _distribution(a.take(block, axis=1)))
    return result


def _distribution(w: np.ndarray) -> np.ndarray:
    w = w - w.min(axis=0)
    w /= w.max(axis=0)
    return w / w.sum(axis=0)


def _dependence(f: np.ndarray, a: np.ndarray) -> np.ndarray:
    """2 I / (H + H) of the joint distribution built from (9, M) distributions."""
    df, da = f - 1 / CELLS, a - 1 / CELLS
    correlation = np.sum(df * da, axis=0) / np.sqrt(np.sum(df * df, axis=0) * np.sum(da * da, axis=0))
    # The lower bound of f and a is the upper bound of f and a reversed: only the order of a's cells changes.
    a = np.where(correlation < 0, a[::-1], a)
    breaks = np.concatenate([_cumulative(f), _cumulative(a)])
    rows, columns, ends = _staircase(breaks)
    deviations, covariance = _deviation(f) * _deviation(a), _largest_covariance(breaks, ends)
    phi = np.divide(np.abs(correlation) * deviations, covariance, out=np.zeros_like(covariance), where=deviations > 0)
    # Independence in all 81 cells at once; then the 17 where the bound has mass once more, without it and with it.
    rest, separate = 1 - phi, _nats(f) + _nats(a)
    cells = _pick(f, rows) * _pick(a, columns) * rest
    together = rest * separate - xlogy(rest, np.abs(rest)) - _nats(cells)
    mass = phi * ends
    cells += mass
    cells[1:] -= mass[:-1]
    together += _nats(cells)
    return np.divide(2 * (separate - together), separate, out=np.zeros_like(separate), where=separate > 0)


def _cumulative(p: np.ndarray) -> np.ndarray:
    """(8, M) running sums without the last, which is 1; a loop, since np.cumsum takes six times as long across rows."""
    sums = p[:-1].copy()
    for cell in range(1, CELLS - 1):
        sums[cell] += sums[cell - 1]
    return sums


def _staircase(breaks: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The cells that carry the strongest dependence of two distributions, from the one corner to the other.

    All mass lies where the intervals between the running sums of both overlap: a path of 17 cells, one step down a row or
    along a column at each running sum, in their order.

    Args:
        breaks: (16, M), eight running sums of the one distribution and eight of the other.
    Returns:
        Row and column (17, M) of each cell, and the mass (17, M) up to and including it.
    """
    count = breaks.shape[1]
    # Sorted with their numbers in the last four bits: half the time of argsort, and what the bits held is looked up again.
    keys = np.ascontiguousarray(breaks.view(np.int64).T)
    keys &= ~(len(breaks) - 1)
    keys |= np.arange(len(breaks))
    keys.sort(axis=1)
    order = np.ascontiguousarray(keys.T) & (len(breaks) - 1)
    rows = np.full((len(breaks) + 1, count), CELLS - 1)
    np.take(_ROW_BEFORE, order + _ROW_BEFORE.shape[1] * np.arange(len(breaks))[:, None], out=rows[:-1])
    columns = np.minimum(np.arange(len(breaks) + 1), 2 * (CELLS - 1))[:, None] - rows
    return rows, columns, np.concatenate([_pick(breaks, order), np.ones((1, count))])


def _rows_before() -> np.ndarray:
    """[step, break]: the row reached when that break comes at that step; the one distribution's are 0 to 7."""
    steps, breaks = np.indices((2 * (CELLS - 1),) * 2)
    other = breaks >= CELLS - 1
    return np.where(other, steps - (breaks - (CELLS - 1)), breaks)


_ROW_BEFORE = _rows_before()


def _pick(values: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """values[rows[k, m], m] for (R, M) values and (K, M) rows; several times as fast as take_along_axis."""
    return values.ravel().take(rows * values.shape[1] + np.arange(values.shape[1]))


def _largest_covariance(breaks: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Hoeffding's: the sum over all cells of min(F, A) - F A; the minima follow from the running sums in their order."""
    weights, inner = np.tile(np.arange(1, CELLS), 2), CELLS - 1
    minima = (inner - np.arange(2 * inner)) @ ends[:-1] + weights @ breaks
    return minima + 1 - (breaks[:inner].sum(axis=0) + 1) * (breaks[inner:].sum(axis=0) + 1)


def _deviation(p: np.ndarray) -> np.ndarray:
    """Standard deviation of a variable with values 1 to 9."""
    values = np.arange(1, CELLS + 1)
    return np.sqrt(np.maximum(values**2 @ p - (values @ p) ** 2, 0))


def _nats(p: np.ndarray) -> np.ndarray:
    """Entropy over the first axis; negative cells count with the logarithm of their magnitude, zeros not at all."""
    logarithm = np.abs(p)
    np.maximum(logarithm, 1e-300, out=logarithm)
    np.log(logarithm, out=logarithm)
    logarithm *= p
    return -logarithm.sum(axis=0)


# --------------------------------------------------------------------------------------------------------- whole images


def _strips(*features: np.ndarray) -> Iterator[list[np.ndarray]]:
    """The same rows of each feature, overlapping by a window so that every window is in one strip."""
    height, width = features[0].shape
    step = max(1, STRIP // width)
    for top in range(0, height - SIDE + 1, step):
        yield [feature[top : top + step + SIDE - 1] for feature in features]


def _strip_similarity(strip: list[np.ndarray]) -> np.ndarray:
    """Mean of the similarities with all sources, per window."""
    fused, *sources = map(windows, strip)
    return np.mean([similarity(fused, source) for source in sources], axis=0)


def _fmi(scene: FusionInputs, fused: GrayImage, feature) -> Local:
    features = in_threads(lambda image: image.get(feature), [fused, *scene.sources])
    similarities = np.concatenate(in_threads(_strip_similarity, _strips(*features)))
    return _map_of(similarities, features[0])


def _map_of(similarities: np.ndarray, feature: np.ndarray) -> Local:
    return evenly(similarities.reshape(feature.shape[0] - SIDE + 1, feature.shape[1] - SIDE + 1), SIDE // 2)


def _fmi_pixel_map(scene: FusionInputs, fused: GrayImage) -> Local:
    return _fmi(scene, fused, pixels)


def _fmi_pixel(scene: FusionInputs, fused: GrayImage) -> float:
    return _fmi_pixel_map(scene, fused).score()


def _fmi_gradient_map(scene: FusionInputs, fused: GrayImage) -> Local:
    return _fmi(scene, fused, horizontal_gradient)


def _fmi_gradient(scene: FusionInputs, fused: GrayImage) -> float:
    return _fmi_gradient_map(scene, fused).score()


def _fmi_dct(scene: FusionInputs, fused: GrayImage) -> float:
    return _fmi(scene, fused, cosine_transform).score()


def _fmi_wavelet(scene: FusionInputs, fused: GrayImage) -> float:
    return _fmi(scene, fused, wavelet_coefficients).score()


def _fmi_edge_map(scene: FusionInputs, fused: GrayImage) -> Local:
    """Windows of zeros and ones have 512 kinds: each pair of kinds is computed once and looked up."""
    own = fused.get(edge_codes)
    kept = np.mean([_of_kinds(own * 512 + source.get(edge_codes)) for source in scene.sources], axis=0)
    return _map_of(kept, fused.values)


def _of_kinds(pairs: np.ndarray) -> np.ndarray:
    """Similarity of each pair of windows, given as 512 times the kind of the one plus that of the other."""
    present = np.flatnonzero(np.bincount(pairs, minlength=512 * 512))
    kinds = np.unpackbits(np.stack([present // 512, present % 512]).astype(">u2")[..., None].view(np.uint8), axis=-1)
    f, a = np.swapaxes(kinds[..., -CELLS:], 1, 2).astype(float)
    table = np.zeros(512 * 512)
    table[present] = similarity(f, a)
    return table[pairs]


def _fmi_edge(scene: FusionInputs, fused: GrayImage) -> float:
    return _fmi_edge_map(scene, fused).score()


def edge_codes(image: GrayImage) -> np.ndarray:
    """Each window of the edge map as a number of nine bits."""
    return (2 ** np.arange(CELLS)[::-1]) @ windows(image.get(edge_map)).astype(np.intp)


# --------------------------------------------------------------------------------------------------- the metrics


def fmi_pixel(sources: Sequence[ImageOrPath], fused: ImageOrPath, *, gray: str = "matlab") -> float:
    r"""Feature mutual information of the gray values.

    Range 0 to 1 (an image fused with itself), higher is better. Scale 0..255.

    .. math:: FMI = \operatorname{mean}_i \operatorname{mean}_w \frac{2 I(i_w, F_w)}{H(i_w) + H(F_w)}

    Args:
        sources: N >= 2 images of one size, (H, W) or (H, W, 3); uint8, uint16 or float in [0, 1].
        fused: Image of that size.
        gray: Gray conversion, "matlab" or "skimage".
    Returns:
        The mean over the sources and all 3x3 windows.
    Raises:
        ImageError: Sizes or channels differ, a side is under 3 pixels, or floats leave [0, 1].
        OptionError: Unknown gray conversion.
    References:
        [haghighat2011], [haghighat2014]; source compared: MFIF-Metrics (Fast-FMI).
    Chapter: 01_metrics

    Example:
        >>> from mffrepro.metrics.example import near, far, sharp
        >>> round(fmi_pixel([near, far], sharp), 4)
        0.9135
    """
    return score_alone("fmi_pixel", None, sources, fused, gray=gray)


def fmi_gradient(sources: Sequence[ImageOrPath], fused: ImageOrPath, *, gray: str = "matlab") -> float:
    r"""Feature mutual information of the horizontal gradient.

    Range 0 to 1 (an image fused with itself), higher is better. Scale 0..255.

    .. math:: FMI = \operatorname{mean}_i \operatorname{mean}_w \frac{2 I(i_w, F_w)}{H(i_w) + H(F_w)}

    Args:
        sources: N >= 2 images of one size, (H, W) or (H, W, 3); uint8, uint16 or float in [0, 1].
        fused: Image of that size.
        gray: Gray conversion, "matlab" or "skimage".
    Returns:
        The mean over the sources and all 3x3 windows. The gradient is MATLAB's with one output: along the rows only.
    Raises:
        ImageError: Sizes or channels differ, a side is under 3 pixels, or floats leave [0, 1].
        OptionError: Unknown gray conversion.
    References:
        [haghighat2011], [haghighat2014]; source compared: MFIF-Metrics (Fast-FMI).
    Chapter: 01_metrics

    Example:
        >>> from mffrepro.metrics.example import near, far, sharp
        >>> round(fmi_gradient([near, far], sharp), 4)
        0.9391
    """
    return score_alone("fmi_gradient", None, sources, fused, gray=gray)


def fmi_edge(sources: Sequence[ImageOrPath], fused: ImageOrPath, *, gray: str = "matlab") -> float:
    r"""Feature mutual information of the binary edge map.

    Range 0 to 1 (an image fused with itself), higher is better. Scale 0..255.

    .. math:: FMI = \operatorname{mean}_i \operatorname{mean}_w \frac{2 I(i_w, F_w)}{H(i_w) + H(F_w)}

    Args:
        sources: N >= 2 images of one size, (H, W) or (H, W, 3); uint8, uint16 or float in [0, 1].
        fused: Image of that size.
        gray: Gray conversion, "matlab" or "skimage".
    Returns:
        The mean over the sources and all 3x3 windows. Edges are MATLAB's: Sobel with its automatic threshold, thinned.
    Raises:
        ImageError: Sizes or channels differ, a side is under 3 pixels, or floats leave [0, 1].
        OptionError: Unknown gray conversion.
    References:
        [haghighat2011], [haghighat2014]; source compared: MFIF-Metrics (Fast-FMI).
    Chapter: 01_metrics

    Example:
        >>> from mffrepro.metrics.example import near, far, sharp
        >>> round(fmi_edge([near, far], sharp), 4)
        0.7869
    """
    return score_alone("fmi_edge", None, sources, fused, gray=gray)


def fmi_dct(sources: Sequence[ImageOrPath], fused: ImageOrPath, *, gray: str = "matlab") -> float:
    r"""Feature mutual information of the cosine transform of the whole image.

    Range 0 to 1 (an image fused with itself), higher is better. Scale 0..255.

    .. math:: FMI = \operatorname{mean}_i \operatorname{mean}_w \frac{2 I(i_w, F_w)}{H(i_w) + H(F_w)}

    Args:
        sources: N >= 2 images of one size, (H, W) or (H, W, 3); uint8, uint16 or float in [0, 1].
        fused: Image of that size.
        gray: Gray conversion, "matlab" or "skimage".
    Returns:
        The mean over the sources and all 3x3 windows. Windows slide over the plane of coefficients. The transform of a constant
        image counts as zero, without its rounding errors.
    Raises:
        ImageError: Sizes or channels differ, a side is under 3 pixels, or floats leave [0, 1].
        OptionError: Unknown gray conversion.
    References:
        [haghighat2011], [haghighat2014]; source compared: MFIF-Metrics (Fast-FMI).
    Chapter: 01_metrics

    Example:
        >>> from mffrepro.metrics.example import near, far, sharp
        >>> round(fmi_dct([near, far], sharp), 4)
        0.4147
    """
    return score_alone("fmi_dct", None, sources, fused, gray=gray)


def fmi_wavelet(sources: Sequence[ImageOrPath], fused: ImageOrPath, *, gray: str = "matlab") -> float:
    r"""Feature mutual information of the discrete Meyer wavelet transform.

    Range 0 to 1 (an image fused with itself), higher is better. Scale 0..255.

    .. math:: FMI = \operatorname{mean}_i \operatorname{mean}_w \frac{2 I(i_w, F_w)}{H(i_w) + H(F_w)}

    Args:
        sources: N >= 2 images of one size, (H, W) or (H, W, 3); uint8, uint16 or float in [0, 1].
        fused: Image of that size.
        gray: Gray conversion, "matlab" or "skimage".
    Returns:
        The mean over the sources and all 3x3 windows. Windows slide over the four bands of one level, side by side. The
        transform of a constant image counts as zero, without its rounding errors.
    Raises:
        ImageError: Sizes or channels differ, a side is under 3 pixels, or floats leave [0, 1].
        OptionError: Unknown gray conversion.
    Deviations:
        MATLAB's table of the Meyer filters has 102 taps; here these are PyWavelets' 62 and zeros around them.
    References:
        [haghighat2011], [haghighat2014]; source compared: MFIF-Metrics (Fast-FMI).
    Chapter: 01_metrics

    Example:
        >>> from mffrepro.metrics.example import near, far, sharp
        >>> round(fmi_wavelet([near, far], sharp), 4)
        0.7903
    """
    return score_alone("fmi_wavelet", None, sources, fused, gray=gray)
