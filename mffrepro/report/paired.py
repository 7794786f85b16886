"""Arrange scores as the samples that verdicts are computed from: differences on the same image, a row per seed."""

from collections.abc import Sequence

import numpy as np
import pandas as pd


def cube(rows: pd.DataFrame, methods: Sequence[str], metrics: Sequence[str]) -> np.ndarray:
    """Arrange scores by method, image and metric.

    Args:
        rows: Long format with the columns stack, method, metric and value.
        methods: Labels.
        metrics: Names.

    Returns:
        (methods, images, metrics); images that lack a score are left out, in the order of their names.
    """
    chosen = rows[rows["method"].isin(methods) & rows["metric"].isin(metrics)]
    wide = chosen.pivot(index="stack", columns=["method", "metric"], values="value")
    columns = pd.MultiIndex.from_product([methods, metrics])
    wide = wide.reindex(columns=columns).dropna()
    return wide.to_numpy().reshape(len(wide), len(methods), len(metrics)).swapaxes(0, 1)


def recorded(rows: pd.DataFrame, methods: Sequence[str]) -> list[str]:
    """Return those of the methods that have scores."""
    known = set(rows.dropna(subset="value")["method"])
    return [name for name in methods if name in known]


def differences(rows: pd.DataFrame, ours: Sequence[str], rivals: Sequence[str], metric: str) -> dict[str, np.ndarray]:
    """Compute ours minus each rival on the same images.

    Args:
        rows: As for `cube`.
        ours: Labels of one method, a training each.
        rivals: Labels of other methods.
        metric: Name.

    Returns:
        Rival -> (trainings, images).
    """
    scores = cube(rows, [*ours, *rivals], [metric])[..., 0]
    return {name: scores[: len(ours)] - scores[len(ours) + i] for i, name in enumerate(rivals)}


def variation(rows: pd.DataFrame, ours: Sequence[str], rivals: Sequence[str], metric: str) -> np.ndarray:
    """Compute how much a metric varies between methods, image by image.

    Args:
        rows: As for `cube`.
        ours: Labels of one method, a training each; each stands beside the rivals in turn.
        rivals: Labels of other methods.
        metric: Name of a metric above zero.

    Returns:
        (trainings, images): standard deviation over the methods divided by their mean.
    """
    scores = cube(rows, [*ours, *rivals], [metric])[..., 0]
    sets = np.stack([np.vstack([one, scores[len(ours) :]]) for one in scores[: len(ours)]])
    return sets.std(axis=1, ddof=1) / sets.mean(axis=1)


def distances(rows: pd.DataFrame, ours: Sequence[str], rivals: Sequence[str], metrics: Sequence[str]) -> dict[str, np.ndarray]:
    """Compute how far the scores of each rival are from ours, image by image.

    Args:
        rows: As for `cube`.
        ours: Labels of one method, a training each.
        rivals: Labels of other methods.
        metrics: Names.

    Returns:
        Rival -> (trainings, images): mean over the metrics of the absolute difference, in standard deviations over all methods
        on that image, so that no metric counts more than another.
    """
    scores = cube(rows, [*ours, *rivals], metrics)
    found = {name: [] for name in rivals}
    for one in scores[: len(ours)]:
        others = scores[len(ours) :]
        scale = np.concatenate([one[None], others]).std(axis=0)
        for name, other in zip(rivals, others, strict=True):
            found[name].append((np.abs(other - one) / scale).mean(axis=-1))
    return {name: np.array(values) for name, values in found.items()}


def seed_ratio(seeds: int):
    """Make a statistic: the spread of seeds by the gap to the nearest rival.

    Args:
        seeds: Number of the first columns, one per seed of a method; the others are its rivals.

    Returns:
        From (images, columns) to the standard deviation of the seeds' means by the smallest distance of a rival's mean from
        theirs.
    """

    def ratio(table: np.ndarray) -> float:
        mean = table.mean(axis=0)
        return mean[:seeds].std(ddof=1) / np.abs(mean[seeds:] - mean[:seeds].mean()).min()

    return ratio


def one_training(value: float) -> np.ndarray:
    """Hold a value of a single training: (1 seed, 1 image).

    Only the mean over the images was recorded.

    Such a sample never decides a claim.
    """
    return np.array([[float(value)]])
