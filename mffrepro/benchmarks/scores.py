"""Score a few stacks at once: fusions by methods with options, kept for figures, and images that decision maps make."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from mffrepro.fusion.decision import fuse_by_decision
from mffrepro.images import FocusStack, FusionResult
from mffrepro.methods import fuse
from mffrepro.metrics import get
from mffrepro.metrics.scoring import Scorer


def score_methods(
    stacks: Iterable[FocusStack], methods: Mapping[str, tuple[str, Mapping[str, Any]]], metrics: Sequence[str]
) -> tuple[pd.DataFrame, dict[tuple[str, str], FusionResult]]:
    """Fuse every stack by every method, score the results, and keep them.

    Args:
        stacks: Stacks to fuse; their names are the rows.
        methods: Label to the name of a method and its options.
        metrics: Names of metrics.

    Returns:
        Scores with one row per (stack, method) and one column per metric, NaN where a metric needs a decision map and the
        method has none; and the results by (stack, method).
    """
    rows, results = {}, {}
    for stack in stacks:
        score = Scorer(stack, metrics=list(metrics))
        for label, (name, options) in methods.items():
            result = results[stack.name, label] = fuse(stack, name, **options)
            score.metrics = [metric for metric in metrics if result.shares is not None or get(metric).needs != "decision"]
            rows[stack.name, label] = score(result)
    index = pd.MultiIndex.from_tuples(rows, names=["stack", "method"])
    return pd.DataFrame(list(rows.values()), index=index, columns=list(metrics)), results


def score_decisions(
    stacks: Iterable[FocusStack], decide: Callable[[FocusStack], Mapping[str, np.ndarray]], metrics: Sequence[str]
) -> pd.DataFrame:
    """Average the scores of the images that named decision maps make.

    Args:
        stacks: Stacks to fuse.
        decide: From a stack to its decision maps by name, each as for `mffrepro.fusion.decision.fuse_by_decision`.
        metrics: Names of metrics.

    Returns:
        Means over the stacks, one row per name in the order of first appearance, one column per metric.
    """
    rows = []
    for stack in stacks:
        score = Scorer(stack, metrics=list(metrics))
        rows += [{"decision": name} | score(fuse_by_decision(stack, shares)) for name, shares in decide(stack).items()]
    return pd.DataFrame(rows).groupby("decision", sort=False).mean()


def directions(metrics: Sequence[str]) -> pd.Series:
    """Return 1 where higher values of a metric are better, else -1.

    Args:
        metrics: Names of metrics with a direction.
    """
    return pd.Series({name: -1 if get(name).better == "lower" else 1 for name in metrics})
