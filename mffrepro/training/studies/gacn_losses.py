"""Compare the losses of Fig. 9 of GACN: one training per pair of mask loss and gradient loss, all else equal."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import ndimage

from mffrepro.data import load, load_regions
from mffrepro.data.regions import LabelledImage
from mffrepro.images import FocusStack
from mffrepro.methods import fuse
from mffrepro.metrics import evaluate
from mffrepro.training.gacn import PRESETS, GacnRecipe
from mffrepro.training.studies import Options, Row, Study
from mffrepro.training.trainer import go_on, train

#: Row of the study -> mask loss and gradient loss: all twelve combinations of Fig. 9.
COMBINATIONS = {
    mask if gradient == "none" else f"{mask} + {gradient}": (mask, gradient)
    for gradient in ("none", "qg", "ep", "st")
    for mask in ("dice", "focal", "bce")
}
#: The six metrics of the paper, and two that know the truth.
METRICS = ("qg", "qy", "qncie", "qcb", "fmi_edge", "fmi_dct", "psnr", "mask_iou")
#: Minutes on a CPU core instead of the paper's fifty epochs: enough to tell whether a loss leads anywhere.
STUDY = GacnRecipe(
    epochs=6,
    samples=120,
    batch=4,
    rate=2e-3,
    schedule="cosine",
    slope_start=10.0,
    slope_epochs=3,
    size=128,
    crop=64,
    validation=16,
)


def loss_study(
    recipe: GacnRecipe,
    regions: Mapping[str, Sequence[LabelledImage]],
    stacks: Sequence[FocusStack],
    out: str | Path,
    *,
    combinations: Mapping[str, tuple[str, str]] = COMBINATIONS,
    seed: int = 1,
    device: str = "auto",
) -> pd.DataFrame:
    """Train a network for each combination of losses, and score it.

    Args:
        recipe: What the trainings share; its losses are replaced.
        regions: Labelled photographs under ``"train"`` and ``"val"``.
        stacks: Pairs to fuse, with reference and true decision.
        out: Folder for the runs, one folder each; the weights of a combination are ``COMBINATION/best.safetensors``.
        combinations: Label -> mask loss and gradient loss.
        seed: Seed of every training: all see the same samples and begin with the same weights.
        device: ``"auto"``, ``"cpu"`` or ``"cuda"``.

    Returns:
        A row per combination: means of `METRICS` over the stacks and of `noise` over their initial maps, seconds of training.
    """
    rows = {}
    for label, (mask_loss, gradient_loss) in combinations.items():
        started = time.perf_counter()
        chosen = replace(recipe, mask_loss=mask_loss, gradient_loss=gradient_loss)
        train(chosen, regions, Path(out) / label, seed=seed, device=device)
        seconds = time.perf_counter() - started
        scores = [score(stack, Path(out) / label / "best.safetensors", device) for stack in stacks]
        rows[label] = {name: float(np.mean([row[name] for row in scores])) for name in scores[0]} | {"seconds": seconds}
    return pd.DataFrame(rows).T.rename_axis("losses")


def score(stack: FocusStack, weights: Path, device: str, metrics: Sequence[str] = METRICS) -> dict[str, float]:
    """Score the image that a network fuses, and measure the noise of its initial map."""
    result = fuse(stack, "gacn", weights=str(weights), device=device)
    initial = fuse(stack, "gacn", weights=str(weights), device=device, smooth_boundary=False).decision[0]
    return evaluate(stack, result, metrics, gray="skimage") | noise(initial)


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


def study() -> Study:
    """Return the study of the losses: a row for each of `COMBINATIONS`."""

    def run(row: Row, options: Options, folder: Path) -> Row:
        mask_loss, gradient_loss = COMBINATIONS[row["losses"]]
        shared = PRESETS["paper"] if options.size == "paper" else STUDY
        recipe = replace(shared, mask_loss=mask_loss, gradient_loss=gradient_loss)
        regions = {split: load_regions(options.data, split=split) for split in ("train", "val")}
        go_on(recipe, regions, folder, seed=row["seed"], device=options.device, precision=options.precision)
        test = load("embedded", kind="composite", levels=(3,), size=256)
        scores = pd.DataFrame([score(stack, folder / "best.safetensors", options.device) for stack in test]).mean()
        return scores.to_dict() | {"epochs": recipe.epochs, "samples": recipe.samples}

    return Study(lambda options: [{"losses": label} for label in COMBINATIONS], run)
