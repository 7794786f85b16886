"""Score trainings of GACN on the pairs of its paper, and measure how noisy its maps are."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import ndimage

from mffrepro.images import FocusStack
from mffrepro.methods import fuse
from mffrepro.metrics import evaluate
from mffrepro.training.recipe import Recipe
from mffrepro.training.studies import Row
from mffrepro.training.trainer import read_log

#: The six metrics of the paper, Q_y with the authors' additional stabiliser.
METRICS = ("qg", "qy.gacn", "qncie", "qcb", "fmi_edge", "fmi_dct")
#: Metrics that know the truth.
TRUTH = ("psnr", "mask_iou")


def score(stack: FocusStack, weights: Path, device: str, metrics: Sequence[str] = METRICS) -> dict[str, float]:
    """Score the image that a network fuses, and measure the noise of its initial map.

    Args:
        stack: A pair.
        weights: File of a network.
        device: ``"auto"``, ``"cpu"`` or ``"cuda"``.
        metrics: Names of metrics; a row has them without their variant, ``qy`` for ``qy.gacn``.
    """
    result = fuse(stack, "gacn", weights=str(weights), device=device)
    initial = fuse(stack, "gacn", weights=str(weights), device=device, smooth_boundary=False).decision[0]
    scores = evaluate(stack, result, metrics, gray="skimage")
    return {name.partition(".")[0]: value for name, value in scores.items()} | noise(initial)


def score_run(recipe: Recipe, run: Path, stacks: Sequence[FocusStack], *, device: str = "auto") -> Row:
    """Score a finished training.

    Args:
        recipe: What was trained.
        run: Its run folder.
        stacks: Pairs to fuse and to score.
        device: ``"auto"``, ``"cpu"`` or ``"cuda"``.

    Returns:
        Means over the stacks of `METRICS` and of the noise of the initial maps; under ``scores`` the same of each stack; the best
        epoch and its overlap with the mask.
    """
    best = min(read_log(run / "log.csv"), key=lambda row: row["val_total"])
    scores = pd.DataFrame([{"stack": stack.name} | score(stack, run / "best.safetensors", device) for stack in stacks])
    measured = scores.drop(columns="stack").mean().to_dict() | {"scores": scores}
    measured |= {"val_iou": best["val_iou"], "best_epoch": int(best["epoch"])}
    return measured | {"epochs": recipe.epochs, "samples": recipe.samples}


def noise(share: np.ndarray) -> dict[str, float]:
    """Measure how restless a decision map of two sources is.

    Args:
        share: (H, W) in [0, 1].

    Returns:
        ``regions``: connected regions of either source; ``variation``: mean absolute difference between neighbours, summed over
        both directions.
    """
    regions = sum(ndimage.label(side)[1] for side in (share > 0.5, share <= 0.5))
    variation = sum(np.abs(np.diff(share, axis=axis)).mean() for axis in (0, 1))
    return {"regions": float(regions), "variation": float(variation)}
