"""Quality metrics of fused images, each matching the code it was published with.

`evaluate` scores one fused image and a `Scorer` many of one scene; `names` lists the metrics and `get` describes one. Each metric
is also a function of this package. `quality_map` shows the quality of each pixel for the metrics that are spatial averages.

Example:
    >>> from mffrepro import metrics
    >>> from mffrepro.metrics.example import near, far, sharp
    >>> metrics.evaluate([near, far], sharp, ["qabf", "sf"])["qabf"] == metrics.qabf([near, far], sharp)
    True
"""

from importlib import import_module

from mffrepro.metrics.batch import evaluate_batch
from mffrepro.metrics.functions import public_function
from mffrepro.metrics.maps import quality_map, weight_map
from mffrepro.metrics.registry import MetricCard, cards, get, names
from mffrepro.metrics.scoring import Scorer, evaluate

#: The modules that define metrics; their order is that of the metrics in every table.
FAMILIES = (
    "gradient", "structure", "phase", "perceptual", "information", "fmi", "symmetry", "statistics", "reference", "decision",
)  # fmt: skip
for _family in FAMILIES:
    import_module(f"{__name__}.{_family}")

#: The row of every metric.
CARDS = cards()
#: Metrics that run on batches of tensors.
BATCHED = tuple(card.name for card in CARDS if card.batched)
#: Metrics that are spatial averages and have a quality map.
MAPPED = tuple(card.name for card in CARDS if card.quality_map)

globals().update({name: public_function(name) for name in names()})

__all__ = [
    "BATCHED",
    "CARDS",
    "FAMILIES",
    "MAPPED",
    "MetricCard",
    "Scorer",
    "evaluate",
    "evaluate_batch",
    "get",
    "list_metrics",
    "names",
    "public_function",
    "quality_map",
    "weight_map",
]


def list_metrics():
    """List all metrics in a pandas table.

    Columns are, among others, direction, range, inputs, and the program whose numbers a metric reproduces.
    """
    import pandas as pd

    columns = [
        "name", "symbol", "better", "low", "high", "identity", "gray", "source", "bibkey", "needs", "max_sources", "min_side",
        "variant_of", "summary",
    ]  # fmt: skip
    return pd.DataFrame([{column: getattr(card, column) for column in columns} for card in CARDS]).set_index("name")
