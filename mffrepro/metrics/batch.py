"""The same metrics on batches of tensors, on the device they are on: for validation during training, and for sweeps.

The kernels are those of `evaluate`. Metrics that read histograms, transforms of the whole image or windows one by one stay with
`evaluate`, an image at a time.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mffrepro.errors import ImageError, OptionError
from mffrepro.images import GRAY_WEIGHTS
from mffrepro.metrics.cards import get
from mffrepro.metrics.inputs import GRAYS, GrayImage, Remembering
from mffrepro.metrics.scoring import kernel, obstacle

if TYPE_CHECKING:
    from torch import Tensor

#: Metrics that run on batches.
BATCHED = (
    "qabf", "qabf.kumar", "qg", "labf", "labf.kumar", "nabf", "nabf.kumar", "nabf.petrovic", "qy", "qc", "qs", "qw", "qe",
    "ag", "ag.kumar", "sf", "sd", "sd.mfif", "ei", "api", "cc", "scd",
)  # fmt: skip


class _Scenes(Remembering):
    """What the kernels ask a `FusionInputs` for, of a whole batch."""

    reference = decision = None

    def __init__(self, sources: list[GrayImage]) -> None:
        super().__init__()
        self.sources = sources
        self.shape = sources[0].values.shape[1:]


def evaluate_batch(
    sources: Sequence["Tensor"], fused: "Tensor", metrics: Sequence[str] | str = "all", *, gray: str = "matlab"
) -> dict[str, "Tensor"]:
    """The quality of a batch of fused images at once, on the tensors' device.

    Args:
        sources: N >= 2 batches (B, 1, H, W) or (B, 3, H, W), uint8 or float in [0, 1]: the b-th images of all are one scene.
        fused: A batch of that shape, dtype and device.
        metrics: Names from `BATCHED`, or "all": every default reading there that is defined for that many sources and that size.
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

    if gray not in GRAYS:
        raise OptionError(f"no gray conversion {gray!r}; use {' or '.join(map(repr, GRAYS))}")
    _check([*sources, fused])
    scenes, images = _Scenes([_as_gray(source, gray) for source in sources]), _as_gray(fused, gray)
    with torch.no_grad():
        return {name: kernel(get(name))(scenes, images) for name in _chosen(metrics, scenes)}


def _check(batches: list["Tensor"]) -> None:
    import torch

    if len(batches) < 3:
        raise ImageError(f"{len(batches) - 1} source given; fusion needs two or more")
    first = batches[0]
    if first.ndim != 4 or first.shape[1] not in (1, 3):
        raise ImageError(f"a batch has shape {tuple(first.shape)}; give (B, 1, H, W) or (B, 3, H, W)")
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
    """As `mffrepro.metrics.inputs.as_gray`, for (B, C, H, W)."""
    import torch

    full = batch.to(torch.float64)
    rounded = torch.floor(full * (1 if batch.dtype == torch.uint8 else 255) + 0.5)
    if batch.shape[1] == 1:
        return GrayImage(rounded[:, 0])
    mixed = torch.einsum("bchw,c->bhw", rounded, rounded.new_tensor(GRAY_WEIGHTS[gray]))
    if gray == "matlab":
        return GrayImage(torch.floor(mixed + 0.5))
    converted = GrayImage(mixed)
    converted.protocol_range = GrayImage(mixed / 255)
    return converted


def _chosen(metrics: Sequence[str] | str, scenes: _Scenes) -> list[str]:
    if metrics == "all":
        return [name for name in BATCHED if "." not in name and obstacle(get(name), scenes) is None]
    chosen = [metrics] if isinstance(metrics, str) else list(metrics)
    for name in chosen:
        if get(name).name not in BATCHED:
            raise OptionError(f"the metric {name!r} does not run on batches; use evaluate, or one of {', '.join(BATCHED)}")
        if (error := obstacle(get(name), scenes)) is not None:
            raise error
    return chosen
