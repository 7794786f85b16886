"""What finished trainings of GACN come to on the 26 pairs of the paper.

``python -m mffrepro.training.gacn_runs runs/gacn runs/smooth --data bsds500 --device "1 CPU core"`` scores the best epoch of
each run folder and adds a row for each to
``data_manifests/recorded/studies/p004_trainings.csv``, in place of the row of the same recipe
and seed.
"""

import argparse
import dataclasses
import json
import time
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from mffrepro.data import load
from mffrepro.data.manifests import manifest_folder
from mffrepro.images import FocusStack, write_atomically
from mffrepro.training.gacn import PRESETS, GacnRecipe
from mffrepro.training.loss_study import score
from mffrepro.training.recipes import rebuild
from mffrepro.training.trainer import read_log

#: The six metrics of the paper, Q_y with the authors' additional stabiliser.
METRICS = ("qg", "qy.gacn", "qncie", "qcb", "fmi_edge", "fmi_dct")
KEYS = ["changed", "seed"]


def changed(recipe: GacnRecipe) -> str:
    """Where a recipe differs from the practical one, such as ``"angle=smooth"``; empty for the practical one."""
    usual = PRESETS["practical"]
    names = [field.name for field in dataclasses.fields(recipe) if getattr(recipe, field.name) != getattr(usual, field.name)]
    return " ".join(f"{name}={getattr(recipe, name)}" for name in names)


def judge_run(run: Path, stacks: Sequence[FocusStack], *, device: str = "auto") -> dict[str, float | str]:
    """A row of the table.

    Args:
        run: Run folder of the trainer.
        stacks: Pairs to fuse and to score.
        device: ``"auto"``, ``"cpu"`` or ``"cuda"``.
    Returns:
        What was trained and for how long; means over the stacks of `METRICS` and of `mffrepro.training.loss_study.noise`.
    """
    described = json.loads((run / "recipe.json").read_text())
    recipe, log = rebuild(described["recipe"]), read_log(run / "log.csv")
    best = min(log, key=lambda row: row["val_total"])
    row = {"changed": changed(recipe), "seed": described["seed"]}
    scores = pd.DataFrame([score(stack, run / "best.safetensors", device, METRICS) for stack in stacks]).mean()
    row |= {name.partition(".")[0]: value for name, value in scores.items()}
    row |= {"val_iou": best["val_iou"], "best_epoch": int(best["epoch"]), "epochs": recipe.epochs, "samples": recipe.samples}
    return row | {"seconds": round(sum(line["seconds"] for line in log))}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--data", required=True, help="what they were trained on")
    parser.add_argument("--device", required=True, help="what they were trained on, in words")
    arguments = parser.parse_args()
    stacks = load("gacn26")
    rows = pd.DataFrame([judge_run(run, list(stacks)) for run in arguments.runs])
    rows = rows.assign(data=arguments.data, device=arguments.device, date=time.strftime("%Y-%m-%d", time.gmtime()))
    path = manifest_folder() / "recorded" / "studies" / "p004_trainings.csv"
    if path.exists():
        rows = pd.concat([pd.read_csv(path, keep_default_na=False), rows]).drop_duplicates(KEYS, keep="last")
    table = rows.sort_values(KEYS).to_csv(index=False, float_format="%.6g", lineterminator="\n")
    write_atomically(path, table.encode())
    print(path)


if __name__ == "__main__":
    main()
