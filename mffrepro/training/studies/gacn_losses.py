"""Compare the losses of Fig. 9 of GACN: one training per pair of mask loss and gradient loss, all else equal."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from mffrepro.data import load, load_regions
from mffrepro.data.regions import LabelledImage
from mffrepro.images import FocusStack
from mffrepro.training.gacn import PRESETS, GacnRecipe
from mffrepro.training.studies import Options, Row, Study
from mffrepro.training.studies.gacn_scores import METRICS, TRUTH, score, score_run
from mffrepro.training.trainer import go_on, train

#: Row of the study -> mask loss and gradient loss: all twelve combinations of Fig. 9.
COMBINATIONS = {
    mask if gradient == "none" else f"{mask} + {gradient}": (mask, gradient)
    for gradient in ("none", "qg", "ep", "st")
    for mask in ("dice", "focal", "bce")
}
#: Half the length of a training for use, at the crop of the paper: the sums over pixels of the losses "ep" and "st" are weighed
#: by 1e-4, which was meant for 156x156 pixels and is nothing on small crops.
STUDY = replace(PRESETS["practical"], epochs=12, slope_epochs=6, crop=156)


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
        A row per combination: means over the stacks of the metrics of the paper, of those that know the truth, and of the noise
        of the initial maps; seconds of training.
    """
    rows = {}
    for label, (mask_loss, gradient_loss) in combinations.items():
        started = time.perf_counter()
        chosen = replace(recipe, mask_loss=mask_loss, gradient_loss=gradient_loss)
        train(chosen, regions, Path(out) / label, seed=seed, device=device)
        seconds = time.perf_counter() - started
        scores = [score(stack, Path(out) / label / "best.safetensors", device, (*METRICS, *TRUTH)) for stack in stacks]
        rows[label] = {name: float(np.mean([row[name] for row in scores])) for name in scores[0]} | {"seconds": seconds}
    return pd.DataFrame(rows).T.rename_axis("losses")


def study() -> Study:
    """Return the study of the losses: a row for each of `COMBINATIONS`.

    They are scored on real pairs, and on pairs with a true decision.
    """

    def run(row: Row, options: Options, folder: Path) -> Row:
        mask_loss, gradient_loss = COMBINATIONS[row["losses"]]
        shared = PRESETS["paper"] if options.size == "paper" else STUDY
        recipe = replace(shared, mask_loss=mask_loss, gradient_loss=gradient_loss)
        regions = {split: load_regions(options.data, split=split) for split in ("train", "val")}
        go_on(recipe, regions, folder, seed=row["seed"], device=options.device, precision=options.precision)
        made = load("embedded", kind="composite", levels=(3,), size=256)
        truth = pd.DataFrame([score(stack, folder / "best.safetensors", options.device, TRUTH) for stack in made]).mean()
        return score_run(recipe, folder, load(options.real), device=options.device) | truth[list(TRUTH)].to_dict()

    return Study(lambda options: [{"losses": label} for label in COMBINATIONS], run)
