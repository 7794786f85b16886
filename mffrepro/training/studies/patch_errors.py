"""Count the wrong answers of a patch classifier, by kind of patch."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from statistics import NormalDist

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from mffrepro.data import load_regions
from mffrepro.data.hard_patches import KINDS, hard_pairs, middle
from mffrepro.training.patches import PatchRecipe, as_sample

#: Quantile of the normal distribution at which an interval of 95 % ends.
NORMAL_QUANTILE = NormalDist().inv_cdf(0.975)


@torch.inference_mode()
def wrong_answers(
    classifiers: Mapping[str, nn.Module], data: Sequence[Mapping[str, Tensor]], *, batch: int = 200
) -> dict[str, int]:
    """Count wrong answers to pairs, each asked in both orders.

    There are twice as many answers as pairs.

    Args:
        classifiers: By the name of what they are shown, as `PatchRecipe.classifiers` returns them.
        data: Samples as `PatchPairs` makes them.
        batch: Pairs at a time.
    """
    wrong = dict.fromkeys(classifiers, 0)
    device = next(next(iter(classifiers.values())).parameters()).device
    for pairs in torch.utils.data.DataLoader(data, batch_size=batch):
        for name, network in classifiers.items():
            outputs = network.in_both_orders(pairs[f"sharp_{name}"].to(device), pairs[f"blurred_{name}"].to(device))
            answers = (out[:, :, 0, 0].argmax(1) for out in outputs)
            wrong[name] += sum(int((answer != label).sum()) for answer, label in zip(answers, (1, 0), strict=True))
    return wrong


def errors_by_kind(recipe: PatchRecipe, network: nn.Module, data: str, pairs: int) -> pd.DataFrame:
    """Count wrong answers to hard pairs, which are the same for every recipe and seed.

    Args:
        recipe: How the network is shown a crop.
        network: Trained by the recipe.
        data: Labelled photographs; the pairs come from those for validation.
        pairs: Pairs of each kind of `mffrepro.data.hard_patches`.

    Returns:
        A row per kind and classifier: ``kind``, ``shown`` (what the classifier is shown), ``wrong``, ``answers``, ``error``, and
        ``low`` and ``high`` of `wilson`, which takes both answers to a pair for one, since they are hardly independent.
    """
    rows = []
    for kind in KINDS:
        crops = middle(_pairs(data, kind, pairs), recipe.crop_side())
        samples = [as_sample(recipe.show, sharp, blurred) for sharp, blurred in crops]
        for shown, wrong in wrong_answers(recipe.classifiers(network), samples).items():
            low, high = wilson(wrong / (2 * pairs), pairs)
            rows.append({"kind": kind, "shown": shown, "wrong": wrong, "answers": 2 * pairs, "error": wrong / (2 * pairs)})
            rows[-1] |= {"low": low, "high": high}
    return pd.DataFrame(rows)


@lru_cache(maxsize=len(KINDS))
def _pairs(data: str, kind: str, pairs: int) -> np.ndarray:
    return hard_pairs(load_regions(data, split="val"), kind, pairs)


def wilson(share: float, count: int) -> tuple[float, float]:
    """Compute Wilson's 95 % interval of a share of `count` independent answers."""
    spread = NORMAL_QUANTILE**2 / count
    middle = (share + spread / 2) / (1 + spread)
    half = np.sqrt(share * (1 - share) * spread + spread**2 / 4) / (1 + spread)
    return float(middle - half), float(middle + half)


def paired_interval(first: float, second: float, count: int) -> tuple[float, float]:
    """Compute a 95 % interval of the difference of two paired shares.

    Both are shares of wrong answers to the same questions. This is the adjusted Wald interval of Bonett and Price for paired
    answers (Journal of Educational and Behavioral Statistics 37, 2012). It needs how many questions only one of both gets wrong;
    which ones each got wrong is not recorded, so none counts as wrong in both. That makes it as wide as it can be.

    Args:
        first: Share of wrong answers.
        second: The share that is subtracted.
        count: Number of questions.
    """
    one, other = ((share * count + 1) / (count + 2) for share in (first, second))
    half = NORMAL_QUANTILE * np.sqrt((one + other - (one - other) ** 2) / (count + 2))
    return float(one - other - half), float(one - other + half)


def mean_errors(table: pd.DataFrame) -> dict[str, float]:
    """Average errors over the classifiers of a network.

    Args:
        table: What `errors_by_kind` returns.

    Returns:
        ``"error, KIND"`` -> share of wrong answers.
    """
    return {f"error, {kind}": float(error) for kind, error in table.groupby("kind", sort=False)["error"].mean().items()}
