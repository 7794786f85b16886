"""Infer which recorded scene a printed table is about, and which of its cells may have been exchanged.

Papers print scores of pairs that they do not name. Scores of known methods identify a scene as far as implementations agree.
"""

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pandas as pd


def scene_distances(printed: pd.DataFrame, recorded: pd.DataFrame, metrics: Sequence[str] = ("ag", "sf")) -> pd.DataFrame:
    """Rank recorded scenes by how near their scores come to a printed table.

    Args:
        printed: Methods by metrics, positive numbers. Leave out rows that are doubtful or not comparable.
        recorded: Scores in long format with the columns stack, method, metric and value.
        metrics: Those that are compared; AG and SF hardly depend on the reading of their formula.

    Returns:
        Stacks by ``distance``, ascending: the mean absolute log ratio of recorded and printed numbers, 0.1 being about 10 %;
        and ``wins``, the number of methods without which the stack would be the nearest. Stacks that lack a score are left out.
    """
    wide = recorded[recorded["metric"].isin(metrics) & recorded["method"].isin(printed.index)]
    wide = wide.pivot(index="stack", columns=["method", "metric"], values="value")
    gaps = {(row, name): np.abs(np.log(wide[row, name] / printed.loc[row, name])) for row in printed.index for name in metrics}
    gaps = pd.DataFrame(gaps).dropna()
    nearest = [gaps.drop(columns=row, level=0).mean(axis=1).idxmin() for row in printed.index]
    table = pd.DataFrame({"distance": gaps.mean(axis=1), "wins": [nearest.count(stack) for stack in gaps.index]})
    return table.sort_values("distance")


def exchanged(printed: pd.DataFrame, ours: pd.DataFrame) -> pd.DataFrame:
    """Find pairs of printed rows or cells that fit better when exchanged.

    Args:
        printed: Methods by metrics, positive numbers.
        ours: The same methods and metrics on the scene of the table.

    Returns:
        One row per pair and metric, and per pair with all metrics (``"all"``), where the exchange reduces the distance:
        ``rows``, ``metric``, ``as printed`` and ``exchanged`` (mean absolute log ratios of the two rows), largest gain first.
        A small gain is chance: there are many pairs, and similar methods have similar scores.
    """
    left, right = (np.log(table.astype(float)) for table in (printed, ours.loc[printed.index, printed.columns]))
    found = []
    for one, other in combinations(printed.index, 2):
        straight = ((left.loc[one] - right.loc[one]).abs() + (left.loc[other] - right.loc[other]).abs()) / 2
        crossed = ((left.loc[one] - right.loc[other]).abs() + (left.loc[other] - right.loc[one]).abs()) / 2
        both = pd.DataFrame({"as printed": straight, "exchanged": crossed})
        both.loc["all"] = both.mean()
        found.append(both.rename_axis("metric").reset_index().assign(rows=f"{one} and {other}"))
    table = pd.concat(found, ignore_index=True)[["rows", "metric", "as printed", "exchanged"]]
    gain = table["as printed"] - table["exchanged"]
    return table[gain > 0].iloc[np.argsort(-gain[gain > 0].to_numpy(), kind="stable")].reset_index(drop=True)
