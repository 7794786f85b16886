"""Metrics on batches of tensors, for validation during training and for sweeps.

The kernels are those of `evaluate`. Metrics that read histograms, transforms of the whole image or single windows run in
`evaluate` only, one image at a time.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mffrepro.errors import ImageError, OptionError
from mffrepro.images import GRAY_WEIGHTS
from mffrepro.metrics.inputs import FusionInputs, GrayImage, check_gray
from mffrepro.metrics.registry import MetricCard, cards, get
from mffrepro.metrics.scoring import obstacle, require

if TYPE_CHECKING:
    from torch import Tensor


def evaluate_batch(
    sources: Sequence["Tensor"], fused: "Tensor", metrics: Sequence[str] | str = "all", *, gray: str = "matlab"
) -> dict[str, "Tensor"]:
    """Measure the quality of a batch of fused images at once, on the tensors' device.

    Args:
        sources: N >= 2 batches (B, 1, H, W) or (B, 3, H, W), uint8 or float in [0, 1]: the b-th images of all are one scene.
        fused: A batch of that shape, dtype and device.
        metrics: Names of `mffrepro.metrics.BATCHED`, or "all": every default reading there that is defined for that many sources
            and that size.
        gray: "matlab" (rounded, 0..255) or "skimage" (not rounded), see `mffrepro.metrics.inputs`.

    Returns:
        One float64 tensor (B,) per metric, equal to `evaluate` on each scene up to rounding.

    Raises:
        ImageError: Shapes, dtypes or devices differ, or floats leave [0, 1].
        OptionError: A metric that does not run on batches, or an unknown gray conversion.

    Chapter: 01_metrics

    Example:
        >>> import torch
        >>> near, far = torch.zeros(2, 4, 1, 32, 32)
        >>> evaluate_batch([near, far], near, ["sd"])["sd"].shape
        torch.Size([4])
    """
    import torch

    check_gray(gray)
    _check([*sources, fused])
    inputs = FusionInputs([_as_gray(source, gray) for source in sources], tuple(fused.shape[-2:]), gray=gray)
    images = _as_gray(fused, gray)
    with torch.no_grad():
        return {card.name: card.compute(inputs, images) for card in _chosen(metrics, inputs)}


def _check(batches: list["Tensor"]) -> None:
    """Raise ImageError unless the batches are images of one shape, dtype and device."""
    import torch

    if len(batches) < 3:
        raise ImageError(f"{len(batches) - 1} source given; fusion needs two or more")
    first = batches[0]
    if first.ndim != 4 or first.shape[1] not in (1, 3):
        raise ImageError(f"a batch has shape {tuple(first.shape)}; give (B, 1, H, W) or (B, 3, H, W)")
    if first.device.type == "mps":
        raise ImageError("metrics are computed in float64, which mps lacks; move the batches to the CPU")
    for batch in batches[1:]:
        if (batch.shape, batch.dtype, batch.device) != (first.shape, first.dtype, first.device):
            kinds = (f"{tuple(b.shape)} {b.dtype} on {b.device}" for b in (first, batch))
            raise ImageError(f"the batches differ: {' and '.join(kinds)}; give all one shape, dtype and device")
    if first.dtype != torch.uint8:
        if not first.is_floating_point():
            raise ImageError(f"a batch has dtype {first.dtype}; give uint8, or floats in [0, 1]")
        if not all(((batch >= 0) & (batch <= 1)).all() for batch in batches):
            raise ImageError("a batch of floats leaves [0, 1] or contains NaN; scale or clip it first")


def _as_gray(batch: "Tensor", gray: str) -> GrayImage:
    """Convert (B, C, H, W) to gray, as `as_gray` converts one image."""
    import torch

    full = batch.to(torch.float64)
    rounded = torch.floor(full * (1 if batch.dtype == torch.uint8 else 255) + 0.5)
    if batch.shape[1] == 1:
        return GrayImage(rounded[:, 0])
    mixed = torch.einsum("bchw,c->bhw", rounded, rounded.new_tensor(GRAY_WEIGHTS[gray]))
    if gray == "matlab":
        return GrayImage(torch.floor(mixed + 0.5))
    converted = GrayImage(mixed)
    converted.unit = GrayImage(mixed / 255)
    return converted


def _chosen(metrics: Sequence[str] | str, inputs: FusionInputs) -> list[MetricCard]:
    """Return the rows of the named metrics, or of all that these batches allow."""
    batched = [card for card in cards() if card.batched]
    if metrics == "all":
        return [card for card in batched if card.variant_of is None and obstacle(card, inputs) is None]
    named = [get(name) for name in ([metrics] if isinstance(metrics, str) else metrics)]
    for card in named:
        if not card.batched:
            known = ", ".join(card.name for card in batched)
            raise OptionError(f"the metric {card.name!r} does not run on batches; use evaluate, or one of {known}")
        require(card, inputs)
    return named
