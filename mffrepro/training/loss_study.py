"""The study of Fig. 9 of GACN: one training per pair of mask loss and gradient loss, all else equal.

``python -m mffrepro.training.loss_study --data bsds500 --device "1 CPU core"`` trains by the recipe `STUDY`, scores the networks
on stacks that they have not seen, and writes
``data_manifests/recorded/studies/p004_losses.csv``, for those who do not want to wait.
"""

import argparse
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import ndimage

from mffrepro.data import load, load_regions
from mffrepro.data.manifests import manifest_folder
from mffrepro.data.regions import LabelledImage
from mffrepro.images import FocusStack, write_atomically
from mffrepro.methods import fuse
from mffrepro.metrics import evaluate
from mffrepro.training.gacn import GacnRecipe
from mffrepro.training.trainer import train

#: Row of the study -> mask loss and gradient loss: each mask loss alone and with Q_g, and with Dice the other gradient losses.
COMBINATIONS = {
    "dice": ("dice", "none"),
    "focal": ("focal", "none"),
    "bce": ("bce", "none"),
    "dice + qg": ("dice", "qg"),
    "focal + qg": ("focal", "qg"),
    "bce + qg": ("bce", "qg"),
    "dice + ep": ("dice", "ep"),
    "dice + st": ("dice", "st"),
}
#: The six metrics of the paper, and two that know the truth.
METRICS = ("qg", "qy", "qncie", "qcb", "fmi_edge", "fmi_dct", "psnr", "mask_iou")
#: Minutes on a CPU core instead of the paper's fifty epochs: enough to tell whether a loss leads anywhere.
STUDY = GacnRecipe(
    epochs=6,
    samples=120,
    batch=4,
    rate=2e-3,
    schedule="cosine",
    slope_start=10.0,
    slope_epochs=3,
    size=128,
    crop=64,
    validation=16,
)


def loss_study(
    recipe: GacnRecipe,
    regions: Mapping[str, Sequence[LabelledImage]],
    stacks: Sequence[FocusStack],
    out: str | Path,
    *,
    seed: int = 1,
    device: str = "auto",
) -> pd.DataFrame:
    """Train a network for each combination of losses, and score it.

    Args:
        recipe: All that the trainings share; its losses are replaced.
        regions: Labelled photographs under ``"train"`` and ``"val"``.
        stacks: Pairs to fuse, with reference and true decision.
        out: Folder for the runs, one folder each; the weights of a combination are ``COMBINATION/best.safetensors``.
        seed: Of every training: all see the same samples and begin with the same weights.
        device: ``"auto"``, ``"cpu"`` or ``"cuda"``.
    Returns:
        A row per combination: means of `METRICS` over the stacks and of `noise` over their initial maps, seconds of training.
    """
    rows = {}
    for label, (mask_loss, gradient_loss) in COMBINATIONS.items():
        started = time.perf_counter()
        chosen = replace(recipe, mask_loss=mask_loss, gradient_loss=gradient_loss)
        train(chosen, regions, Path(out) / label, seed=seed, device=device)
        seconds = time.perf_counter() - started
        scores = [score(stack, Path(out) / label / "best.safetensors", device) for stack in stacks]
        rows[label] = {name: float(np.mean([row[name] for row in scores])) for name in scores[0]} | {"seconds": seconds}
    return pd.DataFrame(rows).T.rename_axis("losses")


def score(stack: FocusStack, weights: Path, device: str, metrics: Sequence[str] = METRICS) -> dict[str, float]:
    """Metrics of the image that a network fuses from a stack, and `noise` of its initial map."""
    result = fuse(stack, "gacn", weights=str(weights), device=device)
    initial = fuse(stack, "gacn", weights=str(weights), device=device, smooth_boundary=False).decision[0]
    return evaluate(stack, result, metrics, gray="skimage") | noise(initial)


def noise(share: np.ndarray) -> dict[str, float]:
    """How restless a decision map of two sources is.

    Args:
        share: (H, W) in [0, 1].
    Returns:
        ``regions``: connected regions of either source; ``variation``: mean absolute difference between neighbours, summed over
        both directions.
    """
    regions = sum(ndimage.label(side)[1] for side in (share > 0.5, share <= 0.5))
    variation = sum(np.abs(np.diff(share, axis=axis)).mean() for axis in (0, 1))
    return {"regions": float(regions), "variation": float(variation)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="bsds500", help="labelled photographs to train on, with a split for validation")
    parser.add_argument("--device", required=True, help="what it runs on, in words")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    regions = {split: load_regions(arguments.data, split=split) for split in ("train", "val")}
    test = load("embedded", kind="composite", levels=(3,), size=256)
    with tempfile.TemporaryDirectory() as folder:
        table = loss_study(STUDY, regions, list(test), folder, seed=arguments.seed)
    named = {"data": arguments.data, "seed": arguments.seed, "epochs": STUDY.epochs, "samples": STUDY.samples}
    named |= {"device": arguments.device, "date": time.strftime("%Y-%m-%d", time.gmtime())}
    path = manifest_folder() / "recorded" / "studies" / "p004_losses.csv"
    path.parent.mkdir(exist_ok=True)
    write_atomically(path, table.assign(**named).to_csv(float_format="%.6g", lineterminator="\n").encode())
    print(path)


if __name__ == "__main__":
    main()
