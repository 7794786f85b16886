"""Measure what single claims are about: colours, borders of the decision, contours. No fusion is ranked by these."""

from collections.abc import Mapping

import numpy as np

from mffrepro.images import FocusStack, FusionResult, to_gray, to_unit
from mffrepro.metrics.maps import quality_map, weight_map

#: Pixels from the true border that count as near it.
NEAR = 8


def border_band(share: np.ndarray, distance: float) -> np.ndarray:
    """Mark the pixels within a distance of the border between two regions.

    Args:
        share: (H, W), the decision map; the regions are where it is over one half and where it is not.
        distance: Largest distance to the other region, pixels.

    Returns:
        (H, W) bool.
    """
    from scipy.ndimage import distance_transform_edt

    inside = share > 0.5
    if inside.all() or not inside.any():
        return np.zeros(inside.shape, bool)
    to_other_region = np.where(inside, distance_transform_edt(inside), distance_transform_edt(~inside))
    return to_other_region <= distance


def border_errors(pair: FocusStack, image: np.ndarray, *, distance: float = NEAR) -> dict[str, float]:
    """Compute the distance to the reference near the true border.

    Args:
        pair: With a reference and the true decision.
        image: The fused image, of the dtype of the pair.
        distance: Pixels from the border that count as near it.

    Returns:
        Mean absolute and root mean square error in gray levels.
    """
    apart = 255 * np.abs(to_unit(image, np.float64) - to_unit(pair.reference, np.float64))
    near = apart[border_band(pair.decision[0], distance)]
    return {"error near the border": float(near.mean()), "rms near the border": float(np.sqrt(np.square(near).mean()))}


def local_score(name: str, stack: FocusStack, fused: FusionResult, where: np.ndarray | tuple[slice, slice]) -> float:
    """Compute a metric over a part of the image, by its own weights.

    Args:
        name: A metric with a quality map, such as ``"qabf"``.
        stack: The sources.
        fused: The fused image.
        where: Bool mask (H, W), or two slices.

    Returns:
        The weighted mean of the quality map; NaN where the part has no weight.
    """
    quality, weight = quality_map(name, stack, fused)[where], weight_map(name, stack, fused)[where]
    with np.errstate(invalid="ignore"):
        return float(np.nansum(quality * weight) / weight.sum())


def colour_differences(stack: FocusStack, fused: Mapping[str, np.ndarray]) -> dict[str, float]:
    """Compute how far the colours of fused images are from their sources.

    It is the mean CIEDE2000 difference between a pixel and the nearer one of its sources.

    Args:
        stack: Colour images.
        fused: Label to fused image (H, W, 3).

    Returns:
        One number per label, 0 where every pixel has the colour of a source.
    """
    from skimage.color import deltaE_ciede2000, rgb2lab

    sources = [rgb2lab(to_unit(image)) for image in stack.images]
    found = {}
    for name, image in fused.items():
        lab = rgb2lab(to_unit(image))
        found[name] = float(np.min([deltaE_ciede2000(lab, source) for source in sources], axis=0).mean())
    return found


def local_variance(image: np.ndarray, side: int) -> np.ndarray:
    """Compute the variance of the gray values in a window around each pixel.

    Args:
        image: Gray or colour image of any dtype.
        side: Side of the window, pixels.

    Returns:
        (H, W), on the scale 0..255.
    """
    from scipy.ndimage import uniform_filter

    gray = 255 * to_unit(image, np.float64)
    gray = to_gray(gray) if gray.ndim == 3 else gray
    return uniform_filter(gray**2, side) - uniform_filter(gray, side) ** 2
