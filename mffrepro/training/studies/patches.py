"""Compare the choices of the patch classifiers: trainings at the papers' width that differ in one thing each, all else equal.

Nearly all patches of a training are told apart by any of them, so each is also asked for pairs that are harder, by kind
(`mffrepro.data.hard_patches`): its wrong answers are counted in a table of its own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from mffrepro.data import load, load_regions
from mffrepro.data.labelled import LabelledImage
from mffrepro.images import FocusStack
from mffrepro.methods import fuse
from mffrepro.metrics import evaluate
from mffrepro.models.weights import pick_device
from mffrepro.training import recipes
from mffrepro.training.cnn_fuse import CnnFuseRecipe
from mffrepro.training.cnnwt import CnnwtRecipe
from mffrepro.training.icacs18 import Icacs18Recipe
from mffrepro.training.patches import PatchPairs, PatchRecipe, RealPatches
from mffrepro.training.studies import Options, Row, Study
from mffrepro.training.studies.patch_errors import errors_by_kind, mean_errors, wrong_answers
from mffrepro.training.trainer import go_on, load_model, read_log

#: Scores of the fused images, against their sources and against the truth.
METRICS = ("qabf", "en", "psnr", "mask_iou", "boundary_f")
#: Hard pairs of each kind.
PAIRS = 1000
#: The papers' width, and icacs18's 20 000 pairs, drawn once: 10 000 places in both orders. The papers' rates need more epochs;
#: at 0.01 the units of the network with one pooling die, whose fully connected layer has sixteen times the inputs.
SHORT = {
    "border": "context", "rate": 0.003, "schedule": "cosine", "epochs": 12, "samples": 10_000, "validation": 2000, "fixed": True
}  # fmt: skip


@dataclass(frozen=True)
class Changes:
    """Describe trainings that belong together.

    Attributes:
        recipe: What all of them share.
        changes: Row of the table -> options of the recipe that differ.
        options: Options of the fusions.
    """

    recipe: PatchRecipe
    changes: Mapping[str, Mapping[str, Any]]
    options: Mapping[str, Any]


STUDIES = {
    "icacs18": Changes(
        Icacs18Recipe(**SHORT),
        {
            "16x16, three max poolings": {},
            "8x8": {"patch": 8},
            "32x32": {"patch": 32},
            "mean pooling": {"pool": "avg"},
            "two poolings": {"poolings": 2},
            "one pooling": {"poolings": 1},
            "zeros around patches": {"border": "zeros"},
        },
        {"dilate": 0},  # it would move every border alike
    ),
    "cnn_fuse": Changes(
        CnnFuseRecipe(**SHORT),
        {
            "five levels": {},
            "three levels": {"levels": (1, 2, 3)},
            "half of them real": {"real": "gacn26"},
            "pseudo-siamese": {"kind": "pseudo-siamese"},
            "2-channel": {"kind": "2-channel"},
            "zeros around patches": {"border": "zeros"},
        },
        {},
    ),
    "cnnwt": Changes(CnnwtRecipe(**SHORT), {"Haar wavelet": {}, "dual tree": {"transform": "dtcwt"}}, {}),
}


def accuracy(network: torch.nn.Module, data: PatchPairs, *, batch: int = 200) -> float:
    """Compute the share of right answers on gray pairs, each asked in both orders."""
    return 1 - wrong_answers({"gray": network}, data, batch=batch)["gray"] / (2 * len(data))


def mean_accuracy(recipe: PatchRecipe, network: torch.nn.Module, data: PatchPairs) -> float:
    """Compute the share of right answers of all classifiers in a network."""
    wrong = wrong_answers(recipe.classifiers(network), data)
    return 1 - sum(wrong.values()) / (2 * len(data) * len(wrong))


def on_grid(decision: np.ndarray, side: int = 8) -> float:
    """Measure the share of changes of a binary map (H, W) that lie on a grid.

    The lines of the grid are `side` pixels apart.
    """
    lines = total = 0
    for axis in (0, 1):
        change = np.abs(np.diff(np.moveaxis(decision > 0.5, axis, 0).astype(np.int8), axis=0)).sum(1)
        lines, total = lines + change[side - 1 :: side].sum(), total + change.sum()
    return float(lines / max(total, 1))


def measure(
    method: str, recipe: PatchRecipe, regions: Mapping[str, Sequence[LabelledImage]], stacks: Sequence[FocusStack], folder: Path,
    *, seed: int = 1, device: str = "auto", precision: str = "no", options: Mapping[str, Any] | None = None,
) -> dict[str, float]:  # fmt: skip
    """Train a network, or go on with its training, and score it.

    Args:
        method: Network of the recipe, ``"icacs18"``, ``"cnn_fuse"`` or ``"cnnwt"``.
        recipe: Its training.
        regions: Photographs under ``"train"`` and ``"val"``.
        stacks: Pairs to fuse, with reference and true decision.
        folder: Run folder.
        seed: Seed of the training.
        device: ``"auto"``, ``"cpu"`` or ``"cuda"``.
        precision: ``"no"``, ``"bf16"`` or ``"fp16"``.
        options: Options of the fusions.

    Returns:
        Accuracy on patches of the validation set with texture, and on any of its patches; epochs until the first is 99 %, all
        three as means over the classifiers of the network. Parameters, epochs, samples and rate; where the network can fuse, the
        means of `METRICS` and of `on_grid`.
    """
    network = go_on(recipe, regions, folder, seed=seed, device=device, precision=precision).to(pick_device(device))
    log = [row | {"accuracy": _validated(row)} for row in read_log(folder / "log.csv")]
    known = [row["epoch"] for row in log if row["accuracy"] >= 0.99]
    anywhere = replace(recipe, variance=0.0, real="none").data(regions["val"], split="val", seed=seed + 2)
    row = {
        "accuracy": min(log, key=lambda row: row["val_total"])["accuracy"],
        "accuracy anywhere": mean_accuracy(recipe, network, anywhere),
        "epochs to 99 %": known[0] if known else np.nan,
        "parameters": sum(p.numel() for p in network.parameters()),
        "epochs": recipe.epochs,
        "samples": recipe.samples,
        "rate": recipe.rate,
    }
    if getattr(recipe, "kind", "siamese") == "siamese":
        weights = {"weights": str(folder / "best.safetensors"), "device": device}
        results = [fuse(stack, method, **weights, **(options or {})) for stack in stacks]
        scores = [evaluate(stack, result, METRICS) for stack, result in zip(stacks, results, strict=True)]
        scores = [row | {"on grid": on_grid(result.decision[0])} for row, result in zip(scores, results, strict=True)]
        row |= pd.DataFrame(scores).mean().to_dict()
    return row


def _validated(row: Mapping[str, float]) -> float:
    """Average the validation accuracies of an epoch over the classifiers."""
    return float(np.mean([value for name, value in row.items() if name.startswith("val_") and name.endswith("accuracy")]))


def real_accuracy(recipe: PatchRecipe, network: torch.nn.Module, name: str) -> float:
    """Compute the accuracy on patches of real photographs that no training has seen.

    Args:
        recipe: The training of the network.
        network: Ready for inference.
        name: Stacks of real photographs, such as ``"gacn26"``.
    """
    data = recipe.data([], split="val", seed=9)
    data.real, data.real_every = RealPatches(name, held_out=True), 1
    return mean_accuracy(recipe, network, data)


def changed(recipe: PatchRecipe, change: Mapping[str, Any], size: str) -> PatchRecipe:
    """Apply a change to the recipe of a study, or to that of the paper.

    Epochs and rates of a change then stand in the same proportion to those of the paper.
    """
    if size == "practical":
        return replace(recipe, **change)
    paper = recipes.recipe(recipe.name, "paper")
    scaled = {name: change[name] / getattr(recipe, name) * getattr(paper, name) for name in {"epochs", "rate"} & change.keys()}
    return replace(paper, **{**change, **{name: type(change[name])(value) for name, value in scaled.items()}})


def study(method: str) -> Study:
    """Return the study of a patch classifier: a row for each of its changes."""
    chosen = STUDIES[method]

    def run(row: Row, options: Options, folder: Path) -> Row:
        recipe = changed(chosen.recipe, chosen.changes[row["network"]], options.size)
        regions = {split: load_regions(options.data, split=split) for split in ("train", "val")}
        test = list(load("embedded", kind="composite", levels=(3,), size=256))
        kinds = {"seed": row["seed"], "device": options.device, "precision": options.precision, "options": chosen.options}
        measured = measure(method, recipe, regions, test, folder, **kinds)
        network = load_model(recipe.model(), folder / "best.safetensors").eval().to(pick_device(options.device))
        errors = errors_by_kind(recipe, network, options.data, PAIRS)
        measured |= {"accuracy on real": real_accuracy(recipe, network, options.real)}
        return measured | mean_errors(errors) | {"errors": errors}

    return Study(lambda options: [{"network": label} for label in chosen.changes], run)
