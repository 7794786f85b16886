"""Score finished trainings of GACN on the 26 pairs of the paper; each run folder becomes a row."""

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from mffrepro.data import load
from mffrepro.errors import OptionError
from mffrepro.images import FocusStack
from mffrepro.training.gacn import PRESETS, GacnRecipe
from mffrepro.training.recipes import rebuild
from mffrepro.training.studies import Options, origin
from mffrepro.training.studies.gacn_losses import score
from mffrepro.training.trainer import read_log

#: The six metrics of the paper, Q_y with the authors' additional stabiliser.
METRICS = ("qg", "qy.gacn", "qncie", "qcb", "fmi_edge", "fmi_dct")
KEYS = ["changed", "seed"]


def changed(recipe: GacnRecipe) -> str:
    """Name the fields in which a recipe differs from the practical one.

    Such as ``"angle=smooth"``; empty for the practical one.
    """
    usual = PRESETS["practical"]
    names = [field.name for field in dataclasses.fields(recipe) if getattr(recipe, field.name) != getattr(usual, field.name)]
    return " ".join(f"{name}={getattr(recipe, name)}" for name in names)


def score_run(run: Path, stacks: Sequence[FocusStack], *, device: str = "auto") -> dict[str, float | str]:
    """Score one run: a row of the table.

    Args:
        run: Run folder of the trainer.
        stacks: Pairs to fuse and to score.
        device: ``"auto"``, ``"cpu"`` or ``"cuda"``.

    Returns:
        What was trained and for how long; means over the stacks of `METRICS`, and of the noise of the initial maps.
    """
    described = json.loads((run / "recipe.json").read_text())
    recipe, log = rebuild(described["recipe"]), read_log(run / "log.csv")
    best = min(log, key=lambda row: row["val_total"])
    row = {"changed": changed(recipe), "seed": described["seed"]}
    scores = pd.DataFrame([score(stack, run / "best.safetensors", device, METRICS) for stack in stacks]).mean()
    row |= {name.partition(".")[0]: value for name, value in scores.items()}
    row |= {"val_iou": best["val_iou"], "best_epoch": int(best["epoch"]), "epochs": recipe.epochs, "samples": recipe.samples}
    return row | {"seconds": round(sum(line["seconds"] for line in log))}


def tabulate(options: Options, before: pd.DataFrame | None) -> pd.DataFrame:
    """Score the runs of the options.

    Rows of the same recipe and seed in the recorded table are replaced.
    """
    if not options.runs:
        raise OptionError("gacn_trainings scores finished trainings; name their run folders with --run")
    stacks = list(load(options.real))
    rows = pd.DataFrame([score_run(run, stacks) for run in options.runs])
    described = {name: value for name, value in origin(options).items() if name != "seed"}
    rows = rows.assign(**described)
    if before is not None:
        rows = pd.concat([before, rows]).drop_duplicates(KEYS, keep="last")
    return rows.sort_values(KEYS)
