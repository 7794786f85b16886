"""Register of metrics: one row per metric, beside the function that computes it.

A kernel computes a metric from `FusionInputs` and the fused `GrayImage`, always in this order. The decorator `metric` adds its
row to the register; importing `mffrepro.metrics` imports every family and so fills the register in the order of the tables.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from mffrepro.errors import unknown
from mffrepro.metrics.weighted_map import WeightedMap

if TYPE_CHECKING:
    from mffrepro.metrics.inputs import FusionInputs, GrayImage

    Kernel = Callable[[FusionInputs, GrayImage], float | WeightedMap]
    MapKernel = Callable[[FusionInputs, GrayImage], WeightedMap]

#: Entries that a variant takes from its default reading unless its own row gives others.
INHERITED = ("symbol", "better", "gray", "needs", "max_sources", "min_side")


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricCard:
    """Describe a metric: what it is, what it needs, and the kernel that computes it.

    Attributes:
        name: ``qabf``, or ``qabf.kumar`` for a variant, which is another reading of the same quantity.
        symbol: Symbol in papers, LaTeX without dollars.
        formula: Definition, LaTeX without dollars; empty where words are clearer.
        better: Which direction is better; None where neither is.
        low: Smallest possible value; None where unbounded or unknown.
        high: Largest possible value; None where unbounded or unknown.
        identity: Value when an image is fused with itself; None where it depends on the image.
        gray: Gray conversion that its source was written for; None where the images are used without one.
        source: Program whose numbers it reproduces.
        bibkey: Key of its paper in the bibliography.
        further_keys: Keys of more papers that define it.
        needs: What the fused image is compared with.
        max_sources: 2 where the definition is for two sources only, else None.
        min_side: Smallest height and width of an image, in pixels.
        batched: Whether the kernel also runs on batches of tensors.
        summary: One line for tables.
        example: Value of the example in the docstring; None for a variant, which has no docstring of its own.
        kernel: Function that computes the score, or the map whose weighted mean is the score.
        quality_map: Function that computes the map; None where the metric is not a spatial average.
    """

    name: str
    symbol: str
    formula: str = ""
    better: Literal["higher", "lower"] | None = "higher"
    low: float | None = None
    high: float | None = None
    identity: float | None = None
    gray: str | None = "matlab"
    source: str
    bibkey: str
    further_keys: tuple[str, ...] = ()
    needs: Literal["sources", "reference", "decision"] = "sources"
    max_sources: int | None = None
    min_side: int = 1
    batched: bool = False
    summary: str
    example: float | None = None
    kernel: "Kernel"
    quality_map: "MapKernel | None" = None

    @property
    def variant(self) -> str | None:
        """Return the part of the name after the dot; None for a default reading."""
        return self.name.partition(".")[2] or None

    @property
    def variant_of(self) -> str | None:
        """Return the name of the default reading; None for a default reading itself."""
        return None if self.variant is None else self.name.partition(".")[0]

    @property
    def family(self) -> str:
        """Return the name of the module that defines the metric."""
        return self.kernel.__module__.rpartition(".")[2]

    def compute(self, inputs: "FusionInputs", fused: "GrayImage") -> Any:
        """Compute the score; for a batch, a tensor with one number per scene."""
        result = self.kernel(inputs, fused)
        return result.mean() if isinstance(result, WeightedMap) else result


_CARDS: dict[str, MetricCard] = {}


def metric(name: str, **facts: Any) -> Callable[["Kernel"], "Kernel"]:
    """Register the decorated kernel as a metric; the kernel itself stays as it is.

    A kernel that returns a `WeightedMap` is a spatial average, and its map is the quality map. The docstring of a kernel is the
    text of the public function: `mffrepro.metrics.docstrings` adds what follows from the row.

    Args:
        name: ``qabf``, or ``qabf.kumar`` for a variant; a variant stands after its default reading and shares its symbol,
            direction, needs and smallest size unless its own row says otherwise.
        **facts: Other attributes of `MetricCard`.

    Raises:
        ValueError: Two metrics have one name, or a variant has no default reading.
    """

    def register(kernel: "Kernel") -> "Kernel":
        if name in _CARDS:
            raise ValueError(f"two metrics are named {name!r}; rename the one in {kernel.__module__}")
        row = _inherited(name) | {"quality_map": _map_of(kernel)} | facts
        _CARDS[name] = MetricCard(name=name, kernel=kernel, **row)
        return kernel

    return register


def _inherited(name: str) -> dict[str, Any]:
    """Return what the row of a variant takes from its default reading."""
    base, dot, _ = name.partition(".")
    if not dot:
        return {}
    if base not in _CARDS:
        raise ValueError(f"the variant {name!r} has no default reading {base!r} before it; register that first")
    return {fact: getattr(_CARDS[base], fact) for fact in INHERITED}


def _map_of(kernel: "Kernel") -> "MapKernel | None":
    """Return the kernel itself if it returns a map."""
    return kernel if kernel.__annotations__.get("return") is WeightedMap else None


def cards() -> tuple[MetricCard, ...]:
    """Return the rows of all metrics, in the order of the tables."""
    return tuple(_CARDS.values())


def names(*, variants: bool = False) -> list[str]:
    """Return the names of all metrics.

    Args:
        variants: Whether to include the variants of each metric.
    """
    return [card.name for card in cards() if variants or card.variant_of is None]


def get(name: str) -> MetricCard:
    """Return the row of a metric.

    Args:
        name: Name of a metric, such as ``qabf``, or of a variant, such as ``qabf.kumar``.

    Raises:
        OptionError: No metric has this name; the error suggests the nearest one.
    """
    if name not in _CARDS:
        raise unknown("metric", name, _CARDS, "mffrepro list metrics")
    return _CARDS[name]
