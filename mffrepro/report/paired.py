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


def quartile_spread(rows: pd.DataFrame, methods: Sequence[str], metric: str) -> np.ndarray:
    """Compute how much a metric varies over the middle half of the methods.

    Args:
        rows: As for `cube`.
        methods: Labels.
        metric: Name of a metric above zero.

    Returns:
        (images,): distance between the quartiles over the methods divided by their median, which single outliers do not change.
    """
    low, middle, high = np.quantile(cube(rows, methods, [metric])[..., 0], (0.25, 0.5, 0.75), axis=0)
    return (high - low) / middle


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


def with_other_trainings(rows: pd.DataFrame, ours: Sequence[str], rivals: Sequence[str], metric: str) -> np.ndarray:
    """Arrange each training beside the mean of the others and the rivals.

    `changed_orders` takes one of these tables.

    Args:
        rows: As for `cube`.
        ours: Labels of one method, a training each, at least two.
        rivals: Labels of other methods.
        metric: Name.

    Returns:
        (trainings, images, 2 + rivals).
    """
    scores = cube(rows, [*ours, *rivals], [metric])[..., 0]
    own, others = scores[: len(ours)], scores[len(ours) :]
    rest = (own.sum(axis=0) - own) / (len(own) - 1)
    return np.stack([np.column_stack([one, mean, others.T]) for one, mean in zip(own, rest, strict=True)])


def changed_orders(table: np.ndarray) -> float:
    """Compute the share of rivals whose order to a method another training changes.

    Args:
        table: (images, 2 + rivals): scores of one training, mean scores of the other trainings, scores of the rivals.

    Returns:
        0 where the mean of every rival lies on the same side of the training's mean as of the others' mean.
    """
    mean = table.mean(axis=0)
    return float((np.sign(mean[2:] - mean[0]) != np.sign(mean[2:] - mean[1])).mean())


def one_training(value: float) -> np.ndarray:
    """Hold a value of a single training: (1 seed, 1 image).

    Only the mean over the images was recorded.

    Such a sample never decides a claim.
    """
    return np.array([[float(value)]])
