"""Train GACN by recipes that differ in one choice each, and score them on the 26 pairs of the paper."""

from dataclasses import replace
from pathlib import Path

from mffrepro.data import load, load_regions
from mffrepro.training.gacn import PRESETS
from mffrepro.training.studies import Options, Row, Study
from mffrepro.training.studies.gacn_scores import score_run
from mffrepro.training.trainer import go_on

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


def study() -> Study:
    """Return the study of GACN's choices: a row for each of `CHANGES`."""

    def run(row: Row, options: Options, folder: Path) -> Row:
        recipe = replace(PRESETS[options.size], **CHANGES[row["changed"]])
        regions = {split: load_regions(options.data, split=split) for split in ("train", "val")}
        go_on(recipe, regions, folder, seed=row["seed"], device=options.device, precision=options.precision)
        return score_run(recipe, folder, load(options.real), device=options.device)

    return Study(lambda options: [{"changed": label} for label in CHANGES], run)
