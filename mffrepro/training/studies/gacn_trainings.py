"""Train GACN by recipes that differ in one choice each, and score them on the 26 pairs of the paper."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from mffrepro.data import load, load_regions
from mffrepro.images import FocusStack
from mffrepro.training.gacn import PRESETS
from mffrepro.training.recipe import Recipe
from mffrepro.training.studies import Options, Row, Study
from mffrepro.training.studies.gacn_losses import score
from mffrepro.training.trainer import go_on, read_log

#: The six metrics of the paper, Q_y with the authors' additional stabiliser.
METRICS = ("qg", "qy.gacn", "qncie", "qcb", "fmi_edge", "fmi_dct")
#: Row of the study -> fields of the recipe that differ, in the order of what the verdicts need most.
CHANGES = {
    "": {},
    "gradient_loss=none": {"gradient_loss": "none"},
    "angle=smooth": {"angle": "smooth"},
    "attention=False": {"attention": False},
    "slope_start=1000.0 slope_epochs=0": {"slope_start": 1000.0, "slope_epochs": 0},
    "defocus=mask": {"defocus": "mask"},
    "augmentation=False": {"augmentation": False},
    "activity=published": {"activity": "published"},
}


def score_run(recipe: Recipe, run: Path, stacks: Sequence[FocusStack], *, device: str = "auto") -> dict[str, float]:
    """Score a finished training.

    Args:
        recipe: What was trained.
        run: Its run folder.
        stacks: Pairs to fuse and to score.
        device: ``"auto"``, ``"cpu"`` or ``"cuda"``.

    Returns:
        Means over the stacks of `METRICS` and of the noise of the initial maps; the best epoch and its overlap with the mask.
    """
    best = min(read_log(run / "log.csv"), key=lambda row: row["val_total"])
    scores = pd.DataFrame([score(stack, run / "best.safetensors", device, METRICS) for stack in stacks]).mean()
    measured = {name.partition(".")[0]: value for name, value in scores.items()}
    measured |= {"val_iou": best["val_iou"], "best_epoch": int(best["epoch"])}
    return measured | {"epochs": recipe.epochs, "samples": recipe.samples}


def study() -> Study:
    """Return the study of GACN's choices: a row for each of `CHANGES`."""

    def run(row: Row, options: Options, folder: Path) -> Row:
        recipe = replace(PRESETS[options.size], **CHANGES[row["changed"]])
        regions = {split: load_regions(options.data, split=split) for split in ("train", "val")}
        go_on(recipe, regions, folder, seed=row["seed"], device=options.device, precision=options.precision)
        return score_run(recipe, folder, load(options.real), device=options.device)

    return Study(lambda options: [{"changed": label} for label in CHANGES], run)
