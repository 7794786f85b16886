"""Scores of fused images by many metrics at once."""

from collections.abc import Sequence

import numpy as np

from mffrepro.errors import ImageError, MffError, OptionError
from mffrepro.images import FocusStack, FusionResult, ImageOrPath
from mffrepro.metrics.inputs import FusionInputs, GrayImage
from mffrepro.metrics.registry import MetricCard, cards, get
from mffrepro.threads import in_threads

Metrics = str | Sequence[str]


class Scorer:
    """Score any number of fused images of one scene.

    Features of the sources are computed for the first fused image and kept for the next.

    Args:
        sources: N >= 2 images of one size (arrays or paths), or a FocusStack with its reference and decision map.
        metrics: "all" (every default reading that the inputs allow), "everything" (variants too), or names.
        reference: The all-in-focus image.
        true_decision: (N, H, W) true share of each source per pixel.
        gray: "matlab" or "skimage", see `mffrepro.metrics.inputs`.

    Attributes:
        inputs: The sources and what is known of the truth.
        metrics: The metrics asked for; may be replaced by others.

    Raises:
        ImageError: An image cannot be used, sizes differ, or an image is smaller than a named metric's window.
        OptionError: An unknown metric, a metric that needs an input not given, or one not defined for that many sources.
    """

    def __init__(
        self,
        sources: FocusStack | Sequence[ImageOrPath],
        *,
        metrics: Metrics = "all",
        reference: ImageOrPath | None = None,
        true_decision: np.ndarray | None = None,
        gray: str = "matlab",
    ) -> None:
        if isinstance(sources, FocusStack):
            reference = sources.reference if reference is None else reference
            true_decision = sources.decision if true_decision is None else true_decision
        self.inputs = FusionInputs.read(sources, reference=reference, decision=true_decision, gray=gray)
        self.metrics = metrics

    @property
    def metrics(self) -> Metrics:
        """Return the metrics asked for: "all", "everything" or a list of names."""
        return self._metrics

    @metrics.setter
    def metrics(self, metrics: Metrics) -> None:
        """Choose the metrics of the next calls; the inputs must allow those named."""
        if not isinstance(metrics, str):
            metrics = list(metrics)
        elif metrics not in ("all", "everything"):
            metrics = [metrics]
        self._cards = _chosen(metrics, self.inputs)
        self._metrics = metrics

    def __call__(self, fused: FusionResult | ImageOrPath, decision: np.ndarray | None = None) -> dict[str, float]:
        """Compute the metrics of one fused image.

        Args:
            fused: Image of the sources' size (any depth), its path, or a FusionResult with its decision map.
            decision: (N, H, W) share of each source per pixel that the fusion chose.

        Returns:
            One float per metric, by name.
        """
        if isinstance(fused, FusionResult):
            fused, decision = fused.image, fused.shares if decision is None else decision
        image = self.inputs.read_fused(fused, decision)
        possible = self._possible(image)
        values = in_threads(lambda card: compute(card, self.inputs, image), possible)
        return {card.name: value for card, value in zip(possible, values, strict=True)}

    def _possible(self, fused: GrayImage) -> list[MetricCard]:
        """Leave out metrics that need a decision map where none is given.

        If they were asked for by name, an error is raised instead.
        """
        if fused.decision is not None:
            return self._cards
        if isinstance(self._metrics, list):
            for card in self._cards:
                _require_decision(card, fused)
        return [card for card in self._cards if card.needs != "decision"]


def evaluate(
    sources: FocusStack | Sequence[ImageOrPath],
    fused: FusionResult | ImageOrPath,
    metrics: Metrics = "all",
    reference: ImageOrPath | None = None,
    decision: np.ndarray | None = None,
    true_decision: np.ndarray | None = None,
    gray: str = "matlab",
) -> dict[str, float]:
    """Measure the quality of one fused image.

    For several fused images of one scene, `Scorer` is faster.

    Args:
        sources: N >= 2 images of one size, (H, W) or (H, W, 3), uint8, uint16 or float in [0, 1]; or a FocusStack.
        fused: Image of that size, its path, or a FusionResult.
        metrics: "all" (every default reading that the inputs allow), "everything" (variants too), or names.
        reference: The all-in-focus image, for psnr, ssim and mae.
        decision: (N, H, W) share of each source that the fusion chose, for mask_iou, mask_accuracy and boundary_f.
        true_decision: (N, H, W) true share of each source, for the same metrics.
        gray: "matlab" (rounded, 0..255) or "skimage" (not rounded), see `mffrepro.metrics.inputs`.

    Returns:
        One float per metric, by name; NaN where the metric is not defined for these images (its docstring says when).

    Raises:
        ImageError: An image cannot be used, sizes differ, or an image is smaller than a named metric's window.
        OptionError: An unknown metric, a metric that needs an input not given, or one not defined for that many sources.

    Chapter: 01_metrics
    """
    scorer = Scorer(sources, metrics=metrics, reference=reference, true_decision=true_decision, gray=gray)
    return scorer(fused, decision)


def score(card: MetricCard, inputs: FusionInputs, fused: GrayImage) -> float:
    """Compute one metric of one fused image after checking that the inputs allow it.

    Raises:
        ImageError: An image is smaller than the metric's window.
        OptionError: The metric needs an input that is not given, or is not defined for that many sources.
    """
    _require_decision(card, fused)
    require(card, inputs)
    return compute(card, inputs, fused)


def compute(card: MetricCard, inputs: FusionInputs, fused: GrayImage) -> float:
    """Compute one metric of one fused image that is known to be possible."""
    with np.errstate(divide="ignore", invalid="ignore"):  # 0/0 is meant to give NaN, as the docstrings say
        return float(card.compute(inputs, fused))


def obstacle(card: MetricCard, inputs: FusionInputs) -> MffError | None:
    """Return the error that explains why the inputs do not allow a metric, if any."""
    if card.needs == "reference" and inputs.reference is None:
        return _missing(card, "reference")
    if card.needs == "decision" and inputs.decision is None:
        return _missing(card, "true_decision")
    if card.max_sources is not None and len(inputs.sources) > card.max_sources:
        return OptionError(
            f"the metric {card.name!r} is defined for {card.max_sources} sources, {len(inputs.sources)} were given; leave it out"
        )
    height, width = inputs.shape[:2]
    if min(height, width) < card.min_side:
        side = f"{card.min_side}x{card.min_side}"
        return ImageError(f"the metric {card.name!r} needs at least {side} pixels, not {width}x{height}; leave it out")
    return None


def require(card: MetricCard, inputs: FusionInputs) -> None:
    """Raise the error that says why the inputs do not allow a metric, if they do not."""
    if (error := obstacle(card, inputs)) is not None:
        raise error


def _require_decision(card: MetricCard, fused: GrayImage) -> None:
    if card.needs == "decision" and fused.decision is None:
        raise _missing(card, "decision")


def _missing(card: MetricCard, argument: str) -> OptionError:
    return OptionError(f"the metric {card.name!r} needs {argument}=; give it or leave the metric out")


def _chosen(metrics: Metrics, inputs: FusionInputs) -> list[MetricCard]:
    """Return the rows of the named metrics, or of all that the inputs allow."""
    if isinstance(metrics, str):
        wanted = [card for card in cards() if card.variant_of is None or metrics == "everything"]
        return [card for card in wanted if obstacle(card, inputs) is None]
    named = [get(name) for name in metrics]
    for card in named:
        require(card, inputs)
    return named
