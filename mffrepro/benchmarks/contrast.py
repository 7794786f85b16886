"""Find the photograph behind a printed table at any contrast.

AG, SD and SF are proportional to the contrast of an image, and a linear fusion keeps that. So one factor for all rows and metrics
tells a photograph of lower contrast from another photograph.
"""

import numpy as np
import pandas as pd

from mffrepro.images import FocusStack, from_unit, to_unit

#: Metrics that are proportional to the contrast.
PROPORTIONAL = ("ag", "sd", "sf")


def fit_contrast(printed: pd.DataFrame, recorded: pd.DataFrame) -> pd.DataFrame:
    """Fit one contrast to every recorded scene, and rank the scenes by what remains.

    Args:
        printed: Methods by metrics, with the columns `PROPORTIONAL`; leave out rows that are not comparable.
        recorded: Scores in long format with the columns stack, method, metric and value.

    Returns:
        Stacks by ``contrast``: printed by recorded numbers, geometric mean; ``left``: mean absolute log ratio that remains,
        0.1 being about 10 %; and ``distance``: the same without the factor. Ascending by ``left``; stacks that lack a score are
        left out.
    """
    chosen = recorded[recorded["metric"].isin(PROPORTIONAL) & recorded["method"].isin(printed.index)]
    wide = chosen.pivot(index="stack", columns=["method", "metric"], values="value")
    logs = pd.DataFrame(
        {(row, name): np.log(printed.loc[row, name] / wide[row, name]) for row in printed.index for name in PROPORTIONAL}
    ).dropna()
    factor = logs.mean(axis=1)
    left = logs.sub(factor, axis=0).abs().mean(axis=1)
    table = pd.DataFrame({"contrast": np.exp(factor), "left": left, "distance": logs.abs().mean(axis=1)})
    return table.sort_values("left")


def with_contrast(stack: FocusStack, contrast: float) -> FocusStack:
    """Multiply the gray values of a stack by a contrast of at most 1, in its depth."""
    images = from_unit(to_unit(stack.images, np.float64) * contrast, stack.images.dtype)
    return FocusStack(f"{stack.name} at contrast {contrast:.2f}", images)
