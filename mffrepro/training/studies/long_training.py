"""Why does a longer training of tlcnn fuse made pairs better and photographs worse? Trainings that differ in their pairs."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import nn

from mffrepro.data import load, load_regions
from mffrepro.images import FocusStack, to_unit, write_atomically
from mffrepro.models.layers import to_tensor
from mffrepro.models.transfer import STEP, TransferNet, reflect
from mffrepro.models.weights import pick_device, to_bytes
from mffrepro.training.studies import Options, Row, Study
from mffrepro.training.studies.transfer import METRICS, TRUTH, rate
from mffrepro.training.trainer import go_on, load_model, read_log
from mffrepro.training.transfer import CAMERA, PRACTICAL, PRESETS, TransferRecipe

#: Row of the study -> fields of the recipe that differ from the preset ``long``; the second is the practical one.
CHANGES: Mapping[str, Mapping[str, Any]] = {
    "": {},
    "short": {"epochs": PRACTICAL.epochs, "samples": PRACTICAL.samples},
    "disc blur": {"disc": 0.5},
    "soft outlines": {"spread": 3.0},
    "compressed pairs": {"quality": 60},
    "disc blur, compressed pairs": CAMERA,
    "all three": CAMERA | {"spread": 3.0},
    "all three, larger crops": CAMERA | {"spread": 3.0, "crop": 160},
    "disc blur, compressed pairs, twice as long": CAMERA | {"epochs": 32},
    "disc blur, compressed pairs, twice as wide": CAMERA | {"width": 0.125, "vgg_width": 0.125, "transfer": "none"},
}


@torch.no_grad()
def adapt(network: TransferNet, stacks: Sequence[FocusStack], device: str) -> TransferNet:
    """Replace the statistics of the batch normalisation by those of photographs.

    No labels are asked for. If scores on them rise, it was the statistics of the made pairs that did not fit.

    Args:
        network: A trained network, whose statistics are replaced.
        stacks: The photographs.
        device: ``"auto"``, ``"cpu"`` or ``"cuda"``.
    """
    network.to(pick_device(device)).train()
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.reset_running_stats()
            layer.momentum = None  # the mean over all batches
    for stack in stacks:
        for image in to_unit(stack.images):
            batch = to_tensor(image, pick_device(device)).expand(-1, 3, -1, -1)
            height, width = batch.shape[-2:]
            network(reflect(batch, -height % STEP, -width % STEP))
    return network.cpu().eval()


def measure(recipe: TransferRecipe, folder: Path, real: str, device: str) -> Row:
    """Measure a finished training.

    By the printed rule and by ours, and with the statistics of the photographs.

    Args:
        recipe: What was trained.
        folder: Its run folder.
        real: Stacks of real photographs.
        device: ``"auto"``, ``"cpu"`` or ``"cuda"``.

    Returns:
        The row of the table; under ``scores`` those of each stack.
    """
    best = min(read_log(folder / "log.csv"), key=lambda row: row["val_total"])
    stacks, weights, adapted = load(real), folder / "best.safetensors", folder / "adapted.safetensors"
    network = adapt(load_model(recipe.model(), weights), stacks, device)
    write_atomically(adapted, to_bytes(network, network.options))
    embedded = load("embedded", kind="composite", levels=(3,))
    scores = {
        "printed rule": rate(stacks, weights, METRICS, device),
        "own rule": rate(stacks, weights, METRICS, device, "tlcnn"),
        "printed rule, statistics of the photographs": rate(stacks, adapted, METRICS, device),
        "own rule, statistics of the photographs": rate(stacks, adapted, METRICS, device, "tlcnn"),
        "made pairs": rate(embedded, weights, TRUTH, device),
    }
    row = {"val_iou": best["val_iou"], "best_epoch": int(best["epoch"])}
    row |= {f"qabf, {name}": table["qabf"].mean() for name, table in scores.items()}
    row |= {"mask_iou": scores["made pairs"]["mask_iou"].mean()}
    return row | {"scores": pd.concat([table.assign(rule=name) for name, table in scores.items()])}


def study() -> Study:
    """Return the study of long trainings: a row for each of `CHANGES`."""

    def run(row: Row, options: Options, folder: Path) -> Row:
        recipe = replace(PRESETS["paper" if options.size == "paper" else "long"], **CHANGES[row["pairs"]])
        regions = {split: load_regions(options.data, split=split) for split in ("train", "val")}
        regions = recipe.split(regions, row["seed"])
        go_on(recipe, regions, folder, seed=row["seed"], device=options.device, precision=options.precision)
        return measure(recipe, folder, options.real, options.device) | {"epochs": recipe.epochs, "samples": recipe.samples}

    return Study(lambda options: [{"pairs": label} for label in CHANGES], run)
