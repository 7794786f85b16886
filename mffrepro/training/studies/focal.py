"""Train Focal by recipes that differ in one choice each, and score it on stacks with truth and on the 26 pairs."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from mffrepro.data import load, load_regions
from mffrepro.data.conditions import depth_stacks
from mffrepro.images import FocusStack
from mffrepro.methods import fuse
from mffrepro.metrics import evaluate
from mffrepro.training.focal import PRESETS
from mffrepro.training.studies import Options, Row, Study
from mffrepro.training.trainer import go_on, read_log

#: Row of the study -> fields of the recipe that differ.
CHANGES = {
    "": {},
    "frames are not compared": {"compare": False},
    "no faults": {"faults": False},
    "no edges": {"edges": 0.0},
    "no depth": {"depth": 0.0},
    "three times as long": {"epochs": 60},
    "twice as wide": {"widths": (32, 48, 64)},
}
#: Metrics of pairs, and of stacks with truth.
METRICS, TRUTH = ("qg", "qabf", "qcb"), ("psnr", "ssim")
#: Conditions of the stacks.
CONDITIONS = ("frames8", "noisy")


def score(stack: FocusStack, weights: Path, device: str, depth: np.ndarray | None = None) -> dict[str, float]:
    """Score a fusion, by its reference and its true depth (H, W) where there are any."""
    result = fuse(stack, "focal", weights=str(weights), device=device)
    if depth is None:
        return evaluate(stack, result, METRICS, gray="skimage")
    return evaluate(stack, result, TRUTH) | {"depth": float(np.median(np.abs(result.depth - depth)))}


def study() -> Study:
    """Return the study of Focal: a row for each of `CHANGES`."""

    def run(row: Row, options: Options, folder: Path) -> Row:
        recipe = replace(PRESETS[options.size], **CHANGES[row["changed"]])
        regions = {split: load_regions(options.data, split=split) for split in ("train", "val")}
        go_on(recipe, regions, folder, seed=row["seed"], device=options.device, precision=options.precision)
        weights = folder / "best.safetensors"
        stacks = [made for condition in CONDITIONS for made in depth_stacks(condition)]
        rows = [{"stack": made.name} | score(made.stack, weights, options.device, made.depth) for made in stacks]
        rows += [{"stack": pair.name} | score(pair, weights, options.device) for pair in load(options.real)]
        scores = pd.DataFrame(rows)
        best = min(read_log(folder / "log.csv"), key=lambda epoch: epoch["val_total"])
        measured = scores.drop(columns="stack").mean().to_dict() | {"scores": scores}
        measured |= {"val_psnr": best["val_psnr"], "best_epoch": int(best["epoch"])}
        return measured | {"epochs": recipe.epochs, "samples": recipe.samples}

    return Study(lambda options: [{"changed": label} for label in CHANGES], run)
