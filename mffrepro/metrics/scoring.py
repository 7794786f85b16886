"""Scoring fused images: many metrics at once, and the work on the sources only once."""

import importlib
from collections.abc import Callable, Sequence

import numpy as np

from mffrepro.errors import ImageError, OptionError
from mffrepro.images import FocusStack, FusionResult, ImageOrPath
from mffrepro.metrics.cards import CARDS, MetricCard, get
from mffrepro.metrics.inputs import FusionInputs, GrayImage
from mffrepro.tiling import in_threads

Metrics = str | Sequence[str]


class Scorer:
    """Scores any number of fused images of one scene.

    What depends on the sources alone is computed for the first fused image and kept for the next.

    Args:
        sources: N >= 2 images of one size (arrays or paths), or a FocusStack, which brings its reference and decision along.
        metrics: "all" (every default reading that what was given allows), "everything" (variants too), or names.
        reference: The all-in-focus image.
        true_decision: (N, H, W) true share of each source per pixel.
        gray: "matlab" or "skimage", see `mffrepro.metrics.inputs`.
    Raises:
        ImageError: An image cannot be used, sizes differ, or an image is smaller than a named metric's window.
        OptionError: An unknown metric, one that needs something not given, or one not defined for that many sources.
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
        self.scene = FusionInputs(sources, reference=reference, decision=true_decision, gray=gray)
        self.metrics = metrics
        if not isinstance(metrics, str) or metrics not in ("all", "everything"):
            self.metrics = [metrics] if isinstance(metrics, str) else list(metrics)
            for name in self.metrics:
                require(get(name), self.scene)

    def __call__(self, fused: FusionResult | ImageOrPath, decision: np.ndarray | None = None) -> dict[str, float]:
        """The metrics of one fused image, by name.

        Args:
            fused: Image of the sources' size (any depth), its path, or a FusionResult, which brings its decision along.
            decision: (N, H, W) share of each source per pixel that the fusion chose.
        """
        if isinstance(fused, FusionResult):
            fused, decision = fused.image, fused.decision if decision is None else decision
        image = self.scene.fused(fused, decision)
        cards = self._cards(image)
        values = in_threads(lambda card: score(card, self.scene, image), cards)
        return {card.name: value for card, value in zip(cards, values, strict=True)}

    def _cards(self, fused: GrayImage) -> list[MetricCard]:
        if isinstance(self.metrics, list):
            return [get(name) for name in self.metrics]
        wanted = [card for card in CARDS if card.variant_of is None or self.metrics == "everything"]
        return [card for card in wanted if obstacle(card, self.scene, fused) is None]


def evaluate(
    sources: FocusStack | Sequence[ImageOrPath],
    fused: FusionResult | ImageOrPath,
    metrics: Metrics = "all",
    reference: ImageOrPath | None = None,
    decision: np.ndarray | None = None,
    true_decision: np.ndarray | None = None,
    gray: str = "matlab",
) -> dict[str, float]:
    """The quality of one fused image, by metric name; for several images of one scene use `Scorer`.

    Args:
        sources: N >= 2 images of one size, (H, W) or (H, W, 3), uint8, uint16 or float in [0, 1]; or a FocusStack.
        fused: Image of that size, its path, or a FusionResult.
        metrics: "all" (every default reading that what was given allows), "everything" (variants too), or names.
        reference: The all-in-focus image, for psnr, ssim and mae.
        decision: (N, H, W) share of each source that the fusion chose, for mask_iou, mask_accuracy and boundary_f.
        true_decision: (N, H, W) true share of each source, for the same.
        gray: "matlab" (rounded, 0..255) or "skimage" (not rounded), see `mffrepro.metrics.inputs`.
    Returns:
        One float per metric; NaN where the metric is not defined for these images (its docstring says when).
    Raises:
        ImageError: An image cannot be used, sizes differ, or an image is smaller than a named metric's window.
        OptionError: An unknown metric, one that needs something not given, or one not defined for that many sources.
    Chapter: 01_metrics
    """
    scorer = Scorer(sources, metrics=metrics, reference=reference, true_decision=true_decision, gray=gray)
    return scorer(fused, decision)


def score(card: MetricCard, scene: FusionInputs, fused: GrayImage) -> float:
    """One metric of one fused image."""
    require(card, scene, fused)
    with np.errstate(divide="ignore", invalid="ignore"):  # 0/0 is an answer here: NaN, which the docstrings announce
        return float(kernel(card)(scene, fused))


def score_alone(
    name: str,
    variant: str | None,
    sources: Sequence[ImageOrPath],
    fused: ImageOrPath,
    *,
    gray: str = "matlab",
    reference: ImageOrPath | None = None,
) -> float:
    """What the public function of each metric calls."""
    card = get(name if variant is None else f"{name}.{variant}")
    scene = FusionInputs(sources, gray=gray, reference=reference)
    return score(card, scene, scene.fused(fused))


def score_maps(name: str, true_decision: np.ndarray, decision: np.ndarray) -> float:
    """The same for the metrics that compare decision maps and look at no image."""
    shape = np.shape(true_decision)
    if len(shape) != 3:
        raise ImageError(f"the true decision map has shape {shape}; give (N, H, W), one map per source")
    blank = np.zeros(shape, np.uint8)
    scene = FusionInputs(blank, decision=true_decision)
    return score(get(name), scene, scene.fused(blank[0], decision))


def kernel(card: MetricCard) -> Callable[[FusionInputs, GrayImage], float]:
    """The function that does the work: beside the public one, underscored, a variant's dot replaced."""
    module, _ = card.target.split(":")
    return getattr(importlib.import_module(module), "_" + card.name.replace(".", "_"))


def obstacle(card: MetricCard, scene: FusionInputs, fused: GrayImage | None = None) -> Exception | None:
    """What keeps a metric from being computed here, if anything."""
    missing = {
        "sources": None,
        "reference": "reference" if scene.reference is None else None,
        "decision": "true_decision" if scene.decision is None else None,
    }[card.needs]
    if card.needs == "decision" and fused is not None and fused.decision is None:
        missing = "decision"
    if missing:
        return OptionError(f"the metric {card.name!r} needs {missing}=; give it or leave the metric out")
    if card.max_sources is not None and len(scene.sources) > card.max_sources:
        return OptionError(
            f"the metric {card.name!r} is defined for {card.max_sources} sources, {len(scene.sources)} were given; leave it out"
        )
    height, width = scene.shape[:2]
    if min(height, width) < card.min_side:
        side = f"{card.min_side}x{card.min_side}"
        return ImageError(f"the metric {card.name!r} needs at least {side} pixels, not {width}x{height}; leave it out")
    return None


def require(card: MetricCard, scene: FusionInputs, fused: GrayImage | None = None) -> None:
    """Raises what keeps a metric from being computed here, if anything does."""
    if (error := obstacle(card, scene, fused)) is not None:
        raise error
