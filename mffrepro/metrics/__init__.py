"""Quality of fused images: every common fusion metric, each matching the code it was published with.

`evaluate` scores one fused image, a `Scorer` many of one scene; `names` and `get` list what there is. Each metric is
also a function of its own, ``mffrepro.metrics.qabf(sources, fused)``, imported when it is first asked for.
`quality_map` shows where in the image those that are means find their quality.
"""

from mffrepro.metrics.batch import BATCHED, evaluate_batch
from mffrepro.metrics.cards import CARDS, MetricCard, get, names
from mffrepro.metrics.maps import MAPPED, quality_map, weight_map
from mffrepro.metrics.scoring import Scorer, evaluate

__all__ = [
    "BATCHED",
    "CARDS",
    "MAPPED",
    "MetricCard",
    "Scorer",
    "evaluate",
    "evaluate_batch",
    "get",
    "list_metrics",
    "names",
    "quality_map",
    "weight_map",
]


def __getattr__(name: str):
    if any(card.name == name for card in CARDS):
        return get(name).function
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, *(card.name for card in CARDS if card.variant_of is None)])


def list_metrics():
    """List all metrics in a pandas table: direction, range, what they need and whose numbers they reproduce."""
    from dataclasses import asdict

    import pandas as pd

    return pd.DataFrame([asdict(card) for card in CARDS]).set_index("name").drop(columns="target")
