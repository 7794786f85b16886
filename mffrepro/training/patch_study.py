"""What the patch classifiers owe to which choice: short trainings that differ in one thing each, all else equal.

``python -m mffrepro.training.patch_study icacs18 --data bsds500 --device "1 CPU core"`` trains by the recipe of `STUDIES`, scores
the networks on patches and stacks that they have not seen, and writes ``data_manifests/recorded/studies/p002_study.csv``; with
``cnn_fuse`` it writes ``p003_study.csv``.
"""

import argparse
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from mffrepro.data import load, load_regions
from mffrepro.data.labelled import LabelledImage
from mffrepro.data.manifests import manifest_folder
from mffrepro.images import FocusStack, write_atomically
from mffrepro.methods import fuse
from mffrepro.metrics import evaluate
from mffrepro.training.cnn_fuse import CnnFuseRecipe
from mffrepro.training.icacs18 import Icacs18Recipe
from mffrepro.training.patches import PatchPairs, PatchRecipe, RealPatches
from mffrepro.training.trainer import load_model, read_log, train

#: Scores of the fused images, against their sources and against the truth.
METRICS = ("qabf", "en", "psnr", "mask_iou", "boundary_f")
#: A minute or less on a CPU core instead of the papers' days.
SHORT = {"width": 0.25, "border": "context", "rate": 0.01, "schedule": "cosine", "epochs": 8, "samples": 2000, "validation": 2000}


@dataclass(frozen=True)
class Study:
    """Trainings that belong together.

    Attributes:
        paper: Number of the paper, which names the file.
        recipe: What all of them share.
        changes: Row to what differs from it.
        options: Of the fusions.
    """

    paper: str
    recipe: PatchRecipe
    changes: Mapping[str, Mapping[str, Any]]
    options: Mapping[str, Any]


