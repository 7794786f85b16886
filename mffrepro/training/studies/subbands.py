"""Train the mapping of sub-bands and its controls on pixels by one recipe, and score what they fuse pair by pair.

What the wavelet is worth is the difference between the rows of one seed. All domains have the same number of parameters, samples
and steps; ``blocks`` also sees as far as the wavelet networks and costs as much, while ``image`` sees half as far and costs four
times as much.
"""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pandas as pd

from mffrepro.data import load, load_regions
from mffrepro.images import FocusStack, from_unit
from mffrepro.metrics import evaluate
from mffrepro.metrics.diagnostics import border_errors
from mffrepro.models.subbands import Subbands, fuse
from mffrepro.models.weights import pick_device
from mffrepro.training.studies import Options, Row, Study
from mffrepro.training.subbands import PRESETS, SubbandsRecipe
from mffrepro.training.trainer import go_on, read_log

#: Rows: where the networks work, and what that for the details corrects, in the order of what the verdict needs.
ROWS = (
    {"domain": "wavelet", "details": "larger"},
    {"domain": "blocks", "details": ""},
    {"domain": "wavelet", "details": "mean"},
    {"domain": "image", "details": ""},
)
#: Scores on real pairs, those of C3.11, and on made pairs with a reference.
METRICS, TRUTH = ("qabf", "qy", "mi", "viff"), ("psnr",)
#: Blur levels of the made pairs: the weakest, the middle and the strongest.
LEVELS = (1, 3, 5)
#: Columns of the log that are recorded, at the best epoch.
LOGGED = ("val_total", "val_rule", "val_error")


def recipe_of(row: Row, size: str = "practical") -> SubbandsRecipe:
    """Return the recipe of a row, at the size ``"practical"`` or ``"paper"``."""
    recipe = replace(PRESETS[size], domain=row["domain"])
    return replace(recipe, details=row["details"]) if row["details"] else recipe


def rate(network: Subbands, stacks: Iterable[FocusStack]) -> pd.DataFrame:
    """Score what a network fuses of each stack.

    Args:
        network: Ready for inference.
        stacks: With a reference and a true decision, or without both.

    Returns:
        A row per stack, with its name: `TRUTH` and the errors near the true border, or `METRICS`.
    """
    rows = []
    for stack in stacks:
        image = from_unit(fuse(stack, network)[0], stack.images.dtype)
        true = stack.reference is not None
        scores = evaluate(stack, image, TRUTH if true else METRICS) | (border_errors(stack, image) if true else {})
        rows.append({"stack": stack.name} | scores)
    return pd.DataFrame(rows)


def measure(network: Subbands, recipe: SubbandsRecipe, folder: Path, sets: dict[str, Iterable[FocusStack]]) -> Row:
    """Measure a finished training.

    Args:
        network: What it returned, on the device that shall fuse.
        recipe: What was trained.
        folder: Its run folder.
        sets: Name to stacks.

    Returns:
        The row of the table: losses and means of the scores; and all scores, stack by stack, as ``scores``.
    """
    best = min(read_log(folder / "log.csv"), key=lambda row: row["val_total"])
    tables = {name: rate(network, stacks) for name, stacks in sets.items()}
    row = {name: best[name] for name in LOGGED} | {"best_epoch": int(best["epoch"])}
    for table in tables.values():
        row |= table.drop(columns="stack").mean().to_dict()
    row |= {"parameters": sum(p.numel() for p in network.parameters()), "epochs": recipe.epochs, "samples": recipe.samples}
    return row | {"scores": pd.concat([table.assign(data=name) for name, table in tables.items()])}


def study() -> Study:
    """Return the study of the wavelet networks and of their controls."""

    def run(row: Row, options: Options, folder: Path) -> Row:
        recipe = recipe_of(row, options.size)
        regions = {split: load_regions(options.data, split=split) for split in ("train", "val")}
        network = go_on(recipe, regions, folder, seed=row["seed"], device=options.device, precision=options.precision)
        sets = {"real": load(options.real), "embedded": load("embedded", kind="composite", levels=LEVELS)}
        return measure(network.to(pick_device(options.device)), recipe, folder, sets)

    return Study(lambda options: ROWS, run)
