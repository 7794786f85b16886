"""Discrete cosine harmonic wavelet fusion: octaves cut out of one cosine transform, weighted by what stands at a place on all.

The cosine transform of the image is cut into dyadic blocks, and each block transformed back by itself: a small image of one
octave and direction. A coefficient counts as much as its descendants, those at its place in the finer bands of its direction.
"""

import cv2
import numpy as np
from scipy.fft import dctn, idctn

from mffrepro.baselines.channels import fuse_channels
from mffrepro.errors import OptionError
from mffrepro.images import FocusStack

#: Half of the rows and half of the columns, 0 the low and 1 the high ones, that a direction of detail takes.
DIRECTIONS = ((1, 0), (0, 1), (1, 1))


def fuse(stack: FocusStack, *, levels: int = 3) -> tuple[np.ndarray, None]:
    """Average harmonic wavelet coefficients by their significance, per channel.

    Args:
        stack: N >= 2 images of any size, gray or colour.
        levels: Octaves, >= 1.

    Returns:
        The fused image; no decision map, since each band has its own weights.

    Raises:
        OptionError: `levels` is under 1.
    Deviations:
        Sides that the octaves do not divide are mirrored up to the next multiple and the result is cropped; the author's code
        drops the highest frequencies and resizes the result. Where all weights are zero, the mean is taken. There is no published
        output to compare with.

    References:
        [kumar2013].
    Chapter: 02_baselines
    """
    if levels < 1:
        raise OptionError(f"levels is {levels}; use 1 or more")
    return fuse_channels(stack, lambda s: _fuse_channel(s, levels), whole=True)


def _fuse_channel(sources: np.ndarray, levels: int) -> np.ndarray:
    height, width = sources.shape[1:]
    extra = [(0, -side % 2**levels) for side in (height, width)]
    spectra = dctn(np.pad(sources, [(0, 0), *extra], mode="symmetric"), axes=(1, 2), norm="ortho")
    fused = np.empty_like(spectra[0])
    base_significance, descendants = 0, [0] * len(DIRECTIONS)
    for level in range(1, levels + 1):
        rows, columns = (side // 2**level for side in fused.shape)
        for k, (down, right) in enumerate(DIRECTIONS):
            block = np.s_[down * rows : (down + 1) * rows, right * columns : (right + 1) * columns]
            bands = idctn(spectra[:, *block], axes=(1, 2), norm="ortho")
            with_descendants = np.abs(bands) + descendants[k]
            significance = _local_energy(bands) if level == 1 else with_descendants
            fused[block] = dctn(_weighted_mean(bands, significance), norm="ortho")
            descendants[k] = _quad_sums(with_descendants) if level < levels else 0
            base_significance = base_significance + significance if level == levels else 0
    base = np.s_[:rows, :columns]
    bands = idctn(spectra[:, *base], axes=(1, 2), norm="ortho")
    fused[base] = dctn(_weighted_mean(bands, base_significance), norm="ortho")
    return idctn(fused, norm="ortho")[:height, :width]


def _local_energy(bands: np.ndarray) -> np.ndarray:
    return np.stack([cv2.blur(band * band, (3, 3), borderType=cv2.BORDER_REFLECT).clip(0) for band in bands])


def _quad_sums(planes: np.ndarray) -> np.ndarray:
    """Sum over the four children of each coefficient of the next coarser band."""
    return planes[:, ::2, ::2] + planes[:, ::2, 1::2] + planes[:, 1::2, ::2] + planes[:, 1::2, 1::2]


def _weighted_mean(bands: np.ndarray, weights: np.ndarray) -> np.ndarray:
    total = weights.sum(0)
    return np.divide((weights * bands).sum(0), total, out=bands.mean(0), where=total > 0)