STUDIES = {
    "icacs18": Study(
        "p002",
        Icacs18Recipe(**SHORT),
        {
            "16x16, three max poolings": {},
            "the same, three times as long": {"epochs": 24},
            "8x8": {"patch": 8},
            "32x32": {"patch": 32},
            # The mean over a window wipes out the very detail that tells sharp from blurred: after 8 epochs it has not converged.
            "mean pooling": {"pool": "avg", "epochs": 24},
            "two poolings": {"poolings": 2},
            # Sixteen times the inputs of the fully connected layer: at the common rate it is right nearly always after one epoch,
            # and dead after the second.
            "one pooling": {"poolings": 1, "rate": 0.003},
            "zeros around patches": {"border": "zeros"},
        },
        {"dilate": 0},  # it would move every border alike
    ),
    "cnn_fuse": Study(
        "p003",
        CnnFuseRecipe(**SHORT, hidden=32),
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
}


@torch.inference_mode()
def accuracy(network: torch.nn.Module, data: PatchPairs, *, batch: int = 200) -> float:
    """Share of right answers on the pairs of `data`, each asked in both orders."""
    device = next(network.parameters()).device
    right = 0
    for pairs in torch.utils.data.DataLoader(data, batch_size=batch):
        outputs = network.in_both_orders(pairs["sharp_gray"].to(device), pairs["blurred_gray"].to(device))
        right += sum(int((out[:, :, 0, 0].argmax(1) == label).sum()) for out, label in zip(outputs, (1, 0), strict=True))
    return right / (2 * len(data))


def on_grid(decision: np.ndarray, side: int = 8) -> float:
    """Of all places where a binary map (H, W) changes between neighbours, the share on the lines of a grid of `side` pixels."""
    lines = total = 0
    for axis in (0, 1):
        change = np.abs(np.diff(np.moveaxis(decision > 0.5, axis, 0).astype(np.int8), axis=0)).sum(1)
        lines, total = lines + change[side - 1 :: side].sum(), total + change.sum()
    return float(lines / max(total, 1))


def run(
    method: str, recipe: PatchRecipe, changes: Mapping[str, Mapping[str, Any]], regions: Mapping[str, Sequence[LabelledImage]],
    stacks: Sequence[FocusStack], out: str | Path, *, seed: int = 1, device: str = "auto",
    options: Mapping[str, Any] | None = None,
) -> pd.DataFrame:  # fmt: skip
    """Train a network for each change of a recipe, and score it.

    Args:
        method: Whose recipe it is, ``"icacs18"`` or ``"cnn_fuse"``.
        recipe: What the trainings share.
        changes: Row to the options of the recipe that differ.
        regions: Photographs under ``"train"`` and ``"val"``.
        stacks: Pairs to fuse, with reference and true decision.
        out: Folder for the runs, one folder each.
        seed: Of every training.
        device: ``"auto"``, ``"cpu"`` or ``"cuda"``.
        options: Of the fusions.
    Returns:
        A row per change: accuracy on patches of the validation set with texture, and on any of its patches; epochs until the
        first is 99 %; parameters, epochs, rate and seconds; where the network can fuse, the means of `METRICS` and of `on_grid`.
    """
    rows = {}
    for label, change in changes.items():
        started = time.perf_counter()
        chosen = replace(recipe, **change)
        folder = run_folder(out, label)
        network = train(chosen, regions, folder, seed=seed, device=device)
        log = read_log(folder / "log.csv")
        known = [row["epoch"] for row in log if row["val_accuracy"] >= 0.99]
        anywhere = replace(chosen, variance=0.0, real="none").data(regions["val"], split="val", seed=seed + 2)
        rows[label] = {
            "accuracy": min(log, key=lambda row: row["val_total"])["val_accuracy"],
            "accuracy anywhere": accuracy(network, anywhere),
            "epochs to 99 %": known[0] if known else np.nan,
            "parameters": sum(p.numel() for p in network.parameters()),
            "epochs": chosen.epochs,
            "rate": chosen.rate,
            "seconds": time.perf_counter() - started,
        }
        if getattr(chosen, "kind", "siamese") == "siamese":
            weights = {"weights": str(folder / "best.safetensors"), "device": device}
            results = [fuse(stack, method, **weights, **(options or {})) for stack in stacks]
            scores = [evaluate(stack, result, METRICS) for stack, result in zip(stacks, results, strict=True)]
            scores = [row | {"on grid": on_grid(result.decision[0])} for row, result in zip(scores, results, strict=True)]
            rows[label] |= pd.DataFrame(scores).mean().to_dict()
    return pd.DataFrame(rows).T.rename_axis("network")


def run_folder(out: str | Path, label: str) -> Path:
    """Of one row of a study."""
    return Path(out) / label.replace(" ", "_").replace(",", "")


def real_accuracy(method: str, recipe: PatchRecipe, changes: Mapping[str, Mapping[str, Any]], runs: Path, name: str) -> pd.Series:
    """Accuracy on patches of real photographs that no training has seen."""
    held_out = RealPatches(name, held_out=True)
    shares = {}
    for label, change in changes.items():
        chosen = replace(recipe, **change)
        data = chosen.data([], split="val", seed=9)
        data.real, data.real_every = held_out, 1
        network = load_model(chosen.model(), run_folder(runs, label) / "best.safetensors").eval()
        shares[label] = accuracy(network, data)
    return pd.Series(shares)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("method", choices=STUDIES)
    parser.add_argument("--data", default="bsds500", help="photographs to train on, with a split for validation")
    parser.add_argument("--real", default="gacn26", help="stacks of real photographs, for the accuracy on their patches")
    parser.add_argument("--device", required=True, help="what it runs on, in words")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    study = STUDIES[arguments.method]
    regions = {split: load_regions(arguments.data, split=split) for split in ("train", "val")}
    test = list(load("embedded", kind="composite", levels=(3,), size=256))
    with tempfile.TemporaryDirectory() as folder:
        parts = arguments.method, study.recipe, study.changes
        table = run(*parts, regions, test, folder, seed=arguments.seed, options=study.options)
        table.insert(2, "accuracy on real", real_accuracy(*parts, Path(folder), arguments.real))
    origin = {"data": arguments.data, "seed": arguments.seed, "samples": study.recipe.samples}
    origin |= {"device": arguments.device, "date": time.strftime("%Y-%m-%d", time.gmtime())}
    path = manifest_folder() / "recorded" / "studies" / f"{study.paper}_study.csv"
    write_atomically(path, table.assign(**origin).to_csv(float_format="%.6g", lineterminator="\n").encode())
    print(path)


if __name__ == "__main__":
    main()
