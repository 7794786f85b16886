"""A leaderboard that the reader ranks again in the page: other metrics, pairs or methods."""

import json
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from scipy import stats

from mffrepro import metrics as quality
from mffrepro.methods import parse


class Board:
    """Hold the ranks of methods by metrics and stacks, for the page to rank again.

    Without the script nothing is shown; a chart of the recommended ranking stands beside it.

    Args:
        results: What `mffrepro.benchmark` returns.
        chosen: Metrics that are chosen at first.
        seconds: Mean seconds of each method.
    """

    def __init__(self, results: pd.DataFrame, chosen: Sequence[str], seconds: Mapping[str, float]) -> None:
        self.data = pack(results, chosen, seconds)

    def _repr_html_(self) -> str:
        text = json.dumps(self.data, separators=(",", ":")).replace("<", "\\u003c")
        return f'<div class="mff-board"><script type="application/json">{text}</script></div>'

    def __repr__(self) -> str:
        return f"Board of {len(self.data['methods'])} methods"


def pack(results: pd.DataFrame, chosen: Sequence[str], seconds: Mapping[str, float]) -> dict:
    """Pack a benchmark for the page.

    Ranks stand for the values; any choice of methods keeps their order.

    Args:
        results: What `mffrepro.benchmark` returns.
        chosen: Metrics that are chosen at first.
        seconds: Mean seconds of each method.

    Returns:
        ``stacks``; ``methods``, each with name, kind and seconds; ``metrics``, each with name and family; ``ranks``, by metric
        and stack a list over the methods: twice the rank, 2 for the best, null where there is no value; ``chosen``;
        ``studentized``: the quantile of Nemenyi's test at 5 % for two methods, three, and so on.
    """
    methods, stacks = list(results["method"].unique()), list(results["stack"].unique())
    names = [name for name in results["metric"].unique() if quality.get(name).better]
    ranks = []
    for name in names:
        table = results[results["metric"] == name].pivot(index="stack", columns="method", values="value")
        best_first = quality.get(name).better == "lower"
        ordered = 2 * table.reindex(index=stacks, columns=methods).rank(axis=1, ascending=best_first)
        ranks.append([[None if np.isnan(value) else int(value) for value in row] for row in ordered.to_numpy()])
    quantiles = stats.studentized_range.ppf(0.95, np.arange(2, len(methods) + 1), np.inf) / np.sqrt(2)
    return {
        "stacks": stacks,
        "methods": [{"name": name, "kind": parse(name)[0].kind, "seconds": _digits(seconds.get(name))} for name in methods],
        "metrics": [{"name": name, "family": quality.get(name).family} for name in names],
        "ranks": ranks,
        "chosen": [name for name in chosen if name in names],
        "studentized": [round(float(value), 4) for value in quantiles],
    }


def _digits(seconds: float | None) -> float | None:
    return None if seconds is None or np.isnan(seconds) else float(f"{seconds:.3g}")
