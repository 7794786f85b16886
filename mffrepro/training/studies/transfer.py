"""Does transfer help, and what do the other choices of tlcnn and tlcolor matter? Trainings of one budget, seed by seed.

The convolutions of ImageNet exist at full width only, so they are compared with random ones in a VGG-16 of full width whose new
layers are slim. The textures are compared with random ones in the slim VGG-19 of the shipped weights, and so are the choices of
loss, normalisation, first weights and down-sampling.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from mffrepro.data import load, load_regions
from mffrepro.images import FocusStack
from mffrepro.methods import fuse
from mffrepro.metrics import evaluate
from mffrepro.training.studies import Options, Row, Study
from mffrepro.training.trainer import go_on, read_log
from mffrepro.training.transfer import PRACTICAL, PRESETS, TransferRecipe

#: Fewer pairs than a training for use: what transfer is worth shows in the first epochs, and this is run many times.
BUDGET = replace(PRACTICAL, epochs=5, samples=180)
#: Size of the study -> what the convolutions learned before -> fields of the recipe: the width and depth at which they exist.
FEATURES: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "practical": {
        "edges": {"vgg_width": 1.0, "depth": 16, "transfer": "edges"},
        "random, full width": {"vgg_width": 1.0, "depth": 16, "transfer": "none"},
        "textures": {},
        "random, slim": {"transfer": "none"},
    },
    "paper": {"imagenet": {}, "edges": {"depth": 16, "transfer": "edges"}, "random": {"transfer": "none"}},
}
#: One change each of a network that is trained whole: of the one that begins with textures, or with ImageNet at the paper's size.
CHANGES: Mapping[str, Mapping[str, Any]] = {
    "cross-entropy of the last decoder": {"loss": "cross-entropy", "supervise": "last"},
    "no batch normalisation": {"bn": False},
    "normal first weights": {"init": "normal"},
    "average pooling": {"downsample": "avg"},
    "maximum pooling": {"downsample": "max"},
}
#: So few photographs, seen so often and without augmentation, that a network learns them by heart.
FEW = {"photographs": (20, 72), "epochs": 24, "samples": 60, "augment": False}
OVERFITTING: Mapping[str, Mapping[str, Any]] = {
    "few photographs": FEW,
    "few photographs, no batch normalisation": FEW | {"bn": False},
}
#: Scores on real pairs, by the rule that both papers print; and on pairs with a true decision.
METRICS, TRUTH = ("qabf", "mi", "ag", "labf", "sf"), ("qabf", "mask_iou")
#: Overlap with the mask on validation pairs whose first epoch is recorded.
REACHED = 0.6


def recipe_of(row: Row, size: str = "practical") -> TransferRecipe:
    """Return the recipe of a row.

    Args:
        row: Its ``features``, ``frozen`` and ``change``.
        size: ``"practical"`` or ``"paper"``, which has the paper's width and length.
    """
    base = PRESETS["paper"] if size == "paper" else BUDGET
    features = FEATURES[size][row["features"]]
    return replace(base, **features, freeze=row["frozen"] == "yes", **(CHANGES | OVERFITTING).get(row["change"], {}))


def rate(
    stacks: Iterable[FocusStack], weights: Path, metrics: tuple[str, ...], device: str, method: str = "tlcnn.printed"
) -> pd.DataFrame:
    """Score what a network fuses, by default by the papers' printed rule.

    The table has a row per stack, with its name.
    """
    rows = []
    for stack in stacks:
        result = fuse(stack, method, weights=str(weights), device=device)
        rows.append({"stack": stack.name} | evaluate(stack, result, metrics))
    return pd.DataFrame(rows)


def measure(folder: Path, real: str, device: str) -> tuple[Row, pd.DataFrame]:
    """Measure a finished training.

    Args:
        folder: Its run folder.
        real: Stacks of real photographs.
        device: ``"auto"``, ``"cpu"`` or ``"cuda"``.

    Returns:
        The row of the table, and the scores of each stack.
    """
    log, weights = read_log(folder / "log.csv"), folder / "best.safetensors"
    best = min(log, key=lambda row: row["val_total"])
    reached = [row["epoch"] for row in log if row["val_iou"] >= REACHED]
    scores = {
        "real": rate(load(real), weights, METRICS, device),
        "embedded": rate(load("embedded", kind="composite", levels=(3,)), weights, TRUTH, device),
    }
    row = {"val_iou": best["val_iou"], "best_epoch": int(best["epoch"]), "epochs_to_reach": reached[0] if reached else ""}
    row |= {name: scores["real"][name].mean() for name in METRICS} | {"mask_iou": scores["embedded"]["mask_iou"].mean()}
    return row, pd.concat([table.assign(data=name) for name, table in scores.items()])


def study(kind: str) -> Study:
    """Return the study ``"transfer"``, or ``"overfitting"``."""

    def run(row: Row, options: Options, folder: Path) -> Row:
        recipe = recipe_of(row, options.size)
        regions = recipe.split({split: load_regions(options.data, split=split) for split in ("train", "val")}, row["seed"])
        go_on(recipe, regions, folder, seed=row["seed"], device=options.device, precision=options.precision)
        measured, scores = measure(folder, options.real, options.device)
        return measured | {"epochs": recipe.epochs, "samples": recipe.samples, "scores": scores}

    return Study({"transfer": rows, "overfitting": overfitting}[kind], run, real="lytro")  # the photographs of both papers


def rows(options: Options) -> list[dict[str, str]]:
    """List the rows: features, frozen or trained further, and the changes."""
    kinds = FEATURES[options.size]
    moved = [{"features": name, "frozen": frozen, "change": ""} for frozen in ("no", "yes") for name in kinds]
    return moved + _changed(options, CHANGES)


def overfitting(options: Options) -> list[dict[str, str]]:
    """List the rows of the study of over-fitting."""
    return _changed(options, OVERFITTING)


def _changed(options: Options, changes: Iterable[str]) -> list[dict[str, str]]:
    features = "textures" if "textures" in FEATURES[options.size] else "imagenet"
    return [{"features": features, "frozen": "no", "change": change} for change in changes]
