"""Studies: trainings that differ in one thing each, scored and recorded: ``mffrepro train study NAME``.

Each study is a module with a function ``tabulate`` that trains, scores and returns a table. `run` writes it to
``data_manifests/recorded/studies``, for readers who do not want to wait.
"""

import importlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from mffrepro.data.manifests import manifest_folder
from mffrepro.errors import unknown
from mffrepro.images import write_atomically

if TYPE_CHECKING:
    import pandas as pd

#: Study -> module, arguments of its ``tabulate``, and the name of its table.
STUDIES = {
    "icacs18": ("patches", {"method": "icacs18"}, "p002_study"),
    "cnn_fuse": ("patches", {"method": "cnn_fuse"}, "p003_study"),
    "gacn_losses": ("gacn_losses", {}, "p004_losses"),
    "gacn_trainings": ("gacn_trainings", {}, "p004_trainings"),
}


@dataclass(frozen=True, kw_only=True)
class Options:
    """Hold what a study is run on.

    Attributes:
        data: Labelled photographs to train on, with a split for validation.
        real: Stacks of real photographs to score on.
        seed: Seed of every training.
        device: The machine in words, for the table.
        runs: Run folders of finished trainings, for studies that only score.
    """

    data: str = "bsds500"
    real: str = "gacn26"
    seed: int = 1
    device: str
    runs: tuple[Path, ...] = ()


def table_path(name: str) -> Path:
    """Return where the table of a study is recorded."""
    return manifest_folder() / "recorded" / "studies" / f"{STUDIES[_known(name)][2]}.csv"


def tabulate(name: str) -> "Callable[[Options, pd.DataFrame | None], pd.DataFrame]":
    """Return the function that runs a study.

    It goes from options and the recorded table, if any, to the new table.
    """
    module, arguments, _ = STUDIES[_known(name)]
    return partial(importlib.import_module(f"{__name__}.{module}").tabulate, **arguments)


def run(name: str, options: Options) -> Path:
    """Run a study and record its table.

    Args:
        name: A name of `STUDIES`.
        options: What it is run on.

    Returns:
        Path of the table.

    Raises:
        OptionError: There is no such study.
    """
    import pandas as pd

    path = table_path(name)
    before = pd.read_csv(path, keep_default_na=False) if path.exists() else None
    table = tabulate(name)(options, before)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, table.to_csv(index=False, float_format="%.6g", lineterminator="\n").encode())
    return path


def origin(options: Options) -> dict[str, str | int]:
    """Return the columns that say on what a row was computed, and when."""
    today = time.strftime("%Y-%m-%d", time.gmtime())
    return {"data": options.data, "seed": options.seed, "device": options.device, "date": today}


def _known(name: str) -> str:
    if name not in STUDIES:
        raise unknown("study", name, STUDIES)
    return name
