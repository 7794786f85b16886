"""Compare methods on different kinds of subject, with known truth, and tell which differences can be told from chance.

Chapter: 12_your_own_stack.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from mffrepro.data.subjects import SUBJECTS, subject_stacks
from mffrepro.methods import fuse
from mffrepro.metrics import Scorer


def score_subjects(methods: Sequence[str], *, size: int = 320, count: int = 5, metric: str = "psnr") -> pd.DataFrame:
    """Score methods on every kind of subject.

    Three frames or more are fused with `average_flat`, as by the command line.

    Args:
        methods: Names.
        size: Longer side of the stacks, pixels.
        count: Photographs of each kind, at most five.
        metric: Name.

    Returns:
        A row per kind of subject (``dataset``), stack and method, with the value of the metric and the seconds.
    """
    rows = []
    for kind in SUBJECTS:
        for stack in subject_stacks(kind, size=size)[:count]:
            score = Scorer(stack, metrics=[metric])
            for name in methods:
                result = fuse(stack, name, average_flat=len(stack) > 2)
                row = {"dataset": kind, "stack": stack.name, "method": name, "seconds": result.seconds}
                rows.append(row | {"value": score(result)[metric]})
    return pd.DataFrame(rows)


def by_subject(results: pd.DataFrame) -> pd.DataFrame:
    """Average over the photographs: a row per method, a column per subject."""
    table = results.pivot_table(index="method", columns="dataset", values="value", sort=False)
    return table.rename(columns={kind: subject.title for kind, subject in SUBJECTS.items()})


def recommend(results: pd.DataFrame, level: float = 0.95) -> pd.DataFrame:
    """Choose a method for each kind of subject.

    A method is as good as the best where the interval of their difference over the photographs contains zero (Student's t).

    Args:
        results: What `score_subjects` returns, of a metric that is better when higher; two photographs or more.
        level: Of the interval.

    Returns:
        A row per kind of subject: ``best``, its mean; ``as good``, those that cannot be told from it; ``fastest of these``.
    """
    rows = {}
    for kind, chosen in results.groupby("dataset", sort=False):
        wide = chosen.pivot(index="stack", columns="method", values="value").dropna(axis=1)
        best = wide.mean().idxmax()
        equals = [name for name in wide if name != best and not _differs(wide[best] - wide[name], level)]
        seconds = chosen.groupby("method")["seconds"].median()
        rows[SUBJECTS[kind].title] = {
            "best": best,
            "mean": wide[best].mean(),
            "as good": ", ".join(wide[equals].mean().sort_values(ascending=False).index) or "none",
            "fastest of these": seconds[[best, *equals]].idxmin(),
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def _differs(gains: pd.Series, level: float) -> bool:
    """Tell whether zero lies outside the interval of a mean."""
    from scipy import stats

    count, spread = len(gains), float(gains.std(ddof=1))
    half = stats.t.ppf((1 + level) / 2, count - 1) * spread / np.sqrt(count)
    return bool(abs(gains.mean()) > half)
