"""Show how shipped weights were trained, and what recorded studies of trainings say."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from pandas.io.formats.style import Styler

from mffrepro.models.weights import card
from mffrepro.report.figures import loss_curves
from mffrepro.report.style import Shown
from mffrepro.report.tables import plain
from mffrepro.training.studies import table_path

#: What the table of a training shows, in this order.
FACTS = ("data", "device", "date", "seconds", "seed", "parameters", "best_epoch", "note", "licence")
#: Columns of studies that hold whole numbers, some of which may be missing.
WHOLE = {"epochs": "Int64", "epochs to 99 %": "Int64", "parameters": "Int64"}


def training_table(names: Sequence[str], *, caption: str = "") -> Styler:
    """Tabulate how shipped weights were trained.

    Args:
        names: Weights such as ``"tlcnn.default"``, one column each.
        caption: Above the table.
    """
    facts = {}
    for name in names:
        made = card(name)
        facts[name] = {key.replace("_", " "): made[key] for key in FACTS if made.get(key, "") != ""}
        shares = [value for key, value in made["final"].items() if key.startswith("val_") and key.endswith("accuracy")]
        if shares:
            facts[name]["validation accuracy"] = ", ".join(f"{share:.2%}" for share in shares)
    return plain(pd.DataFrame(facts).fillna(""), caption=caption)


def training_curves(name: str, *, alt: str, caption: str = "") -> Shown:
    """Draw the training log of shipped weights.

    Args:
        name: Weights such as ``"tlcnn.default"``.
        alt: Alternative text.
        caption: Caption.
    """
    return Shown(loss_curves(card(name)["log"]), alt=alt, caption=caption)


def first_epoch(values: Sequence[float], level: float) -> float:
    """Find the first epoch whose value reaches a level.

    It is counted from 1, and infinity where no epoch does.
    """
    reached = np.flatnonzero(np.asarray(values, float) >= level)
    return float(reached[0]) + 1 if len(reached) else float("inf")


def epoch_text(epoch: float, epochs: int) -> int | str:
    """Write an epoch of `first_epoch` in words.

    It is a number, or the statement that the level was not reached.

    Args:
        epoch: An epoch from 1; infinity or NaN where the level was not reached.
        epochs: Length of the training.
    """
    return int(epoch) if np.isfinite(epoch) else f"not within {epochs} epochs"


def read_study(name: str) -> pd.DataFrame:
    """Read the recorded table of a study of trainings.

    Args:
        name: A study of `mffrepro.training.studies`, such as ``"icacs18"``.

    Returns:
        One row per training, indexed by the first column.
    """
    return pd.read_csv(table_path(name), index_col=0)


def study_origin(study: pd.DataFrame) -> str:
    """Say when, on what and with which data the trainings of a study were made."""
    row = study.iloc[0]
    return f"recorded {row['date']} on {row['device']}, {row['samples']} pairs of {row['data']} per epoch, seed {row['seed']}"


def study_table(study: pd.DataFrame, columns: Sequence[str], *, caption: str) -> Styler:
    """Tabulate columns of a study.

    Args:
        study: What `read_study` returns.
        columns: Names of columns; counts are shown as whole numbers.
        caption: Above the table.
    """
    chosen = study[list(columns)]
    return plain(chosen.astype({name: kind for name, kind in WHOLE.items() if name in chosen}), caption=caption)
