"""Quality and weight of each pixel, for metrics that are spatial averages."""

from collections.abc import Sequence

import numpy as np

from mffrepro.errors import OptionError
from mffrepro.images import FocusStack, FusionResult, ImageOrPath
from mffrepro.metrics.inputs import FusionInputs
from mffrepro.metrics.registry import cards, get
from mffrepro.metrics.scoring import require
from mffrepro.metrics.weighted_map import WeightedMap


def quality_map(
    name: str, sources: FocusStack | Sequence[ImageOrPath], fused: FusionResult | ImageOrPath, *, gray: str = "matlab"
) -> np.ndarray:
    """Compute the quality of each pixel.

    The sum of this map times `weight_map` is the metric.

    Args:
        name: A name of `mffrepro.metrics.MAPPED`.
        sources: N >= 2 images of one size, (H, W) or (H, W, 3); or a FocusStack.
        fused: Image of that size, or a FusionResult.
        gray: Gray conversion, "matlab" or "skimage".

    Returns:
        (H, W) float64 in the metric's own range; the value of a window lies at its centre. NaN at borders narrower than half a
        window, and everywhere if the metric is not defined for these images.

    Raises:
        ImageError: Sizes differ, or the image is smaller than the metric's window.
        OptionError: The metric is not a spatial average, or an unknown gray conversion.

    Chapter: 01_metrics

    Example:
        >>> from mffrepro.metrics.example import near, far, sharp
        >>> quality = quality_map("qs", [near, far], sharp)
        >>> quality.shape, bool(np.isnan(quality[0, 0])), round(np.nanmean(quality), 4)
        ((64, 64), True, np.float64(0.9585))
    """
    weighted = _weighted_map(name, sources, fused, gray)
    with np.errstate(divide="ignore", invalid="ignore"):
        return weighted.gained / weighted.weight


def weight_map(
    name: str, sources: FocusStack | Sequence[ImageOrPath], fused: FusionResult | ImageOrPath, *, gray: str = "matlab"
) -> np.ndarray:
    """Compute the weight of each pixel in a metric.

    Args:
        name: A name of `mffrepro.metrics.MAPPED`.
        sources: N >= 2 images of one size, (H, W) or (H, W, 3); or a FocusStack.
        fused: Image of that size, or a FusionResult.
        gray: Gray conversion, "matlab" or "skimage".

    Returns:
        (H, W) float64, not negative, sum 1; 0 where `quality_map` is NaN.

    Raises:
        ImageError: Sizes differ, or the image is smaller than the metric's window.
        OptionError: The metric is not a spatial average, or an unknown gray conversion.

    Chapter: 01_metrics
    """
    weight = _weighted_map(name, sources, fused, gray).weight
    return weight / weight.sum()


def _weighted_map(
    name: str, sources: FocusStack | Sequence[ImageOrPath], fused: FusionResult | ImageOrPath, gray: str
) -> WeightedMap:
    """Compute the map of a metric at the size of the image."""
    card = get(name)
    if card.quality_map is None:
        known = ", ".join(card.name for card in cards() if card.quality_map)
        raise OptionError(f"the metric {name!r} is not a spatial average, so it has no quality map; use one of {known}")
    inputs = FusionInputs.read(sources, gray=gray)
    image = inputs.read_fused(fused.image if isinstance(fused, FusionResult) else fused)
    require(card, inputs)
    with np.errstate(divide="ignore", invalid="ignore"):
        return _at_image_size(card.quality_map(inputs, image), inputs.shape[:2])


def _at_image_size(weighted: WeightedMap, shape: tuple[int, ...]) -> WeightedMap:
    height, width = weighted.gained.shape
    inside = np.s_[weighted.corner : weighted.corner + height, weighted.corner : weighted.corner + width]
    gained, weight = np.zeros(shape), np.zeros(shape)
    gained[inside], weight[inside] = weighted.gained, weighted.weight
    return WeightedMap(gained, weight)
