"""Where in the image a metric finds quality: the values it averages, as pictures."""

import importlib
from collections.abc import Sequence

import numpy as np

from mffrepro.errors import OptionError
from mffrepro.images import FocusStack, FusionResult, ImageOrPath
from mffrepro.metrics.cards import get
from mffrepro.metrics.inputs import FusionInputs
from mffrepro.metrics.local import Local
from mffrepro.metrics.scoring import require

#: Metrics that are a mean over pixels, windows or blocks. The others are roots, products or read histograms.
MAPPED = (
    "qabf", "qg", "labf", "nabf", "qy", "qc", "qs", "qw", "qcb", "qcv", "viff", "fmi_pixel", "fmi_gradient", "fmi_edge", "ag",
    "ei",
)  # fmt: skip


def quality_map(
    name: str, sources: FocusStack | Sequence[ImageOrPath], fused: FusionResult | ImageOrPath, *, gray: str = "matlab"
) -> np.ndarray:
    """What a metric says of each pixel: the sum of this map times `weight_map` is the metric.

    Args:
        name: One of `MAPPED`.
        sources: N >= 2 images of one size, (H, W) or (H, W, 3); or a FocusStack.
        fused: Image of that size, or a FusionResult.
        gray: Gray conversion, "matlab" or "skimage".
    Returns:
        (H, W) float64 in the metric's own range; a window's value lies at its centre. NaN where the metric does not look: at
        borders narrower than half a window, and everywhere where it is not defined for these images.
    Raises:
        ImageError: Sizes differ, or the image is smaller than the metric's window.
        OptionError: The metric has no map, or an unknown gray conversion.
    Chapter: 01_metrics

    Example:
        >>> from mffrepro.metrics.example import near, far, sharp
        >>> quality = quality_map("qs", [near, far], sharp)
        >>> quality.shape, bool(np.isnan(quality[0, 0])), round(np.nanmean(quality), 4)
        ((64, 64), True, np.float64(0.9585))
    """
    local = _local(name, sources, fused, gray)
    with np.errstate(divide="ignore", invalid="ignore"):
        return local.gained / local.weight


def weight_map(
    name: str, sources: FocusStack | Sequence[ImageOrPath], fused: FusionResult | ImageOrPath, *, gray: str = "matlab"
) -> np.ndarray:
    """What each pixel counts in a metric; arguments and errors as for `quality_map`.

    Returns:
        (H, W) float64, not negative, sum 1; 0 where the metric does not look.
    Chapter: 01_metrics
    """
    weight = _local(name, sources, fused, gray).weight
    return weight / weight.sum()


def _local(name: str, sources: FocusStack | Sequence[ImageOrPath], fused: FusionResult | ImageOrPath, gray: str) -> Local:
    card = get(name)
    if name not in MAPPED:
        raise OptionError(f"the metric {name!r} is no mean over places and has no map; those that have one: {', '.join(MAPPED)}")
    scene = FusionInputs(sources, gray=gray)
    image = scene.fused(fused.image if isinstance(fused, FusionResult) else fused)
    require(card, scene, image)
    module, _ = card.target.split(":")
    with np.errstate(divide="ignore", invalid="ignore"):
        return _at_image_size(getattr(importlib.import_module(module), f"_{name}_map")(scene, image), scene.shape[:2])


def _at_image_size(local: Local, shape: tuple[int, int]) -> Local:
    height, width = local.gained.shape
    inside = np.s_[local.corner : local.corner + height, local.corner : local.corner + width]
    gained, weight = np.zeros(shape), np.zeros(shape)
    gained[inside], weight[inside] = local.gained, local.weight
    return Local(gained, weight)
